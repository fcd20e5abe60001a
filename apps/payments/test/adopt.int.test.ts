import { randomUUID } from 'node:crypto';
import { uuidv7 } from 'uuidv7';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Method } from '@kassa/contracts/payments';
import { openRoom, purchase, type Room } from './room.ts';

// The books are restored to an earlier point, and the acquirer goes on knowing what they have lost.

let room: Room;
let operator: ReturnType<Room['caller']>;
beforeAll(async () => {
  room = await openRoom();
  operator = room.caller({ role: 'operator', shop: null, sub: 'operator-1' });
});
afterAll(() => room?.close());

const reason = 'restored to 10:15';
const adopt = (body: object, key: string = randomUUID()) =>
  operator('POST', '/v1/adopted-transactions', { reason, ...body }, { 'idempotency-key': key });
const actsOn = async (transactionId: string) => {
  const { body } = await operator('GET', '/v1/audit/acts?limit=200');
  return (body.items as { transactionId: string; act: string }[]).filter((act) => act.transactionId === transactionId);
};

/** A payment as an operator tells it, from the request a till made. */
function lost({ transactionId, intentId, amount, reference, country, channel, instrument, method }: ReturnType<typeof purchase>) {
  const isOnline = method === Method.ONLINE;
  return {
    ...{ transactionId, intentId, reference, country, channel },
    kind: 'PURCHASE',
    method: isOnline ? 'online' : method === Method.CASH ? 'cash' : 'terminal',
    amountMinor: Number(amount.minor),
    currency: amount.currency,
    ...(isOnline ? {} : { shopId: 'dk-001' }),
    ...(method === Method.TERMINAL ? { terminalId: instrument } : {}),
  };
}

/** What was written since a backup is gone with it. */
async function lose(intentId: string): Promise<void> {
  await room.sql(`SET session_replication_role = replica`);
  await room.sql('DELETE FROM transactions WHERE intent_id = $1', [intentId]);
  await room.sql('DELETE FROM payment_intents WHERE id = $1', [intentId]);
  await room.sql(`SET session_replication_role = DEFAULT`);
}

describe('a purchase the acquirer has on record', () => {
  test('is written down as it was, once, with who said so, and nothing is charged', async () => {
    const request = purchase(12_900);
    await room.grpc.purchase(request);
    await lose(request.intentId);
    const charged = await room.operations(request.transactionId);

    const key = randomUUID();
    const first = await adopt(lost(request), key);
    expect([first.status, first.body]).toMatchObject([
      200,
      { id: request.intentId, status: 'captured', capturedMinor: 12_900, transaction: { status: 'SUCCEEDED' } },
    ]);
    expect((await adopt(lost(request), key)).body.transaction).toEqual(first.body.transaction);
    expect((await adopt(lost(request))).body.transaction).toEqual(first.body.transaction);
    expect(await room.operations(request.transactionId)).toEqual(charged);
    const adopted = (await actsOn(request.transactionId)).filter(({ act }) => act === 'adopt');
    expect(adopted).toEqual([
      expect.objectContaining({
        actor: 'operator-1',
        outcome: 'SUCCEEDED',
        reason,
        evidence: 'acquirer has it on record',
      }),
    ]);
  });

  test('is what a checkout that goes on finds, under the same ids', async () => {
    const request = purchase(12_901);
    await room.grpc.purchase(request);
    await lose(request.intentId);
    await adopt(lost(request));
    expect((await room.grpc.purchase(request)).intent?.status).toBe('captured');
    expect(await room.operations(request.transactionId)).toHaveLength(1);
  });

  test('can be refunded afterwards, also where the token of the card is gone', async () => {
    const request = purchase(12_902, { method: Method.ONLINE, channel: 'web', instrument: 'tok_approve' });
    await room.grpc.purchase(request);
    await lose(request.intentId);
    await adopt(lost(request));
    expect((await room.grpc.refund({ transactionId: uuidv7(), intentId: request.intentId })).intent?.status).toBe('refunded');
  });

  test('is written down and can be given back where its undo met books that had lost it, and canceled nothing', async () => {
    const request = purchase(12_905);
    await room.grpc.purchase(request);
    await lose(request.intentId);
    const canceled = await room.grpc.cancel({ transactionId: uuidv7(), intentId: request.intentId });
    expect(canceled.intent?.status).toBe('canceled');
    expect((await adopt(lost(request))).body).toMatchObject({ status: 'captured', capturedMinor: 12_905, currency: 'DKK' });
    expect((await room.grpc.refund({ transactionId: uuidv7(), intentId: request.intentId })).intent?.status).toBe('refunded');
  });

  test('stays canceled where a person canceled it', async () => {
    const request = purchase(12_906);
    await room.grpc.purchase(request);
    await lose(request.intentId);
    const { reference, country, amountMinor, currency } = lost(request);
    await room.sql(
      `INSERT INTO payment_intents (id, reference, country, channel, capture_mode, amount_minor, currency, canceled_at, created_by)
        VALUES ($1, $2, $3, 'store', 'automatic', $4, $5, now(), 'till')`,
      [request.intentId, reference, country, amountMinor, currency],
    );
    expect(await adopt(lost(request))).toMatchObject({ status: 409, body: { code: 'payment-canceled' } });
  });

  test('that was declined is written down as declined', async () => {
    const request = purchase(995_101);
    await room.grpc.purchase(request);
    await lose(request.intentId);
    expect((await adopt(lost(request))).body).toMatchObject({ status: 'declined', transaction: { status: 'DECLINED' } });
  });
});

