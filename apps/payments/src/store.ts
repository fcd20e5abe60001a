import { createHash } from 'node:crypto';
import { uuidv7 } from 'uuidv7';
import { isExpectation, type Database, type Statement } from '@kassa/database';
import { claimValues, finishCte, finishValues, keyCte, keyExpected, keyValues, type Answer, type Key } from '@kassa/idempotency';
import { KassaError } from '@kassa/problem';
import { statesAllowing, type Channel, type Intent, type IntentStatus } from './domain/intent.ts';
import { instantMethods, methodFacts, methods, type Method } from './domain/methods.ts';
import { retryDelayMs, type Kind, type Status, type Transaction, type Verdict } from './domain/transaction.ts';
import type { PrismaClient } from './gen/prisma/client.ts';

/** Who asked: a token's subject, and the role he or it came as. */
export interface Actor {
  subject: string;
  role: string;
}

/** An attempt to pay: it makes its intent where that is new. */
export interface BeginPayment {
  transactionId: string;
  intentId: string;
  kind: 'AUTHORISE' | 'PURCHASE';
  amountMinor: number;
  currency: string;
  reference: string;
  country: string;
  channel: Channel;
  shopId?: string;
  method: Method;
  instrument: string;
  actor: Actor;
}

/** A later step of a payment. An absent amount means all there is. */
export interface BeginFollowUp {
  transactionId: string;
  intentId: string;
  kind: 'CAPTURE' | 'VOID' | 'REFUND';
  amountMinor?: number;
  currency?: string;
  actor: Actor;
}

/** Where a command stands, with the rows as they are and the database's time. */
export interface Movement {
  intent: Intent;
  /** Absent only where a cancel had nothing to void. */
  transaction?: Transaction;
  now: Date;
}

/** See begin_payment_v1() and begin_follow_up_v1() for what each means. */
export type Begun =
  | (Movement & { verdict: 'claimed' | 'seen'; transaction: Transaction })
  | (Movement & { verdict: 'canceled' | 'refused' })
  /** not-allowed: refused, and with it the client's key was not claimed either; the intent has to be read to tell why. */
  | { verdict: 'reused' | 'missing' | 'not-allowed' };

/** See finish_transaction_v1() for what each verdict means. */
export type Finished = Movement & { verdict: 'recorded' | 'settled' | 'open' | 'contradicted'; transaction: Transaction };

/** What an operator did, for the audit log. */
export interface Act {
  act: 'resume' | 'resolve' | 'adopt';
  transactionId: string;
  actor: string;
  outcome?: string;
  reason?: string;
  evidence?: string;
  traceId: string;
}

/** How long things may take, in milliseconds. */
export interface Timing {
  /** How long a worker may be at a transaction before another takes it on. */
  leaseMs: number;
  /** How long the provider may take, by method. */
  timeoutMs: Record<Method, number>;
}

export type Store = ReturnType<typeof createStore>;

/**
 * All SQL of payments. What moves money is one prepared statement each, around the functions of the migrations: they hold the intent's
 * row lock while they decide, so limits hold under any concurrency. Lists are plain reads through Prisma.
 */
