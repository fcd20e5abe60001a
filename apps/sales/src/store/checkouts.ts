import { randomInt } from 'node:crypto';
import DataLoader from 'dataloader';
import { isExpectation, type Database, type Statement } from '@kassa/database';
import { decodeAnswer, finishCte, finishValues, keyCte, keyExpected, keyValues, type Answer, type Key } from '@kassa/idempotency';
import { KassaError } from '@kassa/problem';
import type { Phase, Plan, Undo } from '../domain/checkout.ts';
import type { Receipt } from '../domain/receipt.ts';
import type { Refusal } from '../domain/sale.ts';

/** A checkout as it stands in the database. */
export interface Checkout {
  saleId: string;
  attempt: number;
  phase: Phase;
  plan: Plan;
  refusal: Refusal | null;
  undo: Undo[] | null;
  undoRound: number;
  keyScope: string;
  traceId: string;
  instance: string;
  /** How often it was put off. */
  tries: number;
  startedAt: string;
}

/** What finishing needs to know once the number is there. */
export interface Finished {
  receipt: Receipt;
  answer: Answer;
}

/** What an operator did, for the append-only list of acts. */
export interface Act {
  id: string;
  subject: string;
  act: 'resume' | 'abort' | 'finish';
  saleId: string;
  attempt: number;
  reason: string;
  /** What stood in the checkout before. */
  facts: Record<string, unknown>;
}

/**
 * The end of a checkout that is paid. The register's counter and the sale move in one statement, so that numbers have no gap: where the
 * sale is no longer COMMITTING, the counter falls back with it. $1-$3 the answer; $4 sale, $5 attempt, $6 register, $7 the mark that stands
 * for the number in $3 and $8, $9 tenders, $10 when.
 */
const finishStatement: Statement = {
  name: 'sales_finish',
  text: `WITH counter AS (UPDATE registers SET last_receipt = last_receipt + 1 WHERE id = $6 RETURNING last_receipt),
    sale AS (UPDATE sales SET state = 'COMPLETED', version = version + 1, receipt_number = counter.last_receipt, completed_at = $10,
        receipt = replace($8, $7, counter.last_receipt::text)::json
      FROM counter WHERE id = $4 AND state = 'COMMITTING' AND attempt = $5 RETURNING receipt_number),
    checkout AS (UPDATE checkouts SET phase = 'CONSUMING', tries = 0, problem = NULL WHERE sale_id = $4 AND attempt = $5 AND phase = 'COMMITTING'
      RETURNING sale_id),
    tenders AS (UPDATE sale_tenders t SET status = 'SETTLED', authorisation_code = p."authorisationCode", card_label = p."cardLabel"
      FROM jsonb_to_recordset($9::jsonb) AS p ("tenderId" uuid, "authorisationCode" text, "cardLabel" text)
      WHERE t.sale_id = $4 AND t.tender_id = p."tenderId"),
    text AS (SELECT replace($3, $7, counter.last_receipt::text) AS answer FROM counter),
    answered AS (UPDATE idempotency_keys SET status = $2, answer = text.answer FROM text WHERE scope = $1 AND status IS NULL)
    SELECT kassa_expect(EXISTS (SELECT FROM sale) AND EXISTS (SELECT FROM checkout), 'stale'),
      (SELECT receipt_number FROM sale) AS number, (SELECT answer FROM text) AS answer`,
};

const beginUndoStatement: Statement = {
  name: 'sales_begin_undo',
  text: `WITH sale AS (UPDATE sales SET state = 'COMPENSATING', version = version + 1, refusal = $3
      WHERE id = $1 AND state = 'COMMITTING' AND attempt = $2 RETURNING id),
    checkout AS (UPDATE checkouts SET phase = 'COMPENSATING', refusal = $3, undo = $4, tries = 0, problem = NULL
      WHERE sale_id = $1 AND attempt = $2 AND phase = 'COMMITTING' RETURNING sale_id)
    SELECT kassa_expect(EXISTS (SELECT FROM sale) AND EXISTS (SELECT FROM checkout), 'stale')`,
};

