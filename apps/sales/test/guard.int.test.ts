import { connect } from 'node:net';
import { roleMatrix, testIssuer, type MatrixRoute } from '@kassa/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { byCard, cable, client, openRoom, type Client, type Room, type Send } from './room.ts';

let room: Room;
let till: Client;
let sale: { id: string; lineId: string };

beforeAll(async () => {
  room = await openRoom();
  till = await room.as({ sub: 'employee-1', sid: 'desk' });
  const { body } = await till.post('/v1/sales', cable);
  sale = { id: body.id, lineId: body.lines[0].lineId };
});
afterAll(() => room.close());

const everything = async () => {
  const tables = [
    'sales',
    'sale_lines',
    'sale_tenders',
    'checkouts',
    'registers',
    'prices',
    'imports',
    'operator_acts',
    'idempotency_keys',
  ];
  const counts = tables.map((table) => `(SELECT json_agg(t ORDER BY t::text)::text FROM ${table} t) AS ${table}`);
  return (await room.db.query(`SELECT ${counts.join(', ')}`)).rows[0];
};

const nobody = '0195a1c2-7c1e-7d55-9d0a-2f0c6a3b1e11';
const json = { 'content-type': 'application/json' };
const big = 'x'.repeat(10_000_000);

interface Bad {
  what: string;
  method?: string;
  path: string;
  send: Send;
  status: number;
  code: string;
  pointer?: string;
}

