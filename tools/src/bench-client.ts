import { randomUUID } from 'node:crypto';
import { HttpConnection, type Reply } from './bench-http.ts';
import { openLimit, type Counter } from './bench-limit.ts';

/** Work for the load generator: `connections` of them, each doing one thing after the other for `seconds`. */
export interface Job {
  what: 'sale' | 'limit' | 'limit-at-once' | 'lookup' | 'get';
  connections: number;
  seconds: number;
  /** Of the service, or of the database for the limits. */
  url: string;
  /** Where each connection stands; there are at least as many as connections. */
  counters: (Counter & { token: string })[];
  /** For `get`: {shop} and {sku} stand for the counter's. */
  path?: string;
}

export interface Done {
  count: number;
  seconds: number;
  /** Milliseconds that half, and all but 5 %, took at most. */
  medianMs: number;
  p95Ms: number;
}

/** Does one thing; throws when it did not work, since a fast failure must not count as speed. */
type Act = () => Promise<void>;

if (import.meta.main) {
  process.on('message', (job: Job) => {
    run(job).then(
      (done) => process.send?.({ done }),
      (error: unknown) => process.send?.({ error: error instanceof Error ? error.message : String(error) }),
    );
  });
  // The one who started it holds the other end: it ends with them.
  process.on('disconnect', () => process.exit(0));
}

async function run(job: Job): Promise<Done> {
  const takenMs: number[] = [];
  const opened = await Promise.all(job.counters.slice(0, job.connections).map((counter) => open(job, counter)));
  const began = performance.now();
  const end = began + job.seconds * 1000;
  try {
    await Promise.all(
      opened.map(async ({ act }) => {
        for (let now = performance.now(); now < end;) {
          await act();
          const later = performance.now();
          takenMs.push(later - now);
          now = later;
        }
      }),
    );
    const seconds = (performance.now() - began) / 1000;
    takenMs.sort((a, b) => a - b);
    const at = (share: number) => takenMs[Math.floor(takenMs.length * share)] ?? NaN;
    return { count: takenMs.length, seconds, medianMs: at(0.5), p95Ms: at(0.95) };
  } finally {
    await Promise.all(opened.map(({ close }) => close()));
  }
}

async function open(job: Job, counter: Job['counters'][number]): Promise<{ act: Act; close: () => Promise<void> | void }> {
  if (job.what === 'limit' || job.what === 'limit-at-once') {
    const limit = await openLimit(job.url);
    const sellOne = job.what === 'limit' ? limit.sell : limit.sellAtOnce;
    return { act: () => sellOne(counter, twoOf(counter)), close: () => limit.close() };
  }
  const connection = await HttpConnection.open(job.url);
  const bearer = `authorization: Bearer ${counter.token}`;
  const acts: Record<'sale' | 'lookup' | 'get', Act> = {
    sale: () => sell(connection, counter, bearer),
    lookup: async () =>
      void expect(await connection.request('GET', `/v1/availability/${oneOf(counter)}?nearby=0`, [bearer]), 200),
    get: async () => {
      const path = (job.path ?? '/').replace('{shop}', counter.shopId).replace('{sku}', oneOf(counter));
      expect(await connection.request('GET', path, []), 200);
    },
  };
  return { act: acts[job.what], close: () => connection.close() };
}

/** A whole sale of two lines in two requests, paid by card at the terminal. */
async function sell(connection: HttpConnection, counter: Counter, bearer: string): Promise<void> {
  const write = (path: string, body: unknown) =>
    connection.request('POST', path, [bearer, `idempotency-key: ${randomUUID()}`], JSON.stringify(body));
  const lines = twoOf(counter).map((sku) => ({ sku, quantity: 1 }));
  const { id, totalMinor } = JSON.parse(expect(await write('/v1/sales', { lines }), 201)) as { id: string; totalMinor: number };
  const tenders = [{ method: 'terminal', amountMinor: totalMinor }];
  expect(await write(`/v1/sales/${id}/complete`, { tenders }), 200);
}

function expect({ status, body }: Reply, wanted: number): string {
  if (status !== wanted) throw new Error(`${status} instead of ${wanted}: ${body}`);
  return body;
}

function twoOf({ skus }: Counter): string[] {
  const first = Math.floor(Math.random() * skus.length);
  return [skus[first] ?? '', skus[(first + 1 + Math.floor(Math.random() * (skus.length - 1))) % skus.length] ?? ''];
}

const oneOf = ({ skus }: Counter) => skus[Math.floor(Math.random() * skus.length)] ?? '';
