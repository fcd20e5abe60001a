import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { roleMatrix, testIssuer, type Issuer, type MatrixRow } from '@kassa/testing';
import { openApi } from './api.ts';
import { operationsOf, type Operation } from './operations.ts';
import { bodyFor, makeThings, pathTo, stuckCheckout, type Things } from './things.ts';
import { startSystem, type System } from './system.ts';
import { openTill } from './till.ts';

// Who may do what, asked of the running services for every operation they publish: nobody, every role in its own shop, every role in
// another one. Shop dk-001 owns all things the addresses name.

/** Routes about a thing that belongs to a shop, and to whose eyes no shop is another's. */
const ofAShop: Record<string, { path: RegExp; unbound: MatrixRow['roles'] }> = {
  sales: { path: /^\/v1\/sales\/\{id\}/, unbound: ['operator'] },
  inventory: { path: /^\/v1\/reservations\/\{reservationId\}/, unbound: ['operator', 'web-shop'] },
  payments: { path: /^\/v1\/(payment-intents|refunds|transactions)\/\{/, unbound: ['operator'] },
  'stock-lookup': { path: /^$/, unbound: [] },
};
const inShops = ['cashier', 'supervisor', 'stock-clerk'];
/** Addresses of things of no shop that people in shops may ask for. */
const ofNoShop = [
  'inventory GET /v1/levels/{sku}',
  'inventory GET /v1/products/{sku}',
  'inventory GET /v1/shops/{shopId}',
  'stock-lookup GET /v1/availability/{item}',
];
const services = ['sales', 'inventory', 'payments', 'stock-lookup'] as const;

test('Every thing that people in a shop can name is known to be a shop’s or nobody’s', () => {
  const named = services
    .flatMap(operationsOf)
    .filter(({ roles, path }) => path.includes('{') && inShops.some((role) => roles.includes(role)))
    .filter(({ service, path }) => !ofAShop[service]!.path.test(path));
  expect(named.map(({ name }) => name)).toEqual(ofNoShop);
});

let system: System;
let things: Things;
let stranger: Issuer;

beforeAll(async () => {
  system = await startSystem();
  things = await makeThings(system);
  stranger = await testIssuer();
});
afterAll(async () => {
  await stranger.stop();
  await system.stop();
});

/** Calls an operation with its example body; If-Match names a version nothing ever had, so that a thing stays for the next caller. */
async function call(operation: Operation, token: string | undefined) {
  const api = openApi(() => system.app(operation.service).http, token);
  const headers = {
    ...(operation.headers.includes('If-Match') ? { 'if-match': '"99999"' } : {}),
    ...(operation.takesCsv ? { 'content-type': 'text/csv' } : {}),
  };
  return api.send(
    operation.method,
    pathTo(operation, await thingsNow(operation)),
    operation.takesCsv ? 'column\n' : bodyFor(operation),
    { headers },
  );
}

/** An open checkout for whoever decides one by its id: none stays open for long, so that each caller gets one of its own. */
async function thingsNow(operation: Operation): Promise<Things> {
  if (!operation.path.startsWith('/v1/checkouts/')) return things;
  const till = await openTill(system, 'dk-001-01', { role: 'supervisor' });
  const sale = await till.open([{ sku: system.demo.products[1]!.sku }]);
  await stuckCheckout(till, sale);
  return { ...things, 'sales /v1/checkouts/': { saleId: sale.id } };
}

describe.each(services)('%s', (service) => {
  const operations = operationsOf(service);
  const byName = new Map(operations.map((operation) => [operation.name, operation]));
  const guarded = operations.filter(({ roles }) => roles !== 'public');
  const { path, unbound } = ofAShop[service]!;
  const rows = roleMatrix(
    guarded.map(({ name, roles, path: address }) => ({
      route: name,
      roles: roles as MatrixRow['roles'],
      isShopBound: path.test(address),
    })),
    unbound,
  );

  test.each(rows)('$route by $role of the $shop shop: $expected', async ({ route, role, shop, expected }) => {
    const shopId = shop === 'own' ? 'dk-001' : 'dk-002';
    const token =
      role && (await system.issuer.token({ role, shop: shopId, register: `${shopId}-01`, sub: `${role}-of-${shopId}` }));
    const answer = await call(byName.get(route)!, token);
    expect(outcome(answer.status)).toBe(expected);
    expect(answer.status < 400 || answer.headers.get('content-type')?.startsWith('application/problem+json')).toBe(true);
  });

  test.each(guarded)(
    '$name refuses a token that has expired, is signed by a stranger, or is for somebody else',
    async (operation) => {
      const role = operation.roles[0] as MatrixRow['roles'][number];
      const tokens = [
        await system.issuer.token({ role, expired: true }),
        await stranger.token({ role }),
        await system.issuer.token({ role, audience: 'another-company' }),
        'not-a-token',
      ];
      for (const token of tokens)
        expect(await call(operation, token)).toMatchObject({ status: 401, body: { code: 'unauthenticated' } });
    },
  );
});

/** 401, 403 and 404 as they are; whatever else is answered, the caller was let in. */
function outcome(status: number): MatrixRow['expected'] {
  return status === 401 || status === 403 || status === 404 ? status : 'allowed';
}

test('The acquirer knows no tokens of ours', async () => {
  for (const operation of operationsOf('acquirer').filter(({ roles }) => roles !== 'public')) {
    const token = await system.issuer.token({ role: 'operator' });
    expect(await call(operation, token)).toMatchObject({ status: 401 });
    expect(await call(operation, undefined)).toMatchObject({ status: 401 });
  }
});

test('A clerk cannot name another shop in a body or a query either', async () => {
  const inventory = openApi(
    () => system.app('inventory').http,
    await system.issuer.token({ role: 'stock-clerk', shop: 'dk-002' }),
  );
  const { sku } = system.demo.products[1]!;
  const movement = {
    documentType: 'goods-receipt',
    documentId: 'ASN-1',
    shopId: 'dk-001',
    lines: [{ type: 'receipt', sku, quantity: 1 }],
  };
  expect(await inventory.post('/v1/movements', movement)).toMatchObject({ status: 404, body: { code: 'not-found' } });
  expect(await inventory.get(`/v1/levels/${sku}?shop=dk-001`)).toMatchObject({ status: 404, body: { code: 'not-found' } });
});
