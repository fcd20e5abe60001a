import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { uuidv7 } from 'uuidv7';
import { roles as allRoles, type Role } from '@kassa/auth';
import { paymentsDefinition } from '@kassa/contracts/payments';
import { createClient } from '@kassa/grpc';
import { eventually, roleMatrix, type MatrixRoute } from '@kassa/testing';
import { openRoom, type Reply, type Room } from './room.ts';

let room: Room;
let web: ReturnType<Room['caller']>;
let cashier: ReturnType<Room['caller']>;
let supervisor: ReturnType<Room['caller']>;
let operator: ReturnType<Room['caller']>;

beforeAll(async () => {
  room = await openRoom();
  web = room.caller({ role: 'web-shop', shop: null, sub: 'web-shop' });
  cashier = room.caller({ role: 'cashier' });
  supervisor = room.caller({ role: 'supervisor' });
  operator = room.caller({ role: 'operator', shop: null, sub: 'operator-1' });
});
afterAll(() => room?.close());

const order = (changes: object = {}) => ({
  reference: `order:${uuidv7()}`,
  country: 'dk',
  amountMinor: 10_000,
  currency: 'DKK',
  captureMode: 'manual',
  ...changes,
});

async function intent(call = web, changes: object = {}): Promise<string> {
  return (await call('POST', '/v1/payment-intents', order(changes))).body.id;
}
async function paidOnline(token = 'tok_approve', changes: object = { captureMode: 'automatic' }): Promise<string> {
  const id = await intent(web, changes);
  await web('POST', `/v1/payment-intents/${id}/confirm`, { method: 'online', token });
  return id;
}
const essence = ({ status, body }: Reply) => [status, body.code ?? body.status];

describe('a web order', () => {
  test('is authorised, captured on dispatch in two parts, and partly refunded', async () => {
    const created = await web('POST', '/v1/payment-intents', order());
    const at = `/v1/payment-intents/${created.body.id}`;
    expect([created.status, created.headers.get('location'), created.headers.get('etag'), created.body.status]).toEqual([
      201,
      at,
      '"1"',
      'requires_method',
    ]);
    const confirmed = await web('POST', `${at}/confirm`, { method: 'online', token: 'tok_approve' });
    expect(confirmed.body).toMatchObject({
      status: 'authorised',
      authorisedMinor: 10_000,
      capturableMinor: 10_000,
      transaction: { kind: 'AUTHORISE', status: 'SUCCEEDED', cardLabel: expect.stringMatching(/^Visa •••• \d{4}$/) },
    });
    expect(new Date(confirmed.body.expiresAt).getTime() - Date.now()).toBeGreaterThan(6.9 * 86_400_000);
    expect(essence(await web('POST', `${at}/capture`, { amountMinor: 4_000 }))).toEqual([200, 'partially_captured']);
    expect(essence(await web('POST', `${at}/capture`, {}))).toEqual([200, 'captured']);
    const refund = await web('POST', `${at}/refunds`, { amountMinor: 2_500 });
    expect([refund.status, refund.body]).toEqual([
      201,
      expect.objectContaining({ kind: 'REFUND', status: 'SUCCEEDED', amountMinor: 2_500, intentStatus: 'partially_refunded' }),
    ]);
    expect((await web('GET', refund.headers.get('location') ?? '')).body).toEqual(refund.body);
    const read = await web('GET', at);
    expect(read.body).toMatchObject({ capturedMinor: 10_000, refundedMinor: 2_500, refundableMinor: 7_500, capturableMinor: 0 });
    expect(read.body.transactions.map((row: { kind: string }) => row.kind)).toEqual([
      'AUTHORISE',
      'CAPTURE',
      'CAPTURE',
      'REFUND',
    ]);
    expect(JSON.stringify(read.body)).not.toContain('tok_');
    expect((await web('GET', at, undefined, { 'if-none-match': read.headers.get('etag') ?? '' })).status).toBe(304);
  });

  test('that is declined is an answer, and may be paid with another card', async () => {
    const at = `/v1/payment-intents/${await intent(web, { captureMode: 'automatic' })}`;
    const declined = await web('POST', `${at}/confirm`, { method: 'online', token: 'tok_decline_expired_card' });
    expect([declined.status, declined.body]).toEqual([
      200,
      expect.objectContaining({ status: 'declined', declineCode: 'expired-card', nextAction: 'safe-to-retry' }),
    ]);
    expect((await web('GET', at)).body).toMatchObject({ status: 'declined', declineCode: 'expired-card' });
    expect(essence(await web('POST', `${at}/confirm`, { method: 'online', token: 'tok_approve' }))).toEqual([200, 'captured']);
  });

  test('whose outcome nobody knows says what to do, where to look and when', async () => {
    const at = `/v1/payment-intents/${await intent()}`;
    const unknown = await web('POST', `${at}/confirm`, { method: 'online', token: 'tok_timeout_happened' });
    expect([unknown.status, unknown.body.status, unknown.body.nextAction]).toEqual([202, 'unknown', 'wait']);
    expect([unknown.headers.get('location'), unknown.headers.get('retry-after')]).toEqual([at, '2']);
    const meanwhile = await web('POST', `${at}/capture`, {});
    expect(['payment-unknown', 'authorised', 'captured']).toContain(meanwhile.body.code ?? meanwhile.body.status);
    await eventually(async () => expect(['authorised', 'captured']).toContain((await web('GET', at)).body.status));
  });

  test('is found by its reference, page by page', async () => {
    const reference = `order:${uuidv7()}`;
    const ids = [await intent(web, { reference }), await intent(web, { reference }), await intent(web, { reference })];
    const first = await web('GET', `/v1/payment-intents?reference=${reference}&limit=2`);
    const second = await web('GET', `/v1/payment-intents?reference=${reference}&limit=2&cursor=${first.body.next}`);
    expect([...first.body.items, ...second.body.items].map((item: { id: string }) => item.id)).toEqual(ids);
    expect(second.body.next).toBeUndefined();
    expect((await cashier('GET', `/v1/payment-intents?reference=${reference}`)).body.items).toEqual([]);
    expect((await operator('GET', `/v1/payment-intents?reference=${reference}`)).body.items).toHaveLength(3);
  });
});

