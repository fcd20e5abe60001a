import { uuidv7 } from 'uuidv7';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Method, TransactionStatus } from '@kassa/contracts/payments';
import { isKassaError } from '@kassa/problem';
import { eventually, roomFolder, startApp } from '@kassa/testing';
import { apiKey, openRoom, purchase, signedEvent, webhookSecret, type Room } from './room.ts';

let room: Room;
beforeAll(async () => {
  room = await openRoom();
});
afterAll(() => room?.close());

const online = (token: string, amountMinor = 10_000) =>
  purchase(amountMinor, { method: Method.ONLINE, channel: 'web', instrument: token });
const intentOf = async (intentId: string) => (await room.grpc.getIntent({ intentId })).intent;
const statusOf = async (intentId: string) => (await intentOf(intentId))?.status;
const refusal = (call: Promise<unknown>) =>
  call.then(
    () => 'went ahead',
    (error: unknown) => (isKassaError(error) ? error.code : String(error)),
  );

describe('the provider never answers', () => {
  test.each([
    ['a terminal', () => purchase(995_107)],
    ['the web', () => online('tok_timeout_happened')],
  ])('and it happened, at %s: asking finds out, and nothing is charged twice', async (_, make) => {
    const request = make();
    const first = await room.grpc.purchase(request);
    expect([first.transaction?.status, first.intent?.status]).toEqual([TransactionStatus.UNKNOWN, 'unknown']);
    const again = await room.grpc.purchase(request);
    expect([again.transaction?.status, again.intent?.status]).toEqual([TransactionStatus.SUCCEEDED, 'captured']);
    expect(await room.operations(request.transactionId)).toHaveLength(1);
  });

  test('and it happened: the resolver finds out by itself', async () => {
    const request = online('tok_timeout_happened');
    await room.grpc.purchase(request);
    await eventually(async () => expect(await statusOf(request.intentId)).toBe('captured'));
  });

  test('and it did not happen: it fails once the grace is over, and may be tried again as a new transaction', async () => {
    const request = online('tok_timeout_not_happened');
    expect((await room.grpc.purchase(request)).transaction?.status).toBe(TransactionStatus.UNKNOWN);
    expect(await refusal(room.grpc.purchase({ ...request, transactionId: uuidv7() }))).toBe('payment-unknown');
    await eventually(async () => expect(await statusOf(request.intentId)).toBe('requires_method'));
    const failed = await room.grpc.purchase(request);
    expect(failed.transaction?.status).toBe(TransactionStatus.FAILED);
    const retry = await room.grpc.purchase({ ...request, transactionId: uuidv7(), instrument: 'tok_approve' });
    expect(retry.intent?.status).toBe('captured');
    expect(await room.operations(request.transactionId)).toMatchObject([{ status: 'declined' }]);
  });

  test('and it arrives after it was given up: it is refused there, and no money moves', async () => {
    const request = online('tok_arrives_late');
    expect((await room.grpc.purchase(request)).transaction?.status).toBe(TransactionStatus.UNKNOWN);
    // The same instruction once more, a moment after the first: it arrives behind it, and is answered.
    const arrival = instructAcquirer(request);
    await eventually(async () => expect(await statusOf(request.intentId)).toBe('requires_method'));
    expect(await arrival).toMatchObject({ status: 'declined', declineCode: 'closed' });
    expect(await statusOf(request.intentId)).toBe('requires_method');
    const retry = await room.grpc.purchase({ ...request, transactionId: uuidv7(), instrument: 'tok_approve' });
    expect(retry.intent).toMatchObject({ status: 'captured', capturedMinor: 10_000n });
  });

  test('and until it is known, it is counted with its age', async () => {
    const request = online('tok_timeout_not_happened');
    await room.grpc.purchase(request);
    await room.sql("UPDATE transactions SET created_at = now() - interval '1 hour' WHERE id = $1", [request.transactionId]);
    const meanwhile = await room.store.unknownNow();
    expect([meanwhile.count >= 1, Math.floor(meanwhile.oldestAgeSeconds / 60)]).toEqual([true, 60]);
    await eventually(async () => expect((await room.store.unknownNow()).oldestAgeSeconds).toBeLessThan(3_600));
  });

  test('to a capture: the money counts as taken until it is known', async () => {
    const request = online('tok_capture_timeout_happened');
    await room.grpc.authorise(request);
    const capture = { transactionId: uuidv7(), intentId: request.intentId, amount: { minor: 6_000n, currency: 'DKK' } };
    expect((await room.grpc.capture(capture)).intent?.status).toBe('unknown');
    await eventually(async () =>
      expect(await intentOf(request.intentId)).toMatchObject({ status: 'partially_captured', capturedMinor: 6_000n }),
    );
    expect((await room.grpc.capture(capture)).transaction?.status).toBe(TransactionStatus.SUCCEEDED);
    expect(await room.operations(request.transactionId)).toHaveLength(2);
  });

  test.each(['tok_refund_timeout_happened', 'tok_void_timeout_happened'])('to %s: asking finds out', async (token) => {
    const request = online(token);
    const isRefund = token.includes('refund');
    await (isRefund ? room.grpc.purchase(request) : room.grpc.authorise(request));
    const back = { transactionId: uuidv7(), intentId: request.intentId };
    const { intent } = await (isRefund ? room.grpc.refund(back) : room.grpc.cancel(back));
    expect(intent?.status).toBe('unknown');
    await eventually(async () => expect(await statusOf(request.intentId)).toBe(isRefund ? 'refunded' : 'voided'));
    expect(await room.operations(request.transactionId)).toHaveLength(2);
  });

  test('but sends an event', async () => {
    const request = online('tok_event_only');
    const { transaction } = await room.grpc.purchase(request);
    expect([TransactionStatus.SUCCEEDED, TransactionStatus.UNKNOWN]).toContain(transaction?.status);
    await eventually(async () => expect(await statusOf(request.intentId)).toBe('captured'));
  });
});

