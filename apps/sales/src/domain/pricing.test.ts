import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { changeLine, discounted, priceLine, serialSoldTwice, taxOn, totalOf, vatTable, type Offer } from './pricing.ts';
import type { Line } from './sale.ts';

const cable: Offer = {
  sku: 'E1',
  gtin: '4006381333931',
  name: 'USB-C-kabel',
  itemGroup: 'cables',
  isSerialised: false,
  isActive: true,
  unitMinor: 2580,
};
const phone: Offer = { ...cable, sku: 'E2', name: 'Telefon', isSerialised: true, unitMinor: 999900 };
const wanted = { lineId: 'l1', position: 1, item: 'E1', quantity: 1, serials: [] as string[] };

function line(offer: Partial<Offer>, vatBp: number, quantity = 1): Line {
  const priced = priceLine({ ...wanted, quantity }, { ...cable, ...offer }, vatBp);
  if ('refusal' in priced) throw new Error(priced.refusal.detail);
  return priced.line;
}

describe('a line’s VAT is rounded once, half up', () => {
  test.each([
    { what: '25.80 at 15 %, as in the example file of Skatteetaten', unitMinor: 2580, bp: 1500, vat: 337, net: 2243 },
    { what: '295.40 at 25 %', unitMinor: 29540, bp: 2500, vat: 5908, net: 23632 },
    { what: 'FI 129.99 at 25.5 %', unitMinor: 12999, bp: 2550, vat: 2641, net: 10358 },
    { what: 'ISK 9990 at 24 %', unitMinor: 9990, bp: 2400, vat: 1934, net: 8056 },
    { what: '11 999.00 at 25 %', unitMinor: 1199900, bp: 2500, vat: 239980, net: 959920 },
    { what: '10.00 at 13.5 %', unitMinor: 1000, bp: 1350, vat: 119, net: 881 },
    { what: '0.01 at 25 %', unitMinor: 1, bp: 2500, vat: 0, net: 1 },
    { what: 'Greenland, without VAT', unitMinor: 9900, bp: 0, vat: 0, net: 9900 },
  ])('$what', ({ unitMinor, bp, vat, net }) => {
    const { vatMinor, netMinor } = line({ unitMinor }, bp);
    expect({ vatMinor, netMinor }).toEqual({ vatMinor: vat, netMinor: net });
  });

  test('and not per unit: three of 0.03 carry 0.02, where one carries 0.01', () => {
    expect([line({ unitMinor: 3 }, 2500).vatMinor, line({ unitMinor: 3 }, 2500, 3).vatMinor]).toEqual([1, 2]);
  });
});

describe('what is refused, the first that holds', () => {
  const wrong: Offer = { ...phone, isActive: false, unitMinor: null };
  test.each([
    { what: 'no such product', offer: undefined, code: 'unknown-item' },
    { what: 'not sold any more, unpriced, without serial', offer: wrong, code: 'product-inactive' },
    { what: 'unpriced, without serial', offer: { ...wrong, isActive: true }, code: 'price-missing' },
    { what: 'without serial', offer: phone, code: 'serial-required' },
  ])('$what: $code', ({ offer, code }) => {
    expect(priceLine(wanted, offer, 2500)).toMatchObject({ refusal: { code } });
  });
});

describe('serial numbers', () => {
  test.each([
    { what: 'one for each unit', offer: phone, quantity: 2, serials: ['A', 'B'], isFine: true },
    { what: 'one too few', offer: phone, quantity: 2, serials: ['A'], isFine: false },
    { what: 'one too many', offer: phone, quantity: 1, serials: ['A', 'B'], isFine: false },
    { what: 'the same twice', offer: phone, quantity: 2, serials: ['A', 'A'], isFine: false },
    { what: 'none where none is needed', offer: cable, quantity: 3, serials: [], isFine: true },
    { what: 'all of them where none is needed', offer: cable, quantity: 2, serials: ['A', 'B'], isFine: true },
    { what: 'some of them where none is needed', offer: cable, quantity: 3, serials: ['A'], isFine: false },
  ])('$what', ({ offer, quantity, serials, isFine }) => {
    expect('line' in priceLine({ ...wanted, quantity, serials }, offer, 2500)).toBe(isFine);
  });

  test('a unit stands in one line only', () => {
    const first = { ...line({}, 2500), serials: ['A'] };
    expect(serialSoldTwice([first, { ...first, lineId: 'l2' }])).toEqual({ sku: 'E1', serial: 'A' });
    expect(serialSoldTwice([first, { ...first, lineId: 'l2', sku: 'E9' }])).toBeUndefined();
  });
});

