import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { roleMatrix, type Person } from '@kassa/testing';
import { caller, levelOf, openRoom, stockShops, thirteenDigits, violations, type Call, type Reply, type Room } from './room.ts';

let room: Room;
let operator: ReturnType<typeof caller>;
const as = (role: Person['role'], shop: string | null = 'dk-001') => caller(room, { role, shop } as Person);

beforeAll(async () => {
  room = await openRoom({ SWEEP_EVERY_MS: '3600000' });
  operator = caller(room);
  await stockShops(room, ['dk-001', 'dk-002'], { E1: 1000, E2: 1000, E3: 5, E4: 1000, E5: 10 });
});
afterAll(() => room.close());

const post = (body?: unknown, more: Call = {}): Call => ({ method: 'POST', ...(body === undefined ? {} : { body }), ...more });
const lines = (sku = 'E1', quantity = 1) => [{ sku, quantity }];
const answer = ({ status, body }: Reply) => [status, body.code ?? body.state];
async function reserved(shop = 'dk-001'): Promise<string> {
  return (await as('cashier', shop)('/v1/reservations', post({ lines: lines() }))).body.reservationId;
}

describe('a reservation over HTTP', () => {
  test('from its making to its end', async () => {
    const cashier = as('cashier');
    const made = await cashier(
      '/v1/reservations',
      post({ lines: [{ sku: 'E2', quantity: 2 }, ...lines()], reference: 'click-and-collect:1', ttlMs: 60_000 }),
    );
    const path = made.headers.get('location') ?? '';
    expect(made).toMatchObject({
      status: 201,
      body: {
        shopId: 'dk-001',
        state: 'ACTIVE',
        reference: 'click-and-collect:1',
        lines: [{ sku: 'E1' }, { sku: 'E2', quantity: 2 }],
      },
    });
    expect(path).toBe(`/v1/reservations/${made.body.reservationId}`);
    expect(Date.parse(made.body.expiresAt) - Date.now()).toBeLessThan(61_000);
    expect((await cashier(path)).body).toEqual(made.body);

    const extended = await cashier(`${path}/extend`, post({ ttlMs: 120_000 }));
    expect(Date.parse(extended.body.expiresAt)).toBeGreaterThan(Date.parse(made.body.expiresAt) + 50_000);
    expect(Date.parse((await cashier(`${path}/extend`, post({ ttlMs: 1 }))).body.expiresAt)).toBe(
      Date.parse(extended.body.expiresAt),
    );
    expect(answer(await cashier(`${path}/consume`, post({ documentType: 'sale', documentId: 'h-1' })))).toEqual([
      409,
      'wrong-state',
    ]);
    expect(answer(await cashier(`${path}/firm`, post()))).toEqual([200, 'FIRM']);
    expect(answer(await cashier(`${path}/extend`, post({ ttlMs: 1000 })))).toEqual([409, 'wrong-state']);
    expect(answer(await cashier(`${path}/consume`, post({ documentType: 'sale', documentId: 'h-1' })))).toEqual([
      200,
      'CONSUMED',
    ]);
    expect(answer(await cashier(`${path}/release`, post()))).toEqual([409, 'reservation-closed']);
    expect((await cashier('/v1/movements?sku=E2')).body.items.at(-1)).toMatchObject({
      type: 'sale',
      delta: -2,
      documentType: 'sale',
      documentId: 'h-1',
    });
  });

  test('of more than there is names the lines', async () => {
    const { status, body } = await as('cashier')('/v1/reservations', post({ lines: [...lines('E3', 6), ...lines()] }));
    expect([status, body.code, body.lines]).toEqual([409, 'insufficient-stock', [{ sku: 'E3', requested: 6, available: 5 }]]);
  });

  test('once released frees its units', async () => {
    const cashier = as('cashier');
    const before = await levelOf(room, 'E4');
    const { body } = await cashier('/v1/reservations', post({ lines: lines('E4', 10) }));
    expect((await cashier('/v1/levels/E4')).body.levels).toMatchObject([
      { shopId: 'dk-001', reserved: before.reserved + 10, available: before.onHand - before.reserved - 10 },
    ]);
    expect(answer(await cashier(`/v1/reservations/${body.reservationId}/release`, post()))).toEqual([200, 'RELEASED']);
    expect(await levelOf(room, 'E4')).toEqual(before);
  });

  test('under an id that the caller chose', async () => {
    const reservationId = randomUUID();
    const body = { reservationId, lines: lines() };
    expect((await as('cashier')('/v1/reservations', post(body))).body.reservationId).toBe(reservationId);
    expect((await as('cashier')('/v1/reservations', post(body))).body.reservationId).toBe(reservationId);
    expect(answer(await as('cashier')('/v1/reservations', post({ ...body, lines: lines('E2') })))).toEqual([
      422,
      'idempotency-key-reused',
    ]);
  });

  test('of the web shop names its shop', async () => {
    const web = as('web-shop', null);
    expect(answer(await web('/v1/reservations', post({ lines: lines() })))).toEqual([400, 'validation-failed']);
    expect((await web('/v1/reservations', post({ lines: lines(), shopId: 'dk-002' }))).body.shopId).toBe('dk-002');
  });
});

