import { describe, expect, test } from 'vitest';
import { KassaError } from '@kassa/problem';
import { fold, type Intent } from '../domain/intent.ts';
import type { ProviderAnswer, Status, Transaction, Verdict } from '../domain/transaction.ts';
import type { Begun, Movement, Store } from '../store.ts';
import { conclude, lookInto, type Deps } from './settle-transaction.ts';

const now = new Date('2026-03-02T10:00:00Z');
const seconds = (count: number) => new Date(now.getTime() + count * 1_000);

const intent: Intent = {
  id: '01990000-0000-7000-8000-000000000001',
  reference: 'sale:1',
  country: 'dk',
  channel: 'store',
  shopId: 'dk-001',
  method: 'terminal',
  captureMode: 'automatic',
  amountMinor: 10_000,
  currency: 'DKK',
  balances: fold([{ kind: 'PURCHASE', status: 'INIT', amountMinor: 10_000 }]).balances,
  marks: { unknownCount: 0, declinedCount: 0, isCanceled: false, isExpired: false, hasIntegrityFailed: false },
  status: 'processing',
  version: 1,
  createdAt: now,
};

/** A purchase as it was written down, with the lease of a worker that died unless said otherwise. */
function written(status: Status, changes: Partial<Transaction> = {}): Transaction {
  return {
    id: '01990000-0000-7000-8000-000000000002',
    intentId: intent.id,
    kind: 'PURCHASE',
    status,
    amountMinor: 10_000,
    currency: 'DKK',
    method: 'terminal',
    channel: 'store',
    instrument: 'pos-dk-001-01',
    sends: 1,
    attempts: 0,
    leaseUntil: seconds(-1),
    quietFrom: seconds(30),
    createdAt: seconds(-60),
    ...changes,
  };
}

const approved: ProviderAnswer = { outcome: 'approved', amountMinor: 10_000, currency: 'DKK', providerRef: 'acq_1' };
const unclear: ProviderAnswer = { outcome: 'unclear', note: 'no answer' };
const notFound: ProviderAnswer = { outcome: 'not-found' };

interface World {
  performs?: ProviderAnswer;
  knows?: ProviderAnswer;
  /** What closing its id brings to light. */
  closes?: ProviderAnswer;
  /** What another worker has made of it, each time it is looked at. */
  becomes?: Transaction[];
  /** Whether another worker is faster to take it on. */
  isTaken?: boolean;
  isDatabaseLost?: boolean;
}

/** Store and provider in memory, noting what is asked of them in which order. */
function worldOf(world: World) {
  const { performs = approved, knows = approved, closes = { outcome: 'closed' }, becomes = [] } = world;
  const { isTaken = false, isDatabaseLost = false } = world;
  const calls: string[] = [];
  const finish = async (transaction: Transaction, verdict: Verdict) => {
    calls.push(`write ${verdict.status}`);
    if (isDatabaseLost) throw new KassaError('unavailable');
    const status = verdict.status === 'INTEGRITY' ? 'UNKNOWN' : verdict.status;
    const marked: Intent = verdict.status === 'INTEGRITY' ? { ...intent, status: 'integrity_failed' } : intent;
    return { verdict: 'recorded', intent: marked, transaction: { ...transaction, status }, now } as const;
  };
  const store = {
    finish,
    find: async () => {
      calls.push('look');
      const transaction = becomes.shift();
      return transaction && { intent, transaction, now };
    },
    takeOn: async (transaction: Transaction) => {
      calls.push('take on');
      return isTaken ? undefined : { ...transaction, sends: transaction.sends + 1 };
    },
  };
  const silent = () => undefined;
  const deps = {
    store: store as unknown as Store,
    provider: {
      name: 'acquirer',
      perform: async () => (calls.push('perform'), performs),
      inquire: async () => (calls.push('inquire'), knows),
      close: async () => (calls.push('close'), closes),
      readEvent: silent,
    },
    events: { transactionRecorded: silent, integrityFailed: () => calls.push('alarm'), inquiryAnswered: silent },
    sleep: async () => void calls.push('wait'),
    settings: { UNKNOWN_GRACE_MS: 30_000, REPEAT_WAIT_MS: 200, RESOLVE_ATTEMPTS_ALARM: 10 },
  } as unknown as Deps;
  return { deps, calls };
}

const claimed = (): Begun => ({ verdict: 'claimed', intent, transaction: written('INIT'), now });
const seen = (transaction: Transaction): Begun => ({ verdict: 'seen', intent, transaction, now });

/** What the caller is told, in a word. */
const told = (call: Promise<Movement>) =>
  call.then(
    ({ transaction }) => transaction?.status,
    (error: unknown) => (error instanceof KassaError ? error.code : String(error)),
  );

