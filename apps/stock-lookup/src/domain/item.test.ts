import { describe, expect, it } from 'vitest';
import { seekItem } from './item.ts';
import { applyRows, buildReadModel, type Product } from './read-model.ts';

const product = (sku: string, gtin: string, seq: number): Product => ({
  sku,
  gtin,
  name: sku,
  itemGroup: 'cables',
  isSerialised: false,
  isActive: true,
  seq,
});
const noRows = { products: [], shops: [], levels: [] };

describe('seekItem', () => {
  const products = [
    product('E1', '4006381333931', 1),
    product('E2', '73513537', 2),
    // SKUs that look like GTINs: of another product, and with a digit that would be wrong for one.
    product('036000291452', '10614141000415', 3),
    product('12345678', '9520001000010', 4),
  ];
  const model = buildReadModel({ epoch: 'A', seq: 4 }, { products, shops: [] }, 10);

  it.each([
    ['a GTIN-13', '4006381333931', 'E1'],
    ['the same as GTIN-14', '04006381333931', 'E1'],
    ['a GTIN-8', '73513537', 'E2'],
    ['a GTIN-8 as GTIN-13', '0000073513537', 'E2'],
    ['a SKU', 'E2', 'E2'],
    ['a SKU that has the shape of a GTIN', '036000291452', '036000291452'],
    ['a SKU that has the shape of a wrong GTIN', '12345678', '12345678'],
  ])('finds %s', (_what, item, sku) => {
    expect(seekItem(model, item)).toEqual({ product: products.find((one) => one.sku === sku) });
  });

  it.each([
    ['a GTIN with a wrong check digit', '4006381333932', { refusal: 'gtin-check-digit', expected: 1 }],
    ['a right GTIN nobody has', '9520001000027', { refusal: 'unknown-item' }],
    ['a case of a product we sell by the piece', '14006381333938', { refusal: 'unknown-item' }],
    ['a SKU nobody has', 'E999', { refusal: 'unknown-item' }],
    ['a SKU in small letters', 'e1', { refusal: 'unknown-item' }],
  ])('refuses %s', (_what, item, refusal) => {
    expect(seekItem(model, item)).toEqual(refusal);
  });

  it('follows a GTIN that goes from one product to another, in either order', () => {
    const moved = buildReadModel(
      { epoch: 'A', seq: 2 },
      { products: [product('E1', '73513537', 1), product('E2', '', 2)], shops: [] },
      10,
    );
    applyRows(moved, { ...noRows, products: [product('E2', '73513537', 3), product('E1', '', 4)] }, 4);
    expect(seekItem(moved, '73513537')).toEqual({ product: product('E2', '73513537', 3) });
    applyRows(moved, { ...noRows, products: [product('E2', '', 5), product('E1', '73513537', 6)] }, 6);
    expect(seekItem(moved, '73513537')).toEqual({ product: product('E1', '73513537', 6) });
    applyRows(moved, { ...noRows, products: [product('E1', '', 7)] }, 7);
    expect(seekItem(moved, '73513537')).toEqual({ refusal: 'unknown-item' });
  });
});
