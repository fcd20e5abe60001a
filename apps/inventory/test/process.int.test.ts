import { afterAll, beforeAll, expect, test } from 'vitest';
import pg from 'pg';
import { inventoryDefinition } from '@kassa/contracts/inventory';
import { createClient } from '@kassa/grpc';
import {
  eventually,
  roomFolder,
  startApp,
  testDatabase,
  testIssuer,
  type AppProcess,
  type Issuer,
  type TestDatabase,
} from '@kassa/testing';
import { caller, reserving, stateOf, stockShops, violations, type Room } from './room.ts';

let issuer: Issuer;
let database: TestDatabase;
let app: AppProcess;
let room: Room;

beforeAll(async () => {
  [issuer, database] = await Promise.all([testIssuer(), testDatabase(roomFolder('inventory'))]);
  app = await startApp(roomFolder('inventory'), { DATABASE_URL: database.url, OIDC_ISSUER: issuer.url });
  const { client, close } = createClient(inventoryDefinition, {
    address: app.grpc,
    token: () => issuer.serviceToken('sales'),
    deadlineMs: 5_000,
  });
  const db = new pg.Pool({ connectionString: database.url, max: 2 });
  const end = async () => {
    close();
    await db.end();
    await app.kill();
    await issuer.stop();
    await database.drop();
  };
  room = {
    http: app.http,
    health: app.health,
    grpcAddress: app.grpc,
    grpc: client,
    db,
    issuer,
    env: {},
    close: end,
    replica: () => Promise.reject(new Error('one process')),
  };
  await stockShops(room, ['dk-001'], { E1: 500, E2: 500 });
});
afterAll(() => room.close());

/** Sells until told to stop; answers every reservation it asked for. */
function sell(): { stop: () => Promise<string[]> } {
  let isOver = false;
  const asked: string[] = [];
  const seller = async () => {
    while (!isOver) {
      const request = reserving({
        lines: [
          { sku: 'E1', quantity: 1 },
          { sku: 'E2', quantity: 1 },
        ],
        state: 'FIRM',
      });
      const { reservationId } = request;
      asked.push(reservationId);
      await stateOf(room.grpc.reserve(request));
      await stateOf(room.grpc.consume({ reservationId, documentType: 'sale', documentId: reservationId }));
    }
  };
  const sellers = Promise.all(Array.from({ length: 8 }, seller));
  return {
    async stop() {
      isOver = true;
      await sellers;
      return asked;
    },
  };
}

/** What a caller does whose neighbour was away: it repeats the call until it is heard. */
const answered = (call: () => Parameters<typeof stateOf>[0]) =>
  eventually(async () => {
    const state = await stateOf(call());
    if (state === 'unavailable') throw new Error('inventory is not reached');
    return state;
  });

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

test(
  'killed again and again while it sells, it never says one thing and holds another, and a repeated command ends what was begun',
  { timeout: 90_000 },
  async () => {
    const selling = sell();
    for (let n = 0; n < 3; n += 1) {
      await pause(300);
      await app.kill('SIGKILL');
      await app.restart();
      expect(await violations(room)).toEqual([]);
    }
    for (const reservationId of await selling.stop()) {
      const state = await answered(() => room.grpc.getReservation({ reservationId }));
      if (state === 'not-found') continue;
      expect(await answered(() => room.grpc.consume({ reservationId, documentType: 'sale', documentId: reservationId }))).toBe(
        'CONSUMED',
      );
    }
    expect(await violations(room)).toEqual([]);
    const { rows } = await room.db.query(`SELECT (SELECT sum(reserved) FROM stock_levels)::int AS reserved,
    (SELECT count(*) FROM reservations)::int * 2 AS sold, (SELECT count(*) FROM stock_movements WHERE type = 'SALE')::int AS movements`);
    expect(rows[0]).toMatchObject({ reserved: 0, movements: (rows[0] as { sold: number }).sold });
  },
);

test('its feed goes on where it was, without gap, after it was killed', { timeout: 60_000 }, async () => {
  await app.kill('SIGKILL');
  await app.restart();
  await pause(300);
  const { rows } = await room.db.query(
    'SELECT count(*)::int AS changes, max(seq)::int AS last, (SELECT last_seq::int FROM feed) AS said FROM stock_changes',
  );
  const { changes, last, said } = rows[0] as { changes: number; last: number; said: number };
  expect([changes, last]).toEqual([said, said]);
});

test('told to stop, it answers everything it has accepted', { timeout: 60_000 }, async () => {
  const operator = caller(room);
  const requests = Array.from({ length: 60 }, () =>
    operator('/v1/products?limit=200').then(
      ({ status }) => status,
      () => 'refused',
    ),
  );
  await pause(20);
  await app.kill('SIGTERM');
  const replies = await Promise.all(requests);
  expect(replies.filter((reply) => reply !== 200 && reply !== 'refused')).toEqual([]);
  expect(app.output()).not.toMatch(/"level":"(error|fatal)"/);
  await app.restart();
});

test('is ready only once its schema is there, and names what is missing', { timeout: 60_000 }, async () => {
  const empty = await testDatabase();
  const early = await startApp(
    roomFolder('inventory'),
    { DATABASE_URL: empty.url, OIDC_ISSUER: issuer.url },
    { waitUntilReady: false },
  );
  try {
    await eventually(async () => {
      const reply = await fetch(`${early.health}/readyz`);
      expect(reply.status).toBe(503);
      const { checks } = (await reply.json()) as { checks: { schema: string } };
      expect(checks.schema).toMatch(/^migration 20251122180000_create_stock, .* has not run$/);
    });
    expect((await fetch(`${early.health}/livez`)).status).toBe(200);
  } finally {
    await early.kill();
    await empty.drop();
  }
});

test('shows its business in its metrics', async () => {
  await stateOf(room.grpc.reserve(reserving()));
  const text = await (await fetch(`${app.metrics}/metrics`)).text();
  expect(text).toMatch(/kassa_reservations_total\{[^}]*command="reserve"[^}]*outcome="reserved"[^}]*\} 1/);
  expect(text).toMatch(/kassa_feed_last_seq(\{[^}]*\})? \d+/);
  expect(text).toContain('kassa_feed_unsequenced_seconds');
});
