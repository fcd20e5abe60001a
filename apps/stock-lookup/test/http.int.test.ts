import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Role } from '@kassa/auth';
import { eventually, roleMatrix } from '@kassa/testing';
import { caller, gtins, openShops, surroundings, type Replica, type Reply, type Surroundings } from './room.ts';

let around: Surroundings;
let replica: Replica;
let call: (url: string, init?: RequestInit) => Promise<Reply>;
const get = (path: string) => call(`${replica.http}${path}`);
const post = (path: string, body: unknown) =>
  call(`${replica.http}${path}`, { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } });

beforeAll(async () => {
  around = await surroundings();
  const { inventory } = around;
  openShops(inventory);
  inventory.product({ sku: 'E1', gtin: gtins[0]!, name: 'Høyttaler Fjord 7', itemGroup: 'audio' });
  inventory.product({ sku: 'E2', gtin: gtins[1]!, name: 'Hörlurar Fjord', isSerialised: true });
  inventory.product({ sku: 'E3', gtin: gtins[2]!, name: 'Kabel 2 m 100%', isActive: false });
  inventory.level('dk-001', 'E1', 10, 3);
  inventory.level('dk-002', 'E1', 2, 2);
  inventory.level('dk-003', 'E1', 1, 0);
  inventory.level('dk-004', 'E1', 7, 9);
  inventory.level('dk-005', 'E1', 4, 0);
  inventory.level('dk-006', 'E1', 99, 0);
  inventory.level('dk-001', 'E2', 5, 5);
  replica = await around.open();
  call = caller(around.issuer);
  await eventually(async () => expect((await get('/v1/freshness')).body).toMatchObject({ seq: 16, degraded: false }));
});
afterAll(() => around.close());

describe('availability', () => {
  test('shows the item, its stock here and in the nearest shops, and how fresh that is', async () => {
    const { status, body } = await get(`/v1/availability/${gtins[0]}`);
    const shop = (shopId: string, city: string, distanceM: number, onHand: number, reserved: number, status = 'open') => {
      const availableToPromise = Math.max(0, onHand - reserved);
      return { shopId, name: `Elnord ${city}`, country: 'dk', city, status, distanceM, onHand, reserved, availableToPromise };
    };
    expect([status, body]).toEqual([
      200,
      {
        sku: 'E1',
        gtin: gtins[0],
        name: 'Høyttaler Fjord 7',
        itemGroup: 'audio',
        isSerialised: false,
        isActive: true,
        here: shop('dk-001', 'Købmagergade', 0, 10, 3),
        nearby: [
          shop('dk-005', 'Amager', 2_717, 4, 0, 'temporarily-closed'),
          shop('dk-002', 'Frederiksberg', 2_815, 2, 2),
          shop('dk-003', 'Lyngby', 10_924, 1, 0),
        ],
        asOf: expect.stringMatching(/^20.*Z$/),
        epoch: around.inventory.epoch,
        seq: 16,
        stalenessMs: expect.any(Number),
        degraded: false,
        formulaVersion: 'atp-1',
      },
    ]);
  });

  test.each([
    ['a GTIN-13', gtins[0]!, 'E1'],
    ['the same as GTIN-14', `0${gtins[0]}`, 'E1'],
    ['a SKU', 'E2', 'E2'],
    ['a product that is no longer sold', 'E3', 'E3'],
  ])('finds %s', async (_what, item, sku) => {
    expect((await get(`/v1/availability/${item}`)).body.sku).toBe(sku);
  });

  test.each([
    ['from a place, without a shop here', 'near=56.1,10.2&nearby=1', null, ['dk-004']],
    ['within a radius in km', 'radius=10km&nearby=50', 'dk-001', ['dk-005', 'dk-002']],
    ['within a radius in m', 'radius=2800m&nearby=50', 'dk-001', ['dk-005']],
    ['only where a unit can be promised', 'inStock=true&nearby=50', 'dk-001', ['dk-005', 'dk-003']],
    ['from another shop', 'shop=dk-004&nearby=1', 'dk-004', ['dk-003']],
    ['nowhere but here', 'nearby=0', 'dk-001', []],
    ['from a closed shop, which is shown as it is', 'shop=dk-006&nearby=1', 'dk-006', ['dk-002']],
  ])('looks %s', async (_where, query, here, nearby) => {
    const { body } = await get(`/v1/availability/E1?${query}`);
    expect([body.here?.shopId ?? null, body.nearby.map((shop: { shopId: string }) => shop.shopId)]).toEqual([here, nearby]);
  });

  test('a product nobody ever had is nowhere in stock', async () => {
    const { body } = await get('/v1/availability/E3?nearby=1');
    expect([body.here.onHand, body.here.availableToPromise, body.nearby[0].onHand]).toEqual([0, 0, 0]);
  });
});

