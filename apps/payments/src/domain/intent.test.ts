import { fc, test as property } from '@fast-check/vitest';
import { describe, expect, test } from 'vitest';
import {
  capturable,
  commands,
  fold,
  intentStatus,
  intentStatuses,
  legalMoves,
  nextAction,
  refundable,
  refusalOf,
  statesAllowing,
  type Asked,
  type Balances,
  type Command,
  type Intent,
  type IntentStatus,
  type Marks,
} from './intent.ts';
import { kinds, statuses } from './transaction.ts';

const now = new Date('2026-03-02T10:00:00Z');
const noBalances: Balances = fold([]).balances;
const noMarks: Marks = { unknownCount: 0, declinedCount: 0, isCanceled: false, isExpired: false, hasIntegrityFailed: false };

/** An intent over 100.00 DKK whose balances put it in the state. */
const balancesOf: Record<IntentStatus, [Partial<Balances>, Partial<Marks>]> = {
  requires_method: [{}, {}],
  processing: [{ authorisePending: 10_000 }, {}],
  authorised: [{ authorised: 10_000 }, {}],
  partially_captured: [{ authorised: 10_000, captured: 4_000 }, {}],
  captured: [{ authorised: 10_000, captured: 10_000 }, {}],
  partially_refunded: [{ authorised: 10_000, captured: 9_000, refunded: 1_000 }, {}],
  refunded: [{ authorised: 10_000, captured: 10_000, refunded: 10_000 }, {}],
  declined: [{}, { declinedCount: 1 }],
  unknown: [{ authorisePending: 10_000 }, { unknownCount: 1 }],
  canceled: [{}, { isCanceled: true }],
  voided: [{ authorised: 10_000, voided: 10_000 }, {}],
  expired: [{ authorised: 10_000, voided: 10_000 }, { isExpired: true }],
  integrity_failed: [{ authorisePending: 10_000 }, { unknownCount: 1, hasIntegrityFailed: true }],
};

function intentIn(status: IntentStatus, changes: Partial<Intent> = {}): Intent {
  const [balances, marks] = balancesOf[status];
  return {
    id: '01990000-0000-7000-8000-000000000001',
    reference: 'sale:1',
    country: 'dk',
    channel: 'store',
    method: 'terminal',
    captureMode: 'manual',
    amountMinor: 10_000,
    currency: 'DKK',
    balances: { ...noBalances, ...balances },
    marks: { ...noMarks, ...marks },
    status,
    version: 1,
    createdAt: now,
    ...changes,
  };
}

test.each(intentStatuses)('the balances of a payment that is %s say so', (status) => {
  const { balances, marks } = intentIn(status);
  expect(intentStatus(balances, marks)).toBe(status);
});

describe('every command in every state', () => {
  const answers: Record<IntentStatus, Record<Command, string>> = {
    requires_method: { authorise: 'ok', purchase: 'ok', capture: 'wrong-state', cancel: 'ok', refund: 'wrong-state' },
    processing: all('request-in-progress'),
    authorised: { authorise: 'wrong-state', purchase: 'wrong-state', capture: 'ok', cancel: 'ok', refund: 'wrong-state' },
    partially_captured: { authorise: 'wrong-state', purchase: 'wrong-state', capture: 'ok', cancel: 'ok', refund: 'ok' },
    captured: { authorise: 'wrong-state', purchase: 'wrong-state', capture: 'wrong-state', cancel: 'wrong-state', refund: 'ok' },
    partially_refunded: { authorise: 'wrong-state', purchase: 'wrong-state', capture: 'ok', cancel: 'ok', refund: 'ok' },
    refunded: all('wrong-state'),
    declined: { authorise: 'ok', purchase: 'ok', capture: 'wrong-state', cancel: 'ok', refund: 'wrong-state' },
    unknown: all('payment-unknown'),
    canceled: { ...all('payment-canceled'), cancel: 'ok' },
    voided: { ...all('payment-canceled'), cancel: 'ok' },
    expired: { ...all('wrong-state'), cancel: 'ok' },
    integrity_failed: all('integrity-failed'),
  };
  test.each(intentStatuses.flatMap((status) => commands.map((command) => [status, command, answers[status][command]] as const)))(
    '%s, %s: %s',
    (status, command, answer) => {
      expect(refusalOf(intentIn(status), { command }, now)?.code ?? 'ok').toBe(answer);
    },
  );
  test('the table tells which states a command is for', () => {
    expect(statesAllowing('refund')).toEqual(['partially_captured', 'captured', 'partially_refunded']);
  });
});