/** $1-$3 the answer; $4 sale, $5 attempt, $6 the state after it, $7 the refusal as it stays with the sale, $8 the declined tender and $9 why. */
const endUndoStatement: Statement = {
  name: 'sales_end_undo',
  text: `WITH sale AS (UPDATE sales SET state = $6, version = version + 1, refusal = $7, rounding_minor = 0, change_minor = 0, business_date = NULL
      WHERE id = $4 AND state = 'COMPENSATING' AND attempt = $5 RETURNING id),
    checkout AS (UPDATE checkouts SET phase = 'ENDED', lease_until = NULL, lease_owner = NULL, ended_at = now(), problem = NULL
      WHERE sale_id = $4 AND attempt = $5 AND phase = 'COMPENSATING' RETURNING sale_id),
    tenders AS (UPDATE sale_tenders SET status = CASE WHEN tender_id = $8 AND $9::text IS NOT NULL THEN 'DECLINED' ELSE 'RETURNED' END,
        decline_code = CASE WHEN tender_id = $8 THEN $9 END
      WHERE sale_id = $4 AND attempt = $5 AND status = 'PENDING' RETURNING tender_id),
    ${finishCte(1)}
    SELECT kassa_expect(EXISTS (SELECT FROM sale) AND EXISTS (SELECT FROM checkout), 'stale')`,
};

/** Of each sale only the checkout that completed it is ever CONSUMING. */
const endConsumeStatement: Statement = {
  name: 'sales_end_consume',
  text: `UPDATE checkouts SET phase = 'ENDED', lease_until = NULL, lease_owner = NULL, ended_at = now(), problem = NULL
    WHERE sale_id = ANY ($1) AND phase = 'CONSUMING'`,
};

const checkoutJson = `json_build_object('saleId', c.sale_id, 'attempt', c.attempt, 'phase', c.phase, 'plan', c.plan, 'refusal', c.refusal, 'undo', c.undo,
  'undoRound', c.undo_round, 'keyScope', c.key_scope, 'traceId', c.trace_id, 'instance', c.instance, 'tries', c.tries, 'startedAt', c.started_at)`;

/** What is due for anyone, oldest first, and how long the oldest open checkout has been open. One statement, also when nothing is due. */
const takeDueStatement: Statement = {
  name: 'sales_take_due',
  text: `WITH due AS (SELECT sale_id, attempt FROM checkouts WHERE lease_until < now() ORDER BY lease_until LIMIT $3 FOR UPDATE SKIP LOCKED),
    taken AS (UPDATE checkouts c SET lease_owner = $1, lease_until = now() + $2 * interval '1 millisecond'
      FROM due WHERE c.sale_id = due.sale_id AND c.attempt = due.attempt RETURNING c.*)
    SELECT (SELECT coalesce(json_agg(${checkoutJson}), '[]') FROM taken c) AS taken,
      (SELECT coalesce(extract(epoch FROM now() - min(started_at)), 0)::float8 FROM checkouts WHERE lease_until IS NOT NULL) AS "oldestAgeSeconds"`,
};

const takeOneStatement: Statement = {
  name: 'sales_take_one',
  text: `UPDATE checkouts c SET lease_owner = $1, lease_until = now() + $2 * interval '1 millisecond'
    WHERE sale_id = $3 AND phase <> 'ENDED' AND (lease_owner IS NULL OR lease_until < now()) RETURNING ${checkoutJson} AS checkout`,
};

const keepLeaseStatement: Statement = {
  name: 'sales_keep_lease',
  text: `UPDATE checkouts SET lease_until = now() + $4 * interval '1 millisecond'
    WHERE sale_id = $1 AND attempt = $2 AND lease_owner = $3 AND phase <> 'ENDED'`,
};

/** Due again later, for whoever looks first: nobody holds it meanwhile. One that an operator aborts is in another phase, and stays with its undo. */
const postponeStatement: Statement = {
  name: 'sales_postpone',
  text: `UPDATE checkouts SET lease_owner = NULL, lease_until = now() + $4 * interval '1 millisecond', tries = tries + 1, problem = $5, undo_round = $6
    WHERE sale_id = $1 AND attempt = $2 AND lease_owner = $3 AND phase = $7`,
};

const releaseLeasesStatement: Statement = {
  name: 'sales_release_leases',
  text: 'UPDATE checkouts SET lease_owner = NULL, lease_until = now() WHERE lease_owner = $1',
};

const openCheckoutStatement: Statement = {
  name: 'sales_open_checkout',
  text: `SELECT ${checkoutJson} AS checkout FROM checkouts c WHERE c.sale_id = $1 AND c.phase <> 'ENDED'`,
};

const actCte = (first: number) => `act AS (INSERT INTO operator_acts (id, subject, act, sale_id, attempt, reason, facts)
    VALUES ($${first}, $${first + 1}, $${first + 2}, $${first + 3}, $${first + 4}, $${first + 5}, $${first + 6}) RETURNING id)`;