describe('age and tag', () => {
  test('an answer says in its headers how old it is', async () => {
    const { headers, body } = await get('/v1/availability/E1');
    expect(headers.get('age')).toBe('0');
    expect(headers.get('etag')).toBe(`W/"${body.epoch}.16.dk-001"`);
    expect([headers.get('x-kassa-seq'), headers.get('x-kassa-as-of')]).toEqual(['16', body.asOf]);
    expect([headers.get('x-kassa-degraded'), headers.get('cache-control')]).toEqual(['false', 'private, no-cache']);
  });

  test('what has not changed is 304 with the same headers, and a change of another item does not touch it', async () => {
    const etag = (await get('/v1/availability/E1')).headers.get('etag')!;
    around.inventory.level('dk-001', 'E3', 1);
    await eventually(async () => expect((await get('/v1/freshness')).body.seq).toBe(17));
    const again = await call(`${replica.http}/v1/availability/E1`, { headers: { 'if-none-match': etag } });
    expect([again.status, again.body, again.headers.get('etag'), again.headers.get('x-kassa-seq')]).toEqual([
      304,
      undefined,
      etag,
      '17',
    ]);
  });

  test.each(['/v1/availability/E1', '/v1/shops/nearby'])('a tag of %s is of the shop that asked', async (path) => {
    const etag = (await get(path)).headers.get('etag')!;
    const elsewhere = caller(around.issuer, { shop: 'dk-002' });
    expect((await elsewhere(`${replica.http}${path}`, { headers: { 'if-none-match': etag } })).status).toBe(200);
  });
});

describe('batch', () => {
  test('answers what is known in the order asked, and itemises what is not', async () => {
    const { status, body } = await post('/v1/availability:batch', { items: ['E2', 'nope', gtins[0], '9520001000011', 'E2'] });
    expect(status).toBe(200);
    expect(
      body.items.map((one: { item: string; sku: string; here: { availableToPromise: number } }) => [
        one.item,
        one.sku,
        one.here.availableToPromise,
      ]),
    ).toEqual([
      ['E2', 'E2', 0],
      [gtins[0], 'E1', 7],
      ['E2', 'E2', 0],
    ]);
    expect(body.misses).toEqual([
      { item: 'nope', code: 'unknown-item', detail: 'No product has the GTIN or SKU nope.' },
      {
        item: '9520001000011',
        code: 'gtin-check-digit',
        detail: 'The last digit of 9520001000011 should be 0: it was misread or mistyped.',
      },
    ]);
    expect(body).toMatchObject({ degraded: false, formulaVersion: 'atp-1' });
  });
});

describe('products', () => {
  test.each([
    ['hoyttaler', ['E1']],
    ['FJORD', ['E2', 'E1']],
    ['fjord horlurar', ['E2']],
    ['9520001000034', ['E3']],
    ['e2', ['E2']],
    ['100%', ['E3']],
    ['_', []],
  ])('a search for %s finds %j', async (q, skus) => {
    const { body } = await get(`/v1/products?q=${encodeURIComponent(q)}`);
    expect(body.items.map(({ sku }: { sku: string }) => sku).sort()).toEqual([...skus].sort());
  });

  test('pages follow each other without loss or repetition', async () => {
    const first = await get('/v1/products?q=o&limit=1');
    expect(first.headers.get('link')).toBe(`</v1/products?q=o&limit=1&cursor=${first.body.next}>; rel="next"`);
    const second = await get(`/v1/products?q=o&limit=1&cursor=${first.body.next}`);
    expect([first.body.items[0].sku, second.body.items[0].sku, second.body.next]).toEqual(['E2', 'E1', undefined]);
  });
});

describe('shops', () => {
  test('nearby shops stand by distance, without the own one and closed ones', async () => {
    const { body } = await get('/v1/shops/nearby?limit=2');
    expect(body.items).toMatchObject([
      { shopId: 'dk-005', status: 'temporarily-closed', distanceM: 2_717, timeZone: 'Europe/Copenhagen' },
      { shopId: 'dk-002', status: 'open', distanceM: 2_815 },
    ]);
  });
});

