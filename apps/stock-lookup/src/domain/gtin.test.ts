import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { checkDigitOf, hasRightCheckDigit, isGtinShaped, toGtin14 } from './gtin.ts';

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
    expect([isGtinShaped(gtin), hasRightCheckDigit(gtin), toGtin14(gtin)]).toEqual([true, true, gtin14]);
  });

  it.each([
    ['4006381333932', 1],
    ['4006381333930', 1],
    ['73513530', 7],
    ['036000291453', 2],
    ['10614141000410', 5],
  ])('%s has a wrong check digit; it should be %i', (gtin, expected) => {
    expect([hasRightCheckDigit(gtin), checkDigitOf(gtin)]).toEqual([false, expected]);
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

  it('is told apart from any misread of a single digit', () => {
    const body = fc.stringMatching(/^\d{12}$/);
    fc.assert(
      fc.property(body, fc.nat(12), fc.integer({ min: 1, max: 9 }), (digits, place, by) => {
        const gtin = digits + String(checkDigitOf(`${digits}0`));
        const misread = gtin.slice(0, place) + String((Number(gtin[place]) + by) % 10) + gtin.slice(place + 1);
        expect([hasRightCheckDigit(gtin), hasRightCheckDigit(misread)]).toEqual([true, false]);
      }),
    );
  });

  it('has the same check digit with zeros in front', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^(\d{8}|\d{12,14})$/), (gtin) => checkDigitOf(gtin) === checkDigitOf(toGtin14(gtin))),
    );
  });
});