/** An operator's look at a stuck checkout on top of its schedule. The act's facts are $7-$13. */
const actStatement: Statement = {
  name: 'sales_act',
  text: `WITH ${keyCte(1)}, ${actCte(7)} SELECT ${keyExpected}, (SELECT id FROM act) AS id`,
};

/** $14 the refusal, $15 the undo, $16 who takes the checkout over, $17 for how many milliseconds. */
const abortByHandStatement: Statement = {
  name: 'sales_abort_by_hand',
  text: `WITH ${keyCte(1)}, ${actCte(7)},
    sale AS (UPDATE sales SET state = 'COMPENSATING', version = version + 1, refusal = $14 WHERE id = $10 AND state = 'COMMITTING' AND attempt = $11 RETURNING id),
    checkout AS (UPDATE checkouts SET phase = 'COMPENSATING', refusal = $14, undo = $15, tries = 0, problem = NULL, lease_owner = $16,
        lease_until = now() + $17 * interval '1 millisecond'
      WHERE sale_id = $10 AND attempt = $11 AND phase = 'COMMITTING' RETURNING sale_id)
    SELECT ${keyExpected}, (SELECT id FROM act), kassa_expect(EXISTS (SELECT FROM sale) AND EXISTS (SELECT FROM checkout), 'stale')`,
};

/** The rest of an undo or of a consumption was done by hand: $14 the phase it must be in, $15-$17 the answer of the till's own request. */
const endByHandStatement: Statement = {
  name: 'sales_end_by_hand',
  text: `WITH ${keyCte(1)}, ${actCte(7)},
    checkout AS (UPDATE checkouts SET phase = 'ENDED', lease_until = NULL, lease_owner = NULL, ended_at = now()
      WHERE sale_id = $10 AND attempt = $11 AND phase = $14 RETURNING sale_id),
    sale AS (UPDATE sales SET state = 'ABORTED', version = version + 1, rounding_minor = 0, change_minor = 0, business_date = NULL
      WHERE id = $10 AND state = 'COMPENSATING' RETURNING id),
    tenders AS (UPDATE sale_tenders SET status = 'RETURNED' WHERE sale_id = $10 AND attempt = $11 AND status = 'PENDING' RETURNING tender_id),
    ${finishCte(15)}
    SELECT ${keyExpected}, (SELECT id FROM act), kassa_expect(EXISTS (SELECT FROM checkout), 'stale')`,
};

export interface StoreOptions {
  /** A UUID for this process: whose leases are whose. */
  owner: string;
  /** How long a checkout belongs to a process that may have died, in milliseconds. */
  leaseMs: number;
  /** Whether sales whose goods were consumed together are written down together. */
  isGathering: boolean;
}