describe('bad input is refused with a problem document', () => {
  const batch = '/v1/availability:batch';
  const json = { 'content-type': 'application/json' };
  test.each<[string, string, RequestInit, number, string, string | undefined]>([
    ['a wrong check digit', '/v1/availability/9520001000011', {}, 400, 'gtin-check-digit', '/path/item'],
    ['an item nobody knows', '/v1/availability/E999', {}, 404, 'not-found', undefined],
    ['a right GTIN nobody knows', `/v1/availability/${gtins[3]}`, {}, 404, 'not-found', undefined],
    ['no item at all', '/v1/availability/%20', {}, 400, 'validation-failed', '/path/item'],
    ['a shop nobody knows', '/v1/availability/E1?shop=dk-999', {}, 404, 'not-found', '/query/shop'],
    ['a shop that is none', '/v1/availability/E1?shop=1', {}, 400, 'validation-failed', '/query/shop'],
    ['shop and near together', '/v1/availability/E1?shop=dk-001&near=55,12', {}, 400, 'validation-failed', '/query/near'],
    ['a place off the earth', '/v1/availability/E1?near=91,12', {}, 400, 'validation-failed', '/query/near'],
    ['a radius without a unit', '/v1/availability/E1?radius=25', {}, 400, 'validation-failed', '/query/radius'],
    ['too many nearby', '/v1/availability/E1?nearby=51', {}, 400, 'validation-failed', '/query/nearby'],
    ['an unknown parameter', '/v1/availability/E1?store=dk-001', {}, 400, 'validation-failed', '/query/store'],
    ['a search for nothing', '/v1/products?q=%20', {}, 400, 'validation-failed', '/query/q'],
    ['a search for NUL', '/v1/products?q=%00', {}, 400, 'validation-failed', '/query/q'],
    ['a cursor of our own making', '/v1/products?q=a&cursor=xyz', {}, 400, 'cursor-invalid', '/query/cursor'],
    ['broken JSON', batch, { method: 'POST', headers: json, body: '{"items":[' }, 400, 'malformed-request', undefined],
    ['a batch of nothing', batch, { method: 'POST', headers: json, body: '{"items":[]}' }, 400, 'validation-failed', '/items'],
    [
      'a batch of wrong types',
      batch,
      { method: 'POST', headers: json, body: '{"items":[1]}' },
      400,
      'validation-failed',
      '/items/0',
    ],
    [
      'a batch of 201',
      batch,
      { method: 'POST', headers: json, body: JSON.stringify({ items: Array(201).fill('E1') }) },
      400,
      'validation-failed',
      '/items',
    ],
    [
      'a field nobody asked for',
      batch,
      { method: 'POST', headers: json, body: '{"items":["E1"],"store":"dk-001"}' },
      400,
      'validation-failed',
      '/store',
    ],
    [
      'a batch in a shop nobody knows',
      batch,
      { method: 'POST', headers: json, body: '{"items":["E1"],"shop":"dk-999"}' },
      404,
      'not-found',
      '/shop',
    ],
    [
      '10 MB',
      batch,
      { method: 'POST', headers: json, body: `{"items":["${'x'.repeat(10_000_000)}"]}` },
      413,
      'body-too-large',
      undefined,
    ],
    [
      'a form',
      batch,
      { method: 'POST', headers: { 'content-type': 'text/csv' }, body: 'items' },
      415,
      'media-type-unsupported',
      undefined,
    ],
    [
      'a token that has expired',
      '/v1/availability/E1',
      { headers: { authorization: 'Bearer x.y.z' } },
      401,
      'unauthenticated',
      undefined,
    ],
  ])('%s', async (_what, path, init, status, code, pointer) => {
    const { body, headers, status: answered } = await call(`${replica.http}${path}`, init);
    expect([answered, body.code, body.errors?.[0]?.pointer]).toEqual([status, code, pointer]);
    expect(headers.get('content-type')).toContain('application/problem+json');
  });

  test('a token that stands in no shop has to say from where', async () => {
    const webShop = caller(around.issuer, { role: 'web-shop', shop: null });
    const { status, body } = await webShop(`${replica.http}/v1/availability/E1`);
    expect([status, body.errors]).toEqual([400, [{ pointer: '/query/shop', detail: 'is missing' }]]);
    expect((await webShop(`${replica.http}/v1/availability/E1?near=55.7,12.5`)).status).toBe(200);
  });
});

describe('who may read', () => {
  const readers: Role[] = ['cashier', 'supervisor', 'stock-clerk', 'web-shop'];
  const paths: Record<string, [string, RequestInit?]> = {
    'GET availability': ['/v1/availability/E1?shop=dk-001'],
    'POST batch': [
      '/v1/availability:batch',
      { method: 'POST', body: '{"items":["E1"],"shop":"dk-001"}', headers: { 'content-type': 'application/json' } },
    ],
    'GET products': ['/v1/products?q=a'],
    'GET shops': ['/v1/shops/nearby?shop=dk-001'],
    'GET freshness': ['/v1/freshness'],
    'GET log level': ['/v1/log-level'],
  };
  const rows = roleMatrix([
    ...['GET availability', 'POST batch', 'GET products', 'GET shops'].map((route) => ({
      route,
      roles: readers,
      isShopBound: false,
    })),
    { route: 'GET freshness', roles: [...readers, 'operator'], isShopBound: false },
    { route: 'GET log level', roles: ['operator'], isShopBound: false },
  ]);

  test.each(rows)('$route as $role of the $shop shop: $expected', async ({ route, role, shop, expected }) => {
    const as = caller(around.issuer, { ...(role && { role }), shop: shop === 'own' ? 'dk-001' : 'dk-002' });
    const [path, init = {}] = paths[route]!;
    const nobody = role ? {} : { headers: { ...(init.headers as object), authorization: '' } };
    const { status } = await as(`${replica.http}${path}`, { ...init, ...nobody });
    expect(status).toBe(expected === 'allowed' ? 200 : expected);
  });
});
