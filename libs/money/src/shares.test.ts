import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { allocate, cumulative } from './shares.ts';

const total = fc.integer({ min: -1_000_000_000, max: 1_000_000_000 });
const weights = fc.array(fc.nat({ max: 100_000_000 }), { minLength: 1, maxLength: 40 }).filter((all) => all.some((w) => w > 0));
const sum = (amounts: readonly number[]) => amounts.reduce((a, b) => a + b, 0);

describe('allocate', () => {
  test.each([
    { title: 'a discount over three lines', total: 1000, over: [19900, 4995, 105], shares: [796, 200, 4] },
    { title: 'equal remainders go to the lower line', total: 100, over: [1, 1, 1], shares: [34, 33, 33] },
    { title: 'two units left over go to the first two', total: 101, over: [1, 1, 1], shares: [34, 34, 33] },
    { title: 'a return mirrors its sale', total: -1000, over: [19900, 4995, 105], shares: [-796, -200, -4] },
    { title: 'a line of no value takes nothing', total: 7, over: [0, 3], shares: [0, 7] },
    { title: 'nothing is shared out as nothing', total: 0, over: [0, 0], shares: [0, 0] },
    { title: 'products beyond the safe integers stay exact', total: 9_000_000_000_000_000, over: [1, 2], shares: [3e15, 6e15] },
  ])('$title', ({ total, over, shares }) => {
    expect(allocate(total, over)).toEqual(shares);
  });

  test.each([
    ['a negative weight', () => allocate(100, [2, -1])],
    ['weights that are all zero', () => allocate(100, [0, 0])],
    ['no weights at all', () => allocate(100, [])],
    ['a fraction', () => allocate(0.5, [1])],
  ])('refuses %s', (_, act) => {
    expect(act).toThrow(RangeError);
  });

  test('the shares add up to the total', () => {
    fc.assert(
      fc.property(total, weights, (amount, over) => {
        expect(sum(allocate(amount, over))).toBe(amount);
      }),
    );
  });

  test('mirrors: allocate(-x) = -allocate(x)', () => {
    fc.assert(
      fc.property(total, weights, (amount, over) => {
        expect(allocate(-amount, over)).toEqual(allocate(amount, over).map((share) => 0 - share));
      }),
    );
  });

  test('each share is within one unit of its exact part', () => {
    fc.assert(
      fc.property(total, weights, (amount, over) => {
        const all = BigInt(sum(over));
        const errors = allocate(amount, over).map((share, i) => BigInt(share) * all - BigInt(amount) * BigInt(over[i] ?? 0));
        expect(errors.every((error) => error < all && error > -all)).toBe(true);
      }),
    );
  });

  test('no line is discounted by more than it costs', () => {
    fc.assert(
      fc.property(weights, fc.double({ min: 0, max: 1, noNaN: true }), (lines, part) => {
        const shares = allocate(Math.floor(sum(lines) * part), lines);
        expect(shares.every((share, i) => share <= (lines[i] ?? 0))).toBe(true);
      }),
    );
  });
});

describe('cumulative', () => {
  test('100.00 over three units is returned as 33.33, 33.34, 33.33', () => {
    const upTo = [0, 1, 2, 3].map((k) => cumulative(10000, k, 3));
    expect(upTo).toEqual([0, 3333, 6667, 10000]);
    expect(upTo.slice(1).map((amount, i) => amount - (upTo[i] ?? 0))).toEqual([3333, 3334, 3333]);
  });

  test.each([
    [-1, 3],
    [4, 3],
    [0, 0],
    [1.5, 3],
  ])('refuses %s of %s', (k, n) => {
    expect(() => cumulative(10000, k, n)).toThrow(RangeError);
  });

  test('any sequence of partial returns adds up to the total and never takes back', () => {
    const returns = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(fc.nat({ max: 1_000_000_000 }), returns, (paid, parts) => {
        const n = sum(parts);
        const refunds = parts.map((part, i) => {
          const before = sum(parts.slice(0, i));
          return cumulative(paid, before + part, n) - cumulative(paid, before, n);
        });
        expect(sum(refunds)).toBe(paid);
        expect(refunds.every((refund) => refund >= 0)).toBe(true);
      }),
    );
  });

  test('mirrors: the return of a return', () => {
    fc.assert(
      fc.property(total, fc.integer({ min: 1, max: 1000 }), fc.nat({ max: 1000 }), (amount, n, k) => {
        expect(cumulative(-amount, k % (n + 1), n)).toBe(0 - cumulative(amount, k % (n + 1), n));
      }),
    );
  });
});
