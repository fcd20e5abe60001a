import { execFile } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';

// The command as an operator runs it, against one that answers for everybody. What real services say: apps/journeys/test/restore.test.ts.

const command = fileURLToPath(new URL('../src/reconcile.ts', import.meta.url));
const id = (n: number) => `00000000-0000-7000-8000-${String(n).padStart(12, '0')}`;
const saleOf = (n: number) => ({
  ...{ saleId: id(n), shopId: 'dk-001', registerId: 'dk-001-01', state: 'COMPLETED', receiptNumber: n, country: 'dk' },
  ...{ channel: 'store', totalMinor: 100, currency: 'DKK', roundingMinor: 0, reservationId: id(n + 10) },
  tenders: [
    {
      ...{ tenderId: id(n + 20), method: 'cash', amountMinor: 100, intentId: id(n + 30), status: 'SETTLED' },
      transactionIds: [id(n + 40)],
    },
  ],
  lines: [{ sku: 'E1', quantity: 1 }],
});
const paymentOf = (n: number) => ({
  ...{ transactionId: id(n + 40), intentId: id(n + 30), kind: 'PURCHASE', status: 'SUCCEEDED', amountMinor: 100 },
  ...{ currency: 'DKK', method: 'cash', reference: `sale:${id(n)}` },
});
const reservationOf = (n: number, state: string) => ({
  ...{ reservationId: id(n + 10), reference: `sale:${id(n)}`, state, shopId: 'dk-001', lines: [{ sku: 'E1', quantity: 1 }] },
});

interface Given {
  /** What inventory says each time it is asked; the last of them from then on. */
  reservations: object[][];
  /** What the way to inventory answers to a mend instead of letting it through, in turn. */
  obstacles?: number[];
}

let server: Server | undefined;
afterEach(() => server?.close());

/** Everybody in one, with two sales on record; the way to each list is once too narrow. Returns its address and the mends that arrived. */
async function openKassa({ reservations, obstacles = [] }: Given): Promise<{ url: string; arrived: string[] }> {
  const arrived: string[] = [];
  const limited = new Set<string>();
  const looks = [...reservations];
  const lists: Record<string, () => unknown> = {
    '/sales/v1/audit/sales': () => ({ items: [saleOf(1), saleOf(2)] }),
    '/payments/v1/audit/transactions': () => ({ items: [paymentOf(1), paymentOf(2)] }),
    '/inventory/v1/audit/reservations': () => ({ items: looks.length > 1 ? looks.shift() : looks[0] }),
    '/inventory/v1/audit/levels': () => ({ items: [] }),
    '/sales/v1/checkouts': () => ({ items: [] }),
    '/payments/v1/unknown-payments': () => ({ items: [] }),
    '/stock-lookup/v1/freshness': () => ({ connection: 'following' }),
  };
  server = createServer((request, response) => {
    const path = new URL(request.url ?? '', 'http://kassa').pathname;
    const end = (status: number, body?: unknown) => response.writeHead(status).end(body && JSON.stringify(body));
    if (path === '/token') return end(200, { access_token: 'token' });
    const list = lists[path];
    if (list === undefined) {
      const obstacle = obstacles.shift();
      if (obstacle !== undefined) return end(obstacle);
      arrived.push(path);
      return end(200, {});
    }
    if (limited.has(path)) return end(200, list());
    limited.add(path);
    return end(429);
  });
  await new Promise<void>((done) => server?.listen(0, '127.0.0.1', done));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, arrived };
}

async function reconcile(url: string, args: string[] = []): Promise<{ code: number; output: string }> {
  const issuer = { KASSA_TOKEN_URL: `${url}/token`, KASSA_CLIENT_ID: 'desk', KASSA_CLIENT_SECRET: 'secret-of-the-tests' };
  const env = { PATH: process.env['PATH'], KASSA_URL: url, ...issuer, NO_COLOR: '1' };
  return new Promise((done) => {
    const child = execFile(process.execPath, [command, '--as', 'employee-17', ...args], { env }, (_, stdout, stderr) =>
      done({ code: child.exitCode ?? -1, output: stdout + stderr }),
    );
  });
}

test('A sale that is completed while the books are read is nothing to mend, and a limit at the edge is waited for', async () => {
  const { url } = await openKassa({
    reservations: [
      [reservationOf(1, 'FIRM'), reservationOf(2, 'CONSUMED')],
      [reservationOf(1, 'CONSUMED'), reservationOf(2, 'FIRM')],
    ],
  });
  const { code, output } = await reconcile(url);
  expect([code, output]).toEqual([0, expect.stringContaining('Sales, payments, inventory and the acquirer agree.')]);
}, 60_000);

test('A mend that the mesh turns away is sent again until it arrives', async () => {
  const held = [reservationOf(1, 'FIRM'), reservationOf(2, 'CONSUMED')];
  const { url, arrived } = await openKassa({
    reservations: [held, held, [reservationOf(1, 'CONSUMED'), reservationOf(2, 'CONSUMED')]],
    obstacles: [429, 502],
  });
  const { code, output } = await reconcile(url, ['--mend']);
  expect([code, arrived, output]).toEqual([0, ['/inventory/v1/recovered-reservations'], expect.stringContaining('✓ inventory')]);
}, 60_000);