function all(answer: string): Record<Command, string> {
  return { authorise: answer, purchase: answer, capture: answer, cancel: answer, refund: answer };
}

describe('the first reason to refuse is told', () => {
  const rows: [string, Intent, Asked, string | undefined][] = [
    ['a failed integrity before an unknown outcome', intentIn('integrity_failed'), { command: 'refund' }, 'integrity-failed'],
    ['the state before the amount', intentIn('captured'), { command: 'capture', amountMinor: 99_999 }, 'wrong-state'],
    [
      'another amount for the same payment',
      intentIn('declined'),
      { command: 'purchase', amountMinor: 9_999, currency: 'DKK' },
      'already-exists',
    ],
    [
      'another currency for the same payment',
      intentIn('declined'),
      { command: 'purchase', amountMinor: 10_000, currency: 'SEK' },
      'already-exists',
    ],
    [
      'the currency before the amount',
      intentIn('authorised'),
      { command: 'capture', amountMinor: 99_999, currency: 'SEK' },
      'currency-mismatch',
    ],
    [
      'time before the amount',
      intentIn('authorised', { expiresAt: now }),
      { command: 'capture', amountMinor: 99_999 },
      'wrong-state',
    ],
    [
      'a capture beyond what is authorised',
      intentIn('authorised'),
      { command: 'capture', amountMinor: 10_001 },
      'amount-exceeds-capturable',
    ],
    [
      'a capture beyond what is left',
      intentIn('partially_captured'),
      { command: 'capture', amountMinor: 6_001 },
      'amount-exceeds-capturable',
    ],
    [
      'a refund beyond what is captured',
      intentIn('captured'),
      { command: 'refund', amountMinor: 10_001 },
      'amount-exceeds-refundable',
    ],
    [
      'a refund beyond what is left',
      intentIn('partially_refunded'),
      { command: 'refund', amountMinor: 8_001 },
      'amount-exceeds-refundable',
    ],
    ['a cancel while all is being captured', pending({ capturePending: 10_000 }), { command: 'cancel' }, 'request-in-progress'],
    ['a cancel while all is being voided', pending({ voidPending: 10_000 }), { command: 'cancel' }, 'request-in-progress'],
    ['a cancel of what was taken', taken(), { command: 'cancel' }, 'wrong-state'],
    [
      'a capture while all is being captured',
      pending({ capturePending: 10_000 }),
      { command: 'capture' },
      'amount-exceeds-capturable',
    ],
    [
      'nothing: the last second',
      intentIn('authorised', { expiresAt: new Date(now.getTime() + 1) }),
      { command: 'capture' },
      undefined,
    ],
    [
      'nothing: all that is left',
      intentIn('partially_captured'),
      { command: 'capture', amountMinor: 6_000, currency: 'DKK' },
      undefined,
    ],
    ['nothing: a void after the time', intentIn('authorised', { expiresAt: now }), { command: 'cancel' }, undefined],
  ];
  test.each(rows)('%s', (_, intent, asked, code) => {
    expect(refusalOf(intent, asked, now)?.code).toBe(code);
  });

  function pending(balances: Partial<Balances>): Intent {
    return intentIn('authorised', { balances: { ...noBalances, authorised: 10_000, ...balances } });
  }
  function taken(): Intent {
    return intentIn('partially_refunded', { balances: { ...noBalances, authorised: 10_000, captured: 10_000, refunded: 1_000 } });
  }
  test('with what would have been possible', () => {
    expect(refusalOf(intentIn('partially_captured'), { command: 'capture', amountMinor: 7_000 }, now)).toEqual({
      code: 'amount-exceeds-capturable',
      capturableMinor: 6_000,
    });
    expect(refusalOf(intentIn('captured'), { command: 'capture' }, now)).toEqual({ code: 'wrong-state', allowed: ['refund'] });
  });
});

