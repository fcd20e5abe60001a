import { randomInt } from 'node:crypto';
import { isExpectation, type Database, type Statement } from '@kassa/database';
import { claimValues, decodeAnswer, finishCte, finishValues, keyCte, keyExpected, keyValues, type Answer, type Key } from '@kassa/idempotency';
import { KassaError } from '@kassa/problem';
import type { Phase, Plan, Till, Undo } from './domain/checkout.ts';
import type { Offer } from './domain/pricing.ts';
import type { Receipt, ReceiptShop } from './domain/receipt.ts';
import type { Refusal, Sale } from './domain/sale.ts';

/** Who writes: a person signed in at a register. */
export interface SignedIn {
  subject: string;
  shopId: string;
  registerId: string;
  /** The sign-in; a later one by authTime (seconds since 1970) ends it, except at a web shop's register. */
  sessionId: string;
  authTime: number;
}

export interface Shop extends ReceiptShop {
  country: string;
  /** open, temporarily-closed or closed. */
  status: string;
}

/** A GTIN or a SKU, as an item was asked for. */
export interface Item {
  sku?: string | undefined;
  gtin?: string | undefined;
}

/** What the catalogue has for a till at one instant. */
export interface Counter {
  shop: Shop;
  /** Null where the register is not one of the shop. */
  till: Till | null;
  /** In the order asked for; null where no product has that GTIN or SKU. */
  offers: (Offer | null)[];
}

export interface LoadedSale extends Counter {
  sale: Sale;
}

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

export type Store = ReturnType<typeof createStore>;

const saleColumns = `s.id, s.shop_id AS "shopId", s.register_id AS "registerId", s.country, s.currency, s.state, s.version, s.attempt,
  s.total_minor AS "totalMinor", s.rounding_minor AS "roundingMinor", s.change_minor AS "changeMinor", s.business_date AS "businessDate", s.refusal,
  s.receipt_number AS "receiptNumber", s.opened_at AS "openedAt", s.completed_at AS "completedAt"`;

const lineColumns = `"lineId" uuid, position integer, sku text, gtin text, name text, "itemGroup" text, "isSerialised" boolean, quantity integer,
  serials text[], "unitMinor" bigint, "discountMinor" bigint, "vatBp" integer, "grossMinor" bigint, "vatMinor" bigint, "netMinor" bigint`;

const linesJson = `(SELECT coalesce(json_agg(json_build_object('lineId', l.line_id, 'position', l.position, 'sku', l.sku, 'gtin', l.gtin, 'name', l.name,
  'itemGroup', l.item_group, 'isSerialised', l.is_serialised, 'quantity', l.quantity, 'serials', l.serials, 'unitMinor', l.unit_minor,
  'discountMinor', l.discount_minor, 'vatBp', l.vat_bp, 'grossMinor', l.gross_minor, 'vatMinor', l.vat_minor, 'netMinor', l.net_minor)
  ORDER BY l.position), '[]') FROM sale_lines l WHERE l.sale_id = s.id) AS lines`;

const tenderColumns = `"tenderId" uuid, attempt integer, position integer, method text, capture text, "amountMinor" bigint, "tenderedMinor" bigint,
  instrument text, "intentId" uuid, "transactionIds" uuid[], status text`;

const tendersJson = `(SELECT coalesce(json_agg(json_build_object('tenderId', t.tender_id, 'attempt', t.attempt, 'position', t.position, 'method', t.method,
  'capture', t.capture, 'amountMinor', t.amount_minor, 'tenderedMinor', t.tendered_minor, 'instrument', t.instrument, 'intentId', t.intent_id,
  'transactionIds', t.transaction_ids, 'status', t.status, 'declineCode', t.decline_code, 'authorisationCode', t.authorisation_code,
  'cardLabel', t.card_label) ORDER BY t.attempt, t.position), '[]') FROM sale_tenders t WHERE t.sale_id = s.id) AS tenders`;

const shopJson = `json_build_object('id', h.id, 'gln', h.gln, 'name', h.name, 'country', h.country, 'address', h.address, 'postalCode', h.postal_code,
  'city', h.city, 'timeZone', h.time_zone, 'status', h.status) AS shop`;