export function createStore(db: Database, prisma: PrismaClient, timing: Timing) {
  const timeouts = JSON.stringify(timing.timeoutMs);

  function paymentValues(command: BeginPayment): unknown[] {
    const { kind, amountMinor, currency, reference, country, channel, method, instrument } = command;
    return [
      command.transactionId,
      command.intentId,
      kind,
      amountMinor,
      currency,
      reference,
      country,
      channel,
      command.shopId ?? null,
      method,
      instrument,
      fingerprint([kind, command.intentId, amountMinor, currency, reference, country, channel, method, instrument]),
      command.actor.subject,
      command.actor.role,
      instantMethods.includes(method),
      statesAllowing(kind === 'AUTHORISE' ? 'authorise' : 'purchase'),
      timing.leaseMs,
      timing.timeoutMs[method],
    ];
  }

  function followUpValues(command: BeginFollowUp): unknown[] {
    const { kind, amountMinor = null, currency = null } = command;
    return [
      command.transactionId,
      command.intentId,
      kind,
      amountMinor,
      currency,
      fingerprint([kind, command.intentId, amountMinor, currency]),
      command.actor.subject,
      command.actor.role,
      statesAllowing(commandOf[kind]),
      instantMethods,
      timing.leaseMs,
      timeouts,
    ];
  }

  async function begin(statement: Statement, values: unknown[], read: (row: AnswerRow) => Begun = toBegun): Promise<Begun> {
    try {
      const { rows } = await db.query<{ result: AnswerRow }>(statement, values);
      return read(onlyRow(rows).result);
    } catch (error) {
      if (isExpectation(error, 'transaction-id-reused')) return { verdict: 'reused' };
      if (isExpectation(error, 'refused')) return { verdict: 'not-allowed' };
      throw error;
    }
  }

  return {
    /**
     * Writes an intent nobody has tried to pay yet, with the answer to its maker. Throws ExpectationFailed key-seen.
     */
    async createIntent(intent: Intent, actor: Actor, key: Key, answer: Answer): Promise<void> {
      const { id, reference, country, channel, shopId, captureMode, amountMinor, currency, createdAt } = intent;
      await db.query(insertIntent, [
        ...keyValues(key, answer),
        id,
        reference,
        country,
        channel,
        shopId ?? null,
        captureMode,
        amountMinor,
        currency,
        actor.subject,
        createdAt,
      ]);
    },

    /** Writes an attempt to pay down before the provider hears of it. One statement; for cash it is the whole payment. */
    beginPayment: (command: BeginPayment): Promise<Begun> => begin(beginPayment, paymentValues(command)),

    /** Writes a capture, void or refund down before the provider hears of it. */
    beginFollowUp: (command: BeginFollowUp): Promise<Begun> => begin(beginFollowUp, followUpValues(command)),

    /**
     * The same two, with the client's key claimed for this transaction in the same statement. Where the intent does not allow it
     * (not-allowed), or the key was seen (thrown: ExpectationFailed key-seen), nothing is left behind.
     */
    beginPaymentOnce: (command: BeginPayment, key: Key): Promise<Begun> =>
      begin(beginPaymentOnce, [...claimValues(key, command.transactionId), ...paymentValues(command)]),
    beginFollowUpOnce: (command: BeginFollowUp, key: Key): Promise<Begun> =>
      begin(beginFollowUpOnce, [...claimValues(key, command.transactionId), ...followUpValues(command)]),

    /** Records the answer to a claimed key. Whoever comes first wins; the answer is the same in substance. */
    async recordAnswer(key: Key, answer: Answer): Promise<void> {
      await db.query(recordAnswer, finishValues(key.scope, answer));
    },

    /** Writes down what became of a transaction. It is final afterwards unless nobody knows. */
    async finish(transaction: Pick<Transaction, 'id' | 'sends' | 'attempts'>, verdict: Verdict): Promise<Finished> {
      const { rows } = await db.query<{ result: AnswerRow }>(finishTransaction, finishTransactionValues(transaction, verdict));
      return toFinished(onlyRow(rows).result);
    },

    /** The same by an operator's word, with the audit row and the client's key in the same statement. Throws ExpectationFailed key-seen. */
    async finishByHand(
      transaction: Pick<Transaction, 'id' | 'attempts'>,
      verdict: Verdict,
      act: Act,
      key: Key,
    ): Promise<Finished> {
      const values = finishTransactionValues({ ...transaction, sends: null }, verdict);
      const { rows } = await db.query<{ result: AnswerRow }>(finishByHand, [
        ...claimValues(key, act.transactionId),
        ...values,
        ...actValues(act),
      ]);
      return toFinished(onlyRow(rows).result);
    },

    /**
     * Writes a movement down that took place and that these books have lost, as it ended, with the audit row and the client's key in the
     * same statement. Where the intent does not allow it (not-allowed), or the key was seen (thrown: ExpectationFailed key-seen), nothing
     * is left behind.
     */
    adopt(command: BeginPayment | BeginFollowUp, verdict: Verdict, act: Act, key: Key): Promise<Begun> {
      const isPayment = 'reference' in command;
      const once = claimValues(key, command.transactionId);
      const end = finishTransactionValues({ id: command.transactionId, sends: 1, attempts: 0 }, verdict);
      const values = [...once, ...(isPayment ? paymentValues(command) : followUpValues(command)), ...actValues(act), ...end];
      return begin(isPayment ? adoptPayment : adoptFollowUp, values, (row) => ({ ...toFinished(row), verdict: 'claimed' }));
    },

    /** Notes an operator's act that is done by what follows it, and claims the client's key. Throws ExpectationFailed key-seen. */
    async noteAct(act: Act, key: Key): Promise<void> {
      await db.query(noteAct, [...claimValues(key, act.transactionId), ...actValues(act)]);
    },

    /**
     * Takes an event of the provider once, with what it says of a transaction. Undefined where the event was here before, or its
     * transaction is not one of ours.
     */
    async finishByEvent(
      event: { provider: string; id: string },
      transaction: Transaction,
      verdict: Verdict,
    ): Promise<Finished | undefined> {
      const { rows } = await db.query<{ result: AnswerRow | null }>(finishByEvent, [
        event.provider,
        event.id,
        ...finishTransactionValues(transaction, verdict),
      ]);
      const { result } = onlyRow(rows);
      return result === null ? undefined : toFinished(result);
    },

    /** A transaction with its intent; undefined where there is none. */
    async find(transactionId: string): Promise<(Movement & { transaction: Transaction }) | undefined> {
      const { rows } = await db.query<{ result: AnswerRow }>(findMovement, [transactionId]);
      const movement = rows[0] && toMovement(rows[0].result);
      return movement?.transaction && { ...movement, transaction: movement.transaction };
    },

    /** An intent with all its transactions, oldest first; undefined where there is none. */
    async findIntent(intentId: string): Promise<{ intent: Intent; transactions: Transaction[]; now: Date } | undefined> {
      const { rows } = await db.query<{ result: { intent: IntentRow; transactions: TransactionRow[]; now: string } }>(
        findIntent,
        [intentId],
      );
      const result = rows[0]?.result;
      return (
        result && {
          intent: toIntent(result.intent),
          transactions: result.transactions.map(toTransaction),
          now: new Date(result.now),
        }
      );
    },

    /** Takes a transaction on whose worker did not come back, to tell the provider again. Undefined where someone else was faster. */
    async takeOn(transaction: Transaction): Promise<Transaction | undefined> {
      const { id, sends, method } = transaction;
      const { rows } = await db.query<{ result: TransactionRow }>(takeOn, [id, sends, timing.leaseMs, timing.timeoutMs[method]]);
      return rows[0] && toTransaction(rows[0].result);
    },

    /** Takes transactions whose outcome is due to be asked for, and puts the next question off in case this one tells nothing. */
    async claimDue(limit: number): Promise<{ transaction: Transaction; now: Date }[]> {
      const { rows } = await db.query<{ result: TransactionRow; now: Date }>(claimDue, [limit]);
      return rows.map((row) => ({ transaction: toTransaction(row.result), now: row.now }));
    },

    /** Forgets events that came so many days ago, at most 1,000 a call; answers how many. One that comes again after that changes nothing either. */
    async forgetEvents(afterDays: number): Promise<number> {
      return (await db.query(forgetEvents, [afterDays])).rows.length;
    },

    /** Marks authorisations that ran out of time and begins to void what is left of them. */
    async expireAuthorisations(limit: number): Promise<(Movement & { transaction: Transaction })[]> {
      const { rows } = await db.query<{ result: AnswerRow }>(expireAuthorisations, [limit, timing.leaseMs, timeouts]);
      return rows.flatMap((row) => {
        const movement = toMovement(row.result);
        return movement.transaction ? [{ ...movement, transaction: movement.transaction }] : [];
      });
    },

    /** Intents for a reference, by id: of one shop, of the web shop (channel web), or all. */
    async intentsFor(filter: {
      reference: string;
      shopId?: string;
      isWeb?: boolean;
      after?: string;
      limit: number;
    }): Promise<Intent[]> {
      const { rows } = await db.query<{ result: IntentRow }>(findByReference, [
        filter.reference,
        filter.after ?? null,
        filter.shopId ?? null,
        filter.isWeb ?? false,
        filter.limit,
      ]);
      return rows.map((row) => toIntent(row.result));
    },

    /** Transactions whose outcome is not known, by id. */
    openTransactions: (after: string | undefined, limit: number) =>
      prisma.transaction.findMany({
        where: { status: { in: ['INIT', 'UNKNOWN'] }, ...(after === undefined ? {} : { id: { gt: after } }) },
        orderBy: { id: 'asc' },
        take: limit,
        include: { intent: { select: { reference: true, status: true, method: true, shopId: true } } },
      }),

    /** How many sent transactions nobody knows the outcome of, and the age of the oldest, in seconds; both 0 where there are none. */
    async unknownNow(): Promise<{ count: number; oldestAgeSeconds: number }> {
      const { rows } = await db.query<{ count: number; oldestAgeSeconds: number }>(unknownNow, []);
      return onlyRow(rows);
    },

    /** All transactions, by id. */
    auditTransactions: (after: string | undefined, limit: number) =>
      prisma.transaction.findMany({
        where: after === undefined ? {} : { id: { gt: after } },
        orderBy: { id: 'asc' },
        take: limit,
        include: { intent: { select: { reference: true } } },
      }),

    /** What operators did, oldest first: the ids are made in the order of time. */
    acts: (after: string | undefined, limit: number) =>
      prisma.auditAct.findMany({ where: after === undefined ? {} : { id: { gt: after } }, orderBy: { id: 'asc' }, take: limit }),
  };
}