describe('at a till', () => {
  test('the terminal of the own register takes the card', async () => {
    const id = await intent(cashier, { captureMode: 'automatic' });
    expect(essence(await cashier('POST', `/v1/payment-intents/${id}/confirm`, { method: 'terminal' }))).toEqual([
      200,
      'captured',
    ]);
    const [row] = await room.sql<{ instrument: string; shop_id: string }>(
      'SELECT t.instrument, i.shop_id FROM transactions t JOIN payment_intents i ON i.id = t.intent_id WHERE i.id = $1',
      [id],
    );
    expect(row).toEqual({ instrument: 'pos-dk-001-01', shop_id: 'dk-001' });
  });
  test('whoever stands at no register has no terminal', async () => {
    const officer = room.caller({ role: 'supervisor', register: null });
    const id = await intent(officer, { captureMode: 'automatic' });
    expect(essence(await officer('POST', `/v1/payment-intents/${id}/confirm`, { method: 'terminal' }))).toEqual([
      403,
      'register-required',
    ]);
  });
  test('an unknown outcome sends one to the terminal', async () => {
    const id = await intent(cashier, { captureMode: 'automatic', amountMinor: 5_107 });
    const unknown = await cashier('POST', `/v1/payment-intents/${id}/confirm`, { method: 'terminal' });
    expect([unknown.status, unknown.body.nextAction]).toEqual([202, 'ask-terminal']);
  });
  test('cash is never authorised first', async () => {
    const id = await intent(cashier, { captureMode: 'manual' });
    expect(essence(await cashier('POST', `/v1/payment-intents/${id}/confirm`, { method: 'cash' }))).toEqual([
      409,
      'tender-not-allowed',
    ]);
  });
});