test('an answer that comes too late is waited for by asking', async () => {
  const request = online('tok_late');
  expect((await room.grpc.purchase(request)).intent?.status).toBe('unknown');
  await eventually(async () => expect(await statusOf(request.intentId)).toBe('captured'));
  expect(await room.operations(request.transactionId)).toHaveLength(1);
});

test('a 503 is no proof that nothing happened; asking is', async () => {
  const request = online('tok_down');
  expect((await room.grpc.purchase(request)).transaction?.status).toBe(TransactionStatus.UNKNOWN);
  await eventually(async () => expect((await room.grpc.purchase(request)).transaction?.status).toBe(TransactionStatus.FAILED));
});

describe('an approval for another amount', () => {
  test('completes nothing, raises an alarm, and needs a person', async () => {
    const request = online('tok_other_amount');
    expect(await refusal(room.grpc.purchase(request))).toBe('integrity-failed');
    expect(await refusal(room.grpc.purchase(request))).toBe('integrity-failed');
    expect(await intentOf(request.intentId)).toMatchObject({ status: 'integrity_failed', capturedMinor: 0n });
    expect(await refusal(room.grpc.refund({ transactionId: uuidv7(), intentId: request.intentId }))).toBe('integrity-failed');
    expect(await room.operations(request.transactionId)).toHaveLength(1);
  });

  test('in an event, after it was paid, is the same', async () => {
    const request = online('tok_approve');
    await room.grpc.purchase(request);
    await send(signedEvent(approval(request.transactionId, { amountMinor: 9_000 })));
    expect(await intentOf(request.intentId)).toMatchObject({ status: 'integrity_failed', capturedMinor: 10_000n });
  });

  test('and so is an approval of what we know not to have happened', async () => {
    const request = online('tok_timeout_not_happened');
    await room.grpc.purchase(request);
    await eventually(async () => expect(await statusOf(request.intentId)).toBe('requires_method'));
    await send(signedEvent(approval(request.transactionId)));
    expect(await statusOf(request.intentId)).toBe('integrity_failed');
  });
});

