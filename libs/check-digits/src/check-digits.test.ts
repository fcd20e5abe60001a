import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { gs1CheckDigit, hasGs1CheckDigit, hasLuhnCheckDigit, luhnCheckDigit } from './index.ts';

describe('published numbers', () => {
  test.each([
    ['GTIN-13', '4006381333931'],
    ['GTIN-13 for examples', '9520001000010'],
    ['GTIN-12', '614141000036'],
    ['GTIN-8', '73513537'],
    ['GTIN-14 of a case', '10614141000415'],
    ['GLN', '5412345000013'],
    ['zeros', '0000000000000'],
  ])('%s %s', (_what, digits) => {
    expect([hasGs1CheckDigit(digits), gs1CheckDigit(digits.slice(0, -1))]).toEqual([true, Number(digits.at(-1))]);
  });

  test.each([
    ['ISO/IEC 7812-1', '17893729974'],
    ['card of 16', '4111111111111111'],
    ['card of 15', '378282246310005'],
    ['IMEI', '490154203237518'],
  ])('%s %s', (_what, digits) => {
    expect([hasLuhnCheckDigit(digits), luhnCheckDigit(digits.slice(0, -1))]).toEqual([true, Number(digits.at(-1))]);
  });
});

test.each(['', '0', '4006381333930', '400638133393X', '4006381 333931', '４００６３８１３３３９３１', '-73513537'])(
  '%j has no check digit of either kind',
  (text) => {
    expect([hasGs1CheckDigit(text), hasLuhnCheckDigit(text)]).toEqual([false, false]);
  },
);

const body = fc.stringMatching(/^\d{1,18}$/);
const kinds = [
  ['GS1', gs1CheckDigit, hasGs1CheckDigit],
  ['Luhn', luhnCheckDigit, hasLuhnCheckDigit],
] as const;

describe.each(kinds)('%s', (_kind, checkDigit, isRight) => {
  test('tells any misread of a single digit', () => {
    fc.assert(
      fc.property(body, fc.nat(), fc.integer({ min: 1, max: 9 }), (digits, at, by) => {
        const number = `${digits}${checkDigit(digits)}`;
        const place = at % number.length;
        const misread = number.slice(0, place) + String((Number(number[place]) + by) % 10) + number.slice(place + 1);
        expect([isRight(number), isRight(misread)]).toEqual([true, false]);
      }),
    );
  });

  test('is the same with zeros in front', () => {
    fc.assert(fc.property(body, fc.nat(6), (digits, zeros) => checkDigit('0'.repeat(zeros) + digits) === checkDigit(digits)));
  });
});

test('Luhn tells swapped neighbours, but for 0 and 9', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^\d{2,18}$/), fc.nat(), (digits, at) => {
      const number = `${digits}${luhnCheckDigit(digits)}`;
      const place = at % (number.length - 1);
      const [left, right] = [number[place]!, number[place + 1]!];
      const swapped = number.slice(0, place) + right + left + number.slice(place + 2);
      const isBlind = left === right || left + right === '09' || left + right === '90';
      expect(hasLuhnCheckDigit(swapped)).toBe(isBlind);
    }),
  );
});