const commandOf = { CAPTURE: 'capture', VOID: 'cancel', REFUND: 'refund' } as const;

/** The content of a command; who asked is not part of it, since a checkout is resumed by whoever finds it. */
function fingerprint(content: unknown[]): string {
  return createHash('sha256').update(JSON.stringify(content)).digest('base64url');
}

const parameters = (from: number, count: number) => Array.from({ length: count }, (_, place) => `$${from + place}`).join(', ');

const insertIntent: Statement = {
  name: 'intent_insert',
  text: `WITH ${keyCte(1)}, intent AS (
      INSERT INTO payment_intents (id, reference, country, channel, shop_id, capture_mode, amount_minor, currency, created_by, created_at)
      VALUES (${parameters(7, 10)}) RETURNING id)
    SELECT ${keyExpected} FROM intent`,
};

const beginPayment: Statement = { name: 'payment_begin', text: `SELECT begin_payment_v1(${parameters(1, 18)}) AS result` };
const beginFollowUp: Statement = { name: 'follow_up_begin', text: `SELECT begin_follow_up_v1(${parameters(1, 12)}) AS result` };

/** The key is looked at first: a repeated request must not wait for the intent's lock. What is refused leaves no claim behind. */
const claiming = (
  call: string,
) => `WITH ${keyCte(1)}, begun AS MATERIALIZED (SELECT CASE WHEN ${keyExpected} THEN ${call} END AS result)
  SELECT result, kassa_expect(result ->> 'verdict' IN ('claimed', 'canceled'), 'refused') FROM begun`;

