import { context, metrics, propagation, SpanKind, SpanStatusCode, trace, type Span } from '@opentelemetry/api';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Log } from './server.ts';

declare module 'fastify' {
  interface FastifyRequest {
    span: Span | null;
  }
  interface FastifyContextConfig {
    /** The route as the API writes it; never a path, which has ids and has no end. */
    routeName?: string;
  }
}

/** The trace a request belongs to, as 32 hex digits. */
export function traceIdOf(request: FastifyRequest): string {
  return request.span?.spanContext().traceId ?? '';
}

export function routeOf(request: FastifyRequest): string {
  return request.routeOptions.config.routeName ?? 'unknown route';
}

/** From here on a read is slow enough to be told of, in milliseconds. */
const slowMs = 500;

/**
 * One server span (W3C traceparent), one duration and one log line a request. The instrumentation packages make two or three spans
 * of it and cost up to twice the time; see docs/adr. A read that went well, fast and unsampled is told at level debug: tills ask for stock
 * all day, and a line each would cost a fifth of the answer.
 */
export function observeRequests(app: FastifyInstance, log: Log): void {
  const tracer = trace.getTracer('kassa-http');
  const duration = metrics.getMeter('kassa-http').createHistogram('kassa_http_request_duration_seconds', {
    description: 'Time from the request to the end of its reply',
    unit: 's',
    advice: { explicitBucketBoundaries: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] },
  });

  app.decorateRequest('span', null);
  // Fastify wants a colon that is meant to be one twice.
  app.addHook('onRoute', (route) => {
    route.config = { ...route.config, routeName: route.url.replaceAll('::', ':') };
  });
  app.addHook('onRequest', (request, reply, done) => {
    const parent = propagation.extract(context.active(), request.headers);
    const span = tracer.startSpan(`${request.method} ${routeOf(request)}`, { kind: SpanKind.SERVER }, parent);
    request.span = span;
    reply.header('x-request-id', span.spanContext().traceId);
    context.with(trace.setSpan(parent, span), done);
  });

  app.addHook('onResponse', (request, reply, done) => {
    const labels = {
      method: request.method,
      route: routeOf(request),
      status: String(reply.statusCode),
    };
    const ms = reply.elapsedTime;
    duration.record(ms / 1000, labels);
    const { span } = request;
    const isSampled = span?.isRecording() === true;
    if (isSampled) {
      span.setAttributes({
        'http.request.method': labels.method,
        'http.route': labels.route,
        'http.response.status_code': reply.statusCode,
      });
      if (reply.statusCode >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
    }
    const isOrdinary = request.method === 'GET' && reply.statusCode < 400 && ms < slowMs && !isSampled;
    if (!isOrdinary || log.isLevelEnabled('debug')) {
      const facts = { ...labels, ms: Math.round(ms * 10) / 10, traceId: traceIdOf(request) };
      log[isOrdinary ? 'debug' : 'info'](facts, 'request');
    }
    span?.end();
    done();
  });
}
