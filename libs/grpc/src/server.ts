import { context as otel, metrics } from '@opentelemetry/api';
import {
  createServer,
  ServerError,
  Status,
  type CallContext,
  type ServerMiddlewareCall,
  type ServiceImplementation,
} from 'nice-grpc';
import { isAbortError } from 'abort-controller-x';
import type { CompatServiceDefinition } from 'nice-grpc';
import { HealthDefinition } from 'nice-grpc-server-health';
import { ServerReflection, ServerReflectionService } from 'nice-grpc-server-reflection';
import { brokenTexts, errorMetadataKey, isKassaError, KassaError, toWire } from '@kassa/problem';
import { healthService } from './health.ts';
import { traceServerCall, within } from './telemetry.ts';

export interface Log {
  warn(facts: object, message: string): void;
  error(facts: object, message: string): void;
}

export interface GrpcServerOptions {
  log: Log;
  /** Turns the authorization metadata into a caller, or throws unauthenticated. Only the role `service` may call. */
  authenticate(authorization: string | undefined): Promise<{ roles: readonly string[] }>;
  /** Whether this process can serve now, for grpc.health.v1. */
  isReady(): Promise<boolean>;
}

/** What reflection shows of a service, see @kassa/contracts. */
export interface Reflection {
  service: string;
  protoset(): Uint8Array;
}

export interface GrpcServer {
  add<Service extends CompatServiceDefinition>(
    definition: Service,
    implementation: ServiceImplementation<Service>,
    reflection: Reflection,
  ): void;
  /** Aborted when the server drains: a stream without end ends then. */
  draining: AbortSignal;
  /** Listens (h2c) and answers the port. */
  listen(host: string, port: number): Promise<number>;
  /** Takes no new calls, ends streams, finishes the calls under way; after `timeoutMs` cuts what is left. */
  close(timeoutMs: number): Promise<void>;
}

const duration = metrics.getMeter('kassa-grpc').createHistogram('kassa_grpc_server_duration_seconds', {
  description: 'Time a unary call took in this service',
  unit: 's',
  advice: { explicitBucketBoundaries: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 90] },
});

/** The gRPC server every service has: service tokens, KassaErrors on the wire, metrics, grpc.health.v1 and reflection. */
export function createGrpcServer(options: GrpcServerOptions): GrpcServer {
  const drain = new AbortController();
  const names = new Set<string>();
  const server = createServer({ 'grpc.max_receive_message_length': 1_048_576 }).use((call, context) =>
    serve(call, context, options),
  );
  server.add(
    HealthDefinition,
    healthService(names, () => options.isReady(), drain.signal),
  );

  return {
    add(definition, implementation, reflection) {
      names.add(reflection.service);
      server.add(definition, implementation as never);
      server.add(ServerReflectionService, ServerReflection(reflection.protoset(), [reflection.service]));
    },
    draining: drain.signal,
    listen: (host, port) => server.listen(`${host}:${port}`),
    async close(timeoutMs) {
      drain.abort();
      const cut = setTimeout(() => server.forceShutdown(), timeoutMs);
      await server.shutdown();
      clearTimeout(cut);
    },
  };
}

async function* serve<Request, Response>(
  call: ServerMiddlewareCall<Request, Response>,
  context: CallContext,
  options: GrpcServerOptions,
) {
  const { path } = call.method;
  // grpc.health.v1 and reflection are asked by probes and people without a service token.
  if (path.startsWith('/grpc.')) return yield* call.next(call.request, context);
  const startedAt = performance.now();
  const traced = traceServerCall(path, context.metadata);
  let status: Status = Status.OK;
  try {
    const caller = await options.authenticate(context.metadata.get('authorization'));
    if (!caller.roles.includes('service')) throw new KassaError('forbidden', { detail: 'Only services call here.' });
    refuseBrokenTexts(call.request);
    if (call.responseStream) return yield* within<Response, Response | void>(traced.context, call.next(call.request, context));
    // One step is all there is to a unary call.
    return (await otel.with(traced.context, () => call.next(call.request, context).next())).value;
  } catch (error) {
    if (isAbortError(error) && context.signal.aborted) {
      status = Status.CANCELLED;
      throw error;
    }
    const served = toServerError(error, context, path, options.log);
    status = served.code;
    throw served;
  } finally {
    traced.end(status);
    if (!call.responseStream)
      duration.record((performance.now() - startedAt) / 1000, { method: path.slice(1), status: Status[status] });
  }
}

/** The laws of each message are its service's; this one holds for every text. Error: validation-failed. */
function refuseBrokenTexts(message: unknown): void {
  const errors = brokenTexts(message);
  const [first] = errors;
  if (first) throw new KassaError('validation-failed', { errors, detail: `${first.pointer}: ${first.detail}` });
}

function toServerError(error: unknown, context: CallContext, method: string, log: Log): ServerError {
  if (!isKassaError(error)) log.error({ err: error, method }, 'a call met a bug');
  else if (error.kind.status >= 500) log.warn({ err: error, cause: error.cause, method }, 'a call failed');
  const known = isKassaError(error) ? error : new KassaError('internal-error');
  const { grpcStatus, payload } = toWire(known);
  context.trailer.set(errorMetadataKey, payload);
  return new ServerError(grpcStatus, known.message);
}
