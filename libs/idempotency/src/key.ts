import { createHash } from 'node:crypto';
import { parseItem } from 'structured-headers';
import { KassaError } from '@kassa/problem';

/** Who repeats what: the scope finds the recorded answer, the fingerprint tells whether it answers the same request. */
export interface Key {
  /** SHA-256 over caller, method, route with its path ids, and the header's key. */
  scope: string;
  /** SHA-256 over the canonical JSON of the body. */
  fingerprint: string;
  /** When the recorded answer may be forgotten. */
  expiresAt: Date;
  /** The first request's trace and address, kept in a recorded refusal. */
  traceId: string;
  instance: string;
}

export interface KeyFacts {
  /** The Idempotency-Key header as it came: a structured-field string, or the bare token. */
  header: string | undefined;
  /** The caller's subject. */
  subject: string;
  method: string;
  /** The path as called, with its ids, without query. */
  path: string;
  body: unknown;
  traceId: string;
  /** The request's time; the answer is kept from here on. */
  now: Date;
  retentionDays: number;
}

/**
 * Reads the key of a write (IETF draft-ietf-httpapi-idempotency-key-header-07).
 * Errors: idempotency-key-missing, idempotency-key-invalid.
 */
export function readKey(facts: KeyFacts): Key {
  const value = headerValue(facts.header);
  return {
    scope: sha256(JSON.stringify([facts.subject, facts.method, facts.path, value])),
    fingerprint: sha256(canonicalJson(facts.body)),
    expiresAt: new Date(facts.now.getTime() + facts.retentionDays * 86_400_000),
    traceId: facts.traceId,
    instance: facts.path,
  };
}

function headerValue(header: string | undefined): string {
  if (header === undefined || header === '') {
    throw new KassaError('idempotency-key-missing', {
      detail: 'Send an Idempotency-Key header, a fresh UUID for each new write and the same one when you repeat it.',
      errors: [{ pointer: '/header/idempotency-key', detail: 'is missing' }],
    });
  }
  const value = header.startsWith('"') ? unquote(header) : header;
  if (!/^[\x21-\x7e]{16,255}$/.test(value)) throw invalid();
  return value;
}

function unquote(header: string): string {
  try {
    const [value] = parseItem(header);
    if (typeof value === 'string') return value;
  } catch (cause) {
    throw invalid(cause);
  }
  throw invalid();
}

function invalid(cause?: unknown): KassaError {
  const detail = 'must be 16 to 255 visible ASCII characters, bare or in double quotes; a UUID is good';
  return new KassaError('idempotency-key-invalid', { errors: [{ pointer: '/header/idempotency-key', detail }], cause });
}

/** JSON with sorted members, so that the order in which a client writes them does not matter. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null';
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  members.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonicalJson(member)}`).join(',')}}`;
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