describe('goods that come, are found, break or are counted', () => {
  const clerk = () => as('stock-clerk');
  const document = (...booked: object[]) => ({ documentType: 'test', documentId: randomUUID(), lines: booked });

  test('change the level, and the reply shows it', async () => {
    const { onHand } = await levelOf(room, 'E5');
    const { status, body } = await clerk()(
      '/v1/movements',
      post(
        document(
          { type: 'receipt', sku: 'E5', quantity: 12, lineKey: 'pallet-1' },
          { type: 'receipt', sku: 'E5', quantity: 8, lineKey: 'pallet-2' },
          { type: 'damage', sku: 'E5', quantity: 1 },
        ),
      ),
    );
    expect(status).toBe(201);
    expect(body.movements.map(({ delta, onHand: now }: { delta: number; onHand: number }) => [delta, now])).toEqual([
      [12, onHand + 19],
      [8, onHand + 19],
      [-1, onHand + 19],
    ]);
    expect(await levelOf(room, 'E5')).toMatchObject({ onHand: onHand + 19 });
  });

  test('of a product the shop never had make it known there', async () => {
    await operator(
      '/v1/imports/products',
      post(`sku,gtin,name,item_group,is_serialised,is_active\nNEW,${thirteenDigits(999_000)},Ny,audio,false,true`, {
        headers: { 'content-type': 'text/csv' },
      }),
    );
    expect((await clerk()('/v1/levels/NEW')).body.levels).toEqual([]);
    expect((await clerk()('/v1/movements', post(document({ type: 'damage', sku: 'NEW', quantity: 1 })))).status).toBe(409);
    expect((await clerk()('/v1/levels/NEW')).body.levels).toEqual([]);
    expect((await clerk()('/v1/movements', post(document({ type: 'found', sku: 'NEW', quantity: 1 })))).status).toBe(201);
    expect(await levelOf(room, 'NEW')).toEqual({ onHand: 1, reserved: 0 });
  });

  test('are booked once per document, however often it is sent, and at once', async () => {
    const body = document({ type: 'receipt', sku: 'E5', quantity: 1 }, { type: 'receipt', sku: 'E4', quantity: 1 });
    const before = await levelOf(room, 'E5');
    const replies = await Promise.all(Array.from({ length: 10 }, () => clerk()('/v1/movements', post(body))));
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([201]));
    expect(
      new Set(
        replies.map((reply) => JSON.stringify(reply.body.movements.map(({ movementId }: { movementId: number }) => movementId))),
      ).size,
    ).toBe(1);
    expect(await levelOf(room, 'E5')).toEqual({ ...before, onHand: before.onHand + 1 });
  });

  test.each([
    ['a line with another quantity', [{ type: 'receipt', sku: 'E4', quantity: 2 }]],
    [
      'a line more',
      [
        { type: 'receipt', sku: 'E4', quantity: 1 },
        { type: 'receipt', sku: 'E5', quantity: 1 },
      ],
    ],
  ])('are refused where the document is booked and has %s', async (_what, other) => {
    const body = document({ type: 'receipt', sku: 'E4', quantity: 1 });
    await clerk()('/v1/movements', post(body));
    expect(answer(await clerk()('/v1/movements', post({ ...body, lines: other })))).toEqual([409, 'already-exists']);
  });

  test.each([
    ['a count that saw another level', [{ type: 'adjust', sku: 'E3', quantity: -1, expectedOnHand: 77 }], 409, 'stock-changed'],
    ['units that are not there', [{ type: 'damage', sku: 'E3', quantity: 6 }], 409, 'insufficient-stock'],
    ['a product that is none', [{ type: 'receipt', sku: 'none', quantity: 1 }], 422, 'unknown-item'],
    ['both, the earlier rule', [{ type: 'damage', sku: 'E3', quantity: 6, expectedOnHand: 77 }], 409, 'stock-changed'],
  ])('are refused for %s, and nothing of the document is booked', async (_what, wrong, status, code) => {
    const before = await levelOf(room, 'E4');
    expect(answer(await clerk()('/v1/movements', post(document({ type: 'receipt', sku: 'E4', quantity: 1 }, ...wrong))))).toEqual(
      [status, code],
    );
    expect(await levelOf(room, 'E4')).toEqual(before);
  });

  test('counted by two at once: one of them counts again', async () => {
    const { onHand } = await levelOf(room, 'E5');
    const count = () =>
      clerk()('/v1/movements', post(document({ type: 'adjust', sku: 'E5', quantity: -1, expectedOnHand: onHand })));
    expect((await Promise.all([count(), count()])).map(({ status }) => status).sort()).toEqual([201, 409]);
  });

  test('never take what is reserved', async () => {
    const { body } = await as('cashier')('/v1/reservations', post({ lines: lines('E3', 5) }));
    expect(answer(await clerk()('/v1/movements', post(document({ type: 'damage', sku: 'E3', quantity: 1 }))))).toEqual([
      409,
      'insufficient-stock',
    ]);
    await as('cashier')(`/v1/reservations/${body.reservationId}/release`, post());
    expect((await clerk()('/v1/movements', post(document({ type: 'damage', sku: 'E3', quantity: 1 })))).status).toBe(201);
  });

  test('cannot be changed afterwards, not even in the database', async () => {
    for (const change of [
      'UPDATE stock_movements SET delta = 1',
      'DELETE FROM stock_movements',
      'TRUNCATE stock_movements',
      'DELETE FROM privileged_acts',
    ]) {
      await expect(room.db.query(change)).rejects.toThrow('is append-only');
    }
  });

  test('are listed page by page, none lost and none twice while more come', async () => {
    const seen: number[] = [];
    let next: string | undefined = '/v1/movements?sku=E5&limit=3';
    while (next !== undefined && seen.length < 60) {
      const page: Reply = await clerk()(next);
      seen.push(...page.body.items.map(({ movementId }: { movementId: number }) => movementId));
      if (page.body.next !== undefined && seen.length < 30)
        await clerk()('/v1/movements', post(document({ type: 'found', sku: 'E5', quantity: 1 })));
      next = /<(.*)>; rel="next"/.exec(page.headers.get('link') ?? '')?.[1];
    }
    const { rows } = await room.db.query<{ id: string }>(
      `SELECT id FROM stock_movements WHERE shop_id = 'dk-001' AND sku = 'E5' ORDER BY id`,
    );
    expect(seen).toEqual(rows.map(({ id }) => Number(id)));
  });
});