describe('what to do next', () => {
  test.each([
    ['unknown', 'terminal', 'ask-terminal'],
    ['processing', 'terminal', 'ask-terminal'],
    ['unknown', 'online', 'wait'],
    ['declined', 'terminal', 'safe-to-retry'],
    ['requires_method', 'online', 'safe-to-retry'],
    ['captured', 'terminal', undefined],
    ['integrity_failed', 'terminal', undefined],
  ] as const)('%s, %s: %s', (status, method, action) => {
    expect(nextAction({ status, method })).toBe(action);
  });
});

const transaction = fc.record({
  kind: fc.constantFrom(...kinds),
  status: fc.constantFrom(...statuses),
  amountMinor: fc.integer({ min: 1, max: 1_000 }),
});

describe('balances are the sum of the transactions', () => {
  property.prop([fc.array(transaction, { maxLength: 12 }), fc.integer()])(
    'in whatever order they are looked at',
    (transactions, seed) => {
      const shuffled = [...transactions].sort((a, b) => Math.sin(seed * a.amountMinor) - Math.sin(seed * b.amountMinor));
      expect(fold(shuffled)).toEqual(fold(transactions));
    },
  );

  // A payment as the service runs it: a command goes ahead only where refusalOf allows it, its outcome comes at any later time.
  const step = fc.record({
    command: fc.constantFrom(...commands),
    amountMinor: fc.option(fc.integer({ min: 1, max: 12_000 }), { nil: undefined }),
    outcomes: fc.array(fc.record({ which: fc.nat(5), status: fc.constantFrom('SUCCEEDED', 'DECLINED', 'FAILED', 'UNKNOWN') }), {
      maxLength: 3,
    }),
  });
  property.prop([fc.array(step, { maxLength: 25 })])(
    'captures stay within the authorisation, refunds within the captures, always',
    (steps) => {
      const history: { kind: (typeof kinds)[number]; status: (typeof statuses)[number]; amountMinor: number }[] = [];
      const kindOf = {
        authorise: 'AUTHORISE',
        purchase: 'PURCHASE',
        capture: 'CAPTURE',
        cancel: 'VOID',
        refund: 'REFUND',
      } as const;
      for (const { command, amountMinor, outcomes } of steps) {
        const { balances, ...counts } = fold(history);
        const marks = { ...noMarks, ...counts };
        const intent = intentIn('requires_method', { balances, marks, status: intentStatus(balances, marks) });
        const begins = command === 'authorise' || command === 'purchase';
        const asked: Asked = begins
          ? { command }
          : { command, ...(amountMinor === undefined || command === 'cancel' ? {} : { amountMinor }) };
        const room = begins ? intent.amountMinor : command === 'refund' ? refundable(balances) : capturable(balances);
        const amount = asked.amountMinor ?? room;
        if (refusalOf(intent, asked, now) === undefined && amount > 0)
          history.push({ kind: kindOf[command], status: 'INIT', amountMinor: amount });
        for (const { which, status } of outcomes) {
          const open = history.filter((row) => row.status === 'INIT' || row.status === 'UNKNOWN');
          const row = open[which % Math.max(open.length, 1)];
          if (row) row.status = status as (typeof statuses)[number];
        }
        const after = fold(history).balances;
        expect(after.captured + after.capturePending + after.voided + after.voidPending).toBeLessThanOrEqual(after.authorised);
        expect(after.refunded + after.refundPending).toBeLessThanOrEqual(after.captured);
        expect(after.authorised + after.authorisePending).toBeLessThanOrEqual(intent.amountMinor);
      }
    },
  );
});

test('no state lets a payment be taken twice', () => {
  const paid = intentStatuses.filter(
    (status) => balancesOf[status][0].authorised !== undefined || balancesOf[status][0].authorisePending !== undefined,
  );
  expect(paid.filter((status) => legalMoves[status].includes('purchase') || legalMoves[status].includes('authorise'))).toEqual(
    [],
  );
});
