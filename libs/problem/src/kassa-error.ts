import { errorKind, type ErrorCode, type ErrorKind } from './catalogue.ts';

/** One faulty field: a JSON pointer (RFC 6901) into the body, or `/query/…`, `/path/…`, `/header/…`. */
export interface FieldError {
  pointer: string;
  /** What is wrong and what would be right, safe for the client. */
  detail: string;
}

export interface ErrorFacts {
  /** What happened and what to do, safe for the client. */
  detail?: string;
  /** Extra members of the problem document, safe for the client: numbers and ids a till can act on. */
  params?: Record<string, unknown>;
  errors?: FieldError[];
  /** Seconds the client should wait before it asks again; sent as Retry-After. */
  retryAfterSeconds?: number;
  /** What lies behind it; for the log only. */
  cause?: unknown;
}

/**
 * A refusal or an operational failure with a code of the catalogue. It travels as it is through HTTP and gRPC.
 * Anything else that is thrown is a bug: the client sees internal-error, the log sees the stack.
 */
export class KassaError extends Error {
  override readonly name = 'KassaError';
  readonly kind: ErrorKind;
  readonly facts: ErrorFacts;

  constructor(code: ErrorCode, facts: ErrorFacts = {}) {
    const kind = errorKind(code);
    super(facts.detail ?? kind.title, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.kind = kind;
    this.facts = facts;
  }

  get code(): ErrorCode {
    return this.kind.code;
  }
}

/** True where the error is a KassaError, of the given code if one is named. */
export function isKassaError(error: unknown, code?: ErrorCode): error is KassaError {
  return error instanceof KassaError && (code === undefined || error.code === code);
}