describe('products', () => {
  test('are read conditionally and changed by whoever saw the last version', async () => {
    const first = await operator('/v1/products/E4');
    const etag = first.headers.get('etag') ?? '';
    expect((await operator('/v1/products/E4', { headers: { 'if-none-match': etag } })).status).toBe(304);
    const changed = await operator('/v1/products/E4', {
      method: 'PATCH',
      body: { isActive: false },
      headers: { 'if-match': etag },
    });
    expect([changed.status, changed.body.isActive]).toEqual([200, false]);
    expect((await operator('/v1/products/E4')).headers.get('etag')).toBe(changed.headers.get('etag'));
    expect(
      answer(await operator('/v1/products/E4', { method: 'PATCH', body: { isActive: true }, headers: { 'if-match': etag } })),
    ).toEqual([412, 'precondition-failed']);
    expect(answer(await operator('/v1/products/E4', { method: 'PATCH', body: { isActive: true } }))).toEqual([
      428,
      'precondition-required',
    ]);
    expect(
      answer(await operator('/v1/products/none', { method: 'PATCH', body: { isActive: true }, headers: { 'if-match': '"1"' } })),
    ).toEqual([404, 'not-found']);
    expect((await operator('/v1/audit/acts?limit=200')).body.items).toContainEqual(
      expect.objectContaining({ act: 'change-product', target: 'product:E4', detail: { isActive: false }, role: 'operator' }),
    );
  });

  test.each([
    ['part of a name in another case', 'hørebøffer e1', ['E1']],
    ['a SKU', 'E2', ['E2']],
    ['nothing of that name', 'vaskemaskine', []],
    ['a percent sign as it stands', '%', []],
  ])('are found by %s', async (_what, q, skus) => {
    const { body } = await as('cashier')(`/v1/products?q=${encodeURIComponent(q)}`);
    expect(body.items.map(({ sku }: { sku: string }) => sku)).toEqual(skus);
  });

  test('and shops come in pages', async () => {
    const first = await as('cashier')('/v1/shops?limit=1');
    expect(first.body.items).toMatchObject([{ shopId: 'dk-001' }]);
    expect((await as('cashier')(`/v1/shops?limit=1&cursor=${first.body.next}`)).body).toMatchObject({
      items: [{ shopId: 'dk-002' }],
    });
    expect(answer(await as('cashier')('/v1/shops?cursor=x'))).toEqual([400, 'cursor-invalid']);
  });
});