test('a changed quantity keeps the price the line was added at', () => {
  const priced = changeLine(line({ unitMinor: 3995 }, 2500), { quantity: 3 });
  expect(priced).toMatchObject({ line: { quantity: 3, unitMinor: 3995, grossMinor: 11985, vatMinor: 2397, netMinor: 9588 } });
});

test('a sale parked over a change of rates is taxed by the new one, at the same price', () => {
  const [taxed] = taxOn([line({ unitMinor: 12400 }, 2400)], 2550);
  expect(taxed).toMatchObject({ vatBp: 2550, grossMinor: 12400, vatMinor: 2520, netMinor: 9880 });
});

test('a discount of 10.00 over 199.00, 49.95 and 1.05 is 7.96, 2.00 and 0.04', () => {
  const lines = [19900, 4995, 105].map((unitMinor) => line({ unitMinor }, 2500));
  expect(discounted(lines, 1000).map(({ discountMinor }) => discountMinor)).toEqual([796, 200, 4]);
});

const anyLine = fc
  .record({
    unitMinor: fc.integer({ min: 0, max: 99_999_999 }),
    quantity: fc.integer({ min: 1, max: 999 }),
    bp: fc.constantFrom(0, 1350, 2400, 2500, 2550),
  })
  .map(({ unitMinor, quantity, bp }) => line({ unitMinor }, bp, quantity));
const anyLines = fc.array(anyLine, { minLength: 1, maxLength: 20 });

test('I21: the total is the sum of the lines, and each line’s gross is its net and its VAT', () => {
  fc.assert(
    fc.property(anyLines, (lines) => {
      expect(totalOf(lines)).toBe(lines.reduce((sum, { grossMinor }) => sum + grossMinor, 0));
      for (const { grossMinor, netMinor, vatMinor } of lines) expect(grossMinor).toBe(netMinor + vatMinor);
    }),
  );
});

test('I23: the document’s VAT is the sum of the lines’, for each rate once, highest first', () => {
  fc.assert(
    fc.property(anyLines, (lines) => {
      const table = vatTable(lines);
      expect(table.map(({ bp }) => bp)).toEqual([...new Set(lines.map(({ vatBp }) => vatBp))].sort((a, b) => b - a));
      for (const row of table) {
        const ofRate = lines.filter(({ vatBp }) => vatBp === row.bp);
        expect(row.vatMinor).toBe(ofRate.reduce((sum, { vatMinor }) => sum + vatMinor, 0));
        expect(row.grossMinor).toBe(row.netMinor + row.vatMinor);
      }
      expect(table.reduce((sum, { grossMinor }) => sum + grossMinor, 0)).toBe(totalOf(lines));
    }),
  );
});

test('I24: a discount is shared out to the last unit, and no line becomes negative', () => {
  fc.assert(
    fc.property(anyLines, fc.double({ min: 0, max: 1, noNaN: true }), (lines, share) => {
      const discountMinor = Math.floor(totalOf(lines) * share);
      const after = discounted(lines, discountMinor);
      expect(totalOf(after)).toBe(totalOf(lines) - discountMinor);
      for (const { grossMinor, netMinor, vatMinor } of after)
        expect(grossMinor >= 0 && grossMinor === netMinor + vatMinor).toBe(true);
    }),
  );
});