const bad: Bad[] = [
  { what: 'broken JSON', path: '/v1/sales', send: { body: '{"lines":', headers: json }, status: 400, code: 'malformed-request' },
  {
    what: 'a poisoned prototype',
    path: '/v1/sales',
    send: { body: '{"__proto__":{"a":1}}', headers: json },
    status: 400,
    code: 'malformed-request',
  },
  { what: 'a body that is no object', path: '/v1/sales', send: { body: [] }, status: 400, code: 'validation-failed' },
  { what: 'no body at all', path: '/v1/sales', send: {}, status: 400, code: 'validation-failed' },
  {
    what: 'an unknown field',
    path: '/v1/sales',
    send: { body: { discount: 10 } },
    status: 400,
    code: 'validation-failed',
    pointer: '/discount',
  },
  {
    what: 'an unknown field in a line',
    path: '/v1/sales',
    send: { body: { lines: [{ sku: 'E1', price: 1 }] } },
    status: 400,
    code: 'validation-failed',
    pointer: '/lines/0/price',
  },
  {
    what: 'a quantity in letters',
    path: '/v1/sales',
    send: { body: { lines: [{ sku: 'E1', quantity: '2' }] } },
    status: 400,
    code: 'validation-failed',
    pointer: '/lines/0/quantity',
  },
  {
    what: 'half a unit',
    path: '/v1/sales',
    send: { body: { lines: [{ sku: 'E1', quantity: 0.5 }] } },
    status: 400,
    code: 'validation-failed',
    pointer: '/lines/0/quantity',
  },
  {
    what: 'no unit',
    path: '/v1/sales',
    send: { body: { lines: [{ sku: 'E1', quantity: 0 }] } },
    status: 400,
    code: 'validation-failed',
    pointer: '/lines/0/quantity',
  },
  {
    what: 'a thousand units',
    path: '/v1/sales',
    send: { body: { lines: [{ sku: 'E1', quantity: 1000 }] } },
    status: 400,
    code: 'validation-failed',
    pointer: '/lines/0/quantity',
  },
  {
    what: 'GTIN and SKU',
    path: '/v1/sales',
    send: { body: { lines: [{ sku: 'E1', gtin: '4006381333931' }] } },
    status: 400,
    code: 'validation-failed',
    pointer: '/lines/0',
  },
  {
    what: 'neither',
    path: '/v1/sales',
    send: { body: { lines: [{}] } },
    status: 400,
    code: 'validation-failed',
    pointer: '/lines/0',
  },
  {
    what: 'a GTIN of nine digits',
    path: '/v1/sales',
    send: { body: { lines: [{ gtin: '123456789' }] } },
    status: 400,
    code: 'validation-failed',
    pointer: '/lines/0/gtin',
  },
  {
    what: '201 lines',
    path: '/v1/sales',
    send: { body: { lines: Array.from({ length: 201 }, () => ({ sku: 'E1' })) } },
    status: 400,
    code: 'validation-failed',
    pointer: '/lines',
  },
  {
    what: 'an id that is no UUID',
    path: '/v1/sales',
    send: { body: { id: '42' } },
    status: 400,
    code: 'validation-failed',
    pointer: '/id',
  },
  {
    what: 'SQL in a SKU',
    path: '/v1/sales',
    send: { body: { lines: [{ sku: `'; DROP TABLE sales; --` }] } },
    status: 422,
    code: 'unknown-item',
  },
  {
    what: 'a NUL in a SKU',
    path: '/v1/sales',
    send: { body: { lines: [{ sku: 'E1\u0000' }] } },
    status: 400,
    code: 'validation-failed',
    pointer: '/lines/0/sku',
  },
  {
    what: 'half a character in a SKU',
    path: '/v1/sales',
    send: { body: '{"lines":[{"sku":"\\ud800"}]}', headers: json },
    status: 400,
    code: 'validation-failed',
    pointer: '/lines/0/sku',
  },
  {
    what: 'a NUL in a query',
    method: 'GET',
    path: '/v1/sales?register=%00',
    send: {},
    status: 400,
    code: 'validation-failed',
    pointer: '/query/register',
  },
  {
    what: 'a serial number with a line break',
    path: '/v1/sales',
    send: { body: { lines: [{ sku: 'E2', serials: ['a\nb'] }] } },
    status: 400,
    code: 'validation-failed',
    pointer: '/lines/0/serials/0',
  },
  { what: 'ten megabytes', path: '/v1/sales', send: { body: { id: big } }, status: 413, code: 'body-too-large' },
  {
    what: 'XML',
    path: '/v1/sales',
    send: { body: '<sale/>', headers: { 'content-type': 'application/xml' } },
    status: 415,
    code: 'media-type-unsupported',
  },
  {
    what: 'CSV where JSON is taken',
    path: '/v1/sales',
    send: { body: 'a,b', headers: { 'content-type': 'text/csv' } },
    status: 415,
    code: 'media-type-unsupported',
  },
  {
    what: 'JSON where CSV is taken',
    path: '/v1/imports/prices',
    send: { body: {} },
    status: 415,
    code: 'media-type-unsupported',
  },
  {
    what: 'a card number in an operator’s reason',
    path: '/v1/checkouts/{sale}/resolve',
    send: { body: { action: 'abort', reason: 'Card 4111 1111 1111 1111 was charged twice.' } },
    status: 400,
    code: 'validation-failed',
    pointer: '/reason',
  },
  { what: 'no file', path: '/v1/imports/prices', send: {}, status: 400, code: 'validation-failed' },
  { what: 'a key too short', path: '/v1/sales', send: { body: {}, key: 'short' }, status: 400, code: 'idempotency-key-invalid' },
  {
    what: 'a sale that is no UUID',
    path: '/v1/sales/42/park',
    send: {},
    status: 400,
    code: 'validation-failed',
    pointer: '/path/id',
  },
  { what: 'a sale nobody knows', path: `/v1/sales/${nobody}/park`, send: {}, status: 404, code: 'not-found' },
  {
    what: 'a line nobody knows',
    method: 'PATCH',
    path: `/v1/sales/{sale}/lines/${nobody}`,
    send: { body: { quantity: 2 }, ifMatch: 1 },
    status: 404,
    code: 'not-found',
  },
  {
    what: 'a tender nobody knows',
    method: 'DELETE',
    path: `/v1/sales/{sale}/tenders/${nobody}`,
    send: { ifMatch: 1 },
    status: 409,
    code: 'wrong-state',
  },
  {
    what: 'nothing to change',
    method: 'PATCH',
    path: `/v1/sales/{sale}/lines/{line}`,
    send: { body: {}, ifMatch: 1 },
    status: 400,
    code: 'validation-failed',
  },
  {
    what: 'a version that is no ETag',
    method: 'PATCH',
    path: `/v1/sales/{sale}/lines/{line}`,
    send: { body: { quantity: 2 }, ifMatch: 'W/"1"' },
    status: 412,
    code: 'precondition-failed',
  },
  {
    what: 'no version',
    method: 'DELETE',
    path: `/v1/sales/{sale}/lines/{line}`,
    send: {},
    status: 428,
    code: 'precondition-required',
  },
  {
    what: 'a tender of unknown kind',
    path: '/v1/sales/{sale}/tenders',
    send: { body: { method: 'cheque', amountMinor: 1 } },
    status: 400,
    code: 'validation-failed',
    pointer: '/method',
  },
  {
    what: 'a negative tender',
    path: '/v1/sales/{sale}/tenders',
    send: { body: { method: 'cash', amountMinor: -1 } },
    status: 400,
    code: 'validation-failed',
    pointer: '/amountMinor',
  },
  {
    what: 'a card that pays nothing',
    path: '/v1/sales/{sale}/tenders',
    send: { body: { method: 'terminal', amountMinor: 0 } },
    status: 400,
    code: 'validation-failed',
    pointer: '/amountMinor',
  },
  {
    what: 'an amount with decimals',
    path: '/v1/sales/{sale}/tenders',
    send: { body: { method: 'cash', amountMinor: 99.5 } },
    status: 400,
    code: 'validation-failed',
    pointer: '/amountMinor',
  },
  {
    what: 'an amount beyond all shops',
    path: '/v1/sales/{sale}/tenders',
    send: { body: { method: 'cash', amountMinor: 9e15 } },
    status: 400,
    code: 'validation-failed',
    pointer: '/amountMinor',
  },
  {
    what: 'an online tender without token',
    path: '/v1/sales/{sale}/tenders',
    send: { body: { method: 'online', amountMinor: 1 } },
    status: 400,
    code: 'validation-failed',
    pointer: '/cardToken',
  },
  {
    what: 'a card number for a token',
    path: '/v1/sales/{sale}/tenders',
    send: { body: { method: 'online', amountMinor: 1, cardToken: '4571000000000001' } },
    status: 400,
    code: 'validation-failed',
    pointer: '/cardToken',
  },
  {
    what: 'nine tenders',
    path: '/v1/sales/{sale}/complete',
    send: { body: { tenders: Array.from({ length: 9 }, () => ({ method: 'cash', amountMinor: 1 })) } },
    status: 400,
    code: 'validation-failed',
    pointer: '/tenders',
  },
  {
    what: 'a page of a thousand',
    method: 'GET',
    path: '/v1/sales?limit=1000',
    send: {},
    status: 400,
    code: 'validation-failed',
    pointer: '/query/limit',
  },
  {
    what: 'a state nobody knows',
    method: 'GET',
    path: '/v1/sales?state=LOST',
    send: {},
    status: 400,
    code: 'validation-failed',
    pointer: '/query/state',
  },
  {
    what: 'a cursor of another list',
    method: 'GET',
    path: '/v1/sales?cursor=WzFd',
    send: {},
    status: 400,
    code: 'cursor-invalid',
  },
  {
    what: 'a cursor of the year 0',
    method: 'GET',
    path: `/v1/sales?cursor=${Buffer.from('["0000-01-01T00:00:00Z","0195a1c2-7c1e-7d55-9d0a-2f0c6a3b1e11"]').toString('base64url')}`,
    send: {},
    status: 400,
    code: 'cursor-invalid',
  },
  { what: 'no file', path: '/v1/imports/prices', send: {}, status: 400, code: 'validation-failed' },
  { what: 'an address nobody knows', method: 'GET', path: '/v1/returns', send: {}, status: 404, code: 'not-found' },
];

