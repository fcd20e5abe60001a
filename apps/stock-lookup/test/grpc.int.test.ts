import { afterAll, beforeAll, expect, test } from 'vitest';
import { stockLookupDefinition } from '@kassa/contracts/stock-lookup';
import { createClient, type GrpcClient } from '@kassa/grpc';
import { eventually } from '@kassa/testing';
import { gtins, openShops, surroundings, type Surroundings } from './room.ts';

let around: Surroundings;
let client: GrpcClient<typeof stockLookupDefinition>;
let close: () => void;

beforeAll(async () => {
  around = await surroundings();
  openShops(around.inventory);
  around.inventory.product({ sku: 'E1', gtin: gtins[0]!, name: 'Kabel' });
  around.inventory.level('dk-001', 'E1', 10, 3);
  around.inventory.level('dk-002', 'E1', 4);
  const { grpc } = await around.open();
  ({ client, close } = createClient(stockLookupDefinition, {
    address: grpc,
    token: () => around.issuer.serviceToken('sales'),
    deadlineMs: 2_000,
  }));
  await eventually(async () => {
    const { freshness } = await client.getAvailability({ item: 'E1', shopId: 'dk-001' });
    expect(freshness).toMatchObject({ seq: 9n, isDegraded: false });
  });
});
afterAll(async () => {
  close?.();
  await around.close();
});

test('an item is answered here and nearby', async () => {
  const answer = await client.getAvailability({ item: gtins[0]!, shopId: 'dk-001', nearby: 2 });
  expect(answer).toMatchObject({
    sku: 'E1',
    gtin: gtins[0],
    name: 'Kabel',
    here: { shopId: 'dk-001', shopName: 'Elnord Købmagergade', distanceM: 0, onHand: 10, reserved: 3, availableToPromise: 7 },
    nearby: [
      { shopId: 'dk-005', distanceM: 2_717, onHand: 0, reserved: 0, availableToPromise: 0 },
      { shopId: 'dk-002', distanceM: 2_815, onHand: 4, reserved: 0, availableToPromise: 4 },
    ],
    freshness: { seq: 9n, isDegraded: false },
  });
});

test('a batch answers what is known and lists what is not', async () => {
  const answer = await client.batchGetAvailability({ items: ['E1', 'nope'], shopId: 'dk-002' });
  expect(answer).toMatchObject({ items: [{ sku: 'E1', here: { shopId: 'dk-002', onHand: 4 } }], unknown: ['nope'] });
});

test.each([
  ['an item nobody knows', { item: 'nope', shopId: 'dk-001' }, 'not-found'],
  ['a wrong check digit', { item: '9520001000011', shopId: 'dk-001' }, 'gtin-check-digit'],
  ['a shop nobody knows', { item: 'E1', shopId: 'dk-999' }, 'not-found'],
  ['no shop', { item: 'E1' }, 'validation-failed'],
  ['too many nearby', { item: 'E1', shopId: 'dk-001', nearby: 51 }, 'validation-failed'],
])('%s is refused', async (_what, request, code) => {
  await expect(client.getAvailability(request)).rejects.toMatchObject({ code });
});

test('a batch of 201 is refused', async () => {
  const items = Array.from({ length: 201 }, () => 'E1');
  await expect(client.batchGetAvailability({ items, shopId: 'dk-001' })).rejects.toMatchObject({ code: 'validation-failed' });
});