describe('a write with an Idempotency-Key', () => {
  const url = '/v1/reservations';

  test('is refused without one', async () => {
    expect(answer(await as('cashier')(url, post({ lines: lines() }, { key: null })))).toEqual([400, 'idempotency-key-missing']);
  });

  test('happens once, and answers the same again', async () => {
    const cashier = as('cashier');
    const key = randomUUID();
    const before = await levelOf(room, 'E1');
    const first = await cashier(url, post({ lines: lines() }, { key }));
    const again = await cashier(url, post({ lines: lines() }, { key }));
    expect(again.body).toEqual(first.body);
    expect([again.status, again.headers.get('location'), again.headers.get('idempotency-replayed')]).toEqual([
      201,
      first.headers.get('location'),
      'true',
    ]);
    expect((await levelOf(room, 'E1')).reserved).toBe(before.reserved + 1);
    const { rows } = await room.db.query("SELECT expires_at FROM idempotency_keys WHERE answer LIKE '%' || $1 || '%'", [
      first.body.reservationId,
    ]);
    const kept = rows.map((row) => (row as { expires_at: Date }).expires_at.toUTCString());
    expect([first, again].map(({ headers }) => headers.get('idempotency-expires'))).toEqual([...kept, ...kept]);
  });

  test('happens once when sent fifty times at once', async () => {
    const cashier = as('cashier');
    const key = randomUUID();
    const before = await levelOf(room, 'E1');
    const replies = await Promise.all(Array.from({ length: 50 }, () => cashier(url, post({ lines: lines() }, { key }))));
    expect(new Set(replies.map(({ status, body }) => `${status} ${body.reservationId}`)).size).toBe(1);
    expect((await levelOf(room, 'E1')).reserved).toBe(before.reserved + 1);
  });

  test('is refused with another body', async () => {
    const key = randomUUID();
    await as('cashier')(url, post({ lines: lines() }, { key }));
    expect(answer(await as('cashier')(url, post({ lines: lines('E1', 2) }, { key })))).toEqual([422, 'idempotency-key-reused']);
  });

  test('answers a refusal again, even where it would not be refused any more', async () => {
    const key = randomUUID();
    const tooMany = { lines: lines('E2', 100_000) };
    const first = await as('cashier')(url, post(tooMany, { key }));
    await as('stock-clerk')(
      '/v1/movements',
      post({ documentType: 'test', documentId: randomUUID(), lines: [{ type: 'receipt', sku: 'E2', quantity: 100_000 }] }),
    );
    const again = await as('cashier')(url, post(tooMany, { key }));
    expect(again.body).toEqual(first.body);
    expect((await as('cashier')(url, post(tooMany))).status).toBe(201);
  });

  test('writes key and effect together or not at all', async () => {
    // A write that is stopped between its effect and its key: nothing of it may remain.
    const before = await levelOf(room, 'E1');
    await room.db.query(`CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'stopped'; END $$`);
    await room.db.query('CREATE TRIGGER stop BEFORE INSERT ON idempotency_keys FOR EACH ROW EXECUTE FUNCTION stop()');
    const key = randomUUID();
    expect((await as('cashier')(url, post({ lines: lines() }, { key }))).status).toBe(500);
    await room.db.query('DROP TRIGGER stop ON idempotency_keys');
    expect(await levelOf(room, 'E1')).toEqual(before);
    expect((await as('cashier')(url, post({ lines: lines() }, { key }))).status).toBe(201);
  });

  test.each([
    ['/firm', undefined],
    ['/release', undefined],
    ['/extend', { ttlMs: 1_000_000 }],
  ])('holds for %s too', async (command, body) => {
    const cashier = as('cashier');
    const path = `/v1/reservations/${await reserved()}${command}`;
    const key = randomUUID();
    const first = await cashier(path, post(body, { key }));
    const again = await cashier(path, post(body, { key }));
    expect([first.status, again.status, again.headers.get('idempotency-replayed')]).toEqual([200, 200, 'true']);
    expect(again.body).toEqual(first.body);
  });

  test('holds for a product, with its ETag', async () => {
    const key = randomUUID();
    const change = {
      method: 'PATCH',
      body: { name: 'Nyt navn' },
      headers: { 'if-match': (await operator('/v1/products/E5')).headers.get('etag') ?? '' },
      key,
    };
    const first = await operator('/v1/products/E5', change);
    const again = await operator('/v1/products/E5', change);
    expect([again.status, again.headers.get('etag')]).toEqual([200, first.headers.get('etag')]);
    expect(again.body).toEqual(first.body);
  });
});