test('authorisation, capture and refund follow each other as they did', async () => {
  const request = purchase(50_000);
  await room.grpc.authorise(request);
  const capture = { transactionId: uuidv7(), intentId: request.intentId };
  await room.grpc.capture(capture);
  const refund = { transactionId: uuidv7(), intentId: request.intentId, amount: { minor: 20_000n, currency: 'DKK' } };
  await room.grpc.refund(refund);
  await lose(request.intentId);

  const step = (kind: string, { transactionId }: { transactionId: string }, amountMinor: number) =>
    adopt({ transactionId, intentId: request.intentId, kind, amountMinor, currency: 'DKK' });
  expect((await step('CAPTURE', capture, 50_000)).status).toBe(404);
  expect((await adopt({ ...lost(request), kind: 'AUTHORISE' })).body).toMatchObject({ status: 'authorised' });
  expect((await step('CAPTURE', capture, 50_000)).body).toMatchObject({ status: 'captured' });
  expect((await step('REFUND', refund, 20_000)).body).toMatchObject({ status: 'partially_refunded', refundedMinor: 20_000 });
  expect(await room.operations(request.transactionId)).toHaveLength(3);
});

test('cash is taken on the word of whoever says so, which is kept', async () => {
  const request = purchase(7_500, { method: Method.CASH, instrument: '' });
  expect((await adopt(lost(request))).body).toMatchObject({ status: 'captured', method: 'cash', capturedMinor: 7_500 });
  expect(await actsOn(request.transactionId)).toMatchObject([{ act: 'adopt', evidence: "cash, by the operator's word" }]);
});

describe('nothing is written, and nothing charged,', () => {
  const nothing = async (intentId: string, transactionId: string) => {
    expect(await room.sql('SELECT FROM payment_intents WHERE id = $1', [intentId])).toEqual([]);
    expect(await actsOn(transactionId)).toEqual([]);
  };

  test('of a purchase the acquirer does not know', async () => {
    const request = purchase(12_903);
    expect(await adopt(lost(request))).toMatchObject({ status: 409, body: { code: 'payment-failed' } });
    await nothing(request.intentId, request.transactionId);
    expect(await room.operations(request.transactionId)).toEqual([]);
  });

  test.each([
    ['for another amount', { amountMinor: 1 }],
    ['of another kind', { kind: 'AUTHORISE' }],
  ])('of one it knows %s', async (_, change) => {
    const request = purchase(12_904);
    await room.grpc.purchase(request);
    await lose(request.intentId);
    expect(await adopt({ ...lost(request), ...change })).toMatchObject({ status: 409, body: { code: 'already-exists' } });
    await nothing(request.intentId, request.transactionId);
  });

  test('that the payment has no room for', async () => {
    const request = purchase(12_905);
    await room.grpc.purchase(request);
    const again = { ...purchase(12_905), intentId: request.intentId };
    const other = { ...again, intentId: uuidv7() };
    await room.grpc.purchase(other);
    await lose(other.intentId);
    expect(await adopt(lost(again))).toMatchObject({ status: 409, body: { code: 'wrong-state' } });
    expect(await actsOn(again.transactionId)).toEqual([]);
  });

  test('while the acquirer is down', async () => {
    const request = purchase(12_906);
    await room.acquirer.kill();
    expect(await adopt(lost(request))).toMatchObject({ status: 409, body: { code: 'payment-unknown', retryable: true } });
    await room.acquirer.restart();
    await nothing(request.intentId, request.transactionId);
  });
});
