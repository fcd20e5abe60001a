import { describe, expect, it } from 'vitest';
import { isGtinShaped, toGtin14 } from './gtin.ts';

describe('a GTIN', () => {
  // Examples of GS1, and of books, magazines and shelves.
  it.each([
    ['4006381333931', 'GTIN-13', '04006381333931'],
    ['73513537', 'GTIN-8', '00000073513537'],
    ['036000291452', 'GTIN-12', '00036000291452'],
    ['10614141000415', 'GTIN-14', '10614141000415'],
    ['9520001000010', 'GTIN-13', '09520001000010'],
    ['0000000000000', 'GTIN-13', '00000000000000'],
  ])('%s is a %s, as GTIN-14 %s', (gtin, _kind, gtin14) => {
    expect([isGtinShaped(gtin), toGtin14(gtin)]).toEqual([true, gtin14]);
  });

  it.each([
    '',
    '1',
    '1234567',
    '123456789',
    '12345678901',
    '123456789012345',
    'E100001',
    '4006381 33931',
    '４００６３８１３３３９３１',
  ])('%j has not the shape of one', (text) => {
    expect(isGtinShaped(text)).toBe(false);
  });
});
