import { afterEach, beforeEach, expect, test } from 'vitest';
import { eventually } from '@kassa/testing';
import { caller, gtins, openShops, surroundings, type Reply, type Surroundings } from './room.ts';

let around: Surroundings;
let get: (url: string) => Promise<Reply>;

beforeEach(async () => {
  around = await surroundings();
  get = caller(around.issuer);
  openShops(around.inventory);
  around.inventory.product({ sku: 'E1', gtin: gtins[0]!, name: 'Kabel' });
  around.inventory.level('dk-001', 'E1', 10, 3);
});
afterEach(() => around.close());

const promised = async (http: string) => {
  const { body } = await get(`${http}/v1/availability/E1?nearby=0`);
  return [body.seq, body.here?.availableToPromise, body.degraded];
};

test('a replica that was never filled is not ready and says why; then it is filled and answers', async () => {
  await around.inventory.stop();
  const replica = await around.open();
  const probe = await fetch(`${replica.health}/readyz`);
  expect([probe.status, await probe.json()]).toEqual([
    503,
    { ready: false, checks: { database: 'ok', schema: 'ok', readModel: 'nothing has been read from inventory yet' } },
  ]);
  expect((await get(`${replica.http}/v1/availability/E1`)).body).toMatchObject({
    status: 503,
    code: 'unavailable',
    retryable: true,
  });
  await around.inventory.start();
  await eventually(async () => expect((await fetch(`${replica.health}/readyz`)).status).toBe(200));
  await eventually(async () => expect(await promised(replica.http)).toEqual([8, 7, false]));
});

test('a change shows in the next answer, with its sequence', async () => {
  const { http } = await around.open();
  await eventually(async () => expect(await promised(http)).toEqual([8, 7, false]));
  around.inventory.level('dk-001', 'E1', 10, 9);
  await eventually(async () => expect(await promised(http)).toEqual([9, 1, false]));
});

test.each(['lose-a-batch', 'repeat-a-batch'] as const)('a feed that should %s leaves the right stock', async (fault) => {
  const { http } = await around.open();
  await eventually(async () => expect(await promised(http)).toEqual([8, 7, false]));
  around.inventory.faults.push(fault);
  around.inventory.level('dk-001', 'E1', 5);
  around.inventory.level('dk-001', 'E1', 4);
  await eventually(async () => expect(await promised(http)).toEqual([10, 4, false]));
});

test('a snapshot that breaks off in the middle leaves nothing behind and is taken again', async () => {
  around.inventory.faults.push('break-a-snapshot', 'break-a-snapshot');
  const { http } = await around.open();
  await eventually(async () => expect(await promised(http)).toEqual([8, 7, false]));
});

test('a new epoch forces a snapshot, also where its sequence is a smaller one', async () => {
  const { http } = await around.open();
  for (let onHand = 0; onHand < 50; onHand++) around.inventory.level('dk-001', 'E1', onHand);
  await eventually(async () => expect(await promised(http)).toEqual([58, 49, false]));
  around.inventory.beginAnew();
  await eventually(async () => expect(await promised(http)).toEqual([8, 49, false]));
  expect((await get(`${http}/v1/freshness`)).body.epoch).toBe(around.inventory.epoch);
});

test('inventory goes down: answers go on and say so; it comes back: they are whole again', async () => {
  const { http } = await around.open();
  await eventually(async () => expect(await promised(http)).toEqual([8, 7, false]));
  await around.inventory.stop();
  around.inventory.level('dk-001', 'E1', 2);
  await eventually(async () => expect(await promised(http)).toEqual([8, 7, true]));
  await around.inventory.start();
  await eventually(async () => expect(await promised(http)).toEqual([9, 2, false]));
});

test('a feed that falls silent without ending is degraded after FEED_STALE_AFTER_MS', async () => {
  const { http } = await around.open({ FEED_STALE_AFTER_MS: '300' });
  await eventually(async () => expect(await promised(http)).toEqual([8, 7, false]));
  around.inventory.faults.push('fall-silent');
  await eventually(async () => expect(await promised(http)).toEqual([8, 7, true]));
});

test('killed and started again while inventory is down, it answers from its database and says that it is degraded', async () => {
  const app = await around.spawn();
  await eventually(async () => expect(await promised(app.http)).toEqual([8, 7, false]));
  const before = (await get(`${app.http}/v1/availability/E1`)).body;
  await app.kill();
  await around.inventory.stop();
  await app.restart();
  const { body, headers } = await get(`${app.http}/v1/availability/E1`);
  expect(body).toEqual({ ...before, asOf: body.asOf, stalenessMs: body.stalenessMs, degraded: true });
  expect([headers.get('x-kassa-degraded'), headers.get('x-kassa-seq')]).toEqual(['true', '8']);
  expect(body.asOf <= new Date().toISOString()).toBe(true);
  await around.inventory.start();
  await eventually(async () => expect(await promised(app.http)).toEqual([8, 7, false]));
});

test('the feed and the lookups are counted', async () => {
  const app = await around.spawn();
  await eventually(async () => expect(await promised(app.http)).toEqual([8, 7, false]));
  await get(`${app.http}/v1/availability/E9`);
  const metrics = await (await fetch(`${app.metrics}/metrics`)).text();
  expect(metrics).toMatch(/^kassa_lookups_total\{[^}]*result="found"[^}]*\} [1-9]/m);
  expect(metrics).toMatch(/^kassa_lookups_total\{[^}]*result="unknown-item"[^}]*\} 1$/m);
  expect(metrics).toMatch(/^kassa_feed_seq(\{[^}]*\})? 8$/m);
  expect(metrics).toMatch(/^kassa_feed_connected(\{[^}]*\})? 1$/m);
  expect(metrics).toMatch(/^kassa_feed_lag_seconds(\{[^}]*\})? 0(\.\d+)?$/m);
  expect(metrics).toMatch(/^kassa_feed_snapshots_total\{[^}]*reason="empty"[^}]*\} 1$/m);
});

test('SIGTERM ends a replica that is following', async () => {
  const app = await around.spawn();
  await app.stop();
  expect(app.output()).not.toContain('"level":"error"');
});

test('replicas on one database agree, whichever of them was quicker', async () => {
  const replicas = await Promise.all([around.open(), around.open(), around.open()]);
  for (let n = 1; n <= 40; n++) around.inventory.level('dk-001', 'E1', n, n % 3);
  const end = [48, 39, false];
  for (const { http } of replicas) await eventually(async () => expect(await promised(http)).toEqual(end));
  const late = await around.open();
  await eventually(async () => expect(await promised(late.http)).toEqual(end));
  around.inventory.beginAnew();
  for (const { http } of [...replicas, late]) await eventually(async () => expect(await promised(http)).toEqual([8, 39, false]));
});

test('inventory without a valid token of ours is not followed, and nobody falls over', async () => {
  const { http, health } = await around.open({ OIDC_TOKEN_URL: 'http://127.0.0.1:1/token' });
  expect((await get(`${http}/v1/freshness`)).status).toBe(503);
  expect((await fetch(`${health}/livez`)).status).toBe(200);
});