describe('what is refused', () => {
  test('tells what would have been possible', async () => {
    const id = await paidOnline('tok_approve', { captureMode: 'manual' });
    const much = await web('POST', `/v1/payment-intents/${id}/capture`, { amountMinor: 10_001 });
    expect([much.status, much.body]).toEqual([
      409,
      expect.objectContaining({ code: 'amount-exceeds-capturable', capturableMinor: 10_000, status: 409 }),
    ]);
    expect((await web('POST', `/v1/payment-intents/${id}/refunds`, {})).body).toMatchObject({
      code: 'wrong-state',
      allowed: ['capture', 'cancel'],
    });
  });
  test.each([
    ['broken JSON', '{"amountMinor":', 400, 'malformed-request'],
    ['an unknown field', order({ colour: 'red' }), 400, 'validation-failed'],
    ['an amount with øre behind a point', order({ amountMinor: 99.5 }), 400, 'validation-failed'],
    ['no money', order({ amountMinor: 0 }), 400, 'validation-failed'],
    ['a card number in the reference', order({ reference: 'card 4111 1111 1111 1111' }), 400, 'validation-failed'],
    ['a NUL in the reference', order({ reference: 'order:\0' }), 400, 'validation-failed'],
    ['another country’s currency', order({ currency: 'SEK' }), 422, 'currency-mismatch'],
    ['a country Kassa does not sell in', order({ country: 'de', currency: 'EUR' }), 422, 'currency-mismatch'],
    ['10 MB', `"${'x'.repeat(10_000_000)}"`, 413, 'body-too-large'],
  ])('%s', async (_, body, status, code) => {
    const [{ count: before } = { count: 0 }] = await room.sql<{ count: number }>(
      'SELECT count(*)::int AS count FROM payment_intents',
    );
    expect(essence(await web('POST', '/v1/payment-intents', body))).toEqual([status, code]);
    expect(await room.sql('SELECT count(*)::int AS count FROM payment_intents')).toEqual([{ count: before }]);
  });
  test('a card number for a token', async () => {
    const id = await intent();
    expect(
      essence(await web('POST', `/v1/payment-intents/${id}/confirm`, { method: 'online', token: '5019717010103742' })),
    ).toEqual([400, 'validation-failed']);
  });
  test('an expired token, and none', async () => {
    const late = room.caller({ role: 'operator', expired: true });
    expect((await late('GET', '/v1/unknown-payments')).status).toBe(401);
  });
});

