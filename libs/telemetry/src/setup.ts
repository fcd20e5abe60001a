import { versions } from 'node:process';
import { metrics } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { registerInstrumentations } from '@opentelemetry/instrumentation';
import { RuntimeNodeInstrumentation } from '@opentelemetry/instrumentation-runtime-node';
import { UndiciInstrumentation } from '@opentelemetry/instrumentation-undici';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import { BatchSpanProcessor, ParentBasedSampler, TraceIdRatioBasedSampler } from '@opentelemetry/sdk-trace-base';
import { NodeTracerProvider } from '@opentelemetry/sdk-trace-node';
import { prometheusReader } from './metrics.ts';
import { observeProcess } from './process.ts';

export interface TelemetryOptions {
  /** The room's name; `service.name` of every span and metric. */
  service: string;
  /** Environment variables read here: OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_TRACES_SAMPLER_ARG, KASSA_VERSION, KASSA_COMMIT. */
  env: Record<string, string | undefined>;
}

/**
 * Starts tracing and metrics for this process. It runs from `node --import` before anything else is loaded, so that whatever measures
 * itself finds a meter. HTTP servers, gRPC and statements are traced by @kassa/http, @kassa/grpc and @kassa/database themselves.
 * Spans go to OTEL_EXPORTER_OTLP_ENDPOINT (OTLP over HTTP) and nowhere without it; a trace begun elsewhere keeps its sampling decision,
 * one begun here is sampled at OTEL_TRACES_SAMPLER_ARG (a ratio, default 0.05), or not at all where spans go nowhere.
 */
export function setup({ service, env }: TelemetryOptions): void {
  const resource = resourceFromAttributes({ 'service.name': service, 'service.version': env['KASSA_VERSION'] ?? 'dev' });
  const endpoint = env['OTEL_EXPORTER_OTLP_ENDPOINT'];
  const exporter = endpoint ? new OTLPTraceExporter({ url: `${endpoint.replace(/\/$/, '')}/v1/traces` }) : undefined;
  const ratio = samplingRatio(env['OTEL_TRACES_SAMPLER_ARG']);
  const tracing = new NodeTracerProvider({
    resource,
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(exporter ? ratio : 0) }),
    spanProcessors: exporter ? [new BatchSpanProcessor(exporter, { scheduledDelayMillis: 1_000 })] : [],
  });
  tracing.register();
  metrics.setGlobalMeterProvider(new MeterProvider({ resource, readers: [prometheusReader] }));
  registerInstrumentations({
    instrumentations: [new UndiciInstrumentation({ requireParentforSpans: true }), new RuntimeNodeInstrumentation()],
  });
  observeProcess();
  announceBuild(service, env);
}

function samplingRatio(text: string | undefined): number {
  const ratio = Number(text ?? '0.05');
  if (!(ratio >= 0 && ratio <= 1)) throw new Error('OTEL_TRACES_SAMPLER_ARG must be a ratio from 0 to 1');
  return ratio;
}

function announceBuild(service: string, env: Record<string, string | undefined>): void {
  const labels = {
    service,
    version: env['KASSA_VERSION'] ?? 'dev',
    commit: env['KASSA_COMMIT'] ?? 'unknown',
    node: versions.node,
  };
  metrics
    .getMeter('kassa')
    .createObservableGauge('kassa_build_info', { description: 'Always 1; the labels say what runs here' })
    .addCallback((result) => result.observe(1, labels));
}