describe('a command, at each point where it can go wrong', () => {
  const rows: [string, Begun, World, string, string[]][] = [
    ['goes through', claimed(), {}, 'SUCCEEDED', ['perform', 'write SUCCEEDED']],
    [
      'is declined',
      claimed(),
      { performs: { outcome: 'declined', declineCode: 'lost-card', providerRef: 'acq_1' } },
      'DECLINED',
      ['perform', 'write DECLINED'],
    ],
    ['cannot be sent', claimed(), { performs: { outcome: 'not-sent', note: 'refused' } }, 'FAILED', ['perform', 'write FAILED']],
    ['is not answered', claimed(), { performs: unclear }, 'UNKNOWN', ['perform', 'write UNKNOWN']],
    [
      'is answered for another amount',
      claimed(),
      { performs: { ...approved, amountMinor: 1 } },
      'integrity-failed',
      ['perform', 'write INTEGRITY', 'alarm'],
    ],
    ['is done, and cannot be written down', claimed(), { isDatabaseLost: true }, 'unavailable', ['perform', 'write SUCCEEDED']],
  ];
  test.each(rows)('%s', async (_, begun, world, answer, wanted) => {
    const { deps, calls } = worldOf(world);
    expect([await told(conclude(deps, begun, { command: 'purchase' })), calls]).toEqual([answer, wanted]);
  });
});

describe('the same command again', () => {
  const beingWorkedOn = written('INIT', { leaseUntil: seconds(60) });
  const rows: [string, Transaction, World, string, string[]][] = [
    ['of a finished one', written('SUCCEEDED'), {}, 'SUCCEEDED', []],
    [
      'while a worker finishes it',
      beingWorkedOn,
      { becomes: [beingWorkedOn, written('SUCCEEDED')] },
      'SUCCEEDED',
      ['wait', 'look', 'wait', 'look'],
    ],
    [
      'while a worker is at it for long',
      beingWorkedOn,
      { knows: { outcome: 'pending' }, becomes: [beingWorkedOn, beingWorkedOn] },
      'request-in-progress',
      ['wait', 'look', 'wait', 'look', 'inquire'],
    ],
    [
      'while a worker may be dead after it was done',
      beingWorkedOn,
      { becomes: [beingWorkedOn, beingWorkedOn] },
      'SUCCEEDED',
      ['wait', 'look', 'wait', 'look', 'inquire', 'write SUCCEEDED'],
    ],
    [
      'while a worker may not have sent it yet',
      beingWorkedOn,
      { knows: notFound, becomes: [beingWorkedOn, beingWorkedOn] },
      'request-in-progress',
      ['wait', 'look', 'wait', 'look', 'inquire'],
    ],
    ['after the worker died and it was done', written('INIT'), {}, 'SUCCEEDED', ['inquire', 'write SUCCEEDED']],
    [
      'after the worker died before it was sent',
      written('INIT'),
      { knows: notFound },
      'SUCCEEDED',
      ['inquire', 'take on', 'perform', 'write SUCCEEDED'],
    ],
    [
      'that is sent again and not sent',
      written('INIT'),
      { knows: notFound, performs: { outcome: 'not-sent', note: 'refused' } },
      'UNKNOWN',
      ['inquire', 'take on', 'perform', 'write UNKNOWN'],
    ],
    [
      'when another is faster to take it on',
      written('INIT'),
      { knows: notFound, isTaken: true, becomes: [written('SUCCEEDED')] },
      'SUCCEEDED',
      ['inquire', 'take on', 'look'],
    ],
    ['of an unknown one that was done', written('UNKNOWN'), {}, 'SUCCEEDED', ['inquire', 'write SUCCEEDED']],
    ['of an unknown one, too early to say', written('UNKNOWN'), { knows: notFound }, 'UNKNOWN', ['inquire']],
    [
      'of an unknown one that was never done',
      written('UNKNOWN', { quietFrom: seconds(-30) }),
      { knows: notFound },
      'FAILED',
      ['inquire', 'close', 'write FAILED'],
    ],
    [
      'of an unknown one that arrived a moment ago',
      written('UNKNOWN', { quietFrom: seconds(-30) }),
      { knows: notFound, closes: approved },
      'SUCCEEDED',
      ['inquire', 'close', 'write SUCCEEDED'],
    ],
    [
      'of an unknown one that cannot be closed',
      written('UNKNOWN', { quietFrom: seconds(-30) }),
      { knows: notFound, closes: unclear },
      'UNKNOWN',
      ['inquire', 'close'],
    ],
    [
      'of an unknown one, and the provider is away',
      written('UNKNOWN', { quietFrom: seconds(-300) }),
      { knows: unclear },
      'UNKNOWN',
      ['inquire'],
    ],
  ];
  test.each(rows)('%s', async (_, transaction, world, answer, wanted) => {
    const { deps, calls } = worldOf(world);
    expect([await told(conclude(deps, seen(transaction), { command: 'purchase' })), calls]).toEqual([answer, wanted]);
  });
});

test('who only looks into it never sends it', async () => {
  const { deps, calls } = worldOf({ knows: notFound });
  await lookInto(deps, { intent, transaction: written('INIT'), now });
  expect(calls).toEqual(['inquire']);
});

test.each<[Begun['verdict'], string]>([
  ['missing', 'not-found'],
  ['reused', 'idempotency-key-reused'],
])('a command that is %s is refused with %s', async (verdict, code) => {
  const { deps, calls } = worldOf({});
  expect([await told(conclude(deps, { verdict } as Begun, { command: 'capture' })), calls]).toEqual([code, []]);
});
