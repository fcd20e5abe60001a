import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '@kassa/testing';
import { openApi, type Api } from './api.ts';
import { startSystem, type System } from './system.ts';

let system: System;
let associate: Api;

beforeAll(async () => {
  system = await startSystem({ only: ['inventory', 'stock-lookup'] });
  const token = await system.issuer.token();
  associate = openApi(() => system.app('stock-lookup').http, token);
});
afterAll(() => system.stop());

const look = async () => (await associate.get(`/v1/availability/${system.demo.products[1]!.gtin}`)).body;

test('While inventory is heard, an answer is fresh and says so', async () => {
  await eventually(async () => {
    const answer = await look();
    expect(answer).toMatchObject({ degraded: false, here: { onHand: 1_000 } });
    expect(answer['stalenessMs']).toBeLessThan(1_500);
  });
});

test('While inventory is down, the same numbers are answered, marked as degraded and with their age', async () => {
  await system.kill('inventory');
  const first = await eventually(async () => {
    const answer = await look();
    expect(answer).toMatchObject({ degraded: true, here: { onHand: 1_000, availableToPromise: 1_000 } });
    return answer;
  });
  await eventually(async () => {
    const later = await look();
    expect(later).toMatchObject({ degraded: true, asOf: first['asOf'], here: { onHand: 1_000, availableToPromise: 1_000 } });
    expect(later['stalenessMs']).toBeGreaterThan(1_000);
  });
});

test('Its own restart changes nothing about that: it answers from its copy', async () => {
  await system.kill('stock-lookup');
  await system.restart('stock-lookup');
  expect(await look()).toMatchObject({ degraded: true, here: { onHand: 1_000, availableToPromise: 1_000 } });
});

test('When inventory is back, so are fresh answers, with what happened meanwhile', async () => {
  await system.restart('inventory');
  const { sku } = system.demo.products[1]!;
  const clerk = system.api('inventory', await system.issuer.token({ role: 'stock-clerk' }));
  const lines = [{ type: 'receipt', sku, quantity: 5 }];
  const received = await clerk.post('/v1/movements', { documentType: 'goods-receipt', documentId: 'ASN-2026-000001', lines });
  expect(received.status).toBe(201);
  await eventually(async () =>
    expect(await look()).toMatchObject({ degraded: false, here: { onHand: 1_005, availableToPromise: 1_005 } }),
  );
});