describe('who may do what', () => {
  const sellers = ['cashier', 'supervisor', 'web-shop', 'operator'] as const;
  const readers = [...sellers, 'stock-clerk'] as const;
  const open = (
    route: string,
    roles: readonly string[],
    isShopBound: boolean,
    call: () => Promise<{ path: string; init?: Call }>,
  ) => ({ route, roles: [...roles] as never, isShopBound, call });
  const ofReservation = (command: string, body?: unknown) => async () => ({
    path: `/v1/reservations/${await reserved()}${command}`,
    init: command === '' ? {} : post(body),
  });
  const routes = [
    open('POST /v1/reservations', sellers, true, () =>
      Promise.resolve({ path: '/v1/reservations', init: post({ shopId: 'dk-001', lines: lines() }) }),
    ),
    open('GET /v1/reservations/{id}', sellers, true, ofReservation('')),
    open('POST /v1/reservations/{id}/extend', sellers, true, ofReservation('/extend', { ttlMs: 1000 })),
    open('POST /v1/reservations/{id}/firm', sellers, true, ofReservation('/firm')),
    open(
      'POST /v1/reservations/{id}/consume',
      sellers,
      true,
      ofReservation('/consume', { documentType: 'sale', documentId: 'm' }),
    ),
    open('POST /v1/reservations/{id}/release', sellers, true, ofReservation('/release')),
    open('POST /v1/movements', ['stock-clerk', 'operator'], true, () =>
      Promise.resolve({
        path: '/v1/movements',
        init: post({
          shopId: 'dk-001',
          documentType: 'test',
          documentId: randomUUID(),
          lines: [{ type: 'found', sku: 'E1', quantity: 1 }],
        }),
      }),
    ),
    open('GET /v1/movements', readers, true, () => Promise.resolve({ path: '/v1/movements?sku=E1&shop=dk-001' })),
    open('GET /v1/levels/{sku}', readers, true, () => Promise.resolve({ path: '/v1/levels/E1?shop=dk-001' })),
    open('GET /v1/products', readers, false, () => Promise.resolve({ path: '/v1/products' })),
    open('GET /v1/products/{sku}', readers, false, () => Promise.resolve({ path: '/v1/products/E1' })),
    open('PATCH /v1/products/{sku}', ['operator'], false, () =>
      Promise.resolve({
        path: '/v1/products/E1',
        init: { method: 'PATCH', body: { name: 'x' }, headers: { 'if-match': '"999"' } },
      }),
    ),
    open('GET /v1/shops', readers, false, () => Promise.resolve({ path: '/v1/shops' })),
    open('GET /v1/shops/{id}', readers, false, () => Promise.resolve({ path: '/v1/shops/dk-001' })),
    ...['products', 'shops', 'opening-stock'].map((kind) =>
      open(`POST /v1/imports/${kind}`, ['operator'], false, () =>
        Promise.resolve({ path: `/v1/imports/${kind}`, init: post('x', { headers: { 'content-type': 'text/csv' } }) }),
      ),
    ),
    open('GET /v1/audit/levels', ['operator'], false, () => Promise.resolve({ path: '/v1/audit/levels' })),
    open('GET /v1/audit/reservations', ['operator'], false, () => Promise.resolve({ path: '/v1/audit/reservations' })),
    open('GET /v1/audit/acts', ['operator'], false, () => Promise.resolve({ path: '/v1/audit/acts' })),
  ];

  test.each(roleMatrix(routes))('$route as $role of the $shop shop: $expected', async ({ route, role, shop, expected }) => {
    const { path, init } = await routes.find((one) => one.route === route)!.call();
    const { status, body } =
      role === undefined
        ? await operator(path, { ...init, headers: { ...init?.headers, authorization: '' } })
        : await as(role, ['web-shop', 'operator', 'service'].includes(role) ? null : shop === 'own' ? 'dk-001' : 'dk-002')(
            path,
            init,
          );
    if (expected !== 'allowed') expect(status).toBe(expected);
    else expect([401, 403, 404], JSON.stringify(body)).not.toContain(status);
  });

  test('a shop that is named and is another is not found', async () => {
    const reservationId = await reserved('dk-002');
    expect((await as('cashier')(`/v1/reservations/${reservationId}`)).status).toBe(404);
    expect((await as('cashier')(`/v1/reservations/${reservationId}/release`, post())).status).toBe(404);
    expect((await as('web-shop', null)(`/v1/reservations/${reservationId}`)).status).toBe(200);
  });

  test('an operator who releases is written down', async () => {
    const reservationId = await reserved();
    await operator(`/v1/reservations/${reservationId}/release`, post());
    expect((await operator('/v1/audit/acts?limit=200')).body.items).toContainEqual(
      expect.objectContaining({
        act: 'release-reservation',
        target: `reservation:${reservationId}`,
        detail: { from: 'ACTIVE', reference: '' },
      }),
    );
  });

  test('gRPC is for services only', async () => {
    const { createClient } = await import('@kassa/grpc');
    const { inventoryDefinition } = await import('@kassa/contracts/inventory');
    const person = createClient(inventoryDefinition, {
      address: room.grpcAddress,
      token: () => room.issuer.token({ role: 'operator' }),
      deadlineMs: 5_000,
    });
    await expect(person.client.getReservation({ reservationId: randomUUID() })).rejects.toMatchObject({ code: 'forbidden' });
    person.close();
  });
});