describe('the idempotency key', () => {
  const confirmBody = { method: 'online', token: 'tok_approve' };
  const keyed = (key = randomUUID()) => ({ 'idempotency-key': key });

  test('is asked for by every write', async () => {
    const id = await intent();
    const paths = [
      '/v1/payment-intents',
      ...['confirm', 'capture', 'cancel', 'refunds'].map((verb) => `/v1/payment-intents/${id}/${verb}`),
    ];
    const bodies = [order(), confirmBody, {}, {}, {}];
    const replies = await Promise.all(paths.map((path, at) => web('POST', path, bodies[at], { 'idempotency-key': '' })));
    expect(replies.map(essence)).toEqual(paths.map(() => [400, 'idempotency-key-missing']));
  });

  test('sent again gives the same answer, headers and all', async () => {
    const key = keyed();
    const body = order();
    const first = await web('POST', '/v1/payment-intents', body, key);
    const again = await web('POST', '/v1/payment-intents', body, key);
    expect([again.status, again.body, again.headers.get('location'), again.headers.get('etag')]).toEqual([
      201,
      first.body,
      first.headers.get('location'),
      '"1"',
    ]);
    expect([first.headers.get('idempotency-replayed'), again.headers.get('idempotency-replayed')]).toEqual([null, 'true']);
    const at = `/v1/payment-intents/${first.body.id}`;
    const confirm = keyed();
    const paid = await web('POST', `${at}/confirm`, confirmBody, confirm);
    await web('POST', `${at}/capture`, { amountMinor: 1_000 });
    const paidAgain = await web('POST', `${at}/confirm`, confirmBody, confirm);
    expect([paidAgain.status, paidAgain.body, paidAgain.headers.get('etag')]).toEqual([200, paid.body, paid.headers.get('etag')]);
  });

  test('sent with another body is refused, and changes nothing', async () => {
    const id = await paidOnline();
    const key = keyed();
    await web('POST', `/v1/payment-intents/${id}/refunds`, { amountMinor: 1_000 }, key);
    expect(essence(await web('POST', `/v1/payment-intents/${id}/refunds`, { amountMinor: 2_000 }, key))).toEqual([
      422,
      'idempotency-key-reused',
    ]);
    expect((await web('GET', `/v1/payment-intents/${id}`)).body.refundedMinor).toBe(1_000);
  });

  test('fifty times at once moves the money once', async () => {
    const id = await paidOnline();
    const key = keyed();
    const replies = await Promise.all(
      Array.from({ length: 50 }, () => web('POST', `/v1/payment-intents/${id}/refunds`, { amountMinor: 300 }, key)),
    );
    expect(new Set(replies.filter(({ status }) => status === 201).map(({ body }) => body.id)).size).toBe(1);
    expect(replies.filter(({ status, body }) => status !== 201 && body.code !== 'request-in-progress')).toEqual([]);
    expect((await web('GET', `/v1/payment-intents/${id}`)).body.refundedMinor).toBe(300);
  });

  test('keeps a refusal, and is another person’s own', async () => {
    const id = await paidOnline('tok_approve', { captureMode: 'manual' });
    const key = keyed();
    const refused = await web('POST', `/v1/payment-intents/${id}/refunds`, {}, key);
    await web('POST', `/v1/payment-intents/${id}/capture`, {});
    const again = await web('POST', `/v1/payment-intents/${id}/refunds`, {}, key);
    expect([again.status, again.body, again.headers.get('idempotency-replayed')]).toEqual([409, refused.body, 'true']);
    const other = room.caller({ role: 'web-shop', shop: null, sub: 'web-shop-2' });
    expect((await other('POST', `/v1/payment-intents/${id}/refunds`, {}, key)).status).toBe(201);
  });

  test('continues what was interrupted: a 202 becomes its outcome, under one provider key', async () => {
    const id = await intent();
    const key = keyed();
    const body = { method: 'online', token: 'tok_timeout_happened' };
    expect((await web('POST', `/v1/payment-intents/${id}/confirm`, body, key)).status).toBe(202);
    const done = await eventually(async () => {
      const reply = await web('POST', `/v1/payment-intents/${id}/confirm`, body, key);
      expect(reply.status).toBe(200);
      return reply;
    });
    expect(done.body.status).toBe('authorised');
    const replayed = await web('POST', `/v1/payment-intents/${id}/confirm`, body, key);
    expect([replayed.body, replayed.headers.get('idempotency-replayed')]).toEqual([done.body, 'true']);
    expect(await room.operations(done.body.transaction.id)).toHaveLength(1);
  });

  test('continues what a crash cut off before the answer was recorded', async () => {
    const id = await paidOnline();
    const key = keyed();
    const first = await web('POST', `/v1/payment-intents/${id}/refunds`, { amountMinor: 300 }, key);
    await room.sql('UPDATE idempotency_keys SET status = NULL, answer = NULL WHERE subject = $1', [first.body.id]);
    const again = await web('POST', `/v1/payment-intents/${id}/refunds`, { amountMinor: 300 }, key);
    expect([again.status, again.body]).toEqual([201, first.body]);
    expect((await web('GET', `/v1/payment-intents/${id}`)).body.refundedMinor).toBe(300);
  });
});

