import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { currencies, type Currency } from './currencies.ts';
import { formatMoney, parseMoney } from './format.ts';
import { money } from './money.ts';

const currency = fc.constantFrom(...(Object.keys(currencies) as Currency[]));

describe('formatMoney', () => {
  test.each([
    [129900, 'DKK', '1 299,00'],
    [1234567890, 'NOK', '12 345 678,90'],
    [99900, 'SEK', '999,00'],
    [5, 'EUR', '0,05'],
    [0, 'EUR', '0,00'],
    [-40, 'NOK', '-0,40'],
    [-129900, 'DKK', '-1 299,00'],
    [12990, 'ISK', '12 990'],
    [0, 'ISK', '0'],
  ] as const)('%s %s is written %s', (minor, code, text) => {
    expect(formatMoney(money(minor, code))).toBe(text);
  });
});

describe('parseMoney', () => {
  test.each([
    ['1 299,00', 'DKK', 129900],
    ['1299,00', 'DKK', 129900],
    ['1\u00a0299,00', 'DKK', 129900],
    ['1299', 'DKK', 129900],
    ['-0,40', 'NOK', -40],
    ['12 990', 'ISK', 12990],
  ] as const)('reads %s %s', (text, code, minor) => {
    expect(parseMoney(text, code)).toEqual(money(minor, code));
  });

  test.each([
    ['', 'DKK'],
    ['1.299,00', 'DKK'],
    ['1299.00', 'DKK'],
    ['12 99,00', 'DKK'],
    ['1,5', 'DKK'],
    ['1,', 'DKK'],
    [',50', 'DKK'],
    ['12 990,00', 'ISK'],
    ['1e3', 'NOK'],
    ['kr 10', 'NOK'],
    [' 10', 'NOK'],
    ['90071992547409,93', 'NOK'],
  ] as const)('refuses %j %s', (text, code) => {
    expect(parseMoney(text, code)).toBeUndefined();
  });

  test('reads back whatever formatMoney writes', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), currency, (minor, code) => {
        expect(parseMoney(formatMoney(money(minor, code)), code)).toEqual(money(minor, code));
      }),
    );
  });
});
