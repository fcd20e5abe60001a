import { expect, test } from 'vitest';
import { roleMatrix } from './role-matrix.ts';

test('every role meets every route, in its own and in another shop', () => {
  const rows = roleMatrix([{ route: 'GET /v1/sales/{id}', roles: ['cashier', 'operator'], isShopBound: true }]);
  expect(rows.map(({ role, shop, expected }) => [role, shop, expected])).toEqual([
    [undefined, 'own', 401],
    ['cashier', 'own', 'allowed'],
    ['cashier', 'other', 404],
    ['supervisor', 'own', 403],
    ['supervisor', 'other', 403],
    ['stock-clerk', 'own', 403],
    ['stock-clerk', 'other', 403],
    ['web-shop', 'own', 403],
    ['web-shop', 'other', 403],
    ['operator', 'own', 'allowed'],
    ['operator', 'other', 'allowed'],
    ['service', 'own', 403],
    ['service', 'other', 403],
  ]);
});
