import { afterAll, beforeAll, expect, test } from 'vitest';
import { uuidv7 } from 'uuidv7';
import { openRoom, type Room } from './room.ts';

// Nobody asks the provider but the operator.

let room: Room;
let web: ReturnType<Room['caller']>;
let operator: ReturnType<Room['caller']>;
beforeAll(async () => {
  room = await openRoom({ RESOLVE_EVERY_MS: '3600000' }, { LATE_MS: '3000' });
  web = room.caller({ role: 'web-shop', shop: null, sub: 'web-shop' });
  operator = room.caller({ role: 'operator', shop: null, sub: 'operator-1' });
});
afterAll(() => room?.close());

/** A payment by a card that is not answered in time, and nobody knows what became of it. */
async function unknown(token: string): Promise<{ intentId: string; transactionId: string }> {
  const order = { reference: `order:${uuidv7()}`, country: 'dk', amountMinor: 10_000, currency: 'DKK', captureMode: 'automatic' };
  const { id: intentId } = (await web('POST', '/v1/payment-intents', order)).body;
  const { body } = await web('POST', `/v1/payment-intents/${intentId}/confirm`, { method: 'online', token });
  expect(body.transaction.status).toBe('UNKNOWN');
  return { intentId, transactionId: body.transaction.id };
}
const fail = (transactionId: string) =>
  operator('POST', `/v1/unknown-payments/${transactionId}/resolve`, {
    outcome: 'failed',
    reason: 'The customer was not charged.',
    evidence: 'statement 7, line 3',
  });
const statusOf = async (intentId: string) => (await web('GET', `/v1/payment-intents/${intentId}`)).body.status;

test('what an operator settles as failed is closed at the provider, and cannot happen afterwards', async () => {
  const { intentId, transactionId } = await unknown('tok_arrives_late');
  expect(await fail(transactionId)).toMatchObject({ status: 200, body: { transaction: { status: 'FAILED' } } });
  expect(await room.operations(transactionId)).toMatchObject([{ status: 'declined', declineCode: 'closed' }]);
  expect(await statusOf(intentId)).toBe('requires_method');
});

test('what the provider says took place is not settled as failed, and the operator hears what to do', async () => {
  const { intentId, transactionId } = await unknown('tok_timeout_happened');
  expect(await fail(transactionId)).toMatchObject({
    status: 409,
    body: { code: 'wrong-state', detail: expect.stringContaining('took place: resume'), provider: 'approved' },
  });
  expect(await statusOf(intentId)).toBe('unknown');
  await operator('POST', `/v1/unknown-payments/${transactionId}/resume`, {});
  expect(await statusOf(intentId)).toBe('captured');
});

test('what the provider is still at is left alone', async () => {
  const { intentId, transactionId } = await unknown('tok_late');
  expect(await fail(transactionId)).toMatchObject({ status: 409, body: { code: 'request-in-progress' } });
  expect(await statusOf(intentId)).toBe('unknown');
});

test("where the provider gives no answer it is the operator's word", async () => {
  const { transactionId } = await unknown('tok_timeout_not_happened');
  await room.acquirer.kill();
  expect(await fail(transactionId)).toMatchObject({ status: 200, body: { transaction: { status: 'FAILED' } } });
});