describe('operators', () => {
  const evidence = { reason: 'The bank says so.', evidence: 'statement 7, line 3' };

  test('see what nobody knows, ask again, settle it by hand, and all of it is on the audit log', async () => {
    const { id, transactionId } = await unknownIntegrity();
    const list = await operator('GET', '/v1/unknown-payments?limit=200');
    expect(list.body.items.find((item: { transactionId: string }) => item.transactionId === transactionId)).toMatchObject({
      intentId: id,
      kind: 'AUTHORISE',
      status: 'UNKNOWN',
      amountMinor: 10_000,
      needsOperator: true,
    });
    const resumed = await operator('POST', `/v1/unknown-payments/${transactionId}/resume`, {});
    expect([resumed.status, resumed.body.status]).toEqual([202, 'integrity_failed']);
    const key = { 'idempotency-key': randomUUID() };
    const resolved = await operator(
      'POST',
      `/v1/unknown-payments/${transactionId}/resolve`,
      { outcome: 'failed', ...evidence },
      key,
    );
    expect([resolved.status, resolved.body.status, resolved.body.transaction.status]).toEqual([200, 'requires_method', 'FAILED']);
    const again = await operator(
      'POST',
      `/v1/unknown-payments/${transactionId}/resolve`,
      { outcome: 'failed', ...evidence },
      key,
    );
    expect([again.body, again.headers.get('idempotency-replayed')]).toEqual([resolved.body, 'true']);
    expect(
      essence(await operator('POST', `/v1/unknown-payments/${transactionId}/resolve`, { outcome: 'succeeded', ...evidence })),
    ).toEqual([409, 'wrong-state']);
    const acts = await operator('GET', '/v1/audit/acts?limit=200');
    expect(acts.body.items.filter((item: { transactionId: string }) => item.transactionId === transactionId)).toEqual([
      expect.objectContaining({ act: 'resume', actor: 'operator-1', traceId: expect.stringMatching(/^[\da-f]{32}$/) }),
      expect.objectContaining({ act: 'resolve', actor: 'operator-1', outcome: 'failed', ...evidence }),
    ]);
  });

  test('can say that it succeeded, and the money counts', async () => {
    const { id, transactionId } = await unknownIntegrity();
    await operator('POST', `/v1/unknown-payments/${transactionId}/resolve`, { outcome: 'succeeded', ...evidence });
    expect((await web('GET', `/v1/payment-intents/${id}`)).body).toMatchObject({ status: 'authorised', authorisedMinor: 10_000 });
  });

  test('ask about what is known and get what is known', async () => {
    const id = await paidOnline();
    const { body } = await web('GET', `/v1/payment-intents/${id}`);
    const resumed = await operator('POST', `/v1/unknown-payments/${body.transactions[0].id}/resume`, {});
    expect([resumed.status, resumed.body.status]).toEqual([200, 'captured']);
  });

  test('find nothing where there is nothing', async () => {
    expect(essence(await operator('POST', `/v1/unknown-payments/${uuidv7()}/resume`, {}))).toEqual([404, 'not-found']);
    expect(
      essence(await operator('POST', `/v1/unknown-payments/${uuidv7()}/resolve`, { outcome: 'failed', ...evidence })),
    ).toEqual([404, 'not-found']);
  });

  test('have every transaction for a witness', async () => {
    const id = await paidOnline();
    const seen: { intentId: string }[] = [];
    for (let next = ''; next !== undefined;) {
      const { body } = await operator('GET', `/v1/audit/transactions?limit=20${next && `&cursor=${next}`}`);
      seen.push(...body.items);
      next = body.next;
    }
    expect(seen.filter((row) => row.intentId === id)).toEqual([
      expect.objectContaining({
        kind: 'PURCHASE',
        status: 'SUCCEEDED',
        amountMinor: 10_000,
        currency: 'DKK',
        method: 'online',
        reference: expect.stringMatching(/^order:/),
      }),
    ]);
    expect(new Set(seen.map((row) => JSON.stringify(row))).size).toBe(seen.length);
  });

  test('the audit log is only added to', async () => {
    await expect(room.sql('DELETE FROM audit_log')).rejects.toThrow('only added to');
    await expect(room.sql(`UPDATE audit_log SET actor = 'nobody'`)).rejects.toThrow('only added to');
  });

  /** An authorisation the provider gave for another amount. */
  async function unknownIntegrity() {
    const id = await intent();
    await web('POST', `/v1/payment-intents/${id}/confirm`, { method: 'online', token: 'tok_other_amount' });
    const [row] = await room.sql<{ id: string }>('SELECT id FROM transactions WHERE intent_id = $1', [id]);
    return { id, transactionId: row?.id ?? '' };
  }
});

