import { describe, expect, test } from 'vitest';
import {
  isFinal,
  isToBeClosed,
  judgeAnswer,
  judgeInquiry,
  judgeLost,
  maySendAgain,
  retryDelayMs,
  statuses,
  type ProviderAnswer,
} from './transaction.ts';

const at = (second: number) => new Date(Date.UTC(2026, 2, 2, 10, 0, second));
const transaction = { amountMinor: 10_000, currency: 'DKK', sends: 1, quietFrom: at(10) };
const approved: ProviderAnswer = {
  outcome: 'approved',
  amountMinor: 10_000,
  currency: 'DKK',
  providerRef: 'acq_1',
  authorisationCode: '123456',
};

describe('an answer to an instruction', () => {
  test.each<[string, ProviderAnswer, unknown]>([
    ['approved', approved, { status: 'SUCCEEDED', providerRef: 'acq_1', authorisationCode: '123456' }],
    [
      'approved for less',
      { ...approved, amountMinor: 9_999 },
      { status: 'INTEGRITY', providerRef: 'acq_1', note: 'asked for 10000 DKK, the provider reports 9999 DKK' },
    ],
    [
      'approved in another currency',
      { ...approved, currency: 'SEK' },
      { status: 'INTEGRITY', providerRef: 'acq_1', note: 'asked for 10000 DKK, the provider reports 10000 SEK' },
    ],
    [
      'declined',
      { outcome: 'declined', declineCode: 'expired-card', providerRef: 'acq_1' },
      { status: 'DECLINED', declineCode: 'expired-card', providerRef: 'acq_1' },
    ],
    ['never sent', { outcome: 'not-sent', note: 'connection refused' }, { status: 'FAILED', note: 'connection refused' }],
    [
      'no clear answer',
      { outcome: 'unclear', note: 'no answer in 10000 ms' },
      { status: 'UNKNOWN', note: 'no answer in 10000 ms' },
    ],
    ['not decided', { outcome: 'pending' }, { status: 'UNKNOWN', note: 'the provider has not decided yet' }],
  ])('%s', (_, answer, verdict) => {
    expect(judgeAnswer(transaction, answer)).toEqual(verdict);
  });
});

test('that a second attempt was not sent says nothing of the first', () => {
  expect(judgeAnswer({ ...transaction, sends: 2 }, { outcome: 'not-sent', note: 'connection refused' }).status).toBe('UNKNOWN');
});

describe('a transaction is closed at the provider', () => {
  test.each([
    ['where it is not found and everything was quiet for the grace', { outcome: 'not-found' }, 15, true],
    ['not before that', { outcome: 'not-found' }, 14, false],
    ['not while it is pending', { outcome: 'pending' }, 60, false],
    ['not while nobody answers', { outcome: 'unclear', note: 'no answer' }, 60, false],
  ] as const)('%s', (_, answer, second, wanted) => {
    expect(isToBeClosed(transaction, answer, { now: at(second), graceMs: 5_000 })).toBe(wanted);
  });
});

describe('an answer to a question', () => {
  const ask = (answer: ProviderAnswer) => judgeInquiry(transaction, answer);
  test('not found tells nothing: it may still arrive', () => {
    expect(ask({ outcome: 'not-found' }).status).toBe('UNKNOWN');
  });
  test('closed means that it did not happen and never will', () => {
    expect(ask({ outcome: 'closed' }).status).toBe('FAILED');
  });
  test('a question that was not sent tells nothing about the operation', () => {
    expect(ask({ outcome: 'not-sent', note: 'connection refused' }).status).toBe('UNKNOWN');
  });
  test('what is found is judged as an answer', () => {
    expect([ask(approved).status, ask({ ...approved, amountMinor: 1 }).status]).toEqual(['SUCCEEDED', 'INTEGRITY']);
  });
});

describe('what our books have lost', () => {
  test.each<[string, ProviderAnswer, unknown]>([
    ['approved', approved, { status: 'SUCCEEDED', providerRef: 'acq_1', authorisationCode: '123456' }],
    ['approved as just that', { ...approved, kind: 'PURCHASE' }, { status: 'SUCCEEDED' }],
    ['approved as a refund', { ...approved, kind: 'REFUND' }, { refused: 'another' }],
    ['approved for less', { ...approved, amountMinor: 9_999 }, { refused: 'another' }],
    ['approved in kroner of Norway', { ...approved, currency: 'NOK' }, { refused: 'another' }],
    ['declined', { outcome: 'declined', declineCode: 'expired-card', providerRef: 'acq_1' }, { status: 'DECLINED' }],
    ['not found', { outcome: 'not-found' }, { refused: 'unknown-there' }],
    ['closed', { outcome: 'closed' }, { status: 'FAILED' }],
    ['pending', { outcome: 'pending' }, { refused: 'no-answer' }],
    ['not sent', { outcome: 'not-sent', note: 'connection refused' }, { refused: 'no-answer' }],
    ['unclear', { outcome: 'unclear', note: 'no answer' }, { refused: 'no-answer' }],
  ])('%s at the provider', (_, answer, expected) => {
    const said = { kind: 'PURCHASE', amountMinor: 10_000, currency: 'DKK' } as const;
    expect(judgeLost(said, answer)).toMatchObject(expected as object);
  });
});

describe('an instruction may be sent again', () => {
  test.each([
    ['INIT', at(9), at(9), true],
    ['INIT', at(10), at(9), false],
    ['UNKNOWN', at(9), at(60), false],
    ['SUCCEEDED', at(9), at(60), false],
  ] as const)('%s, leased until %s, at %s: %s', (status, leaseUntil, now, expected) => {
    expect(maySendAgain({ status, leaseUntil }, now)).toBe(expected);
  });
});

test('three outcomes are final', () => {
  expect(statuses.filter(isFinal)).toEqual(['SUCCEEDED', 'DECLINED', 'FAILED']);
});

test('questions come after 1 s, doubling up to a minute', () => {
  expect([0, 1, 2, 3, 4, 5, 6, 7, 40].map(retryDelayMs)).toEqual([
    1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000,
  ]);
});