test.each(bad)('$what: $status $code, and nothing changes', async ({ method = 'POST', path, send, status, code, pointer }) => {
  const by = /^\/v1\/(imports|checkouts)/.test(path) ? await room.as({ role: 'operator', shop: null }) : till;
  const isRecorded = status === 409 || status === 422;
  const before = await everything();
  const reply = await by.request(method, path.replace('{sale}', sale.id).replace('{line}', sale.lineId), send);
  expect(reply).toMatchObject({ status, body: { code, status, type: `https://kassa.example/problems/${code}` } });
  expect(reply.headers.get('content-type')).toContain('application/problem+json');
  if (pointer) expect(reply.body.errors.map((error: { pointer: string }) => error.pointer)).toContain(pointer);
  const { idempotency_keys: keysBefore, ...was } = before;
  const { idempotency_keys: keys, ...is } = await everything();
  expect(is).toEqual(was);
  if (!isRecorded) expect(keys).toEqual(keysBefore);
});

test('what is no HTTP at all', async () => {
  const port = Number(new URL(room.url).port);
  const answer = await new Promise<string>((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('HELO kassa\r\n\r\n'));
    socket.on('data', (data) => resolve(data.toString()));
  });
  expect(answer).toMatch(/^HTTP\/1\.1 400 .*application\/problem\+json.*malformed-request/s);
});