describe('events', () => {
  test.each(['tok_event_before_reply', 'tok_event_after_reply', 'tok_event_twice'])(
    'of %s change nothing but the outcome',
    async (token) => {
      const request = online(token);
      expect((await room.grpc.purchase(request)).intent?.status).toBe('captured');
      const wanted = token === 'tok_event_twice' ? 2 : 1;
      await eventually(async () =>
        expect(await room.sql('SELECT FROM provider_events WHERE transaction_id = $1', [request.transactionId])).toHaveLength(
          wanted,
        ),
      );
      expect(await intentOf(request.intentId)).toMatchObject({ status: 'captured', capturedMinor: 10_000n });
    },
  );

  test('shuffled and doubled, before and after the replies, lead to one state', async () => {
    const request = online('tok_capture_timeout_happened');
    await room.grpc.authorise(request);
    const captures = [2_000, 3_000].map((minor) => ({ transactionId: uuidv7(), minor }));
    const calls = captures.map(({ transactionId, minor }) =>
      refusal(
        room.grpc.capture({ transactionId, intentId: request.intentId, amount: { minor: BigInt(minor), currency: 'DKK' } }),
      ),
    );
    await eventually(async () =>
      expect(await room.sql(`SELECT FROM transactions WHERE intent_id = $1`, [request.intentId])).toHaveLength(3),
    );
    const events = captures.flatMap(({ transactionId, minor }) => [
      signedEvent({ ...approval(transactionId, { amountMinor: minor }), status: 'pending' }),
      signedEvent(approval(transactionId, { amountMinor: minor })),
      signedEvent(approval(transactionId, { amountMinor: minor })),
    ]);
    const shuffled = [...events, ...events].sort(() => Math.random() - 0.5);
    expect(new Set(await Promise.all(shuffled.map(send)))).toEqual(new Set([204]));
    await Promise.all(calls);
    expect(await intentOf(request.intentId)).toMatchObject({ status: 'partially_captured', capturedMinor: 5_000n });
  });

  test('that are not signed by the provider, or long ago, or for someone else, are refused', async () => {
    const { body, headers } = signedEvent(approval(uuidv7()));
    const answers = await Promise.all([
      send({ body: body.replace('approved', 'declined'), headers }),
      send({ body, headers: { ...headers, 'webhook-id': 'another' } }),
      send({ body: '', headers }),
      send({ body, headers: { 'content-type': 'application/json' } }),
      send(signedEvent(approval(uuidv7()), { secret: `whsec_${Buffer.from('a secret of someone else').toString('base64')}` })),
      send(signedEvent(approval(uuidv7()), { at: new Date(Date.now() - 6 * 60_000) })),
      send(signedEvent(approval(uuidv7()), { at: new Date(Date.now() + 6 * 60_000) })),
    ]);
    expect(answers).toEqual([401, 401, 401, 401, 401, 401, 401]);
  });

  test('about nothing of ours are taken and change nothing', async () => {
    expect(await send(signedEvent(approval(uuidv7())))).toBe(204);
    expect(await send(signedEvent({ weather: 'fine' }))).toBe(204);
  });

  test('may be signed by one of several keys, as while they are changed', async () => {
    const { body, headers } = signedEvent(approval(uuidv7()));
    const both = `v1,AAAA v1a,BBBB ${headers['webhook-signature']}`;
    expect(await send({ body, headers: { ...headers, 'webhook-signature': both } })).toBe(204);
  });
});

