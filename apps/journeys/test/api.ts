import { randomUUID } from 'node:crypto';

export interface Reply {
  status: number;
  headers: Headers;
  /** The JSON body; {} where there is none. */
  body: Record<string, unknown>;
  /** The body as it came. */
  text: string;
}

export interface RequestOptions {
  /** Idempotency-Key; a fresh one when absent, none when null. */
  key?: string | null;
  headers?: Record<string, string>;
  timeoutMs?: number;
}

/** A service's HTTP API as its clients speak to it. Nothing is retried; a service that does not answer throws. */
export interface Api {
  get(path: string, options?: RequestOptions): Promise<Reply>;
  post(path: string, body?: unknown, options?: RequestOptions): Promise<Reply>;
  /** Any method; a body that is a string or bytes is sent as it is. */
  send(method: string, path: string, body?: unknown, options?: RequestOptions): Promise<Reply>;
  /** Every item of a list, page by page. */
  all<Item>(path: string): Promise<Item[]>;
}

/** `base` is asked before each request, since a test may restart the service. */
export function openApi(base: () => string, token: string | undefined): Api {
  const send: Api['send'] = async (method, path, body, options = {}) => {
    const isRaw = typeof body === 'string' || body instanceof Uint8Array;
    const isWrite = method === 'POST' || method === 'PATCH' || method === 'DELETE';
    const key = options.key === undefined && isWrite ? randomUUID() : options.key;
    const response = await fetch(`${base()}${path}`, {
      method,
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(key ? { 'idempotency-key': key } : {}),
        ...options.headers,
      },
      ...(body === undefined ? {} : { body: isRaw ? body : JSON.stringify(body) }),
      signal: AbortSignal.timeout(options.timeoutMs ?? 60_000),
    });
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.includes('json') === true;
    return {
      status: response.status,
      headers: response.headers,
      text,
      body: isJson ? (JSON.parse(text) as Record<string, unknown>) : {},
    };
  };
  const get: Api['get'] = (path, options) => send('GET', path, undefined, options);
  return {
    send,
    get,
    post: (path, body, options) => send('POST', path, body, options),
    async all<Item>(path: string) {
      const items: Item[] = [];
      for (let cursor: unknown = ''; typeof cursor === 'string';) {
        const joined = `${path}${path.includes('?') ? '&' : '?'}limit=200${cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`}`;
        const page = await get(joined);
        if (page.status !== 200) throw new Error(`GET ${joined} answered ${page.status}: ${page.text}`);
        items.push(...(page.body['items'] as Item[]));
        cursor = page.body['next'];
      }
      return items;
    },
  };
}