describe('tokens', () => {
  const get = (token: string) => client(room.url, token).get(`/v1/sales/${sale.id}`);

  test('none, nonsense, expired, for another audience, of another issuer', async () => {
    const foreign = await openForeignToken();
    for (const token of [
      '',
      'nonsense',
      await room.issuer.token({ expired: true }),
      await room.issuer.token({ audience: 'other' }),
      foreign,
    ]) {
      const reply = await get(token);
      expect(reply).toMatchObject({ status: 401, body: { code: 'unauthenticated' } });
      expect(reply.headers.get('www-authenticate')).toBe('Bearer');
    }
  });

  /** Rightly made, by someone whose keys nobody here knows. */
  async function openForeignToken(): Promise<string> {
    const other = await testIssuer();
    const token = await other.token();
    await other.stop();
    return token;
  }

  test('a cashier where operators are', async () => {
    expect(await till.get('/v1/audit/sales')).toMatchObject({ status: 403, body: { code: 'forbidden' } });
  });

  test('a cashier without register or shop', async () => {
    const roaming = await room.as({ shop: null });
    expect(await roaming.post('/v1/sales', cable)).toMatchObject({ status: 403, body: { code: 'register-required' } });
    expect((await roaming.get(`/v1/sales/${sale.id}`)).body.code).toBe('register-required');
    expect((await roaming.get('/v1/sales')).body.code).toBe('register-required');
  });

  test('a register that is not one of the shop', async () => {
    for (const register of ['dk-001-77', 'dk-002-01']) {
      const lost = await room.as({ register, sub: 'employee-8' });
      expect(await lost.post('/v1/sales', cable)).toMatchObject({ status: 409, body: { code: 'register-unknown' } });
      expect((await lost.post(`/v1/sales/${sale.id}/park`)).body.code).toBe('register-unknown');
      expect((await lost.post(`/v1/sales/${sale.id}/complete`, byCard(14924))).body.code).toBe('register-unknown');
    }
  });
});

type Role = MatrixRoute['roles'][number];
const tills: Role[] = ['cashier', 'supervisor', 'web-shop'];
const readers: Role[] = [...tills, 'operator'];
const operators: Role[] = ['operator'];

