import http, { type RefinedResponse } from 'k6/http';
import { sleep } from 'k6';
import { Counter, Rate } from 'k6/metrics';
import { patienceSeconds } from './shapes.ts';
import type { SignedIn } from './tokens.ts';

/** Requests nobody answered, or that were answered with 5xx; each is sent again. */
export const unavailable = new Rate('kassa_unavailable');
/** Answers no till would know what to do with. */
export const unexpected = new Counter('kassa_unexpected_answers');

export type Service = 'sales' | 'payments' | 'inventory' | 'stock-lookup';

export interface Request {
  service: Service;
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** Beginning with /v1. */
  path: string;
  /** How the request is called in the summary, instead of its path with ids. */
  name: string;
  body?: object;
  /** On every write but those that only read. */
  key?: string;
  ifMatch?: string;
  ifNoneMatch?: string;
}

export interface Answer {
  /** 0 where nobody answered within a till's patience. */
  status: number;
  /** Undefined where the answer has none. */
  body: Record<string, unknown> | undefined;
  etag: string | undefined;
  /** The code of a problem document. */
  code: string | undefined;
}

/**
 * Sends a request as a till does: where no answer comes, or one that says "later" (5xx, 429, 409 of a repeatable kind), the very same
 * request with the same Idempotency-Key goes out again, until it is answered or the till's patience ends.
 */
export function send(signedIn: SignedIn, request: Request): Answer {
  const { service, method, path, name, body, key, ifMatch, ifNoneMatch } = request;
  const url = `${urlOf(service)}${path}`;
  const deadline = Date.now() + patienceSeconds * 1000;
  for (let pauseSeconds = 0.1; ; pauseSeconds = Math.min(pauseSeconds * 2, 2)) {
    const headers = {
      ...signedIn(),
      ...(body ? { 'content-type': 'application/json' } : {}),
      ...(key ? { 'idempotency-key': key } : {}),
      ...(ifMatch ? { 'if-match': ifMatch } : {}),
      ...(ifNoneMatch ? { 'if-none-match': ifNoneMatch } : {}),
    };
    const params = { headers, tags: { name }, timeout: '60s' };
    const response = http.request(method, url, body ? JSON.stringify(body) : null, params);
    unavailable.add(response.status === 0 || response.status >= 500);
    const answer = answerOf(response);
    if (!isLater(answer)) return answer;
    if (Date.now() > deadline) return answer;
    sleep(Number(response.headers['Retry-After'] ?? 0) || pauseSeconds * (0.5 + Math.random()));
  }
}

/** Counts and prints an answer that no rule above expects, so that the run fails and says why. */
export function refuse(what: string, { status, body }: Answer): void {
  unexpected.add(1);
  console.error(`${what}: ${status} ${JSON.stringify(body)}`);
}

/** A key that nobody else in this or any other run uses. */
export function newKey(): string {
  return crypto.randomUUID();
}

const later = ['request-in-progress', 'write-conflict', 'payment-unknown'];

function isLater({ status, code }: Answer): boolean {
  return status === 0 || status === 429 || status >= 500 || (status === 409 && later.includes(code ?? ''));
}

function answerOf(response: RefinedResponse<'text'>): Answer {
  const isJson = /json/.test(response.headers['Content-Type'] ?? '') && response.body !== null && response.body !== '';
  const body = isJson ? (response.json() as Record<string, unknown>) : undefined;
  const code = body && response.status >= 400 ? String(body['code']) : undefined;
  return { status: response.status, body, etag: response.headers['Etag'], code };
}

function urlOf(service: Service): string {
  const variable = `KASSA_${service.toUpperCase().replace('-', '_')}_URL`;
  const url = __ENV[variable];
  if (url === undefined) throw new Error(`${variable} is not set; npm run load sets it.`);
  return url;
}
