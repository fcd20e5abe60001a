import { uuidv7 } from 'uuidv7';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Method, TransactionKind, TransactionStatus } from '@kassa/contracts/payments';
import { isKassaError } from '@kassa/problem';
import { eventually } from '@kassa/testing';
import { fold } from '../src/domain/intent.ts';
import { openRoom, purchase, type Room } from './room.ts';

let room: Room;
beforeAll(async () => {
  room = await openRoom({ PROVIDER_TIMEOUT_MS: '10000', TERMINAL_TIMEOUT_MS: '10000', LEASE_MS: '5000' });
});
afterAll(() => room?.close());

/** What a call was refused with. */
const refusal = (call: Promise<unknown>) =>
  call.then(
    () => 'went ahead',
    (error: unknown) => (isKassaError(error) ? error.code : String(error)),
  );

describe('a purchase at the terminal', () => {
  test('is approved, and the same call again is the same answer', async () => {
    const request = purchase(129_900);
    const first = await room.grpc.purchase(request);
    expect(first.transaction).toMatchObject({
      id: request.transactionId,
      kind: TransactionKind.PURCHASE,
      status: TransactionStatus.SUCCEEDED,
      authorisationCode: expect.stringMatching(/^\d{6}$/),
      cardLabel: expect.stringMatching(/^Dankort •••• \d{4}$/),
    });
    expect(first.intent).toMatchObject({
      status: 'captured',
      capturedMinor: 129_900n,
      authorisedMinor: 129_900n,
      reference: request.reference,
    });
    expect(await room.grpc.purchase(request)).toEqual(first);
    expect(await room.operations(request.transactionId)).toHaveLength(1);
  });

  test('fifty times at once is one operation', async () => {
    const request = purchase(50_000);
    const answers = await Promise.all(Array.from({ length: 50 }, () => room.grpc.purchase(request)));
    expect(new Set(answers.map((answer) => answer.transaction?.providerRef)).size).toBe(1);
    expect(await room.operations(request.transactionId)).toHaveLength(1);
  });

  test('under a used id with other content is refused', async () => {
    const request = purchase(10_000);
    await room.grpc.purchase(request);
    const other = [
      { ...request, amount: { minor: 10_001n, currency: 'DKK' } },
      { ...request, instrument: 'pos-dk-001-02' },
      { ...request, intentId: uuidv7() },
    ];
    expect(await Promise.all(other.map((changed) => refusal(room.grpc.purchase(changed))))).toEqual(
      other.map(() => 'idempotency-key-reused'),
    );
    expect(await room.sql('SELECT id FROM payment_intents WHERE id = $1', [other[2]?.intentId])).toEqual([]);
  });

  test('that is declined stays declined; a new attempt is a new transaction of the same intent', async () => {
    const declined = purchase(995_101);
    const answer = await room.grpc.purchase(declined);
    expect(answer).toMatchObject({
      transaction: { status: TransactionStatus.DECLINED, declineCode: 'insufficient-funds' },
      intent: { status: 'declined' },
    });
    expect(await room.grpc.purchase(declined)).toEqual(answer);
    const again = { ...declined, transactionId: uuidv7() };
    expect((await room.grpc.purchase(again)).intent?.status).toBe('declined');
    expect((await room.grpc.getIntent({ intentId: declined.intentId })).transactions).toHaveLength(2);
  });

  test('cannot be paid a second time', async () => {
    const paid = purchase(10_000);
    await room.grpc.purchase(paid);
    expect(await refusal(room.grpc.purchase({ ...paid, transactionId: uuidv7() }))).toBe('wrong-state');
  });

  test('of cash needs no provider', async () => {
    const request = purchase(20_000, { method: Method.CASH, instrument: '' });
    const { intent, transaction } = await room.grpc.purchase(request);
    expect([intent?.status, transaction?.status]).toEqual(['captured', TransactionStatus.SUCCEEDED]);
    const refund = await room.grpc.refund({ transactionId: uuidv7(), intentId: request.intentId });
    expect([refund.intent?.status, refund.transaction?.status]).toEqual(['refunded', TransactionStatus.SUCCEEDED]);
    expect(await room.operations(request.transactionId)).toEqual([]);
  });

  test.each([
    ['a card number for an instrument', { instrument: '4111111111111111' }],
    ['no instrument', { instrument: '' }],
    ['an id that is none', { transactionId: '1' }],
    ['no method', { method: Method.UNSPECIFIED }],
    ['a country in capitals', { country: 'DK' }],
  ])('with %s is refused', async (_, changes) => {
    expect(await refusal(room.grpc.purchase(purchase(1_000, changes)))).toBe('validation-failed');
  });

  test('in the wrong currency, or on the web, is refused', async () => {
    const sek = { ...purchase(1_000), amount: { minor: 1_000n, currency: 'SEK' } };
    expect(await refusal(room.grpc.purchase(sek))).toBe('currency-mismatch');
    expect(await refusal(room.grpc.purchase(purchase(1_000, { channel: 'web' })))).toBe('tender-not-allowed');
  });
});

