import { expect, test } from 'vitest';
import { holdsCardNumber } from './card-number.ts';

test.each([
  ['4111111111111111', true],
  ['4111 1111 1111 1111', true],
  ['4111-1111-1111-1111 12-28', true],
  ['card=5019717010103742;cvc', true],
  ['378282246310005', true],
  ['4111111111111112', false],
  ['tok_approve', false],
  ['pos-dk-001-01', false],
  ['sale:01990000-4111-7111-8111-111111111111', false],
  ['123456789012', false],
  ['41111111111111114111', false],
])('%s: %s', (text, expected) => {
  expect(holdsCardNumber(text)).toBe(expected);
});
