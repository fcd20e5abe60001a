import { fc } from '@fast-check/vitest';
import { afterAll, beforeAll, expect, test } from 'vitest';
import pg from 'pg';
import { uuidv7 } from 'uuidv7';
import { roomFolder, testDatabase, type TestDatabase } from '@kassa/testing';
import { openDatabase, type Database } from '@kassa/database';
import { fold, intentStatus, refusalOf, type Asked, type Balances, type Marks } from '../src/domain/intent.ts';
import type { Verdict } from '../src/domain/transaction.ts';
import { PrismaClient } from '../src/gen/prisma/client.ts';
import { createStore, type Begun, type Store } from '../src/store.ts';

let database: TestDatabase;
let sql: pg.Client;
let own: Database;
let store: Store;
beforeAll(async () => {
  database = await testDatabase(roomFolder('payments'));
  own = openDatabase({ url: database.url, poolMax: 5, applicationName: 'payments-tests' });
  const timing = { leaseMs: 60_000, timeoutMs: { cash: 0, terminal: 1_000, online: 1_000 } };
  store = createStore(own, new PrismaClient({ adapter: own.prismaAdapter() }), timing);
  sql = new pg.Client({ connectionString: database.url });
  await sql.connect();
});
afterAll(async () => {
  await sql?.end();
  await own?.close();
  await database?.drop();
});

// Few different amounts, so that equal ones meet often.
const amount = fc.integer({ min: 0, max: 4 });
const balances: fc.Arbitrary<Balances> = fc.record({
  authorisePending: amount,
  authorised: amount,
  capturePending: amount,
  captured: amount,
  voidPending: amount,
  voided: amount,
  refundPending: amount,
  refunded: amount,
});
const marks: fc.Arbitrary<Marks> = fc.record({
  unknownCount: fc.integer({ min: 0, max: 1 }),
  declinedCount: fc.integer({ min: 0, max: 1 }),
  isCanceled: fc.boolean(),
  isExpired: fc.boolean(),
  hasIntegrityFailed: fc.boolean(),
});

test('the database tells where a payment stands by the same rule as the domain', async () => {
  const cases = fc.sample(fc.tuple(balances, marks), 20_000);
  const columns = cases.map(([sums, flags]) => ({
    authorise_pending_minor: sums.authorisePending,
    authorised_minor: sums.authorised,
    capture_pending_minor: sums.capturePending,
    captured_minor: sums.captured,
    void_pending_minor: sums.voidPending,
    voided_minor: sums.voided,
    refund_pending_minor: sums.refundPending,
    refunded_minor: sums.refunded,
    unknown_count: flags.unknownCount,
    declined_count: flags.declinedCount,
    canceled_at: flags.isCanceled ? '2026-03-02T10:00:00Z' : null,
    expired_at: flags.isExpired ? '2026-03-02T10:00:00Z' : null,
    integrity_failed_at: flags.hasIntegrityFailed ? '2026-03-02T10:00:00Z' : null,
  }));
  const { rows } = await sql.query<{ status: string }>(
    `SELECT payment_intent_status_v1(jsonb_populate_record(NULL::payment_intents, item)) AS status
     FROM jsonb_array_elements($1) WITH ORDINALITY AS given (item, place) ORDER BY place`,
    [JSON.stringify(columns)],
  );
  expect(rows.map((row) => row.status)).toEqual(cases.map(([sums, flags]) => intentStatus(sums, flags)));
});

test.each([
  ['more captured than authorised', 'authorised_minor = 10, captured_minor = 11', 'captured_within_authorised'],
  [
    'captures under way beyond what is authorised',
    'authorised_minor = 10, captured_minor = 5, capture_pending_minor = 6',
    'captured_within_authorised',
  ],
  [
    'captured and voided beyond what is authorised',
    'authorised_minor = 10, captured_minor = 5, voided_minor = 6',
    'captured_within_authorised',
  ],
  ['more refunded than captured', 'authorised_minor = 10, captured_minor = 5, refunded_minor = 6', 'refunded_within_captured'],
  ['two attempts to pay at once', 'authorise_pending_minor = 10, authorised_minor = 10', 'paid_at_most_once'],
  ...[
    'amount_minor',
    'authorise_pending_minor',
    'authorised_minor',
    'capture_pending_minor',
    'captured_minor',
    'void_pending_minor',
    'voided_minor',
    'refund_pending_minor',
    'refunded_minor',
    'unknown_count',
  ].map((column) => [`${column} below zero`, `${column} = -1`, 'nothing_below_zero']),
  ['a channel that is none', `channel = 'fax'`, 'known_channel'],
  ['a method that is none', `method = 'cheque'`, 'known_method'],
  ['a capture mode that is none', `capture_mode = 'never'`, 'known_capture_mode'],
])('the database refuses %s, whoever writes it', async (_, columns, constraint) => {
  const id = '01990000-0000-7000-8000-000000000001';
  await sql.query(
    `INSERT INTO payment_intents (id, reference, country, channel, capture_mode, amount_minor, currency, created_by)
     VALUES ($1, 'sale:1', 'dk', 'store', 'manual', 10, 'DKK', 'test') ON CONFLICT DO NOTHING`,
    [id],
  );
  await expect(sql.query(`UPDATE payment_intents SET ${columns} WHERE id = $1`, [id])).rejects.toThrow(constraint);
});

