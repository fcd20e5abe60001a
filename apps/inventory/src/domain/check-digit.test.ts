import { expect, test } from 'vitest';
import { hasCheckDigit, isThirteenDigits } from './check-digit.ts';

test.each([
  ['4006381333931', true],
  ['5701234567899', true],
  ['4006381333930', false],
  ['96385074', true],
  ['614141000036', true],
  ['400638133393X', false],
  ['', false],
  ['0', false],
])('%s: %s', (digits, isRight) => {
  expect(hasCheckDigit(digits)).toBe(isRight);
});

test.each([
  ['4006381333931', true],
  ['96385074', false],
  ['04006381333931', false],
])('%s has thirteen digits and is right: %s', (digits, isRight) => {
  expect(isThirteenDigits(digits)).toBe(isRight);
});
