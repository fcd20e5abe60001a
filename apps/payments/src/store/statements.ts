import { uuidv7 } from 'uuidv7';
import type { Statement } from '@kassa/database';
import { finishCte, keyCte, keyExpected } from '@kassa/idempotency';
import { methodFacts, methods } from '../domain/methods.ts';
import { retryDelayMs, type Verdict } from '../domain/transaction.ts';
import type { Act } from '../store.ts';

const parameters = (from: number, count: number) => Array.from({ length: count }, (_, place) => `$${from + place}`).join(', ');

export const insertIntent: Statement = {
  name: 'intent_insert',
  text: `WITH ${keyCte(1)}, intent AS (
      INSERT INTO payment_intents (id, reference, country, channel, shop_id, capture_mode, amount_minor, currency, created_by, created_at)
      VALUES (${parameters(7, 10)}) RETURNING id)
    SELECT ${keyExpected} FROM intent`,
};

export const beginPayment: Statement = { name: 'payment_begin', text: `SELECT begin_payment_v1(${parameters(1, 18)}) AS result` };
export const beginFollowUp: Statement = {
  name: 'follow_up_begin',
  text: `SELECT begin_follow_up_v1(${parameters(1, 12)}) AS result`,
};

/** The key is looked at first: a repeated request must not wait for the intent's lock. What is refused leaves no claim behind. */
const claiming = (
  call: string,
) => `WITH ${keyCte(1)}, begun AS MATERIALIZED (SELECT CASE WHEN ${keyExpected} THEN ${call} END AS result)
  SELECT result, kassa_expect(result ->> 'verdict' IN ('claimed', 'canceled'), 'refused') FROM begun`;

export const beginPaymentOnce: Statement = {
  name: 'payment_begin_once',
  text: claiming(`begin_payment_v1(${parameters(7, 18)})`),
};
export const beginFollowUpOnce: Statement = {
  name: 'follow_up_begin_once',
  text: claiming(`begin_follow_up_v1(${parameters(7, 12)})`),
};

export const recordAnswer: Statement = { name: 'answer_record', text: `WITH ${finishCte(1)} SELECT scope FROM answered` };

const finishCall = (from: number) => `finish_transaction_v1(${parameters(from, 10)})`;
export const finishTransaction: Statement = { name: 'transaction_finish', text: `SELECT ${finishCall(1)} AS result` };
export const finishByEvent: Statement = {
  name: 'transaction_finish_by_event',
  text: `WITH event AS (
      INSERT INTO provider_events (provider, event_id, transaction_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING event_id)
    SELECT CASE WHEN EXISTS (SELECT FROM event) THEN ${finishCall(3)} END AS result`,
};

const actCte = (from: number) => `act AS (
    INSERT INTO audit_log (id, act, transaction_id, actor, outcome, reason, evidence, trace_id) VALUES (${parameters(from, 8)}) RETURNING id)`;
export const finishByHand: Statement = {
  name: 'transaction_finish_by_hand',
  text: `WITH ${keyCte(1)}, ${actCte(17)} SELECT CASE WHEN ${keyExpected} THEN ${finishCall(7)} END AS result FROM act`,
};
/** Begins and ends in one statement: inner statements of the second function see what the first one wrote. */
const adopting = (call: string, parameterCount: number) => {
  const isOurs = `result ->> 'verdict' IN ('claimed', 'seen')`;
  return `WITH ${keyCte(1)}, begun AS MATERIALIZED (SELECT CASE WHEN ${keyExpected} THEN ${call} END AS result), ${actCte(7 + parameterCount)}
    SELECT kassa_expect(${isOurs}, 'refused'), CASE WHEN ${isOurs} THEN ${finishCall(15 + parameterCount)} END AS result FROM begun, act`;
};
export const adoptPayment: Statement = { name: 'payment_adopt', text: adopting(`begin_payment_v1(${parameters(7, 18)})`, 18) };
export const adoptFollowUp: Statement = {
  name: 'follow_up_adopt',
  text: adopting(`begin_follow_up_v1(${parameters(7, 12)})`, 12),
};
/** Only what begin_follow_up_v1() wrote for an intent nobody had spoken of. */
export const forgetCancelMark: Statement = {
  name: 'cancel_mark_forget',
  text: `DELETE FROM payment_intents i WHERE id = $1 AND status = 'canceled' AND reference = ''
    AND NOT EXISTS (SELECT FROM transactions WHERE intent_id = i.id)`,
};
export const noteAct: Statement = { name: 'act_note', text: `WITH ${keyCte(1)}, ${actCte(7)} SELECT ${keyExpected} FROM act` };