const tillJson = `(SELECT json_build_object('registerId', r.id, 'kind', r.kind, 'terminalId', r.terminal_id) FROM registers r
  WHERE r.id = $2 AND r.shop_id = h.id) AS till`;

/** $3 skus, $4 gtins (one of a pair is NULL), $5 the instant whose date in the shop's zone decides on prices. */
const offersJson = `(SELECT coalesce(json_agg(CASE WHEN p.sku IS NULL THEN NULL ELSE json_build_object('sku', p.sku, 'gtin', p.gtin, 'name', p.name,
    'itemGroup', p.item_group, 'isSerialised', p.is_serialised, 'isActive', p.is_active, 'unitMinor', c.price_minor) END ORDER BY i.n), '[]')
  FROM unnest($3::text[], $4::text[]) WITH ORDINALITY AS i (sku, gtin, n)
  LEFT JOIN LATERAL (SELECT * FROM products WHERE sku = i.sku OR gtin = i.gtin ORDER BY is_active DESC, sku LIMIT 1) p ON true
  LEFT JOIN prices c ON c.country = h.country AND c.sku = p.sku
    AND c.valid_from <= ($5::timestamptz AT TIME ZONE h.time_zone)::date
    AND (c.valid_to IS NULL OR c.valid_to > ($5::timestamptz AT TIME ZONE h.time_zone)::date)) AS offers`;

const counterStatement: Statement = {
  name: 'sales_counter',
  text: `SELECT ${shopJson}, ${tillJson}, ${offersJson} FROM shops h WHERE h.id = $1`,
};

/** $1 shop or NULL for any, $6 the sale. */
const loadStatement: Statement = {
  name: 'sales_load',
  text: `SELECT ${saleColumns}, ${linesJson}, ${tendersJson}, ${shopJson}, ${tillJson}, ${offersJson}
    FROM sales s JOIN shops h ON h.id = s.shop_id WHERE s.id = $6 AND ($1::text IS NULL OR s.shop_id = $1)`,
};

/**
 * One live session per register: a later sign-in takes the register over in the statement that writes, and an earlier one is refused by
 * it. A web shop's register serves many customers at once and has none. $7 register, $8 shop, $9 session, $10 auth time.
 */
const signInCtes = `till AS (SELECT r.kind = 'web' OR r.session_id IS NULL OR r.session_id = $9 OR r.session_auth_time <= $10 AS is_live
    FROM registers r WHERE r.id = $7 AND r.shop_id = $8),
  signed_in AS (UPDATE registers r SET session_id = $9, session_auth_time = $10
    WHERE r.id = $7 AND r.shop_id = $8 AND r.kind <> 'web' AND r.session_id IS DISTINCT FROM $9
      AND (r.session_auth_time IS NULL OR r.session_auth_time <= $10) RETURNING r.id)`;

const signInExpected = `kassa_expect(EXISTS (SELECT FROM till), 'register-unknown'), kassa_expect((SELECT is_live FROM till), 'session-superseded')`;

const putLinesCte = (sale: number, lines: number) => `put_lines AS (INSERT INTO sale_lines AS l (sale_id, line_id, position, sku, gtin, name, item_group, is_serialised,
      quantity, serials, unit_minor, discount_minor, vat_bp, gross_minor, vat_minor, net_minor)
    SELECT $${sale}::uuid, n.* FROM jsonb_to_recordset($${lines}::jsonb) AS n (${lineColumns})
    ON CONFLICT (sale_id, line_id) DO UPDATE SET quantity = excluded.quantity, serials = excluded.serials, discount_minor = excluded.discount_minor,
      vat_bp = excluded.vat_bp, gross_minor = excluded.gross_minor, vat_minor = excluded.vat_minor, net_minor = excluded.net_minor
    RETURNING l.line_id)`;

