import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { halfUp, roundToStep } from './rounding.ts';

const minor = fc.integer({ min: -1_000_000_000_000, max: 1_000_000_000_000 });
const step = fc.constantFrom(1, 5, 50, 100);

describe('halfUp', () => {
  test.each([
    [7, 2, 4],
    [-7, 2, -4],
    [5, 10, 1],
    [49, 100, 0],
    [-49, 100, 0],
    [0, 3, 0],
    [9_007_199_254_740_991, 1, 9_007_199_254_740_991],
    [9_007_199_254_740_991n * 10_000n, 10_000n, 9_007_199_254_740_991],
  ])('%s over %s is %s', (numerator, denominator, expected) => {
    expect(halfUp(numerator, denominator)).toBe(expected);
  });

  test.each([
    ['a zero denominator', () => halfUp(1, 0)],
    ['a negative denominator', () => halfUp(1, -2)],
    ['a fraction', () => halfUp(0.5, 1)],
    ['a number beyond the safe integers', () => halfUp(2 ** 53, 1)],
    ['a result beyond the safe integers', () => halfUp(2n ** 60n, 2)],
  ])('refuses %s', (_, act) => {
    expect(act).toThrow(RangeError);
  });

  test('mirrors: halfUp(-x) = -halfUp(x)', () => {
    fc.assert(
      fc.property(minor, fc.integer({ min: 1, max: 20_000 }), (x, d) => {
        expect(halfUp(-x, d)).toBe(0 - halfUp(x, d));
      }),
    );
  });

  test('is never further than half a unit away', () => {
    fc.assert(
      fc.property(minor, fc.integer({ min: 1, max: 20_000 }), (x, d) => {
        const doubleError = 2n * (BigInt(halfUp(x, d)) * BigInt(d) - BigInt(x));
        expect(doubleError <= BigInt(d) && doubleError >= BigInt(-d)).toBe(true);
      }),
    );
  });
});

describe('roundToStep', () => {
  test.each([
    [29540, 100, 29500],
    [49, 100, 0],
    [50, 100, 100],
    [1224, 50, 1200],
    [1225, 50, 1250],
    [1274, 50, 1250],
    [1275, 50, 1300],
    [102, 5, 100],
    [103, 5, 105],
    [107, 5, 105],
    [108, 5, 110],
    [-29540, 100, -29500],
    [9990, 1, 9990],
  ])('%s in steps of %s is %s', (amount, by, expected) => {
    expect(roundToStep(amount, by)).toBe(expected);
  });

  test('mirrors, is idempotent, and moves by half a step at most', () => {
    fc.assert(
      fc.property(minor, step, (x, by) => {
        const rounded = roundToStep(x, by);
        expect(roundToStep(-x, by)).toBe(0 - rounded);
        expect(roundToStep(rounded, by)).toBe(rounded);
        expect(Math.abs(rounded % by)).toBe(0);
        expect(2 * Math.abs(rounded - x)).toBeLessThanOrEqual(by);
      }),
    );
  });
});