const matrix: (MatrixRoute & { send?: Send })[] = [
  { route: 'POST /v1/sales', roles: tills, isShopBound: false, send: { body: {} } },
  { route: 'GET /v1/sales', roles: readers, isShopBound: false },
  { route: 'GET /v1/sales/{sale}', roles: readers, isShopBound: true },
  { route: 'POST /v1/sales/{sale}/lines', roles: tills, isShopBound: true, send: { body: { sku: 'E1' } } },
  { route: 'PATCH /v1/sales/{sale}/lines/{line}', roles: tills, isShopBound: true, send: { body: { quantity: 2 }, ifMatch: 1 } },
  { route: 'DELETE /v1/sales/{sale}/lines/{line}', roles: tills, isShopBound: true, send: { ifMatch: 1 } },
  { route: 'POST /v1/sales/{sale}/park', roles: tills, isShopBound: true },
  { route: 'POST /v1/sales/{sale}/resume', roles: tills, isShopBound: true },
  { route: 'POST /v1/sales/{sale}/abandon', roles: tills, isShopBound: true },
  {
    route: 'POST /v1/sales/{sale}/tenders',
    roles: tills,
    isShopBound: true,
    send: { body: { method: 'cash', amountMinor: 100 } },
  },
  { route: 'DELETE /v1/sales/{sale}/tenders/{line}', roles: tills, isShopBound: true, send: { ifMatch: 1 } },
  { route: 'POST /v1/sales/{sale}/complete', roles: tills, isShopBound: true, send: { body: byCard(1) } },
  { route: 'GET /v1/sales/{sale}/receipt', roles: readers, isShopBound: true },
  { route: 'GET /v1/checkouts', roles: operators, isShopBound: false },
  { route: 'POST /v1/checkouts/{sold}/resume', roles: operators, isShopBound: false, send: { body: { reason: 'matrix' } } },
  {
    route: 'POST /v1/checkouts/{sold}/resolve',
    roles: operators,
    isShopBound: false,
    send: { body: { action: 'abort', reason: 'matrix' } },
  },
  {
    route: 'POST /v1/imports/prices',
    roles: operators,
    isShopBound: false,
    send: { body: 'country,sku,price_minor,currency,valid_from,valid_to\n', headers: { 'content-type': 'text/csv' } },
  },
  {
    route: 'POST /v1/imports/registers',
    roles: operators,
    isShopBound: false,
    send: { body: 'register_id,shop_id,name,kind,terminal_id\n', headers: { 'content-type': 'text/csv' } },
  },
  { route: 'GET /v1/imports/{import}/refusals', roles: operators, isShopBound: false },
  { route: 'GET /v1/audit/sales', roles: operators, isShopBound: false },
  { route: 'GET /v1/audit/acts', roles: operators, isShopBound: false },
  { route: 'GET /v1/log-level', roles: operators, isShopBound: false },
];

describe('who may do what, and to whose sale', () => {
  const sends = new Map(matrix.map(({ route, send }) => [route, send]));
  let stuck: string;
  let imported: string;

  beforeAll(async () => {
    room.inventory.fail('consume', ...Array.from({ length: 10_000 }, () => 'away' as const));
    const { body } = await till.post('/v1/sales', cable);
    stuck = body.id;
    await till.post(`/v1/sales/${stuck}/complete`, byCard(14924));
    const operator = await room.as({ role: 'operator', shop: null });
    const report = await operator.request('POST', '/v1/imports/registers', sends.get('POST /v1/imports/registers'));
    imported = report.body.importId;
  });

  test.each(roleMatrix(matrix, ['operator']))(
    '$route as $role of the $shop shop: $expected',
    async ({ route, role, shop, expected }) => {
      const { body } = await till.post('/v1/sales', cable);
      const names: Record<string, string> = {
        '{sale}': body.id,
        '{line}': body.lines[0].lineId,
        '{sold}': stuck,
        '{import}': imported,
      };
      const [method = '', path = ''] = route.replaceAll(/\{\w+\}/g, (name) => names[name] ?? name).split(' ');
      const person = { role: role ?? 'cashier', sub: 'employee-1', sid: 'desk', shop: shop === 'own' ? 'dk-001' : 'dk-002' };
      const token = role === undefined ? '' : await room.issuer.token(person);
      const { status, body: said } = await client(room.url, token).request(method, path, sends.get(route));
      if (expected === 'allowed') expect([401, 403, 404], JSON.stringify(said)).not.toContain(status);
      else expect(status, JSON.stringify(said)).toBe(expected);
    },
  );
});
