import { randomUUID } from 'node:crypto';
import { Failure } from './failure.ts';

/** One service's HTTP API as one person uses it. */
export interface Api {
  get<Body>(path: string): Promise<Body>;
  /** A write under a key of its own. Throws Failure for any status but those below 300. */
  post<Body>(path: string, body: object): Promise<Body>;
  /** A write that is to be refused; returns its problem document. Throws Failure when it is not refused with that code. */
  refused(path: string, body: object, code: string): Promise<Problem>;
}

/** As much of a problem document (RFC 9457) as the demo shows. */
export interface Problem {
  code: string;
  title: string;
  detail: string;
}

/** `shop` is whose register calls: the edge finds a pilot by it. A web shop has none. */
export function openApi(base: string, token: string, shop?: string): Api {
  async function send(method: string, path: string, body?: object): Promise<Response> {
    const headers: Record<string, string> = { authorization: `Bearer ${token}`, ...(shop && { 'x-kassa-shop': shop }) };
    if (body) Object.assign(headers, { 'content-type': 'application/json', 'idempotency-key': randomUUID() });
    const init = { method, headers, signal: AbortSignal.timeout(60_000), ...(body ? { body: JSON.stringify(body) } : {}) };
    try {
      return await fetch(base + path, init);
    } catch (error) {
      throw new Failure(`${method} ${base}${path} got no answer: ${String((error as Error).cause ?? error)}.`);
    }
  }
  async function read<Body>(method: string, path: string, body?: object): Promise<Body> {
    const response = await send(method, path, body);
    if (response.status >= 300) throw new Failure(`${method} ${base}${path} answered ${response.status}.`, await response.text());
    return (await response.json()) as Body;
  }
  return {
    get: (path) => read('GET', path),
    post: (path, body) => read('POST', path, body),
    async refused(path, body, code) {
      const response = await send('POST', path, body);
      const problem = (await response.json()) as Problem;
      if (response.status >= 400 && problem.code === code) return problem;
      throw new Failure(
        `POST ${base}${path} should have been refused with ${code}, and answered ${response.status}.`,
        JSON.stringify(problem, null, 2),
      );
    },
  };
}
