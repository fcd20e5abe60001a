import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A thing this service waits for: answers nothing when it is there, or one sentence saying what is missing. */
export type Check = () => Promise<string | undefined>;

export interface Health {
  /** Serves GET /livez and /readyz on this port and answers the port. Nothing else is there. */
  listen(host: string, port: number): Promise<number>;
  /** From now on /readyz says no, while requests under way are finished. */
  drain(): void;
  isReady(): Promise<boolean>;
  close(): Promise<void>;
}

// A check that hangs is a check that failed; probes come every few seconds.
const checkTimeoutMs = 2_000;

/**
 * One list of checks. /livez answers 200 as long as the process can answer at all: a lost database is no reason to be restarted.
 * /readyz answers 200 or 503 with each check's sentence.
 */
export function createHealth(checks: Record<string, Check>): Health {
  let isDraining = false;

  async function report(): Promise<{ ready: boolean; checks: Record<string, string> }> {
    const results = await Promise.all(Object.entries(checks).map(async ([name, check]) => [name, await run(check)] as const));
    if (isDraining) results.push(['process', 'is shutting down']);
    const faults = results.filter(([, fault]) => fault !== undefined);
    return { ready: faults.length === 0, checks: Object.fromEntries(results.map(([name, fault]) => [name, fault ?? 'ok'])) };
  }

  const server = createServer((request, response) => {
    const answer = (status: number, body: unknown) => {
      response
        .writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' })
        .end(`${JSON.stringify(body)}\n`);
    };
    if (request.url === '/livez') return answer(200, { live: true });
    if (request.url !== '/readyz') return answer(404, { detail: 'Only /livez and /readyz are here.' });
    return void report().then((body) => answer(body.ready ? 200 : 503, body));
  });

  return {
    listen: (host, port) =>
      new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen(port, host, () => resolve((server.address() as AddressInfo).port));
      }),
    drain() {
      isDraining = true;
    },
    isReady: async () => (await report()).ready,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function run(check: Check): Promise<string | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(`did not answer within ${checkTimeoutMs} ms`), checkTimeoutMs);
  });
  try {
    return await Promise.race([check(), late]);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    clearTimeout(timer);
  }
}
