import { describe, expect, test } from 'vitest';
import { issuerFacts, isSameRequest, refusalOf, type OperationRequest, type Original } from './operation.ts';

const request = (kind: OperationRequest['kind'], amountMinor: number, currency = 'DKK'): OperationRequest => ({
  providerKey: '01990000-0000-7000-8000-000000000001',
  kind,
  channel: 'terminal',
  instrument: 'pos-dk-001-01',
  amountMinor,
  currency,
  originalKey: '01990000-0000-7000-8000-000000000000',
});
const original = (authorised: number, captured = 0, voided = 0, refunded = 0): Original => ({
  isApproved: true,
  currency: 'DKK',
  balances: { authorisedMinor: authorised, capturedMinor: captured, voidedMinor: voided, refundedMinor: refunded },
});

describe('the card world refuses', () => {
  test.each([
    ['anything about a payment it does not know', request('capture', 1), undefined, 'original-unknown'],
    ['anything about a payment it declined', request('capture', 1), { ...original(100), isApproved: false }, 'original-unknown'],
    ['another currency', request('refund', 1, 'SEK'), original(100, 100), 'currency-mismatch'],
    ['a capture beyond what is authorised', request('capture', 101), original(100), 'exceeds-authorised'],
    ['a capture beyond what is left', request('capture', 61), original(100, 40), 'exceeds-authorised'],
    ['a capture of what was voided', request('capture', 1), original(100, 40, 60), 'exceeds-authorised'],
    ['a void of less than the rest', request('void', 59), original(100, 40), 'not-the-rest'],
    ['a refund of what was not captured', request('refund', 41), original(100, 40), 'exceeds-captured'],
    ['a refund of what was refunded', request('refund', 1), original(100, 40, 60, 40), 'exceeds-captured'],
  ])('%s', (_, asked, about, refusal) => {
    expect(refusalOf(asked, about)).toBe(refusal);
  });
  test.each([
    ['a capture of all', request('capture', 100), original(100)],
    ['a capture of the rest', request('capture', 60), original(100, 40)],
    ['a void of the rest', request('void', 60), original(100, 40)],
    ['a refund of all that is captured', request('refund', 40), original(100, 40)],
  ])('but not %s', (_, asked, about) => {
    expect(refusalOf(asked, about)).toBeUndefined();
  });
});

test('a repetition is told from another request under the same key', () => {
  const first = request('capture', 100);
  expect([isSameRequest(first, { ...first }), isSameRequest(first, request('capture', 99))]).toEqual([true, false]);
});

test('a terminal takes the card its country knows', () => {
  const facts = issuerFacts(request('purchase', 100));
  expect(facts).toEqual({
    authorisationCode: expect.stringMatching(/^\d{6}$/),
    cardLabel: expect.stringMatching(/^Dankort •••• \d{4}$/),
  });
  expect(issuerFacts({ ...request('purchase', 100), instrument: 'tok_approve' }).cardLabel).toMatch(/^Visa •••• \d{4}$/);
});
