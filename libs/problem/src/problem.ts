import { errorKind } from './catalogue.ts';
import { KassaError } from './kassa-error.ts';

/** A problem document, RFC 9457, as every HTTP error of Kassa is answered (application/problem+json). */
export interface Problem {
  type: string;
  title: string;
  status: number;
  code: string;
  detail: string;
  /** The request's trace id, to be told to whoever is on call. */
  traceId: string;
  retryable: boolean;
  instance?: string;
  errors?: { pointer: string; detail: string }[];
  [param: string]: unknown;
}

/** Turns what was thrown into a problem document. Nothing of an unexpected error but its trace id reaches the client. */
export function toProblem(error: unknown, traceId: string, instance?: string): Problem {
  const known = error instanceof KassaError ? error : undefined;
  const kind = known?.kind ?? errorKind('internal-error');
  return {
    ...known?.facts.params,
    type: `https://kassa.example/problems/${kind.code}`,
    title: kind.title,
    status: kind.status,
    code: kind.code,
    detail: known?.facts.detail ?? kind.title,
    traceId,
    retryable: kind.isRetryable,
    ...(instance === undefined ? {} : { instance }),
    ...(known?.facts.errors === undefined ? {} : { errors: known.facts.errors }),
  };
}
