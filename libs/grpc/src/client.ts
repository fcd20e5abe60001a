import { metrics } from '@opentelemetry/api';
import {
  ClientError,
  createChannel,
  createClientFactory,
  Metadata,
  Status,
  type CallOptions,
  type Client,
  type ClientMiddlewareCall,
  type CompatServiceDefinition,
} from 'nice-grpc';
import { deadlineMiddleware, type DeadlineOptions } from 'nice-grpc-client-middleware-deadline';
import { errorMetadataKey, fromWire, KassaError } from '@kassa/problem';
import { injectTrace, traceClientCall } from './telemetry.ts';

export interface GrpcClientOptions {
  /** host:port */
  address: string;
  /** This service's own token. */
  token(): Promise<string>;
  /** Milliseconds a unary call may take in all, repetitions included, unless the call names its own. */
  deadlineMs: number;
}

/** Call options of every client: `deadlineMs` for this call only, and a signal to give it up. */
export interface CallLimits {
  deadlineMs?: number;
}

export type GrpcClient<Service extends CompatServiceDefinition> = Client<Service, CallLimits>;

// Commands are idempotent by their ids, so a call that may not have arrived is safe to send again.
const retryDelaysMs = [50, 250];

const duration = metrics.getMeter('kassa-grpc').createHistogram('kassa_grpc_client_duration_seconds', {
  description: 'Time a unary call took as its caller saw it, repetitions included',
  unit: 's',
  advice: { explicitBucketBoundaries: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 90] },
});

/**
 * A client of a neighbour. Every unary call has a deadline, which the neighbour is told. What the neighbour refuses is thrown as the
 * KassaError it threw; unavailable (repeated twice before) and deadline-exceeded mean that nobody knows whether the call happened.
 */
export function createClient<Service extends CompatServiceDefinition>(
  definition: Service,
  options: GrpcClientOptions,
): { client: GrpcClient<Service>; close(): void } {
  const channel = createChannel(options.address, undefined, {
    'grpc.keepalive_time_ms': 20_000,
    'grpc.keepalive_timeout_ms': 5_000,
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 2_000,
    'grpc.max_receive_message_length': 16_777_216,
  });
  // The middleware attached last is the outermost: deadlineMiddleware sees each attempt.
  const factory = createClientFactory()
    .use(deadlineMiddleware)
    .use<CallLimits>((call, callOptions) => perform(call, callOptions as CallOptions & CallLimits, options));
  return { client: factory.create(definition, channel) as GrpcClient<Service>, close: () => channel.close() };
}

async function* perform<Request, Response>(
  call: ClientMiddlewareCall<Request, Response, DeadlineOptions>,
  { deadlineMs, ...rest }: CallOptions & CallLimits,
  options: GrpcClientOptions,
): AsyncGenerator<Response, Response | void, undefined> {
  const { path } = call.method;
  if (call.responseStream) {
    let payload: Uint8Array | undefined;
    const onTrailer = (trailer: Metadata) => {
      payload = trailer.get(errorMetadataKey);
    };
    try {
      return yield* call.next(call.request, { ...rest, metadata: await callMetadata(rest.metadata, options), onTrailer });
    } catch (error) {
      throw toKassaError(error, payload, path);
    }
  }
  const startedAt = performance.now();
  const traced = traceClientCall(path);
  const limitMs = deadlineMs ?? options.deadlineMs;
  let status: Status = Status.OK;
  try {
    for (let attempt = 0; ; attempt++) {
      let payload: Uint8Array | undefined;
      const onTrailer = (trailer: Metadata) => {
        payload = trailer.get(errorMetadataKey);
      };
      const leftMs = Math.max(1, Math.floor(limitMs - (performance.now() - startedAt)));
      const metadata = await callMetadata(rest.metadata, options, leftMs);
      injectTrace(traced.context, metadata);
      try {
        return yield* call.next(call.request, { ...rest, metadata, onTrailer, deadline: leftMs });
      } catch (error) {
        const delayMs = retryDelaysMs[attempt];
        if (isUnreached(error) && payload === undefined && delayMs !== undefined && delayMs < leftMs) {
          await new Promise((resolve) => setTimeout(resolve, delayMs));
          continue;
        }
        status = error instanceof ClientError ? error.code : Status.UNKNOWN;
        throw toKassaError(error, payload, path);
      }
    }
  } finally {
    traced.end(status);
    duration.record((performance.now() - startedAt) / 1000, { method: path.slice(1), status: Status[status] });
  }
}

async function callMetadata(given: CallOptions['metadata'], options: GrpcClientOptions, leftMs?: number): Promise<Metadata> {
  const metadata = Metadata(given);
  metadata.set('authorization', `Bearer ${await options.token()}`);
  // nice-grpc keeps the deadline to itself; the neighbour learns it by the protocol's own header.
  if (leftMs !== undefined) metadata.set('grpc-timeout', `${leftMs}m`);
  return metadata;
}

function isUnreached(error: unknown): boolean {
  return error instanceof ClientError && error.code === Status.UNAVAILABLE;
}

/** Errors without our payload came from the transport, a proxy or the deadline, not from the neighbour's code. */
function toKassaError(error: unknown, payload: Uint8Array | undefined, path: string): unknown {
  const told = payload && fromWire(payload, error);
  if (told) return told;
  if (!(error instanceof ClientError)) return error;
  const code =
    error.code === Status.DEADLINE_EXCEEDED
      ? 'deadline-exceeded'
      : error.code === Status.INTERNAL && payload
        ? 'internal-error'
        : 'unavailable';
  return new KassaError(code, {
    detail: `${path.split('/')[1]?.split('.')[1] ?? 'A neighbour'} does not answer.`,
    retryAfterSeconds: 2,
    cause: error,
  });
}
