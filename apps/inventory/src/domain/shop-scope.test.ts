import { describe, expect, test } from 'vitest';
import { actingRole, boundShop, shopOf } from './shop-scope.ts';

const person = (role: string, shopId?: string) => ({ subject: 'p', roles: [role], ...(shopId === undefined ? {} : { shopId }) });

describe('a person of a shop acts there and nowhere else', () => {
  test.each([
    ['cashier', undefined, 'dk-001'],
    ['supervisor', 'dk-001', 'dk-001'],
    ['stock-clerk', 'dk-001', 'dk-001'],
  ])('%s, naming %s, acts in %s', (role, named, shop) => {
    expect(shopOf(person(role, 'dk-001'), named, '/shopId')).toBe(shop);
    expect(boundShop(person(role, 'dk-001'))).toBe('dk-001');
  });

  test('another shop is not found', () => {
    expect(() => shopOf(person('cashier', 'dk-001'), 'dk-002', '/shopId')).toThrow(
      expect.objectContaining({ code: 'not-found' }),
    );
  });

  test('a token without a shop is refused', () => {
    expect(() => boundShop(person('cashier'))).toThrow(expect.objectContaining({ code: 'forbidden' }));
  });
});

describe('operators and the web shop belong to none', () => {
  test.each(['operator', 'web-shop'])('%s names the shop', (role) => {
    expect(shopOf(person(role), 'se-001', '/shopId')).toBe('se-001');
    expect(boundShop(person(role, 'dk-001'))).toBeUndefined();
    expect(() => shopOf(person(role), undefined, '/shopId')).toThrow(expect.objectContaining({ code: 'validation-failed' }));
  });
});

test.each([
  [['cashier', 'operator'], 'operator'],
  [['cashier', 'supervisor'], 'supervisor'],
  [[], 'none'],
])('%j acts as %s', (roles, role) => {
  expect(actingRole({ subject: 'p', roles })).toBe(role);
});
