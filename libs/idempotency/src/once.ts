import { KassaError, toProblem, type ErrorCode } from '@kassa/problem';
import type { Key } from './key.ts';
import { decodeAnswer, keyCte, keyExpected, keyValues, type Answer } from './sql.ts';

/** As much of a database as recorded answers need. */
export interface Database {
  query(statement: { name: string; text: string }, values: unknown[]): Promise<{ rows: unknown[] }>;
}

export interface Idempotency {
  /**
   * Runs a write at most once per key and answers a repetition as the first time, with the header Idempotency-Replayed. An answer that is
   * kept says until when in the header Idempotency-Expires; a repetition does not put that off.
   * `act` carries the key in its own statement (keyCte). A refusal with 409 or 422 is recorded as well.
   * `resume` continues a multi-step write whose key is claimed and not yet answered; it gets the claim's subject.
   * Errors: idempotency-key-reused, request-in-progress (where there is no `resume`), and whatever `act` throws unrecorded.
   */
  once(key: Key, act: () => Promise<Answer>, resume?: (subject: string) => Promise<Answer>): Promise<Answer>;
  /** Forgets answers past their time, at most 1,000 a call; answers how many. */
  purge(): Promise<number>;
}

interface Recorded {
  fingerprint: string;
  status: number | null;
  answer: string | null;
  subject: string | null;
  expires_at: Date;
}

const insertKey = { name: 'idempotency_record', text: `WITH ${keyCte(1)} SELECT ${keyExpected}` };
const selectKey = {
  name: 'idempotency_find',
  text: 'SELECT fingerprint, status, answer, subject, expires_at FROM idempotency_keys WHERE scope = $1',
};
const deleteExpired = {
  name: 'idempotency_purge',
  text: `WITH old AS (SELECT scope FROM idempotency_keys WHERE expires_at < now() LIMIT 1000 FOR UPDATE SKIP LOCKED)
    DELETE FROM idempotency_keys USING old WHERE idempotency_keys.scope = old.scope RETURNING 1`,
};

export function createIdempotency(db: Database): Idempotency {
  async function find(key: Key): Promise<Recorded | undefined> {
    const { rows } = await db.query(selectKey, [key.scope]);
    return rows[0] as Recorded | undefined;
  }

  async function replay(key: Key, seen: Recorded, resume?: (subject: string) => Promise<Answer>): Promise<Answer> {
    if (seen.fingerprint !== key.fingerprint) {
      throw new KassaError('idempotency-key-reused', {
        detail: 'This key was used for a request with another body. Make a new key for a new request.',
      });
    }
    if (seen.status !== null && seen.answer !== null) {
      const answer = decodeAnswer(seen.status, seen.answer);
      return keptUntil(seen.expires_at, { ...answer, headers: { ...answer.headers, 'idempotency-replayed': 'true' } });
    }
    if (resume && seen.subject !== null) return keptUntil(seen.expires_at, await resume(seen.subject));
    throw new KassaError('request-in-progress', { retryAfterSeconds: 1 });
  }

  async function record(key: Key, refusal: KassaError): Promise<Answer> {
    const answer = refusalAnswer(key, refusal);
    try {
      await db.query(insertKey, keyValues(key, answer));
      return keptUntil(key.expiresAt, answer);
    } catch (error) {
      if (!isKeySeen(error)) throw error;
      const seen = await find(key);
      if (!seen) throw refusal;
      return replay(key, seen);
    }
  }

  return {
    async once(key, act, resume) {
      for (let attempt = 1; ; attempt += 1) {
        try {
          return keptUntil(key.expiresAt, await act());
        } catch (error) {
          if (!isKeySeen(error) && !(error instanceof KassaError && error.kind.status < 500)) throw error;
          const seen = await find(key);
          if (seen) return replay(key, seen, resume);
          if (error instanceof KassaError && isRecorded(error)) return record(key, error);
          // Seen, and given back before it could be read: whoever had the key failed, and it is free again.
          if (!isKeySeen(error) || attempt === 3) throw error;
        }
      }
    },
    async purge() {
      return (await db.query(deleteExpired, [])).rows.length;
    },
  };
}

/** The answer with the time at which it may be forgotten, as the header Expires has it (RFC 9110 §5.6.7). */
function keptUntil(time: Date, answer: Answer): Answer {
  return { ...answer, headers: { ...answer.headers, 'idempotency-expires': time.toUTCString() } };
}

/** Refusals that came of what the business decided, and would not change by asking again. */
function isRecorded({ code, kind }: KassaError): boolean {
  return (kind.status === 409 || kind.status === 422) && !kind.isRetryable && !notOfTheWrite.has(code);
}

/** What is told of the key or of whoever asks, as 401 and 403 are: a till that signed in again repeats what it was about to do. */
const notOfTheWrite: ReadonlySet<ErrorCode> = new Set(['idempotency-key-reused', 'session-superseded', 'register-unknown']);

function refusalAnswer(key: Key, refusal: KassaError): Answer {
  return { status: refusal.kind.status, body: toProblem(refusal, key.traceId, key.instance) };
}

/** True for the refusal that keyExpected raises: SQLSTATE KA001 with this reason. */
export function isKeySeen(error: unknown): boolean {
  return error instanceof Error && (error as Error & { code?: string }).code === 'KA001' && error.message === 'key-seen';
}