describe('kill -9', () => {
  test('of the acquirer while it is asked to take money: known afterwards, and once', async () => {
    const requests = Array.from({ length: 20 }, () => purchase(10_000));
    const calls = requests.map((request) => refusal(room.grpc.purchase(request)));
    await new Promise((resolve) => setTimeout(resolve, 15));
    await room.acquirer.kill();
    await Promise.all(calls);
    await room.acquirer.restart();
    // However long it was away: the pauses between questions have grown with that.
    await room.sql(`UPDATE transactions SET attempts = 0, next_attempt_at = now() WHERE status = 'UNKNOWN'`);
    await eventually(async () => {
      const statuses = await Promise.all(requests.map(({ intentId }) => statusOf(intentId)));
      expect(statuses.filter((status) => status !== 'captured' && status !== 'requires_method')).toEqual([]);
    }, 15_000);
    for (const { intentId, transactionId } of requests) {
      const isTaken = (await statusOf(intentId)) === 'captured';
      const approved = (await room.operations(transactionId)).filter(({ status }) => status === 'approved');
      expect(approved).toHaveLength(isTaken ? 1 : 0);
    }
  });

  test('of the acquirer for good: nothing was sent, so it failed, and may be tried again', async () => {
    await room.acquirer.kill();
    const request = purchase(10_000);
    const { transaction } = await room.grpc.purchase(request);
    expect(transaction?.status).toBe(TransactionStatus.FAILED);
    await room.acquirer.restart();
    expect((await room.grpc.purchase({ ...request, transactionId: uuidv7() })).intent?.status).toBe('captured');
  });

  test('of the acquirer for a moment is not noticed', async () => {
    await room.acquirer.kill();
    const call = room.grpc.purchase(purchase(10_000));
    const restarted = room.acquirer.restart();
    const { transaction } = await call;
    await restarted;
    expect([TransactionStatus.SUCCEEDED, TransactionStatus.FAILED]).toContain(transaction?.status);
  });

  test('of payments, before it sent anything: the same command again takes the money once', async () => {
    const request = purchase(10_000);
    await leaveBehind(request);
    const { intent } = await room.grpc.purchase(request);
    expect(intent?.status).toBe('captured');
    expect(await room.operations(request.transactionId)).toHaveLength(1);
  });

  test('of payments, before it sent anything, and no one asks again: it fails after the grace, and was never sent', async () => {
    const request = purchase(10_000);
    await leaveBehind(request);
    await eventually(async () => expect(await statusOf(request.intentId)).toBe('requires_method'));
    expect(await room.operations(request.transactionId)).toMatchObject([{ status: 'declined' }]);
  });

  test('of payments while it waits for the provider: the next one finds out', async () => {
    const { issuer, database, acquirer } = room;
    const other = await startApp(roomFolder('payments'), {
      DATABASE_URL: database.url,
      OIDC_ISSUER: issuer.url,
      ACQUIRER_URL: acquirer.http,
      ACQUIRER_API_KEY: apiKey,
      ACQUIRER_WEBHOOK_SECRET: webhookSecret,
      TERMINAL_TIMEOUT_MS: '60000',
      LEASE_MS: '60000',
    });
    const request = purchase(5_107);
    const token = await issuer.token({ role: 'cashier' });
    const post = (path: string, body: object) =>
      fetch(other.http + path, {
        method: 'POST',
        body: JSON.stringify(body),
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', 'idempotency-key': uuidv7() },
      });
    const created = await post('/v1/payment-intents', {
      reference: request.reference,
      country: 'dk',
      amountMinor: 5_107,
      currency: 'DKK',
    });
    const { id } = (await created.json()) as { id: string };
    const confirm = post(`/v1/payment-intents/${id}/confirm`, { method: 'terminal' }).catch(() => 'died');
    const transactionId = await eventually(async () => {
      const [row] = await room.sql<{ id: string }>('SELECT id FROM transactions WHERE intent_id = $1', [id]);
      expect(await room.operations(row?.id ?? '')).toHaveLength(1);
      return row?.id;
    });
    await other.kill();
    expect(await confirm).toBe('died');
    // The lease has most of a minute to go; it runs out now, so that the test need not wait for it.
    await room.sql('UPDATE transactions SET next_attempt_at = now(), lease_until = now() WHERE id = $1', [transactionId]);
    await eventually(async () => expect(await statusOf(id)).toBe('captured'));
    expect(await room.operations(transactionId ?? '')).toHaveLength(1);
  });

  /** What is left when the process dies between writing a purchase down and sending it. */
  async function leaveBehind({ transactionId, intentId, amount, reference, country, instrument }: ReturnType<typeof purchase>) {
    await room.store.beginPayment({
      ...{
        transactionId,
        intentId,
        reference,
        country,
        instrument,
        kind: 'PURCHASE',
        channel: 'store',
        shopId: 'dk-001',
        method: 'terminal',
      },
      amountMinor: Number(amount.minor),
      currency: amount.currency,
      actor: { subject: 'employee-1', role: 'cashier' },
    });
  }
});

/** What payments tells the acquirer of a purchase on the web, told by someone else. */
async function instructAcquirer({ transactionId, instrument, amount }: ReturnType<typeof purchase>): Promise<unknown> {
  const operation = {
    ...{ providerKey: transactionId, kind: 'purchase', channel: 'online', instrument },
    amountMinor: Number(amount.minor),
    currency: amount.currency,
  };
  const response = await fetch(`${room.acquirer.http}/v1/operations`, {
    method: 'POST',
    body: JSON.stringify(operation),
    headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json', 'idempotency-key': transactionId },
  });
  return response.json();
}

async function send({ body, headers }: { body: string; headers: Record<string, string> }): Promise<number> {
  const response = await fetch(`${room.http}/v1/provider-events/acquirer`, { method: 'POST', body, headers });
  return response.status;
}

function approval(providerKey: string, changes: object = {}) {
  return {
    providerKey,
    kind: 'purchase',
    status: 'approved',
    providerRef: 'acq_test',
    amountMinor: 10_000,
    currency: 'DKK',
    ...changes,
  };
}