describe('an authorisation', () => {
  const supervisor = { subject: 'employee-2', role: 'supervisor', shopId: 'dk-001', registerId: 'dk-001-01' };
  async function authorised(amountMinor: number, token?: string) {
    const request = purchase(
      amountMinor,
      token === undefined ? {} : { method: Method.ONLINE, channel: 'web', instrument: token },
    );
    const { intent } = await room.grpc.authorise(request);
    return { ...request, status: intent?.status };
  }
  const capture = (intentId: string, minor?: number, transactionId = uuidv7()) =>
    room.grpc.capture({
      transactionId,
      intentId,
      ...(minor === undefined ? {} : { amount: { minor: BigInt(minor), currency: 'DKK' } }),
    });

  test('is captured for whoever asked, and for the service where a caller of the last release does not say', async () => {
    const { intentId } = await authorised(10_000);
    await room.grpc.capture({ transactionId: uuidv7(), intentId, amount: { minor: 100n, currency: 'DKK' } });
    await room.grpc.capture({ transactionId: uuidv7(), intentId, amount: { minor: 100n, currency: 'DKK' }, actor: supervisor });
    await room.grpc.cancel({ transactionId: uuidv7(), intentId, actor: supervisor });
    const refund = { transactionId: uuidv7(), intentId, amount: { minor: 100n, currency: 'DKK' } };
    await room.grpc.refund({ ...refund, actor: supervisor });
    // The same command, told again without the person, is the same command.
    await room.grpc.refund(refund);
    expect(
      await room.sql('SELECT kind, asked_by, asked_as FROM transactions WHERE intent_id = $1 ORDER BY id', [intentId]),
    ).toEqual([
      { kind: 'AUTHORISE', asked_by: 'employee-1', asked_as: 'cashier' },
      { kind: 'CAPTURE', asked_by: 'service', asked_as: 'service' },
      { kind: 'CAPTURE', asked_by: 'employee-2', asked_as: 'supervisor' },
      { kind: 'VOID', asked_by: 'employee-2', asked_as: 'supervisor' },
      { kind: 'REFUND', asked_by: 'employee-2', asked_as: 'supervisor' },
    ]);
  });

  test('is captured in parts, the rest voided, and part of it refunded', async () => {
    const { intentId, transactionId, status } = await authorised(10_000);
    const statuses = [status];
    statuses.push((await capture(intentId, 4_000)).intent?.status);
    statuses.push((await capture(intentId, 3_000)).intent?.status);
    statuses.push((await room.grpc.cancel({ transactionId: uuidv7(), intentId })).intent?.status);
    statuses.push(
      (await room.grpc.refund({ transactionId: uuidv7(), intentId, amount: { minor: 1_000n, currency: 'DKK' } })).intent?.status,
    );
    const last = await room.grpc.refund({ transactionId: uuidv7(), intentId });
    expect([...statuses, last.intent?.status]).toEqual([
      'authorised',
      'partially_captured',
      'partially_captured',
      'captured',
      'partially_refunded',
      'refunded',
    ]);
    expect(last.intent).toMatchObject({
      authorisedMinor: 10_000n,
      capturedMinor: 7_000n,
      voidedMinor: 3_000n,
      refundedMinor: 7_000n,
    });
    const operations = await room.operations(transactionId);
    expect(operations.map(({ kind, amountMinor }) => [kind, amountMinor])).toEqual([
      ['authorise', 10_000],
      ['capture', 4_000],
      ['capture', 3_000],
      ['void', 3_000],
      ['refund', 1_000],
      ['refund', 6_000],
    ]);
  });

  test('is never captured beyond its amount, a hundred at a time', async () => {
    const { intentId, transactionId } = await authorised(100_000);
    const outcomes = await Promise.all(Array.from({ length: 100 }, () => refusal(capture(intentId, 3_000))));
    expect(outcomes.filter((outcome) => outcome === 'went ahead')).toHaveLength(33);
    expect([...new Set(outcomes)].sort()).toEqual(['amount-exceeds-capturable', 'went ahead']);
    const refunds = await Promise.all(
      Array.from({ length: 100 }, () =>
        refusal(room.grpc.refund({ transactionId: uuidv7(), intentId, amount: { minor: 5_000n, currency: 'DKK' } })),
      ),
    );
    expect(refunds.filter((outcome) => outcome === 'went ahead')).toHaveLength(19);
    const operations = await room.operations(transactionId);
    expect(operations.filter(({ kind, status }) => kind === 'capture' && status === 'approved')).toHaveLength(33);
    expect(operations.filter(({ kind, status }) => kind === 'refund' && status === 'approved')).toHaveLength(19);
    expect((await room.grpc.getIntent({ intentId })).intent).toMatchObject({ capturedMinor: 99_000n, refundedMinor: 95_000n });
  });

  test('that was voided is not captured', async () => {
    const { intentId } = await authorised(10_000);
    expect((await room.grpc.cancel({ transactionId: uuidv7(), intentId })).intent?.status).toBe('voided');
    expect(await refusal(capture(intentId))).toBe('payment-canceled');
    expect((await room.grpc.cancel({ transactionId: uuidv7(), intentId })).transaction).toBeUndefined();
  });

  test('whose capture is declined can be captured again under a new id', async () => {
    const { intentId } = await authorised(10_000);
    const declined = await capture(intentId, 5_203);
    expect([declined.transaction?.declineCode, declined.intent?.status]).toEqual(['do-not-honour', 'authorised']);
    expect((await capture(intentId, 5_200)).intent?.status).toBe('partially_captured');
  });

  test('that ran out of time is voided, and not captured', async () => {
    const { intentId, transactionId } = await authorised(10_000, 'tok_approve');
    await room.sql(`UPDATE payment_intents SET expires_at = now() - interval '1 second' WHERE id = $1`, [intentId]);
    expect(['wrong-state', 'request-in-progress']).toContain(await refusal(capture(intentId)));
    await eventually(async () =>
      expect((await room.grpc.getIntent({ intentId })).intent).toMatchObject({ status: 'expired', voidedMinor: 10_000n }),
    );
    expect((await room.operations(transactionId)).map(({ kind, status }) => [kind, status])).toEqual([
      ['authorise', 'approved'],
      ['void', 'approved'],
    ]);
    expect(await refusal(capture(intentId))).toBe('wrong-state');
  });

  test('that was taken or let go before does not run out of time', async () => {
    const voided = await authorised(10_000, 'tok_approve');
    await room.grpc.cancel({ transactionId: uuidv7(), intentId: voided.intentId });
    const taken = await authorised(10_000, 'tok_approve');
    await capture(taken.intentId, 10_000);
    const held = await authorised(10_000, 'tok_approve');
    const ids = [voided, taken, held].map(({ intentId }) => intentId);
    const now = async () =>
      (await Promise.all(ids.map((intentId) => room.grpc.getIntent({ intentId })))).map(({ intent }) => intent?.status);
    await room.sql(`UPDATE payment_intents SET expires_at = now() - interval '1 second' WHERE id = ANY ($1)`, [ids]);
    await eventually(async () => expect((await now()).at(-1)).toBe('expired'));
    expect(await now()).toEqual(['voided', 'captured', 'expired']);
  });
});

