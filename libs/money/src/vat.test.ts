import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cumulative } from './shares.ts';
import { vatOf } from './vat.ts';

const gross = fc.integer({ min: -1_000_000_000_000, max: 1_000_000_000_000 });
const bp = fc.constantFrom(0, 600, 1000, 1100, 1200, 1350, 1400, 1500, 2400, 2500, 2550);

describe('vatOf', () => {
  test.each([
    { sale: '25.80 at 15 %', gross: 2580, bp: 1500, vat: 337, net: 2243 },
    { sale: '295.40 at 25 %', gross: 29540, bp: 2500, vat: 5908, net: 23632 },
    { sale: 'EUR 129.99 at 25.5 %', gross: 12999, bp: 2550, vat: 2641, net: 10358 },
    { sale: 'ISK 9990 at 24 %', gross: 9990, bp: 2400, vat: 1934, net: 8056 },
    { sale: '11 999.00 at 25 %', gross: 1199900, bp: 2500, vat: 239980, net: 959920 },
    { sale: '10.00 at 13.5 %', gross: 1000, bp: 1350, vat: 119, net: 881 },
    { sale: 'a return of EUR 129.99 at 25.5 %', gross: -12999, bp: 2550, vat: -2641, net: -10358 },
    { sale: '0.01 at 25 %', gross: 1, bp: 2500, vat: 0, net: 1 },
    { sale: 'where there is no VAT', gross: 12999, bp: 0, vat: 0, net: 12999 },
    {
      sale: 'a product beyond the safe integers',
      gross: 9_007_199_254_740_990,
      bp: 2500,
      vat: 1_801_439_850_948_198,
      net: 7_205_759_403_792_792,
    },
  ])('$sale', ({ gross, bp, vat, net }) => {
    expect(vatOf(gross, bp)).toEqual({ vat, net });
  });

  test.each([
    ['a negative rate', () => vatOf(100, -1)],
    ['a rate in percent with a fraction', () => vatOf(100, 25.5)],
    ['a fraction of a minor unit', () => vatOf(0.5, 2500)],
  ])('refuses %s', (_, act) => {
    expect(act).toThrow(RangeError);
  });

  test('vat + net = gross, both with the sign of the sale', () => {
    fc.assert(
      fc.property(gross, bp, (amount, rate) => {
        const { vat, net } = vatOf(amount, rate);
        expect(vat + net).toBe(amount);
        expect(vat * Math.sign(amount)).toBeGreaterThanOrEqual(0);
        expect(net * Math.sign(amount)).toBeGreaterThanOrEqual(0);
      }),
    );
  });

  test('a return mirrors its sale', () => {
    fc.assert(
      fc.property(gross, bp, (amount, rate) => {
        const sale = vatOf(amount, rate);
        expect(vatOf(-amount, rate)).toEqual({ vat: 0 - sale.vat, net: 0 - sale.net });
      }),
    );
  });

  test('net and VAT of partial returns add up to those of the line, unit by unit', () => {
    fc.assert(
      fc.property(fc.nat({ max: 100_000_000 }), bp, fc.integer({ min: 1, max: 30 }), (amount, rate, n) => {
        const { vat, net } = vatOf(amount, rate);
        const units = Array.from({ length: n }, (_, k) => ({
          gross: cumulative(amount, k + 1, n) - cumulative(amount, k, n),
          vat: cumulative(vat, k + 1, n) - cumulative(vat, k, n),
        }));
        expect(units.reduce((sum, unit) => sum + unit.vat, 0)).toBe(vat);
        expect(units.reduce((sum, unit) => sum + unit.gross - unit.vat, 0)).toBe(net);
      }),
    );
  });
});
