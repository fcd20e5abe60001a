import type { Key } from './key.ts';

/** What a write answers: status, JSON body, and headers such as etag and location. */
export interface Answer {
  status: number;
  body?: unknown;
  headers?: Record<string, string>;
}

/**
 * The CTE that carries the key inside a write's own statement. It takes six parameters from `$first` on, given by keyValues().
 * The statement's final SELECT must hold keyExpected, which rolls everything back where the key was seen before;
 * a concurrent duplicate waits on the unique index until the first has committed.
 */
export function keyCte(first: number): string {
  const values = Array.from({ length: 6 }, (_, i) => `$${first + i}`).join(', ');
  return `key AS (INSERT INTO idempotency_keys (scope, fingerprint, expires_at, status, answer, subject) VALUES (${values}) ON CONFLICT (scope) DO NOTHING RETURNING scope)`;
}

/** Goes into the final SELECT of a statement that begins with keyCte(). */
export const keyExpected = `kassa_expect(EXISTS (SELECT FROM key), 'key-seen')`;

/** The values of keyCte() for a write that is done with this statement. */
export function keyValues(key: Key, answer: Answer): unknown[] {
  return [key.scope, key.fingerprint, key.expiresAt, answer.status, encodeAnswer(answer), null];
}

/** The values of keyCte() for the first statement of a multi-step write; `subject` is what a repeated request will resume. */
export function claimValues(key: Key, subject: string): unknown[] {
  return [key.scope, key.fingerprint, key.expiresAt, null, null, subject];
}

/** The CTE that records the answer of a claimed key in the last statement of a multi-step write: three parameters, see finishValues(). */
export function finishCte(first: number): string {
  return `answered AS (UPDATE idempotency_keys SET status = $${first + 1}, answer = $${first + 2} WHERE scope = $${first} AND status IS NULL RETURNING scope)`;
}

/** The values of finishCte(). A null scope (a job without a client) records nothing. */
export function finishValues(scope: string | null, answer: Answer): unknown[] {
  return [scope, answer.status, encodeAnswer(answer)];
}

/** The answer as the column `answer` holds it. */
export function encodeAnswer(answer: Answer): string {
  return JSON.stringify({ body: answer.body, headers: answer.headers });
}

export function decodeAnswer(status: number, answer: string): Answer {
  return { status, ...(JSON.parse(answer) as Omit<Answer, 'status'>) };
}
