import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { currencies, isCurrency, type Currency } from './currencies.ts';
import { add, compare, CurrencyMismatchError, isZero, money, multiply, negate, subtract, sum, type Money } from './money.ts';

const nok = (minor: number) => money(minor, 'NOK');
const minor = fc.integer({ min: -1_000_000_000_000, max: 1_000_000_000_000 });

test('the exponents are those of ISO 4217', () => {
  const exponents = Object.entries(currencies).map(([code, { exponent }]) => `${code} ${exponent}`);
  expect(exponents).toEqual(['NOK 2', 'SEK 2', 'DKK 2', 'EUR 2', 'ISK 0']);
});

test.each([
  ['NOK', true],
  ['nok', false],
  ['USD', false],
  ['toString', false],
])('%s is a currency: %s', (code, expected) => {
  expect(isCurrency(code)).toBe(expected);
});

describe('money', () => {
  test('is a plain value, and knows no negative zero', () => {
    expect(nok(-0)).toStrictEqual({ minor: 0, currency: 'NOK' });
    expect(negate(nok(0))).toStrictEqual(nok(0));
  });

  test.each([0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53])('refuses %s minor units', (amount) => {
    expect(() => nok(amount)).toThrow(RangeError);
  });

  test('refuses a currency Kassa does not trade in', () => {
    expect(() => money(1, 'USD' as Currency)).toThrow(RangeError);
  });

  test('refuses a result that is no safe integer any more', () => {
    expect(() => add(nok(Number.MAX_SAFE_INTEGER), nok(1))).toThrow(RangeError);
    expect(() => multiply(nok(Number.MAX_SAFE_INTEGER), 2)).toThrow(RangeError);
  });
});

describe('arithmetic', () => {
  test('adds, subtracts, multiplies, turns the sign and sums', () => {
    expect(add(nok(29540), nok(-40))).toEqual(nok(29500));
    expect(subtract(nok(29500), nok(29540))).toEqual(nok(-40));
    expect(multiply(nok(4995), 3)).toEqual(nok(14985));
    expect(negate(nok(4995))).toEqual(nok(-4995));
    expect(sum([nok(100), nok(250), nok(-50)], 'NOK')).toEqual(nok(300));
    expect(sum([], 'ISK')).toEqual(money(0, 'ISK'));
  });

  test.each([
    [1, 2, -1],
    [2, 2, 0],
    [3, 2, 1],
  ])('%s compared with %s is %s', (a, b, expected) => {
    expect(compare(nok(a), nok(b))).toBe(expected);
  });

  test('zero is zero in any currency', () => {
    expect([isZero(nok(0)), isZero(nok(1)), isZero(money(0, 'ISK'))]).toEqual([true, false, true]);
  });

  test('multiplies by whole numbers only', () => {
    expect(() => multiply(nok(100), 1.25)).toThrow(RangeError);
  });

  test('subtracting what was added changes nothing', () => {
    fc.assert(
      fc.property(minor, minor, (a, b) => {
        expect(subtract(add(nok(a), nok(b)), nok(b))).toEqual(nok(a));
      }),
    );
  });
});

describe('two currencies', () => {
  const dkk = money(100, 'DKK');

  test('do not compile', () => {
    // @ts-expect-error DKK is not NOK
    expect(() => add(nok(100), dkk)).toThrow(CurrencyMismatchError);
    // @ts-expect-error DKK is not NOK
    expect(() => subtract(nok(100), dkk)).toThrow(CurrencyMismatchError);
    // @ts-expect-error DKK is not NOK
    expect(() => compare(nok(100), dkk)).toThrow(CurrencyMismatchError);
    // @ts-expect-error DKK is not NOK
    expect(() => sum([dkk], 'NOK')).toThrow(CurrencyMismatchError);
  });

  test('throw where the types do not know', () => {
    const read: Money = nok(100);
    const other: Money = dkk;
    expect(() => add(read, other)).toThrow('NOK and DKK do not mix');
  });
});