/** Checkouts from the freeze on, up to their end. A verb that writes is one statement, and all of it or nothing happens. */
export function createCheckouts(db: Database, { owner, leaseMs, isGathering }: StoreOptions) {
  const consumed = new DataLoader<Checkout, void>(
    async (checkouts) => {
      await db.query(endConsumeStatement, [checkouts.map(({ saleId }) => saleId)]);
      return checkouts.map(() => undefined);
    },
    { cache: false, batch: isGathering },
  );
  return {
    /**
     * COMPLETED, receipt number, receipt, what is still to be consumed, and the recorded answer. The number is known only under the
     * counter's lock: `draft` is written around a mark that the statement replaces. Error: write-conflict where someone else ended it.
     */
    async finish(
      checkout: Checkout,
      completedAt: string,
      draft: (number: number) => Finished,
    ): Promise<{ number: number; answer: Answer }> {
      const mark = randomInt(2 ** 52, 2 ** 52 + 2 ** 40);
      const { receipt, answer } = draft(mark);
      const { plan, saleId, attempt } = checkout;
      const paid = plan.tenders.map(({ tenderId }, n) => ({ tenderId, ...receipt.tenders[n] }));
      const documents = [String(mark), JSON.stringify(receipt), JSON.stringify(paid)];
      const values = [
        ...finishValues(checkout.keyScope, answer),
        saleId,
        attempt,
        plan.actor.registerId,
        ...documents,
        completedAt,
      ];
      const { rows } = await expecting(() => db.write<{ number: number; answer: string }>(finishStatement, values));
      const row = rows[0];
      if (!row) throw new Error('the statement answered nothing');
      return { number: row.number, answer: decodeAnswer(answer.status, row.answer) };
    },

    /** COMPENSATING, with the reason and the undo that is now to be done. Error: write-conflict. */
    async beginUndo({ saleId, attempt }: Checkout, refusal: Refusal, undo: Undo[]): Promise<void> {
      await expecting(() => db.write(beginUndoStatement, [saleId, attempt, JSON.stringify(refusal), JSON.stringify(undo)]));
    },

    /** All is undone: the sale goes to `state`, its tenders are closed, the answer is recorded. Error: write-conflict. */
    async endUndo(checkout: Checkout, state: 'OPEN' | 'ABORTED', refusal: Refusal, answer: Answer): Promise<void> {
      const declined = [refusal.tenderId ?? null, refusal.declineCode ?? null];
      const values = [
        ...finishValues(checkout.keyScope, answer),
        checkout.saleId,
        checkout.attempt,
        state,
        JSON.stringify(refusal),
        ...declined,
      ];
      await expecting(() => db.write(endUndoStatement, values));
    },

    /** ENDED: its goods are consumed. */
    endConsume: (checkout: Checkout): Promise<void> => consumed.load(checkout),

    /** Takes over at most `limit` checkouts that are due, and tells the age of the oldest open one. */
    async takeDue(limit: number): Promise<{ taken: Checkout[]; oldestAgeSeconds: number }> {
      const { rows } = await db.query<{ taken: Checkout[]; oldestAgeSeconds: number }>(takeDueStatement, [owner, leaseMs, limit]);
      return rows[0] ?? { taken: [], oldestAgeSeconds: 0 };
    },

    /** Takes over the open checkout of a sale, unless someone is working on it. */
    async takeCheckout(saleId: string): Promise<Checkout | undefined> {
      const { rows } = await db.query<{ checkout: Checkout }>(takeOneStatement, [owner, leaseMs, saleId]);
      return rows[0]?.checkout;
    },

    async openCheckout(saleId: string): Promise<Checkout | undefined> {
      const { rows } = await db.query<{ checkout: Checkout }>(openCheckoutStatement, [saleId]);
      return rows[0]?.checkout;
    },

    async keepLease({ saleId, attempt }: Checkout): Promise<void> {
      await db.query(keepLeaseStatement, [saleId, attempt, owner, leaseMs]);
    },

    /** Puts a checkout off, if it still is ours and where we left it. */
    async postpone({ saleId, attempt, undoRound, phase }: Checkout, delayMs: number, problem: string): Promise<void> {
      await db.query(postponeStatement, [saleId, attempt, owner, delayMs, problem, undoRound, phase]);
    },

    /** Lets go of all that this process holds, so that another one may take it at once. */
    async releaseLeases(): Promise<void> {
      await db.query(releaseLeasesStatement, [owner]);
    },

    async recordAct(act: Act, key: Key, answer: Answer): Promise<void> {
      await db.query(actStatement, [...keyValues(key, answer), ...actValues(act)]);
    },

    /** COMPENSATING by an operator's decision, and ours to undo. Error: write-conflict where the checkout moved on. */
    async abortByHand(act: Act, refusal: Refusal, undo: Undo[], key: Key, answer: Answer): Promise<void> {
      const values = [
        ...keyValues(key, answer),
        ...actValues(act),
        JSON.stringify(refusal),
        JSON.stringify(undo),
        owner,
        leaseMs,
      ];
      await expecting(() => db.query(abortByHandStatement, values));
    },

    /** Ends a checkout whose rest was done by hand; a sale that was being undone is ABORTED. Error: write-conflict. */
    async endByHand(act: Act, checkout: Checkout, tillsAnswer: Answer, key: Key, answer: Answer): Promise<void> {
      const values = [
        ...keyValues(key, answer),
        ...actValues(act),
        checkout.phase,
        ...finishValues(checkout.keyScope, tillsAnswer),
      ];
      await expecting(() => db.query(endByHandStatement, values));
    },
  };
}

function actValues(act: Act): unknown[] {
  return [act.id, act.subject, act.act, act.saleId, act.attempt, act.reason, JSON.stringify(act.facts)];
}

/** A statement's own refusals in the words of the catalogue. `key-seen` is left to whoever holds the key. */
export async function expecting<T>(write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (cause) {
    if (isExpectation(cause, 'stale')) throw new KassaError('write-conflict', { retryAfterSeconds: 1, cause });
    if (isExpectation(cause, 'register-unknown')) throw new KassaError('register-unknown', { cause });
    if (isExpectation(cause, 'session-superseded')) throw new KassaError('session-superseded', { cause });
    if (isExpectation(cause, 'already-exists'))
      throw new KassaError('already-exists', { detail: 'A sale with this id exists already.', cause });
    throw cause;
  }
}