describe('input of every bad kind is refused, and changes nothing', () => {
  const url = '/v1/reservations';
  const json = { 'content-type': 'application/json' };
  test.each<[string, string, Call, number, string]>([
    ['broken JSON', url, post('{"lines":', { headers: json }), 400, 'malformed-request'],
    ['no body', url, post(), 400, 'validation-failed'],
    ['a list', url, post([]), 400, 'validation-failed'],
    ['an unknown field', url, post({ lines: lines(), price: 1 }), 400, 'validation-failed'],
    ['a wrong type', url, post({ lines: [{ sku: 'E1', quantity: '1' }] }), 400, 'validation-failed'],
    ['a fraction', url, post({ lines: [{ sku: 'E1', quantity: 1.5 }] }), 400, 'validation-failed'],
    ['a quantity below one', url, post({ lines: lines('E1', 0) }), 400, 'validation-failed'],
    ['a quantity beyond reason', url, post({ lines: lines('E1', 1e9) }), 400, 'validation-failed'],
    ['a sku twice', url, post({ lines: [...lines(), ...lines()] }), 400, 'validation-failed'],
    ['a sku with SQL in it', url, post({ lines: lines("E1'; DROP TABLE shops; --") }), 400, 'validation-failed'],
    ['a NUL character', url, post({ lines: lines('E1\0') }), 400, 'validation-failed'],
    ['a NUL in a reason', '/v1/feed/epoch', post({ reason: 'a\0' }), 400, 'validation-failed'],
    ['a card number in a reason', '/v1/feed/epoch', post({ reason: 'card 4111 1111 1111 1111' }), 400, 'validation-failed'],
    ['a NUL in a question', '/v1/products?q=%00', {}, 400, 'validation-failed'],
    ['no file', '/v1/imports/products', post(), 400, 'validation-failed'],
    [
      'a count beyond all stock',
      '/v1/movements',
      post({
        shopId: 'dk-001',
        documentType: 'count',
        documentId: 'c',
        lines: [{ type: 'adjust', sku: 'E1', quantity: 1, expectedOnHand: 2 ** 31 }],
      }),
      400,
      'validation-failed',
    ],
    ['no lines', url, post({ lines: [] }), 400, 'validation-failed'],
    ['10 MB', url, post('x'.repeat(10_000_000), { headers: json }), 413, 'body-too-large'],
    ['XML', url, post('<a/>', { headers: { 'content-type': 'application/xml' } }), 415, 'media-type-unsupported'],
    ['CSV where JSON is asked for', url, post('a,b', { headers: { 'content-type': 'text/csv' } }), 415, 'media-type-unsupported'],
    ['a key too short', url, post({ lines: lines() }, { key: 'short' }), 400, 'idempotency-key-invalid'],
    ['an id that is none', `${url}/1`, {}, 400, 'validation-failed'],
    ['an id nobody has', `${url}/${randomUUID()}`, {}, 404, 'not-found'],
    ['a product nobody has', '/v1/levels/none', {}, 404, 'not-found'],
    ['a shop that is none', '/v1/levels/E1?shop=dk-999x', {}, 400, 'validation-failed'],
    ['an unknown question', '/v1/products?colour=red', {}, 400, 'validation-failed'],
    ['more than a page holds', '/v1/products?limit=201', {}, 400, 'validation-failed'],
    [
      'a cursor of another list',
      `/v1/audit/reservations?cursor=${Buffer.from('7').toString('base64url')}`,
      {},
      400,
      'cursor-invalid',
    ],
    ['movements of no product', '/v1/movements?shop=dk-001', {}, 400, 'validation-failed'],
    [
      'a product changed to nothing',
      '/v1/products/E1',
      { method: 'PATCH', body: {}, headers: { 'if-match': '"1"' } },
      400,
      'validation-failed',
    ],
    [
      '501 lines',
      '/v1/movements',
      post({
        shopId: 'dk-001',
        documentType: 'a',
        documentId: 'b',
        lines: Array.from({ length: 501 }, (_, n) => ({ type: 'found', sku: 'E1', quantity: 1, lineKey: `${n}` })),
      }),
      400,
      'validation-failed',
    ],
    ['an address that is none', '/v1/none', {}, 404, 'not-found'],
  ])('%s', async (_what, path, call, status, code) => {
    const before = await totals();
    const reply = await operator(path, call);
    expect([reply.status, reply.body.code]).toEqual([status, code]);
    expect(reply.headers.get('content-type')).toContain('application/problem+json');
    expect(await totals()).toEqual(before);
  });

  test.each([
    ['of yesterday', { role: 'operator', shop: null, expired: true }],
    ['for somebody else', { role: 'operator', shop: null, audience: 'other' }],
  ] as const)('a token %s', async (_what, person) => {
    expect(answer(await caller(room, person)('/v1/products'))).toEqual([401, 'unauthenticated']);
  });

  test('what is not HTTP', async () => {
    const reply = await new Promise<string>((resolve) => {
      const socket = connect(Number(new URL(room.http).port), '127.0.0.1', () => socket.write('HELO inventory\r\n\r\n'));
      socket.once('data', (data) => {
        socket.destroy();
        resolve(data.toString());
      });
    });
    expect(reply).toMatch(/^HTTP\/1.1 400 /);
  });

  async function totals(): Promise<unknown> {
    const { rows } = await room.db
      .query(`SELECT (SELECT count(*) FROM reservations) AS reservations, (SELECT count(*) FROM stock_movements) AS movements,
      (SELECT sum(version) FROM products) AS products, (SELECT count(*) FROM imports) AS imports`);
    return rows[0];
  }
});