const openStatement: Statement = {
  name: 'sales_open',
  text: `WITH ${keyCte(1)}, ${signInCtes},
    sale AS (INSERT INTO sales (id, shop_id, register_id, country, currency, state, total_minor, opened_by, opened_at)
      VALUES ($11, $8, $7, $12, $13, $14, $15, $16, $17) ON CONFLICT (id) DO NOTHING RETURNING id),
    ${putLinesCte(11, 18)}
    SELECT ${keyExpected}, ${signInExpected}, kassa_expect(EXISTS (SELECT FROM sale), 'already-exists')`,
};

/** The sale as it is after a move, provided that it still is as it was before: $11 id, $12 the version before. */
const saveCtes = `${keyCte(1)}, ${signInCtes},
    sale AS (UPDATE sales SET version = version + 1, register_id = $7, state = $13, attempt = $14, total_minor = $15, rounding_minor = $16,
        change_minor = $17, business_date = $18, refusal = $19
      WHERE id = $11 AND version = $12 RETURNING id),
    ${putLinesCte(11, 20)},
    dropped_lines AS (DELETE FROM sale_lines WHERE sale_id = $11 AND line_id = ANY ($21::uuid[]) RETURNING line_id),
    put_tenders AS (INSERT INTO sale_tenders AS t (sale_id, tender_id, attempt, position, method, capture, amount_minor, tendered_minor, instrument,
        intent_id, transaction_ids, status)
      SELECT $11::uuid, n.* FROM jsonb_to_recordset($22::jsonb) AS n (${tenderColumns})
      ON CONFLICT (sale_id, tender_id) DO UPDATE SET attempt = excluded.attempt, position = excluded.position, amount_minor = excluded.amount_minor,
        intent_id = excluded.intent_id, transaction_ids = excluded.transaction_ids
      RETURNING t.tender_id),
    dropped_tenders AS (DELETE FROM sale_tenders WHERE sale_id = $11 AND tender_id = ANY ($23::uuid[]) RETURNING tender_id)`;

const saveExpected = `${keyExpected}, ${signInExpected}, kassa_expect(EXISTS (SELECT FROM sale), 'stale')`;

const saveStatement: Statement = { name: 'sales_save', text: `WITH ${saveCtes} SELECT ${saveExpected}` };

const freezeStatement: Statement = {
  name: 'sales_freeze',
  text: `WITH ${saveCtes},
    checkout AS (INSERT INTO checkouts (sale_id, attempt, phase, plan, key_scope, trace_id, instance, lease_owner, lease_until)
      SELECT $11, $14, 'COMMITTING', $24, $1, $25, $26, $27, now() + $28 * interval '1 millisecond' RETURNING started_at)
    SELECT ${saveExpected}, (SELECT started_at FROM checkout) AS "startedAt"`,
};

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
      WHERE t.sale_id = $4 AND t.tender_id = p."tenderId" RETURNING t.tender_id),
    text AS (SELECT replace($3, $7, counter.last_receipt::text) AS answer FROM counter),
    answered AS (UPDATE idempotency_keys SET status = $2, answer = text.answer FROM text WHERE scope = $1 AND status IS NULL RETURNING scope)
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

