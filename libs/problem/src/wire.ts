import { grpcCode, isErrorCode } from './catalogue.ts';
import { KassaError, type ErrorFacts } from './kassa-error.ts';

/** The metadata key under which an error's code and facts travel between services over gRPC. */
export const errorMetadataKey = 'kassa-error-bin';

/** What a gRPC error carries besides its status: code and the client-safe facts, as UTF-8 JSON. The cause stays behind. */
export function toWire(error: KassaError): { grpcStatus: number; payload: Uint8Array } {
  const { cause: _cause, ...facts } = error.facts;
  return {
    grpcStatus: grpcCode[error.kind.grpc],
    payload: new TextEncoder().encode(JSON.stringify({ code: error.code, facts })),
  };
}

/** The KassaError a neighbour sent, or undefined where the payload is none of ours (an older or newer code, a proxy's error). */
export function fromWire(payload: Uint8Array, cause: unknown): KassaError | undefined {
  try {
    const { code, facts } = JSON.parse(new TextDecoder().decode(payload)) as { code: string; facts: ErrorFacts };
    return isErrorCode(code) ? new KassaError(code, { ...facts, cause }) : undefined;
  } catch {
    // Not JSON: whoever wrote it was not Kassa, and the caller falls back to the gRPC status.
    return undefined;
  }
}
