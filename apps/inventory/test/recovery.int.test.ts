import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { caller, levelOf, openRoom, reserving, stateOf, stockShops, violations, type Room } from './room.ts';

// This database was restored to an earlier point; sales tells what it sold since.

let room: Room;
let operator: ReturnType<typeof caller>;
const skus = ['E1', 'E2', 'E3', 'E4', 'E5', 'E6'];

beforeAll(async () => {
  room = await openRoom({ SWEEP_EVERY_MS: '3600000' });
  operator = caller(room, { role: 'operator', shop: null, sub: 'operator-1' });
  await stockShops(room, ['dk-001', 'dk-002'], { ...Object.fromEntries(skus.map((sku) => [sku, 100])), FEW: 3 });
});
afterAll(() => room.close());

const reason = 'restored to 10:15';
function sold(lines: { sku: string; quantity: number }[], reservationId: string = randomUUID()) {
  const documentId = randomUUID();
  return { reservationId, shopId: 'dk-001', lines, reference: `sale:${documentId}`, documentType: 'sale', documentId, reason };
}
const recover = (body: object) => operator('/v1/recovered-reservations', { method: 'POST', body });
const movements = async (documentId: string) =>
  (await room.db.query('SELECT sku, type, delta, subject FROM stock_movements WHERE document_id = $1 ORDER BY sku', [documentId]))
    .rows;
const acts = async (target: string) =>
  ((await operator('/v1/audit/acts?limit=200')).body.items as { target: string }[]).filter((act) => act.target === target);

describe('what a sale took', () => {
  test('is booked once under the id it had, with who said so, and the checkout finds it done', async () => {
    const sale = sold([
      { sku: 'E2', quantity: 1 },
      { sku: 'E1', quantity: 2 },
    ]);
    expect(await recover(sale)).toMatchObject({ status: 200, body: { state: 'CONSUMED', reference: sale.reference } });
    expect(await recover(sale)).toMatchObject({ status: 200, body: { state: 'CONSUMED' } });
    expect([await levelOf(room, 'E1'), await levelOf(room, 'E2')]).toEqual([
      { onHand: 98, reserved: 0 },
      { onHand: 99, reserved: 0 },
    ]);
    expect(await movements(sale.documentId)).toEqual([
      { sku: 'E1', type: 'SALE', delta: -2, subject: 'operator-1' },
      { sku: 'E2', type: 'SALE', delta: -1, subject: 'operator-1' },
    ]);
    expect(await acts(`reservation:${sale.reservationId}`)).toEqual([
      expect.objectContaining({
        act: 'recover-reservation',
        subject: 'operator-1',
        detail: { from: 'unknown', reference: sale.reference, reason },
      }),
    ]);
    const { reservationId, documentType, documentId } = sale;
    expect(await stateOf(room.grpc.consume({ reservationId, documentType, documentId }))).toBe('CONSUMED');
    expect(await stateOf(room.grpc.reserve(reserving({ ...sale, state: 'FIRM' })))).toBe('CONSUMED');
  });

  test.each(['ACTIVE', 'FIRM'] as const)('is booked of what the copy still holds %s', async (state) => {
    const sku = state === 'ACTIVE' ? 'E3' : 'E4';
    const sale = sold([{ sku, quantity: 4 }]);
    await room.grpc.reserve(reserving({ ...sale, state }));
    expect(await levelOf(room, sku)).toEqual({ onHand: 100, reserved: 4 });
    expect((await recover(sale)).body.state).toBe('CONSUMED');
    expect(await levelOf(room, sku)).toEqual({ onHand: 96, reserved: 0 });
  });

  test('is booked though its reservation ran out of time while the copy lay still', async () => {
    const sale = sold([{ sku: 'E5', quantity: 4 }]);
    await room.grpc.reserve(reserving({ ...sale, ttlMs: 1 }));
    await sleep(20);
    await room.db.query('SELECT expire_reservations_v1(100, NULL, NULL)');
    expect((await recover(sale)).body.state).toBe('CONSUMED');
    expect(await levelOf(room, 'E5')).toEqual({ onHand: 96, reserved: 0 });
  });

  test('is booked once by two who do it at once', async () => {
    const sale = sold([{ sku: 'E6', quantity: 5 }]);
    const answers = await Promise.all(Array.from({ length: 8 }, () => recover(sale)));
    expect(answers.filter(({ status }) => status === 200).length).toBeGreaterThan(0);
    expect(await recover(sale)).toMatchObject({ status: 200, body: { state: 'CONSUMED' } });
    expect(await levelOf(room, 'E6')).toEqual({ onHand: 95, reserved: 0 });
    expect(await movements(sale.documentId)).toHaveLength(1);
  });
});

