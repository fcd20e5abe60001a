import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { eventually } from '@kassa/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Api, Reply } from './api.ts';
import { contentsOf, noRows } from './contents.ts';
import { operationsOf, type Operation } from './operations.ts';
import { services, startSystem, type ServiceName, type System } from './system.ts';
import { supervisor, writesOf, type Write, type Writes } from './writes.ts';

// Every write that every service publishes happens once per key, whoever repeats it and however. That none goes without one is among the
// bad input.

/** Nothing goes on by itself here: what is unknown stays so, and tables change by what is sent alone. */
const never = '3600000';
const env: Partial<Record<ServiceName, Record<string, string>>> = {
  payments: { TERMINAL_TIMEOUT_MS: '300', UNKNOWN_GRACE_MS: never, RESOLVE_EVERY_MS: never, LEASE_MS: never },
  sales: { CHECKOUT_WAIT_MS: '1000', CHECKOUT_RESUME_EVERY_MS: never, CHECKOUT_LEASE_MS: never },
};

/** What POSTs without a key, and why it needs none. */
const keyless = [
  // Signed by the provider, whose events have ids of their own.
  'payments POST /v1/provider-events/acquirer',
  // A question too long for an address.
  'stock-lookup POST /v1/availability:batch',
];

const isWrite = ({ method }: Operation) => method === 'POST' || method === 'PATCH' || method === 'DELETE';
const all = services.flatMap(operationsOf).filter(isWrite);
const writes = all.filter(({ headers }) => headers.includes('Idempotency-Key'));

let system: System;
let ready: Writes;
beforeAll(async () => {
  system = await startSystem({ env });
  ready = await writesOf(system);
});
afterAll(() => system?.stop());

test('Every POST, PATCH and DELETE takes a key, and each is tried here', () => {
  expect(all.filter((operation) => !writes.includes(operation)).map(({ name }) => name)).toEqual(keyless);
  expect(Object.keys(ready).sort()).toEqual(writes.map(({ name }) => name).sort());
});

describe.each(writes)('$name', (operation) => {
  // The acquirer is the outside world: its key is the operation's own id, and it tells nobody that it was here before.
  const isOurs = operation.service !== 'acquirer';
  const tables = () => settled(operation.service);

  test('is answered as the first time, and done once, and another body is refused', async () => {
    const write = await ready[operation.name]!();
    const key = write.key ?? randomUUID();
    const by = await sender(operation);
    const first = await send(by, operation, write, key);
    expect(first.status, first.text).toBeLessThan(300);
    const after = await tables();
    const again = await send(by, operation, write, key);
    expect({ status: again.status, body: again.body }).toEqual({ status: first.status, body: first.body });
    expect(again.headers.get('idempotency-replayed')).toBe(isOurs ? 'true' : null);
    for (const name of ['etag', 'location', 'idempotency-expires'])
      expect([name, again.headers.get(name)]).toEqual([name, first.headers.get(name)]);
    expect(first.headers.has('idempotency-expires')).toBe(isOurs);
    if (write.other !== undefined) {
      const other = await send(by, operation, { ...write, body: write.other }, key);
      expect(other).toMatchObject({ status: 422, body: { code: 'idempotency-key-reused' } });
    }
    expect(await tables()).toEqual(after);
  });

  test('sent five times at once is done once, and all are told the same', async () => {
    const write = await ready[operation.name]!();
    const key = write.key ?? randomUUID();
    const by = await sender(operation);
    const before = await tables();
    const answers = await Promise.all(Array.from({ length: 5 }, () => insist(() => send(by, operation, write, key))));
    expect(answers[0]!.status, answers[0]!.text).toBeLessThan(300);
    expect(new Set(answers.map(({ status, body }) => `${status} ${JSON.stringify(body)}`)).size).toBe(1);
    expect(added(before, await tables())).toEqual(await rowsOfOne(operation));
  });

  /** The rows that come to be by one such write. */
  async function rowsOfOne({ name }: Operation): Promise<Record<string, number>> {
    const write = await ready[name]!();
    const before = await tables();
    await send(await sender(operation), operation, write, write.key ?? randomUUID());
    return added(before, await tables());
  }
});

test.each(writes.filter(({ service }) => service !== 'acquirer'))(
  '$name by someone else under the same key is a request of their own',
  async (operation) => {
    const write = await ready[operation.name]!();
    const key = randomUUID();
    const first = await send(await sender(operation), operation, write, key);
    expect(first.status, first.text).toBeLessThan(300);
    const answer = await send(await sender(operation, 'dk-001-02'), operation, write, key);
    expect(answer.headers.get('idempotency-replayed')).toBeNull();
    expect(answer.body['code']).not.toBe('idempotency-key-reused');
  },
);