const outcome = fc.constantFrom<Verdict>(
  { status: 'SUCCEEDED' },
  { status: 'DECLINED', declineCode: 'do-not-honour' },
  { status: 'FAILED', note: 'never sent' },
  { status: 'UNKNOWN', note: 'no answer' },
);
const step = fc.record({
  command: fc.constantFrom('AUTHORISE', 'PURCHASE', 'CAPTURE', 'VOID', 'REFUND', 'CAPTURE', 'REFUND'),
  amountMinor: fc.option(fc.integer({ min: 1, max: 12 }), { nil: undefined }),
  currency: fc.constantFrom('DKK', 'DKK', 'DKK', 'SEK'),
  isExpired: fc.boolean(),
  // What becomes known meanwhile, of which of the open transactions.
  outcomes: fc.array(fc.tuple(fc.nat(3), outcome), { maxLength: 2 }),
});

test('the database lets a command go ahead exactly where the domain does, and its balances are the fold, in any history', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 14 }), async (steps) => {
      const intentId = uuidv7();
      await begin({ command: 'AUTHORISE', amountMinor: 10, currency: 'DKK' }, intentId);
      for (const { isExpired, outcomes, ...given } of steps) {
        await sql.query(`UPDATE payment_intents SET expires_at = now() + $2 * interval '1 hour' WHERE id = $1`, [
          intentId,
          isExpired ? -1 : 1,
        ]);
        const before = await store.findIntent(intentId);
        if (before === undefined) throw new Error('the intent is gone');
        const begun = await begin(given, intentId);
        const refusal = refusalOf(before.intent, askedFor(given), before.now);
        expect([given, begun.verdict === 'refused']).toEqual([given, refusal !== undefined]);
        for (const [which, verdict] of outcomes) {
          const found = await store.findIntent(intentId);
          const open = found?.transactions.filter(({ status }) => status === 'INIT' || status === 'UNKNOWN') ?? [];
          const transaction = open[which % Math.max(open.length, 1)];
          if (transaction) await store.finish(transaction, verdict);
        }
        const after = await store.findIntent(intentId);
        const { balances, unknownCount, declinedCount } = fold(after?.transactions ?? []);
        expect(after?.intent).toMatchObject({ balances, marks: { unknownCount, declinedCount } });
      }
    }),
    { numRuns: 150 },
  );
}, 120_000);

type Given = { command: string; amountMinor: number | undefined; currency: string };

function begin({ command, amountMinor, currency }: Given, intentId: string): Promise<Begun> {
  const base = { transactionId: uuidv7(), intentId, currency, actor: { subject: 'test', role: 'service' } };
  if (command === 'AUTHORISE' || command === 'PURCHASE') {
    const where = {
      reference: 'sale:1',
      country: 'dk',
      channel: 'store',
      method: 'terminal',
      instrument: 'pos-dk-001-01',
    } as const;
    return store.beginPayment({ ...base, ...where, kind: command, amountMinor: amountMinor ?? 10 });
  }
  return store.beginFollowUp({
    ...base,
    kind: command as 'CAPTURE',
    ...(amountMinor === undefined || command === 'VOID' ? {} : { amountMinor }),
  });
}

function askedFor({ command, amountMinor, currency }: Given): Asked {
  const commands = {
    AUTHORISE: 'authorise',
    PURCHASE: 'purchase',
    CAPTURE: 'capture',
    VOID: 'cancel',
    REFUND: 'refund',
  } as const;
  const asked = { command: commands[command as keyof typeof commands], currency };
  if (command === 'AUTHORISE' || command === 'PURCHASE') return { ...asked, amountMinor: amountMinor ?? 10 };
  return amountMinor === undefined || command === 'VOID' ? asked : { ...asked, amountMinor };
}