describe('nothing is booked', () => {
  test('of goods that are not there, until their delivery is', async () => {
    const sale = sold([{ sku: 'FEW', quantity: 5 }]);
    expect(await recover(sale)).toMatchObject({
      status: 409,
      body: { code: 'insufficient-stock', lines: [{ sku: 'FEW', requested: 5, available: 3 }] },
    });
    const delivery = { shopId: 'dk-001', documentType: 'goods-receipt', documentId: 'ASN-7' };
    await operator('/v1/movements', {
      method: 'POST',
      body: { ...delivery, lines: [{ type: 'receipt', sku: 'FEW', quantity: 2 }] },
    });
    expect((await recover(sale)).body.state).toBe('CONSUMED');
    expect(await levelOf(room, 'FEW')).toEqual({ onHand: 0, reserved: 0 });
  });

  test.each([
    ['of another shop', { shopId: 'dk-002' }, 'idempotency-key-reused'],
    ['of other lines', { lines: [{ sku: 'E1', quantity: 3 }] }, 'idempotency-key-reused'],
    ['for another sale', { reference: 'sale:another' }, 'idempotency-key-reused'],
  ])('under the id of a reservation %s', async (_, change, code) => {
    const sale = sold([{ sku: 'E1', quantity: 1 }]);
    await room.grpc.reserve(reserving({ ...sale, state: 'FIRM' }));
    expect((await recover({ ...sale, ...change })).body.code).toBe(code);
    expect(await movements(sale.documentId)).toEqual([]);
    await room.grpc.release({ reservationId: sale.reservationId });
  });

  test('of a reservation that was released since', async () => {
    const sale = sold([{ sku: 'E1', quantity: 1 }]);
    await room.grpc.release({ reservationId: sale.reservationId });
    expect(await recover(sale)).toMatchObject({ status: 409, body: { code: 'reservation-closed' } });
  });

  test('twice for two documents', async () => {
    const sale = sold([{ sku: 'E1', quantity: 1 }]);
    await recover(sale);
    expect((await recover({ ...sale, documentId: randomUUID() })).body.code).toBe('idempotency-key-reused');
  });
});

test('after all of it, levels are the sums of their movements and reservations', async () => {
  expect(await violations(room)).toEqual([]);
});

describe('a copy that counts on as if nothing had been lost', () => {
  test('has its readers take a snapshot, once it has another epoch, and the act is on record', async () => {
    const epochOf = async () => {
      for await (const { epoch } of room.grpc.snapshot({ topics: [] })) return epoch;
      throw new Error('no header');
    };
    const epoch = await epochOf();
    const renewed = await operator('/v1/feed/epoch', { method: 'POST', body: { reason } });
    expect(renewed.status).toBe(200);
    const after = await epochOf();
    expect(after).toBe(`${renewed.body.epoch}:${epoch.split(':')[1]}`);
    expect(after).not.toBe(epoch);
    const readOn = async () => {
      for await (const _ of room.grpc.streamChanges({ epoch, afterSeq: 0n, topics: [] }));
    };
    await expect(readOn()).rejects.toMatchObject({ code: 'feed-epoch-changed' });
    expect(await acts('feed')).toMatchObject([{ act: 'renew-epoch', subject: 'operator-1', detail: { reason } }]);
  });
});
