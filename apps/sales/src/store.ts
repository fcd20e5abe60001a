import type { Database, Statement } from '@kassa/database';
import { claimValues, keyCte, keyExpected, keyValues, type Answer, type Key } from '@kassa/idempotency';
import type { Plan, Till } from './domain/checkout.ts';
import type { Offer } from './domain/pricing.ts';
import type { ReceiptShop } from './domain/receipt.ts';
import type { Sale } from './domain/sale.ts';
import { createCheckouts, expecting, type Checkout, type StoreOptions } from './store/checkouts.ts';

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
  'city', h.city, 'timeZone', h.time_zone, 'status', h.status, 'seller', h.seller, 'sellerNumber', h.seller_number) AS shop`;

const tillJson = `(SELECT json_build_object('registerId', r.id, 'kind', r.kind, 'terminalId', r.terminal_id) FROM registers r
  WHERE r.id = $2 AND r.shop_id = h.id) AS till`;

/**
 * $3 skus, $4 gtins (one of a pair is NULL), $5 the instant whose date in the shop's zone decides on prices. As prices do not overlap, the
 * last one that has begun is the only one that may be valid.
 */
const offersJson = `(SELECT coalesce(json_agg(CASE WHEN p.sku IS NULL THEN NULL ELSE json_build_object('sku', p.sku, 'gtin', p.gtin, 'name', p.name,
    'itemGroup', p.item_group, 'isSerialised', p.is_serialised, 'isActive', p.is_active, 'unitMinor', c.price_minor) END ORDER BY i.n), '[]')
  FROM unnest($3::text[], $4::text[]) WITH ORDINALITY AS i (sku, gtin, n)
  LEFT JOIN LATERAL (SELECT * FROM products WHERE sku = i.sku OR gtin = i.gtin ORDER BY is_active DESC, sku LIMIT 1) p ON true
  LEFT JOIN LATERAL (SELECT price_minor, valid_to FROM prices WHERE country = h.country AND sku = p.sku
    AND valid_from <= ($5::timestamptz AT TIME ZONE h.time_zone)::date ORDER BY valid_from DESC LIMIT 1) c
    ON c.valid_to IS NULL OR c.valid_to > ($5::timestamptz AT TIME ZONE h.time_zone)::date) AS offers`;

const counterStatement: Statement = {
  name: 'sales_counter',
  text: `SELECT ${shopJson}, ${tillJson}, ${offersJson} FROM shops h WHERE h.id = $1`,
};

/** $1 shop or NULL for any. */
const loadText = (
  offers: string,
  sale: string,
) => `SELECT ${saleColumns}, ${linesJson}, ${tendersJson}, ${shopJson}, ${tillJson}, ${offers}
    FROM sales s JOIN shops h ON h.id = s.shop_id WHERE s.id = ${sale} AND ($1::text IS NULL OR s.shop_id = $1)`;

const loadStatement: Statement = { name: 'sales_load', text: loadText(`'[]'::json AS offers`, '$3') };
const loadWithOffersStatement: Statement = { name: 'sales_load_with_offers', text: loadText(offersJson, '$6') };

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

const lineTarget = `(sale_id, line_id, position, sku, gtin, name, item_group, is_serialised, quantity, serials, unit_minor, discount_minor, vat_bp,
      gross_minor, vat_minor, net_minor)`;

const openStatement: Statement = {
  name: 'sales_open',
  text: `WITH ${keyCte(1)}, ${signInCtes},
    sale AS (INSERT INTO sales (id, shop_id, register_id, country, currency, state, total_minor, opened_by, opened_at)
      VALUES ($11, $8, $7, $12, $13, $14, $15, $16, $17) ON CONFLICT (id) DO NOTHING RETURNING id),
    lines AS (INSERT INTO sale_lines ${lineTarget}
      SELECT sale.id, n.* FROM sale, jsonb_to_recordset($18::jsonb) AS n (${lineColumns}))
    SELECT ${keyExpected}, ${signInExpected}, kassa_expect(EXISTS (SELECT FROM sale), 'already-exists')`,
};

/** The sale as it is after a move, provided that it still is as it was before: $11 id, $12 the version before. */
const saveCtes = `${keyCte(1)}, ${signInCtes},
    sale AS (UPDATE sales SET version = version + 1, register_id = $7, state = $13, attempt = $14, total_minor = $15, rounding_minor = $16,
        change_minor = $17, business_date = $18, refusal = $19
      WHERE id = $11 AND version = $12 RETURNING id)`;

/** Rows of a sale that a move may change or not; `cte` is given the parameter that stands for them. */
const rowCtes = {
  lines: (rows: string) => `put_lines AS (INSERT INTO sale_lines ${lineTarget}
      SELECT $11::uuid, n.* FROM jsonb_to_recordset(${rows}::jsonb) AS n (${lineColumns})
      ON CONFLICT (sale_id, line_id) DO UPDATE SET quantity = excluded.quantity, serials = excluded.serials, discount_minor = excluded.discount_minor,
        vat_bp = excluded.vat_bp, gross_minor = excluded.gross_minor, vat_minor = excluded.vat_minor, net_minor = excluded.net_minor)`,
  droppedLines: (ids: string) =>
    `dropped_lines AS (DELETE FROM sale_lines WHERE sale_id = $11 AND line_id = ANY (${ids}::uuid[]))`,
  tenders: (
    rows: string,
  ) => `put_tenders AS (INSERT INTO sale_tenders (sale_id, tender_id, attempt, position, method, capture, amount_minor,
        tendered_minor, instrument, intent_id, transaction_ids, status)
      SELECT $11::uuid, n.* FROM jsonb_to_recordset(${rows}::jsonb) AS n (${tenderColumns})
      ON CONFLICT (sale_id, tender_id) DO UPDATE SET attempt = excluded.attempt, position = excluded.position, amount_minor = excluded.amount_minor,
        intent_id = excluded.intent_id, transaction_ids = excluded.transaction_ids)`,
  droppedTenders: (ids: string) =>
    `dropped_tenders AS (DELETE FROM sale_tenders WHERE sale_id = $11 AND tender_id = ANY (${ids}::uuid[]))`,
};
type RowSet = keyof typeof rowCtes;

const saveExpected = `${keyExpected}, ${signInExpected}, kassa_expect(EXISTS (SELECT FROM sale), 'stale')`;

const frozen = `,
    checkout AS (INSERT INTO checkouts (sale_id, attempt, phase, plan, key_scope, trace_id, instance, lease_owner, lease_until)
      SELECT $11, $14, 'COMMITTING', $20, $1, $21, $22, $23, now() + $24 * interval '1 millisecond' RETURNING started_at)
    SELECT ${saveExpected}, (SELECT started_at FROM checkout) AS "startedAt"`;

const statements = new Map<string, Statement>();

/**
 * Saves the sale and those rows of it that changed, whose parameters come last; a part that writes nothing costs the start of a plan as
 * well. A freeze writes the checkout too.
 */
function saveStatement(kind: 'save' | 'freeze', changed: RowSet[]): Statement {
  const name = ['sales', kind, ...changed].join('_');
  const known = statements.get(name);
  if (known) return known;
  const first = kind === 'save' ? 20 : 25;
  const ctes = [saveCtes, ...changed.map((rows, n) => rowCtes[rows](`$${first + n}`))];
  const made = { name, text: `WITH ${ctes.join(',\n    ')}${kind === 'save' ? ` SELECT ${saveExpected}` : frozen}` };
  statements.set(name, made);
  return made;
}

/** Sales up to the freeze, and their checkouts from there on. A verb that writes is one statement, and all of it or nothing happens. */
export function createStore(db: Database, options: StoreOptions) {
  const { owner, leaseMs } = options;
  return {
    ...createCheckouts(db, options),

    /** What the till's shop, register and catalogue say at an instant; undefined for a shop inventory has not told of. */
    async counter(by: { shopId: string; registerId: string }, items: Item[], at: Date): Promise<Counter | undefined> {
      const { rows } = await db.read<Counter>(counterStatement, [by.shopId, by.registerId, ...itemColumns(items), at]);
      return rows[0];
    },

    /** The sale with what a till needs to work on it; undefined where there is none in the shop. A null shop looks in all. */
    async loadSale(
      saleId: string,
      by: { shopId: string | null; registerId: string | null },
      items: Item[] = [],
      at = new Date(0),
    ): Promise<LoadedSale | undefined> {
      const { rows } = items.length
        ? await db.read<SaleRow>(loadWithOffersStatement, [by.shopId, by.registerId, ...itemColumns(items), at, saleId])
        : await db.read<SaleRow>(loadStatement, [by.shopId, by.registerId, saleId]);
      return rows[0] && toLoadedSale(rows[0]);
    },

    /** Errors: register-unknown, session-superseded, already-exists. */
    async openSale(sale: Sale, by: SignedIn, key: Key, answer: Answer): Promise<void> {
      const row = [
        sale.id,
        sale.country,
        sale.currency,
        sale.state,
        sale.totalMinor,
        by.subject,
        sale.openedAt,
        JSON.stringify(sale.lines),
      ];
      await expecting(() => db.write(openStatement, [...keyValues(key, answer), ...signInValues(by), ...row]));
    },

    /** Puts the sale `after` in the place of `before`. Errors: write-conflict where it changed meanwhile, register-unknown, session-superseded. */
    async saveSale(before: Sale, after: Sale, by: SignedIn, key: Key, answer: Answer): Promise<void> {
      const changed = changedRows(before, after);
      const values = [...keyValues(key, answer), ...signInValues(by), ...saveValues(before, after), ...changed.values];
      await expecting(() => db.write(saveStatement('save', changed.names), values));
    },

    /** Saves the sale as COMMITTING together with its plan, the claim of the key and the lease. Errors: as saveSale. */
    async freeze(before: Sale, after: Sale, plan: Plan, by: SignedIn, key: Key): Promise<Checkout> {
      const { traceId, instance, scope } = key;
      const checkout = [JSON.stringify(plan), traceId, instance, owner, leaseMs];
      const changed = changedRows(before, after);
      const claim = claimValues(key, after.id);
      const values = [...claim, ...signInValues(by), ...saveValues(before, after), ...checkout, ...changed.values];
      const { rows } = await expecting(() => db.write<{ startedAt: Date }>(saveStatement('freeze', changed.names), values));
      const startedAt = (rows[0]?.startedAt ?? new Date(0)).toISOString();
      const { saleId, attempt } = plan;
      return {
        saleId,
        attempt,
        phase: 'COMMITTING',
        plan,
        refusal: null,
        undo: null,
        undoRound: 0,
        keyScope: scope,
        traceId,
        instance,
        tries: 0,
        startedAt,
      };
    },
  };
}

type SaleRow = Omit<Sale, 'openedAt' | 'completedAt'> & Counter & { openedAt: Date; completedAt: Date | null };

function toLoadedSale({ shop, till, offers, openedAt, completedAt, ...sale }: SaleRow): LoadedSale {
  return {
    sale: { ...sale, openedAt: openedAt.toISOString(), completedAt: completedAt?.toISOString() ?? null },
    shop,
    till,
    offers,
  };
}

function itemColumns(items: Item[]): [(string | null)[], (string | null)[]] {
  return [items.map(({ sku }) => sku ?? null), items.map(({ gtin }) => gtin ?? null)];
}

function signInValues(by: SignedIn): unknown[] {
  return [by.registerId, by.shopId, by.sessionId, by.authTime];
}

function saveValues(before: Sale, after: Sale): unknown[] {
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
  ];
}

/** The rows that are other objects than before, as JSON, and the ids of those that are gone; sets without any are left out. */
function changedRows(before: Sale, after: Sale): { names: RowSet[]; values: unknown[] } {
  const kept = new Set([...after.lines.map(({ lineId }) => lineId), ...after.tenders.map(({ tenderId }) => tenderId)]);
  const json = (rows: unknown[]) => (rows.length > 0 ? JSON.stringify(rows) : '');
  const sets: Record<RowSet, string | string[]> = {
    lines: json(after.lines.filter((line) => !before.lines.includes(line))),
    droppedLines: before.lines.map(({ lineId }) => lineId).filter((id) => !kept.has(id)),
    tenders: json(after.tenders.filter((tender) => !before.tenders.includes(tender))),
    droppedTenders: before.tenders.map(({ tenderId }) => tenderId).filter((id) => !kept.has(id)),
  };
  const names = (Object.keys(sets) as RowSet[]).filter((name) => sets[name].length > 0);
  return { names, values: names.map((name) => sets[name]) };
}