const beginPaymentOnce: Statement = { name: 'payment_begin_once', text: claiming(`begin_payment_v1(${parameters(7, 18)})`) };
const beginFollowUpOnce: Statement = { name: 'follow_up_begin_once', text: claiming(`begin_follow_up_v1(${parameters(7, 12)})`) };

const recordAnswer: Statement = { name: 'answer_record', text: `WITH ${finishCte(1)} SELECT scope FROM answered` };

const finishCall = (from: number) => `finish_transaction_v1(${parameters(from, 10)})`;
const finishTransaction: Statement = { name: 'transaction_finish', text: `SELECT ${finishCall(1)} AS result` };
const finishByEvent: Statement = {
  name: 'transaction_finish_by_event',
  text: `WITH event AS (
      INSERT INTO provider_events (provider, event_id, transaction_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING event_id)
    SELECT CASE WHEN EXISTS (SELECT FROM event) THEN ${finishCall(3)} END AS result`,
};

const actCte = (from: number) => `act AS (
    INSERT INTO audit_log (id, act, transaction_id, actor, outcome, reason, evidence, trace_id) VALUES (${parameters(from, 8)}) RETURNING id)`;
const finishByHand: Statement = {
  name: 'transaction_finish_by_hand',
  text: `WITH ${keyCte(1)}, ${actCte(17)} SELECT CASE WHEN ${keyExpected} THEN ${finishCall(7)} END AS result FROM act`,
};
/** Begins and ends in one statement: inner statements of the second function see what the first one wrote. */
const adopting = (call: string, parameterCount: number) => {
  const isOurs = `result ->> 'verdict' IN ('claimed', 'seen')`;
  return `WITH ${keyCte(1)}, begun AS MATERIALIZED (SELECT CASE WHEN ${keyExpected} THEN ${call} END AS result), ${actCte(7 + parameterCount)}
    SELECT kassa_expect(${isOurs}, 'refused'), CASE WHEN ${isOurs} THEN ${finishCall(15 + parameterCount)} END AS result FROM begun, act`;
};
const adoptPayment: Statement = { name: 'payment_adopt', text: adopting(`begin_payment_v1(${parameters(7, 18)})`, 18) };
const adoptFollowUp: Statement = { name: 'follow_up_adopt', text: adopting(`begin_follow_up_v1(${parameters(7, 12)})`, 12) };
const noteAct: Statement = { name: 'act_note', text: `WITH ${keyCte(1)}, ${actCte(7)} SELECT ${keyExpected} FROM act` };

