import { fc } from '@fast-check/vitest';
import { afterAll, beforeAll, expect, test } from 'vitest';
import pg from 'pg';
import { roomFolder, testDatabase, type TestDatabase } from '@kassa/testing';
import { intentStatus, type Balances, type Marks } from '../src/domain/intent.ts';

let database: TestDatabase;
let sql: pg.Client;
beforeAll(async () => {
  database = await testDatabase(roomFolder('payments'));
  sql = new pg.Client({ connectionString: database.url });
  await sql.connect();
});
afterAll(async () => {
  await sql?.end();
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
])('the database refuses %s, whoever writes it', async (_, columns, constraint) => {
  const id = '01990000-0000-7000-8000-000000000001';
  await sql.query(
    `INSERT INTO payment_intents (id, reference, country, channel, capture_mode, amount_minor, currency, created_by)
     VALUES ($1, 'sale:1', 'dk', 'store', 'manual', 10, 'DKK', 'test') ON CONFLICT DO NOTHING`,
    [id],
  );
  await expect(sql.query(`UPDATE payment_intents SET ${columns} WHERE id = $1`, [id])).rejects.toThrow(constraint);
});