describe('a cancel', () => {
  test('of a payment nobody made refuses the one that comes late', async () => {
    const late = purchase(10_000);
    expect((await room.grpc.cancel({ transactionId: uuidv7(), intentId: late.intentId })).intent).toMatchObject({
      status: 'canceled',
    });
    expect(await refusal(room.grpc.purchase(late))).toBe('payment-canceled');
    expect(await refusal(room.grpc.authorise({ ...late, transactionId: uuidv7() }))).toBe('payment-canceled');
    expect(await room.operations(late.transactionId)).toEqual([]);
  });
  test('twenty times at once with the payment leaves one of the two', async () => {
    const races = Array.from({ length: 20 }, () => purchase(10_000));
    const outcomes = await Promise.all(
      races.map(async (race) => {
        const paid = refusal(room.grpc.purchase(race));
        const canceled = refusal(room.grpc.cancel({ transactionId: uuidv7(), intentId: race.intentId }));
        return [await paid, await canceled].sort().join(', ');
      }),
    );
    expect(
      outcomes.filter(
        (outcome) =>
          !['payment-canceled, went ahead', 'request-in-progress, went ahead', 'went ahead, wrong-state'].includes(outcome),
      ),
    ).toEqual([]);
  });
  test('of what was captured is refused: give it back instead', async () => {
    const paid = purchase(10_000);
    await room.grpc.purchase(paid);
    expect(await refusal(room.grpc.cancel({ transactionId: uuidv7(), intentId: paid.intentId }))).toBe('wrong-state');
  });
});

test('a payment nobody made is not found', async () => {
  const intentId = uuidv7();
  expect(await refusal(room.grpc.getIntent({ intentId }))).toBe('not-found');
  expect(await refusal(room.grpc.capture({ transactionId: uuidv7(), intentId }))).toBe('not-found');
  expect(await refusal(room.grpc.refund({ transactionId: uuidv7(), intentId }))).toBe('not-found');
});

describe('what is written', () => {
  test('of a finished transaction never changes', async () => {
    const paid = purchase(10_000);
    await room.grpc.purchase(paid);
    for (const attempt of [`UPDATE transactions SET status = 'FAILED' WHERE id = $1`, 'DELETE FROM transactions WHERE id = $1']) {
      await expect(room.sql(attempt, [paid.transactionId])).rejects.toThrow('is final and never changes');
    }
  });
  test('is the sum of its transactions, for every payment of these tests', async () => {
    const ids = await room.sql<{ id: string }>('SELECT id FROM payment_intents');
    for (const { id } of ids) {
      const found = await room.store.findIntent(id);
      const { balances, unknownCount, declinedCount } = fold(found?.transactions ?? []);
      expect(found?.intent).toMatchObject({ balances, marks: { unknownCount, declinedCount } });
    }
    expect(ids.length).toBeGreaterThan(20);
  });
});