const actValues = (act: Act): unknown[] => [
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

function finishTransactionValues(
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

const findMovement: Statement = {
  name: 'movement_find',
  text: `SELECT payment_answer_v1('found', i, t) AS result FROM transactions t JOIN payment_intents i ON i.id = t.intent_id WHERE t.id = $1`,
};
const findIntent: Statement = {
  name: 'intent_find',
  text: `SELECT jsonb_build_object('intent', to_jsonb(i), 'now', clock_timestamp(), 'transactions', COALESCE(
      (SELECT jsonb_agg(to_jsonb(t) ORDER BY t.created_at, t.id) FROM transactions t WHERE t.intent_id = i.id), '[]')) AS result
    FROM payment_intents i WHERE id = $1`,
};
const findByReference: Statement = {
  name: 'intent_find_by_reference',
  text: `SELECT to_jsonb(i) AS result FROM payment_intents i
    WHERE reference = $1 AND ($2::uuid IS NULL OR id > $2) AND ($3::text IS NULL OR shop_id = $3)
      AND (NOT $4::boolean OR (channel = 'web' AND shop_id IS NULL))
    ORDER BY id LIMIT $5`,
};
const takeOn: Statement = {
  name: 'transaction_take_on',
  text: `UPDATE transactions t SET sends = sends + 1, lease_until = now() + $3 * interval '1 ms', next_attempt_at = now() + $3 * interval '1 ms',
      quiet_from = now() + $4 * interval '1 ms'
    WHERE id = $1 AND sends = $2 AND status = 'INIT' AND lease_until <= now() RETURNING to_jsonb(t) AS result`,
};
const claimDue: Statement = {
  name: 'transaction_claim_due',
  text: `UPDATE transactions t SET attempts = attempts + 1,
      next_attempt_at = now() + LEAST(1000 * 2 ^ LEAST(attempts, 10), 60000) * interval '1 ms'
    WHERE id IN (SELECT id FROM transactions WHERE next_attempt_at <= now() ORDER BY next_attempt_at LIMIT $1 FOR UPDATE SKIP LOCKED)
    RETURNING to_jsonb(t) AS result, clock_timestamp() AS now`,
};
const unknownNow: Statement = {
  name: 'transaction_unknown_now',
  text: `SELECT count(*)::integer AS count, coalesce(extract(epoch FROM now() - min(created_at)), 0)::float8 AS "oldestAgeSeconds"
    FROM transactions WHERE status = 'UNKNOWN'`,
};
const forgetEvents: Statement = {
  name: 'provider_event_forget',
  text: `DELETE FROM provider_events WHERE (provider, event_id) IN (
      SELECT provider, event_id FROM provider_events WHERE received_at < now() - $1 * interval '1 day' LIMIT 1000 FOR UPDATE SKIP LOCKED)
    RETURNING 1`,
};
const expireAuthorisations: Statement = {
  name: 'authorisation_expire',
  text: 'SELECT expire_authorisations_v1($1, $2, $3) AS result',
};

/** Columns as to_jsonb() gives them. */
interface IntentRow {
  id: string;
  reference: string;
  country: string;
  channel: Channel;
  shop_id: string | null;
  method: Method | null;
  capture_mode: Intent['captureMode'];
  amount_minor: number;
  currency: string;
  authorise_pending_minor: number;
  authorised_minor: number;
  capture_pending_minor: number;
  captured_minor: number;
  void_pending_minor: number;
  voided_minor: number;
  refund_pending_minor: number;
  refunded_minor: number;
  unknown_count: number;
  declined_count: number;
  canceled_at: string | null;
  expired_at: string | null;
  integrity_failed_at: string | null;
  expires_at: string | null;
  original_id: string | null;
  status: IntentStatus;
  version: number;
  created_at: string;
}

interface TransactionRow {
  id: string;
  intent_id: string;
  kind: Kind;
  status: Status;
  amount_minor: number;
  currency: string;
  method: Method;
  channel: Channel;
  instrument: string;
  original_id: string | null;
  decline_code: string | null;
  authorisation_code: string | null;
  card_label: string | null;
  provider_ref: string | null;
  note: string | null;
  sends: number;
  attempts: number;
  lease_until: string | null;
  quiet_from: string;
  created_at: string;
}

interface AnswerRow {
  verdict: string;
  intent: IntentRow | null;
  transaction: TransactionRow | null;
  now: string;
}

function onlyRow<Row>(rows: Row[]): Row {
  const [row] = rows;
  if (row === undefined) throw new Error('a statement that answers one row answered none');
  return row;
}

function toBegun(row: AnswerRow): Begun {
  const verdict = row.verdict as Begun['verdict'];
  if (verdict === 'reused' || verdict === 'missing' || verdict === 'not-allowed') return { verdict };
  const movement = toMovement(row);
  if (verdict === 'canceled' || verdict === 'refused') return { ...movement, verdict };
  if (movement.transaction === undefined) throw new Error(`a command was ${verdict} without a transaction`);
  return { ...movement, verdict, transaction: movement.transaction };
}

function toFinished(row: AnswerRow): Finished {
  if (row.verdict === 'missing') throw new KassaError('not-found', { detail: 'There is no such transaction.' });
  const movement = toMovement(row);
  if (movement.transaction === undefined) throw new Error('a transaction was finished and is not there');
  return { ...movement, verdict: row.verdict as Finished['verdict'], transaction: movement.transaction };
}

function toMovement(row: AnswerRow): Movement {
  if (row.intent === null) throw new Error('a movement has no intent');
  return {
    intent: toIntent(row.intent),
    ...(row.transaction === null ? {} : { transaction: toTransaction(row.transaction) }),
    now: new Date(row.now),
  };
}

function toIntent(row: IntentRow): Intent {
  return {
    id: row.id,
    reference: row.reference,
    country: row.country,
    channel: row.channel,
    ...(row.shop_id === null ? {} : { shopId: row.shop_id }),
    ...(row.method === null ? {} : { method: row.method }),
    captureMode: row.capture_mode,
    amountMinor: row.amount_minor,
    currency: row.currency,
    balances: {
      authorisePending: row.authorise_pending_minor,
      authorised: row.authorised_minor,
      capturePending: row.capture_pending_minor,
      captured: row.captured_minor,
      voidPending: row.void_pending_minor,
      voided: row.voided_minor,
      refundPending: row.refund_pending_minor,
      refunded: row.refunded_minor,
    },
    marks: {
      unknownCount: row.unknown_count,
      declinedCount: row.declined_count,
      isCanceled: row.canceled_at !== null,
      isExpired: row.expired_at !== null,
      hasIntegrityFailed: row.integrity_failed_at !== null,
    },
    status: row.status,
    ...(row.expires_at === null ? {} : { expiresAt: new Date(row.expires_at) }),
    ...(row.original_id === null ? {} : { originalId: row.original_id }),
    version: row.version,
    createdAt: new Date(row.created_at),
  };
}

function toTransaction(row: TransactionRow): Transaction {
  return {
    id: row.id,
    intentId: row.intent_id,
    kind: row.kind,
    status: row.status,
    amountMinor: row.amount_minor,
    currency: row.currency,
    method: row.method,
    channel: row.channel,
    instrument: row.instrument,
    ...(row.original_id === null ? {} : { originalId: row.original_id }),
    ...(row.decline_code === null ? {} : { declineCode: row.decline_code }),
    ...(row.authorisation_code === null ? {} : { authorisationCode: row.authorisation_code }),
    ...(row.card_label === null ? {} : { cardLabel: row.card_label }),
    ...(row.provider_ref === null ? {} : { providerRef: row.provider_ref }),
    ...(row.note === null ? {} : { note: row.note }),
    sends: row.sends,
    attempts: row.attempts,
    ...(row.lease_until === null ? {} : { leaseUntil: new Date(row.lease_until) }),
    quietFrom: new Date(row.quiet_from),
    createdAt: new Date(row.created_at),
  };
}