test('A body says the same however its members are ordered and spaced', async () => {
  const till = await sender(writes.find(({ name }) => name === 'sales POST /v1/sales')!);
  const key = randomUUID();
  const { sku } = system.demo.products[1]!;
  const first = await till.post('/v1/sales', { lines: [{ sku, quantity: 1 }] }, { key });
  const again = await till.post('/v1/sales', `{"lines": [ {"quantity":1, "sku":"${sku}"} ]}`, { key });
  expect({ status: again.status, body: again.body }).toEqual({ status: 201, body: first.body });
});

test.each([
  { service: 'sales', days: 7 },
  { service: 'payments', days: 30 },
  { service: 'inventory', days: 7 },
] as const)('$service keeps answers for $days days, and forgets them then', async ({ service, days }) => {
  const client = new pg.Client({ connectionString: system.databaseUrl(service) });
  await client.connect();
  const { rows } = await client.query<{ days: number }>(
    `SELECT DISTINCT round(extract(epoch FROM expires_at - now()) / 86400)::int AS days FROM idempotency_keys`,
  );
  expect(rows).toEqual([{ days }]);
  await client.query(`UPDATE idempotency_keys SET expires_at = now() - interval '1 second'`);
  await system.kill(service);
  await system.restart(service);
  await eventually(async () => expect((await client.query('SELECT FROM idempotency_keys')).rowCount).toBe(0), 20_000);
  await client.end();
});

test('A key that was forgotten is a new one', async () => {
  const by = await sender(writes.find(({ name }) => name === 'sales POST /v1/sales')!);
  const key = randomUUID();
  const body = { lines: [{ sku: system.demo.products[1]!.sku }] };
  const first = await by.post('/v1/sales', body, { key });
  const client = new pg.Client({ connectionString: system.databaseUrl('sales') });
  await client.connect();
  await client.query('DELETE FROM idempotency_keys');
  await client.end();
  const second = await by.post('/v1/sales', body, { key });
  expect([first.status, second.status, second.body['id'] === first.body['id']]).toEqual([201, 201, false]);
});

/** The API as someone uses it whom the operation lets in: an operator, or whoever is at the register. */
async function sender({ service, roles }: Operation, registerId = 'dk-001-01'): Promise<Api> {
  if (service === 'acquirer') return system.api('acquirer');
  const person = roles.includes('operator')
    ? ({ role: 'operator', shop: null, sub: `operator-${registerId}` } as const)
    : supervisor(registerId);
  return system.api(service, await system.issuer.token(person));
}

function send(by: Api, { method, path }: Operation, { ids = {}, body, headers = {} }: Write, key: string): Promise<Reply> {
  const address = path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(ids[name] ?? ''));
  return by.send(method, address, body, { key, headers });
}

/** Whoever is told that the request is under way asks again. */
async function insist(act: () => Promise<Reply>): Promise<Reply> {
  return eventually(async () => {
    const reply = await act();
    if (reply.body['code'] === 'request-in-progress') throw new Error('still under way');
    return reply;
  }, 20_000);
}

/**
 * What every table of a service holds, once two looks at it are the same, no change waits for its number in the feed, and nobody works on a
 * checkout.
 */
async function settled(service: ServiceName): Promise<Record<string, string>> {
  const databaseUrl = system.databaseUrl(service);
  let before = '';
  return eventually(async () => {
    if (service === 'sales') expect(await checkoutsAtWork()).toBe(0);
    const contents = await contentsOf(databaseUrl);
    const now = JSON.stringify(contents);
    const isSettled = now === before && (contents['pending_changes'] ?? noRows) === noRows;
    before = now;
    if (!isSettled) throw new Error('still changing');
    return contents;
  });
}

async function checkoutsAtWork(): Promise<number> {
  const client = new pg.Client({ connectionString: system.databaseUrl('sales') });
  await client.connect();
  const { rows } = await client.query('SELECT FROM checkouts WHERE lease_owner IS NOT NULL');
  await client.end();
  return rows.length;
}

/** Rows that came to be, by table. */
function added(before: Record<string, string>, after: Record<string, string>): Record<string, number> {
  const rows = (contents: string | undefined) => Number.parseInt(contents ?? '0');
  const grown = Object.keys(after).map((table) => [table, rows(after[table]) - rows(before[table])] as const);
  return Object.fromEntries(grown.filter(([, more]) => more !== 0));
}