test('after all of this every level is what its movements and reservations say', async () => {
  expect(await violations(room)).toEqual([]);
  const audited: string[] = [];
  let next: string | undefined = '/v1/audit/reservations?limit=50';
  while (next !== undefined) {
    const page: Reply = await operator(next);
    audited.push(...page.body.items.map(({ reservationId }: { reservationId: string }) => reservationId));
    next = /<(.*)>; rel="next"/.exec(page.headers.get('link') ?? '')?.[1];
  }
  const { rows } = await room.db.query<{ id: string }>('SELECT id FROM reservations ORDER BY id');
  expect(audited).toEqual(rows.map(({ id }) => id));
});

test('a level that does not add up is found, also in a shop nobody knows, and where there is no level at all', async () => {
  const found = (shopId: string, sku: string, problem: string, numbers: object) => ({
    ...{ shopId, sku, problem, onHand: 0, reserved: 0, movements: 0, reservations: 0 },
    ...numbers,
  });
  // Past every constraint, as a bad disk or a hand in the database would.
  const id = randomUUID();
  await room.db.query(`BEGIN; SET LOCAL session_replication_role = replica;
    INSERT INTO stock_levels (shop_id, sku, on_hand) VALUES ('xx-001', 'GHOST', 2);
    INSERT INTO stock_movements (shop_id, sku, type, delta, document_type, document_id, subject)
      VALUES ('xx-002', 'GHOST', 'FOUND', 3, 'a', 'b', 'c');
    INSERT INTO reservations (id, shop_id, state, subject, role) VALUES ('${id}', 'xx-003', 'FIRM', 'a', 'b');
    INSERT INTO reservation_lines (reservation_id, sku, quantity) VALUES ('${id}', 'GHOST', 4); COMMIT`);
  const sums = 'on-hand-is-not-the-sum-of-movements';
  expect(await violations(room)).toEqual([
    found('xx-001', 'GHOST', sums, { onHand: 2 }),
    found('xx-002', 'GHOST', sums, { movements: 3 }),
    found('xx-003', 'GHOST', 'reserved-is-not-the-sum-of-reservations', { reservations: 4 }),
  ]);
  const { body } = await operator('/v1/audit/levels?limit=1');
  expect(body).toMatchObject({ items: [{ shopId: 'dk-001', violations: [] }], next: expect.any(String) });
  const { rows } = await room.db.query("SELECT count(*)::int AS levels FROM stock_levels WHERE shop_id = 'dk-001'");
  expect(body.items[0].checkedLevels).toBe(rows[0].levels);
  const second = await operator(`/v1/audit/levels?limit=1&cursor=${body.next}`);
  expect(second.body.items).toMatchObject([{ shopId: 'dk-002' }]);
});