/** The values of actCte(). */
export const actValues = (act: Act): unknown[] => [
  uuidv7(),
  act.act,
  act.transactionId,
  act.actor,
  act.outcome ?? null,
  act.reason ?? null,
  act.evidence ?? null,
  act.traceId,
];

const expiresAfter = JSON.stringify(
  Object.fromEntries(methods.map((method) => [method, methodFacts[method].authorisationTtlMs])),
);

/** The values of finish_transaction_v1(). `sends` is null where the conclusion stands whoever took the transaction on since. */
export function finishTransactionValues(
  transaction: { id: string; sends: number | null; attempts: number },
  verdict: Verdict,
): unknown[] {
  const facts: { declineCode?: string; authorisationCode?: string; cardLabel?: string; providerRef?: string; note?: string } =
    verdict;
  return [
    transaction.id,
    transaction.sends,
    verdict.status,
    facts.declineCode ?? null,
    facts.authorisationCode ?? null,
    facts.cardLabel ?? null,
    facts.providerRef ?? null,
    facts.note ?? null,
    expiresAfter,
    retryDelayMs(transaction.attempts),
  ];
}

export const findMovement: Statement = {
  name: 'movement_find',
  text: `SELECT payment_answer_v1('found', i, t) AS result FROM transactions t JOIN payment_intents i ON i.id = t.intent_id WHERE t.id = $1`,
};
export const findIntent: Statement = {
  name: 'intent_find',
  text: `SELECT jsonb_build_object('intent', to_jsonb(i), 'now', clock_timestamp(), 'transactions', COALESCE(
      (SELECT jsonb_agg(to_jsonb(t) ORDER BY t.created_at, t.id) FROM transactions t WHERE t.intent_id = i.id), '[]')) AS result
    FROM payment_intents i WHERE id = $1`,
};
export const findByReference: Statement = {
  name: 'intent_find_by_reference',
  text: `SELECT to_jsonb(i) AS result FROM payment_intents i
    WHERE reference = $1 AND ($2::uuid IS NULL OR id > $2) AND ($3::text IS NULL OR shop_id = $3)
      AND (NOT $4::boolean OR (channel = 'web' AND shop_id IS NULL))
    ORDER BY id LIMIT $5`,
};
export const takeOn: Statement = {
  name: 'transaction_take_on',
  text: `UPDATE transactions t SET sends = sends + 1, lease_until = now() + $3 * interval '1 ms', next_attempt_at = now() + $3 * interval '1 ms',
      quiet_from = now() + $4 * interval '1 ms'
    WHERE id = $1 AND sends = $2 AND status = 'INIT' AND lease_until <= now() RETURNING to_jsonb(t) AS result`,
};
export const claimDue: Statement = {
  name: 'transaction_claim_due',
  text: `UPDATE transactions t SET attempts = attempts + 1,
      next_attempt_at = now() + LEAST(1000 * 2 ^ LEAST(attempts, 10), 60000) * interval '1 ms'
    WHERE id IN (SELECT id FROM transactions WHERE next_attempt_at <= now() ORDER BY next_attempt_at LIMIT $1 FOR UPDATE SKIP LOCKED)
    RETURNING to_jsonb(t) AS result, clock_timestamp() AS now`,
};
export const unknownNow: Statement = {
  name: 'transaction_unknown_now',
  text: `SELECT count(*)::integer AS count, coalesce(extract(epoch FROM now() - min(created_at)), 0)::float8 AS "oldestAgeSeconds"
    FROM transactions WHERE status = 'UNKNOWN'`,
};
export const forgetEvents: Statement = {
  name: 'provider_event_forget',
  text: `DELETE FROM provider_events WHERE (provider, event_id) IN (
      SELECT provider, event_id FROM provider_events WHERE received_at < now() - $1 * interval '1 day' LIMIT 1000 FOR UPDATE SKIP LOCKED)
    RETURNING 1`,
};
export const expireAuthorisations: Statement = {
  name: 'authorisation_expire',
  text: 'SELECT expire_authorisations_v2($1, $2, $3) AS result',
};