describe('who may do what', () => {
  const sellers: Role[] = ['cashier', 'supervisor', 'web-shop'];
  const readers: Role[] = [...sellers, 'operator'];
  const routes: MatrixRoute[] = [
    { route: 'POST /v1/payment-intents', roles: sellers, isShopBound: false },
    { route: 'GET /v1/payment-intents', roles: readers, isShopBound: false },
    { route: 'GET /v1/payment-intents/{id}', roles: readers, isShopBound: true },
    { route: 'POST /v1/payment-intents/{id}/confirm', roles: sellers, isShopBound: true },
    { route: 'POST /v1/payment-intents/{id}/capture', roles: sellers, isShopBound: true },
    { route: 'POST /v1/payment-intents/{id}/cancel', roles: sellers, isShopBound: true },
    { route: 'POST /v1/payment-intents/{id}/refunds', roles: ['supervisor', 'web-shop'], isShopBound: true },
    { route: 'GET /v1/refunds/{refund}', roles: readers, isShopBound: true },
    { route: 'GET /v1/unknown-payments', roles: ['operator'], isShopBound: false },
    { route: 'POST /v1/unknown-payments/{transaction}/resume', roles: ['operator'], isShopBound: false },
    { route: 'POST /v1/unknown-payments/{transaction}/resolve', roles: ['operator'], isShopBound: false },
    { route: 'GET /v1/audit/acts', roles: ['operator'], isShopBound: false },
    { route: 'GET /v1/audit/transactions', roles: ['operator'], isShopBound: false },
  ];
  const bodies: Record<string, object> = {
    '/v1/payment-intents': order(),
    confirm: { method: 'cash' },
    resolve: { outcome: 'failed', reason: 'a test', evidence: 'none' },
  };
  let paid: Record<'store' | 'web', { id: string; refund: string; transaction: string }>;

  beforeAll(async () => {
    const made = async (call: ReturnType<Room['caller']>, refunder: ReturnType<Room['caller']>, method: object) => {
      const id = await intent(call, { captureMode: 'automatic' });
      const { body } = await call('POST', `/v1/payment-intents/${id}/confirm`, method);
      const refund = await refunder('POST', `/v1/payment-intents/${id}/refunds`, { amountMinor: 1 });
      return { id, refund: refund.body.id, transaction: body.transaction.id };
    };
    paid = {
      store: await made(cashier, supervisor, { method: 'terminal' }),
      web: await made(web, web, { method: 'online', token: 'tok_approve' }),
    };
  });

  test.each(roleMatrix(routes))('$route as $role of the $shop shop: $expected', async ({ route, role, shop, expected }) => {
    const { id, refund, transaction } = paid[role === 'web-shop' ? 'web' : 'store'];
    const [method = '', template = ''] = route.split(' ');
    const path = template.replace('{id}', id).replace('{refund}', refund).replace('{transaction}', transaction);
    const isWrite = method === 'POST';
    const answer = await fetch(room.http + path + (route === 'GET /v1/payment-intents' ? '?reference=none' : ''), {
      method,
      headers: {
        ...(role === undefined ? {} : { authorization: `Bearer ${await tokenOf(role, shop)}` }),
        ...(isWrite ? { 'idempotency-key': randomUUID(), 'content-type': 'application/json' } : {}),
      },
      ...(isWrite ? { body: JSON.stringify(bodies[template.split('/').at(-1) ?? ''] ?? bodies[template] ?? {}) } : {}),
    });
    const verdict = [401, 403, 404].includes(answer.status) ? answer.status : 'allowed';
    expect([verdict, answer.status < 500]).toEqual([expected, true]);
  });

  function tokenOf(role: Role, shop: 'own' | 'other') {
    const bound = role === 'cashier' || role === 'supervisor' || role === 'stock-clerk';
    return room.issuer.token({ role, shop: bound ? (shop === 'own' ? 'dk-001' : 'dk-002') : null });
  }

  test('the web shop sees no till’s payment, and a till no web order', async () => {
    expect((await web('GET', `/v1/payment-intents/${paid.store.id}`)).status).toBe(404);
    expect((await cashier('GET', `/v1/payment-intents/${paid.web.id}`)).status).toBe(404);
  });

  test('over gRPC only services are served', async () => {
    const outcomes: string[] = [];
    for (const role of allRoles) {
      const { client, close } = createClient(paymentsDefinition, {
        address: room.grpcAddress,
        token: () => room.issuer.token({ role }),
        deadlineMs: 5_000,
      });
      outcomes.push(
        await client.getIntent({ intentId: paid.store.id }).then(
          () => role,
          (error: { code?: string }) => error.code ?? 'failed',
        ),
      );
      close();
    }
    expect(outcomes).toEqual(['forbidden', 'forbidden', 'forbidden', 'forbidden', 'forbidden', 'service']);
  });
});
