import { Client as Wire, credentials, Metadata as WireMetadata, type MethodDefinition, type ServiceError } from '@grpc/grpc-js';
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

/** Options of a unary call: `deadlineMs` for this call only. */
export interface CallLimits {
  deadlineMs?: number;
}

/** A stream takes nice-grpc's own options, of which a signal gives it up. */
export type GrpcClient<Service extends CompatServiceDefinition> = {
  [Method in keyof Client<Service>]: Client<Service>[Method] extends (
    request: infer Request,
    options?: never,
  ) => Promise<infer Response>
    ? (request: Request, limits?: CallLimits) => Promise<Response>
    : Client<Service>[Method];
};

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
  const streams = createClientFactory().use((call, callOptions) => stream(call, callOptions, options));
  // Unary calls are most of what a service does, and go to grpc-js itself: the generators around it cost as much as a call.
  const wire = new Wire(options.address, credentials.createInsecure(), { channelOverride: channel });
  const unaries = Object.entries(definition as Record<string, MethodDefinition<unknown, unknown>>)
    .filter(([, method]) => !method.requestStream && !method.responseStream)
    .map(([name, method]) => [
      name,
      (request: unknown, limits: CallLimits = {}) => unary(wire, method, request, limits.deadlineMs, options),
    ]);
  return {
    client: { ...streams.create(definition, channel), ...Object.fromEntries(unaries) } as GrpcClient<Service>,
    close: () => channel.close(),
  };
}

async function unary<Request, Response>(
  wire: Wire,
  method: MethodDefinition<Request, Response>,
  request: Request,
  deadlineMs: number | undefined,
  options: GrpcClientOptions,
): Promise<Response> {
  const { path } = method;
  const startedAt = performance.now();
  const traced = traceClientCall(path);
  const limitMs = deadlineMs ?? options.deadlineMs;
  let status: Status = Status.UNKNOWN;
  try {
    for (let attempt = 0; ; attempt++) {
      const leftMs = Math.max(1, Math.floor(limitMs - (performance.now() - startedAt)));
      const metadata = new WireMetadata();
      metadata.set('authorization', `Bearer ${await options.token()}`);
      injectTrace(traced.context, metadata);
      try {
        const response = await send(wire, method, request, metadata, leftMs);
        status = Status.OK;
        return response;
      } catch (error) {
        const { code, payload } = refusalOf(error as ServiceError);
        const delayMs = retryDelaysMs[attempt];
        if (code === Status.UNAVAILABLE && payload === undefined && delayMs !== undefined && delayMs < leftMs) {
          await new Promise((resolve) => setTimeout(resolve, delayMs));
          continue;
        }
        status = code ?? Status.UNKNOWN;
        throw toKassaError(error, code, payload, path);
      }
    }
  } finally {
    traced.end(status);
    duration.record((performance.now() - startedAt) / 1000, { method: path.slice(1), status: Status[status] });
  }
}

function send<Request, Response>(
  wire: Wire,
  { path, requestSerialize, responseDeserialize }: MethodDefinition<Request, Response>,
  request: Request,
  metadata: WireMetadata,
  leftMs: number,
): Promise<Response> {
  const serialize = (value: Request) => Buffer.from(requestSerialize(value));
  const deadline = new Date(Date.now() + leftMs);
  return new Promise((done, fail) => {
    wire.makeUnaryRequest(path, serialize, responseDeserialize, request, metadata, { deadline }, (error, response) =>
      error ? fail(error) : done(response as Response),
    );
  });
}

/** The status of a failed call, and the error its server put into words; neither where it is no failure of a call: Node's errors have texts as codes. */
function refusalOf({ code, metadata }: Partial<ServiceError>): { code: Status | undefined; payload: Uint8Array | undefined } {
  if (typeof code !== 'number') return { code: undefined, payload: undefined };
  const [payload] = metadata?.get(errorMetadataKey) ?? [];
  return { code: code as Status, payload: typeof payload === 'string' ? undefined : payload };
}

async function* stream<Request, Response>(
  call: ClientMiddlewareCall<Request, Response>,
  callOptions: CallOptions,
  options: GrpcClientOptions,
): AsyncGenerator<Response, Response | void, undefined> {
  let payload: Uint8Array | undefined;
  const onTrailer = (trailer: Metadata) => {
    payload = trailer.get(errorMetadataKey);
  };
  const metadata = Metadata(callOptions.metadata);
  metadata.set('authorization', `Bearer ${await options.token()}`);
  try {
    return yield* call.next(call.request, { ...callOptions, metadata, onTrailer });
  } catch (error) {
    throw toKassaError(error, error instanceof ClientError ? error.code : undefined, payload, call.method.path);
  }
}

/** Errors without our payload came from the transport, a proxy or the deadline, not from the neighbour's code. */
function toKassaError(error: unknown, status: Status | undefined, payload: Uint8Array | undefined, path: string): unknown {
  const told = payload && fromWire(payload, error);
  if (told) return told;
  if (status === undefined) return error;
  const code =
    status === Status.DEADLINE_EXCEEDED
      ? 'deadline-exceeded'
      : status === Status.INTERNAL && payload
        ? 'internal-error'
        : 'unavailable';
  return new KassaError(code, {
    detail: `${path.split('/')[1]?.split('.')[1] ?? 'A neighbour'} does not answer.`,
    retryAfterSeconds: 2,
    cause: error,
  });
}
