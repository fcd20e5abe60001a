import { KassaError } from '@kassa/problem';

/** A statement refused itself through kassa_expect(ok, reason) and changed nothing. */
export class ExpectationFailed extends Error {
  override readonly name = 'ExpectationFailed';
  /** SQLSTATE of kassa_expect. */
  readonly code = 'KA001';

  constructor(reason: string, cause: unknown) {
    super(reason, { cause });
  }

  get reason(): string {
    return this.message;
  }
}

/** True where the statement refused itself for this reason. */
export function isExpectation(error: unknown, reason: string): error is ExpectationFailed {
  return error instanceof ExpectationFailed && error.reason === reason;
}

// PostgreSQL error classes, appendix A of its manual. 08: connection, 28: login, as while a password is being changed, 53: resources,
// 57P: shutdown; 57014: statement timeout.
const unavailable = /^(08|28|53|57P|57014|58)/;
const conflict = /^(40001|40P01|55P03)$/;
const socket = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
]);

/** What pg threw, as what a caller can decide on. An error that is none of these is a bug and comes back as it was. */
export function translate(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof KassaError || error instanceof ExpectationFailed) return error;
  const code = (error as Error & { code?: string }).code ?? '';
  if (code === 'KA001') return new ExpectationFailed(error.message, error);
  if (conflict.test(code)) return new KassaError('write-conflict', { retryAfterSeconds: 1, cause: error });
  if (unavailable.test(code) || socket.has(code) || isLostConnection(error)) {
    return new KassaError('unavailable', { detail: 'The database does not answer.', retryAfterSeconds: 2, cause: error });
  }
  return error;
}

/** pg reports these two without a code. */
function isLostConnection(error: Error): boolean {
  return /Connection terminated|timeout exceeded when trying to connect|Cannot use a pool after calling end/.test(error.message);
}