const endConsumeStatement: Statement = {
  name: 'sales_end_consume',
  text: `UPDATE checkouts SET phase = 'ENDED', lease_until = NULL, lease_owner = NULL, ended_at = now(), problem = NULL
    WHERE sale_id = $1 AND attempt = $2 AND phase = 'CONSUMING'`,
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

/** Due again later, for whoever looks first: nobody holds it meanwhile. */
const postponeStatement: Statement = {
  name: 'sales_postpone',
  text: `UPDATE checkouts SET lease_owner = NULL, lease_until = now() + $4 * interval '1 millisecond', tries = tries + 1, problem = $5, undo_round = $6
    WHERE sale_id = $1 AND attempt = $2 AND lease_owner = $3 AND phase <> 'ENDED'`,
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
}

/** All SQL of sales and their checkouts. A verb that writes is one statement, and all of it or nothing happens. */
export function createStore(db: Database, { owner, leaseMs }: StoreOptions) {
  return {
    /** What the till's shop, register and catalogue say at an instant; undefined for a shop inventory has not told of. */
    async counter(by: { shopId: string; registerId: string }, items: Item[], at: Date): Promise<Counter | undefined> {
      const { rows } = await db.query<Counter>(counterStatement, [by.shopId, by.registerId, ...itemColumns(items), at]);
      return rows[0];
    },

    /** The sale with what a till needs to work on it; undefined where there is none in the shop. A null shop looks in all. */
    async loadSale(saleId: string, by: { shopId: string | null; registerId: string | null }, items: Item[] = [], at = new Date(0)): Promise<LoadedSale | undefined> {
      const { rows } = await db.query<SaleRow>(loadStatement, [by.shopId, by.registerId, ...itemColumns(items), at, saleId]);
      return rows[0] && toLoadedSale(rows[0]);
    },

    /** Errors: register-unknown, session-superseded, already-exists. */
    async openSale(sale: Sale, by: SignedIn, key: Key, answer: Answer): Promise<void> {
      const row = [sale.id, sale.country, sale.currency, sale.state, sale.totalMinor, by.subject, sale.openedAt, JSON.stringify(sale.lines)];
      await expecting(() => db.query(openStatement, [...keyValues(key, answer), ...signInValues(by), ...row]));
    },

    /** Puts the sale `after` in the place of `before`. Errors: write-conflict where it changed meanwhile, register-unknown, session-superseded. */
    async saveSale(before: Sale, after: Sale, by: SignedIn, key: Key, answer: Answer): Promise<void> {
      await expecting(() => db.query(saveStatement, [...keyValues(key, answer), ...signInValues(by), ...saveValues(before, after)]));
    },

    /** Saves the sale as COMMITTING together with its plan, the claim of the key and the lease. Errors: as saveSale. */
    async freeze(before: Sale, after: Sale, plan: Plan, by: SignedIn, key: Key): Promise<Checkout> {
      const { traceId, instance, scope } = key;
      const checkout = [JSON.stringify(plan), traceId, instance, owner, leaseMs];
      const values = [...claimValues(key, after.id), ...signInValues(by), ...saveValues(before, after), ...checkout];
      const { rows } = await expecting(() => db.query<{ startedAt: Date }>(freezeStatement, values));
      const startedAt = (rows[0]?.startedAt ?? new Date(0)).toISOString();
      const { saleId, attempt } = plan;
      return { saleId, attempt, phase: 'COMMITTING', plan, refusal: null, undo: null, undoRound: 0, keyScope: scope, traceId, instance, tries: 0, startedAt };
    },

    /**
     * COMPLETED, receipt number, receipt, what is still to be consumed, and the recorded answer. The number is known only under the
     * counter's lock: `draft` is written around a mark that the statement replaces. Error: write-conflict where someone else ended it.
     */
    async finish(checkout: Checkout, completedAt: string, draft: (number: number) => Finished): Promise<{ number: number; answer: Answer }> {
      const mark = randomInt(2 ** 52, 2 ** 52 + 2 ** 40);
      const { receipt, answer } = draft(mark);
      const { plan, saleId, attempt } = checkout;
      const paid = plan.tenders.map(({ tenderId }, n) => ({ tenderId, ...receipt.tenders[n] }));
      const documents = [String(mark), JSON.stringify(receipt), JSON.stringify(paid)];
      const values = [...finishValues(checkout.keyScope, answer), saleId, attempt, plan.actor.registerId, ...documents, completedAt];
      const { rows } = await expecting(() => db.query<{ number: number; answer: string }>(finishStatement, values));
      const row = rows[0];
      if (!row) throw new Error('the statement answered nothing');
      return { number: row.number, answer: decodeAnswer(answer.status, row.answer) };
    },

    /** COMPENSATING, with the reason and the undo that is now to be done. Error: write-conflict. */
    async beginUndo({ saleId, attempt }: Checkout, refusal: Refusal, undo: Undo[]): Promise<void> {
      await expecting(() => db.query(beginUndoStatement, [saleId, attempt, JSON.stringify(refusal), JSON.stringify(undo)]));
    },

    /** All is undone: the sale goes to `state`, its tenders are closed, the answer is recorded. Error: write-conflict. */
    async endUndo(checkout: Checkout, state: 'OPEN' | 'ABORTED', refusal: Refusal, answer: Answer): Promise<void> {
      const declined = [refusal.tenderId ?? null, refusal.declineCode ?? null];
      const values = [...finishValues(checkout.keyScope, answer), checkout.saleId, checkout.attempt, state, JSON.stringify(refusal), ...declined];
      await expecting(() => db.query(endUndoStatement, values));
    },

    async endConsume({ saleId, attempt }: Checkout): Promise<void> {
      await db.query(endConsumeStatement, [saleId, attempt]);
    },

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

    /** Puts a checkout off, if it still is ours. */
    async postpone({ saleId, attempt, undoRound }: Checkout, delayMs: number, problem: string): Promise<void> {
      await db.query(postponeStatement, [saleId, attempt, owner, delayMs, problem, undoRound]);
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
      const values = [...keyValues(key, answer), ...actValues(act), JSON.stringify(refusal), JSON.stringify(undo), owner, leaseMs];
      await expecting(() => db.query(abortByHandStatement, values));
    },

    /** Ends a checkout whose rest was done by hand; a sale that was being undone is ABORTED. Error: write-conflict. */
    async endByHand(act: Act, checkout: Checkout, tillsAnswer: Answer, key: Key, answer: Answer): Promise<void> {
      const values = [...keyValues(key, answer), ...actValues(act), checkout.phase, ...finishValues(checkout.keyScope, tillsAnswer)];
      await expecting(() => db.query(endByHandStatement, values));
    },
  };
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

type SaleRow = Omit<Sale, 'openedAt' | 'completedAt'> & Counter & { openedAt: Date; completedAt: Date | null };

function toLoadedSale({ shop, till, offers, openedAt, completedAt, ...sale }: SaleRow): LoadedSale {
  return { sale: { ...sale, openedAt: openedAt.toISOString(), completedAt: completedAt?.toISOString() ?? null }, shop, till, offers };
}

function itemColumns(items: Item[]): [(string | null)[], (string | null)[]] {
  return [items.map(({ sku }) => sku ?? null), items.map(({ gtin }) => gtin ?? null)];
}

function signInValues(by: SignedIn): unknown[] {
  return [by.registerId, by.shopId, by.sessionId, by.authTime];
}

/** Only rows that are other objects than before are written. */
function saveValues(before: Sale, after: Sale): unknown[] {
  const kept = new Set([...after.lines.map(({ lineId }) => lineId), ...after.tenders.map(({ tenderId }) => tenderId)]);
  return [
    before.id,
    before.version,
    after.state,
    after.attempt,
    after.totalMinor,
    after.roundingMinor,
    after.changeMinor,
    after.businessDate,
    after.refusal === null ? null : JSON.stringify(after.refusal),
    JSON.stringify(after.lines.filter((line) => !before.lines.includes(line))),
    before.lines.map(({ lineId }) => lineId).filter((id) => !kept.has(id)),
    JSON.stringify(after.tenders.filter((tender) => !before.tenders.includes(tender))),
    before.tenders.map(({ tenderId }) => tenderId).filter((id) => !kept.has(id)),
  ];
}

function actValues(act: Act): unknown[] {
  return [act.id, act.subject, act.act, act.saleId, act.attempt, act.reason, JSON.stringify(act.facts)];
}

/** A statement's own refusals in the words of the catalogue. `key-seen` is left to whoever holds the key. */
async function expecting<T>(write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (cause) {
    if (isExpectation(cause, 'stale')) throw new KassaError('write-conflict', { retryAfterSeconds: 1, cause });
    if (isExpectation(cause, 'register-unknown')) throw new KassaError('register-unknown', { cause });
    if (isExpectation(cause, 'session-superseded')) throw new KassaError('session-superseded', { cause });
    if (isExpectation(cause, 'already-exists')) throw new KassaError('already-exists', { detail: 'A sale with this id exists already.', cause });
    throw cause;
  }
}
