import { createHash } from 'node:crypto';
import type { PoolClient } from 'pg';
import type { Database, Statement } from '@kassa/database';
import { claimValues, finishCte, finishValues, keyCte, keyExpected, type Answer, type Key } from '@kassa/idempotency';
import { KassaError } from '@kassa/problem';
import type { Change, Entity, FeedState, LevelState, ProductState, ShopState, Topic } from './domain/feed.ts';
import type { ImportKind, ImportRows } from './domain/import.ts';
import type { BookedLine, MovementOutcome } from './domain/movement.ts';
import {
  requestText,
  sortedLines,
  type RecoverRequest,
  type Reservation,
  type ReservationOutcome,
  type ReserveRequest,
} from './domain/reservation.ts';
import type { PrismaClient } from './gen/prisma/client.ts';

/** Who acts, for the records. */
export interface Actor {
  subject: string;
  role: string;
}

/** The idempotency key of a write over HTTP, with what is answered beside the body; it is recorded in the write's own statement. */
export interface Keyed {
  key: Key;
  status: number;
  headers: Record<string, string>;
}

export interface SnapshotHeader {
  epoch: string;
  seq: number;
}
export interface SnapshotRows {
  products: ProductState[];
  shops: ShopState[];
  levels: LevelState[];
}

export type Store = ReturnType<typeof createStore>;

/**
 * All SQL of inventory. Commands are functions in the database (see the migrations), called by one prepared statement each; reads that
 * are not hot go through Prisma on the same pool.
 */
export function createStore(db: Database, prisma: PrismaClient) {
  /** Calls a command, with the key where there is one. */
  async function command<Result>(commandOf: Command, values: unknown[], keyed: Keyed | undefined): Promise<Result> {
    const { rows } =
      keyed === undefined
        ? await db.query<{ result: Result }>(commandOf.plain, values)
        : await db.query<{ result: Result }>(commandOf.keyed, [...values, ...keyedValues(keyed)]);
    return rows[0]?.result as Result;
  }

  return {
    async isThere(): Promise<void> {
      await db.query(ping, []);
    },

    // Reservations.

    reserve(request: ReserveRequest, actor: Actor, keyed?: Keyed): Promise<ReservationOutcome> {
      const lines = sortedLines(request.lines);
      const { reservationId, shopId, state, ttlMs, reference } = request;
      const fingerprint = createHash('sha256').update(requestText(request)).digest('hex');
      const asked = [lines.map(({ sku }) => sku), lines.map(({ quantity }) => quantity)];
      const values = [reservationId, shopId, ...asked, state, ttlMs, reference, fingerprint, actor.subject, actor.role];
      return command(reserveStock, values, keyed);
    },
    firm: (reservationId: string, shopId: string | undefined, keyed?: Keyed): Promise<ReservationOutcome> =>
      command(firmReservation, [reservationId, shopId ?? null], keyed),
    extend: (reservationId: string, shopId: string | undefined, ttlMs: number, keyed?: Keyed): Promise<ReservationOutcome> =>
      command(extendReservation, [reservationId, shopId ?? null, ttlMs], keyed),
    /** Without an actor the movements are whoever's the reservation is. */
    consume(
      reservationId: string,
      shopId: string | undefined,
      document: { type: string; id: string },
      actor: Actor | undefined,
      keyed?: Keyed,
    ): Promise<ReservationOutcome> {
      return command(
        consumeReservation,
        [reservationId, shopId ?? null, document.type, document.id, actor?.subject ?? null],
        keyed,
      );
    },
    /** With isTombstone, an id never seen is written down as released. */
    release(
      reservationId: string,
      shopId: string | undefined,
      isTombstone: boolean,
      actor: Actor,
      keyed?: Keyed,
    ): Promise<ReservationOutcome> {
      return command(releaseReservation, [reservationId, shopId ?? null, isTombstone, actor.subject, actor.role], keyed);
    },
    /** Books as CONSUMED what these books lost, whatever the reservation is now. */
    recover(request: RecoverRequest, actor: Actor, keyed?: Keyed): Promise<ReservationOutcome> {
      const lines = sortedLines(request.lines);
      const { reservationId, shopId, reference, documentType, documentId, reason } = request;
      const taken = [lines.map(({ sku }) => sku), lines.map(({ quantity }) => quantity)];
      const why = [reference, documentType, documentId, reason, actor.subject, actor.role];
      return command(recoverReservation, [reservationId, shopId, ...taken, ...why], keyed);
    },
    /** Ends reservations whose time is over, at most `max`, or all that hold these products in a shop; answers how many. */
    async expire(max: number, where?: { shopId: string; skus: string[] }): Promise<number> {
      const { rows } = await db.query<{ expired: number }>(expireReservations, [max, where?.shopId ?? null, where?.skus ?? null]);
      return rows[0]?.expired ?? 0;
    },
    async findReservation(reservationId: string, shopId: string | undefined): Promise<Reservation | undefined> {
      const found = await prisma.reservation.findUnique({
        where: { id: reservationId },
        include: { lines: { orderBy: { sku: 'asc' } } },
      });
      return found === null || (shopId !== undefined && found.shopId !== shopId) ? undefined : toReservation(found);
    },
    async reservationsAfter(reservationId: string | undefined, limit: number): Promise<Reservation[]> {
      const where = reservationId === undefined ? {} : { id: { gt: reservationId } };
      const found = await prisma.reservation.findMany({
        where,
        include: { lines: { orderBy: { sku: 'asc' } } },
        orderBy: { id: 'asc' },
        take: limit,
      });
      return found.map(toReservation);
    },

    // Stock.

    recordMovements(
      document: { shopId: string; documentType: string; documentId: string; lines: BookedLine[] },
      actor: Actor,
      keyed?: Keyed,
    ): Promise<MovementOutcome> {
      const { shopId, documentType, documentId, lines } = document;
      return command(
        recordMovements,
        [shopId, documentType, documentId, JSON.stringify(lines), actor.subject, actor.role],
        keyed,
      );
    },
    /** Of one product in one shop, oldest first: the order of ids is that of commits, since its level's lock is held for each. */
    async movementsAfter(shopId: string, sku: string, movementId: number | undefined, limit: number) {
      const after = movementId === undefined ? {} : { id: { gt: movementId } };
      const found = await prisma.stockMovement.findMany({
        where: { shopId, sku, ...after },
        orderBy: { id: 'asc' },
        take: limit,
      });
      return found.map(({ id, occurredAt, type, status: _status, ...movement }) => ({
        ...movement,
        movementId: Number(id),
        type: type.toLowerCase(),
        occurredAt: occurredAt.toISOString(),
      }));
    },
    async levelsOf(sku: string, shopId: string | undefined) {
      const found = await prisma.stockLevel.findMany({
        where: { sku, ...(shopId === undefined ? {} : { shopId }) },
        orderBy: { shopId: 'asc' },
      });
      return found.map(({ changedAt, ...level }) => ({
        ...level,
        available: level.onHand - level.reserved,
        changedAt: changedAt.toISOString(),
      }));
    },
    /** Levels that are not what they are the sum of, from one snapshot of all. */
    async auditLevels(): Promise<unknown> {
      return (await db.query<{ result: unknown }>(auditLevels, [])).rows[0]?.result;
    },

    // Master data.

    async productsAfter(sku: string | undefined, q: string | undefined, limit: number) {
      // What LIKE would read as a pattern is meant as it stands.
      const word = { contains: (q ?? '').replace(/[\\%_]/g, '\\$&'), mode: 'insensitive' } as const;
      const where = {
        ...(sku === undefined ? {} : { sku: { gt: sku } }),
        ...(q === undefined ? {} : { OR: [{ name: word }, { sku: q }, { gtin: q }] }),
      };
      return (await prisma.product.findMany({ where, orderBy: { sku: 'asc' }, take: limit })).map(toProduct);
    },
    async findProduct(sku: string) {
      const found = await prisma.product.findUnique({ where: { sku } });
      return found === null ? undefined : { product: toProduct(found), version: found.version };
    },
    changeProduct(
      sku: string,
      version: number,
      change: { name?: string | undefined; isActive?: boolean | undefined },
      actor: Actor,
      keyed?: Keyed,
    ): Promise<{ outcome: 'done'; product: ProductState } | { outcome: 'stale' | 'not-found' }> {
      return command(
        changeProduct,
        [sku, version, change.name ?? null, change.isActive ?? null, actor.subject, actor.role],
        keyed,
      );
    },
    async shopsAfter(shopId: string | undefined, limit: number) {
      const where = shopId === undefined ? {} : { id: { gt: shopId } };
      return (await prisma.shop.findMany({ where, orderBy: { id: 'asc' }, take: limit })).map(toShop);
    },
    async findShop(shopId: string) {
      const found = await prisma.shop.findUnique({ where: { id: shopId } });
      return found === null ? undefined : { shop: toShop(found), version: found.version };
    },
    async privilegedActsAfter(actId: number | undefined, limit: number) {
      const where = actId === undefined ? {} : { id: { gt: actId } };
      const found = await prisma.privilegedAct.findMany({ where, orderBy: { id: 'asc' }, take: limit });
      return found.map(({ id, actedAt, detail, ...act }) => ({
        ...act,
        actId: Number(id),
        detail: detail as Record<string, unknown>,
        actedAt: actedAt.toISOString(),
      }));
    },

    // Imports.

    /** Claims the key and puts the import on record. Throws ExpectationFailed key-seen where the key was used. */
    async startImport(importId: string, kind: ImportKind, leaseMs: number, actor: Actor, key: Key): Promise<void> {
      await db.query(startImport, [...claimValues(key, importId), importId, kind, actor.subject, leaseMs, actor.role]);
    },
    /** Takes over an import whose process is gone, and forgets what that refused. False while it is still alive. */
    async takeOverImport(importId: string, leaseMs: number): Promise<boolean> {
      return (await db.query(takeOverImport, [importId, leaseMs])).rows.length > 0;
    },
    /** Writes rows by their natural key; answers a word for each, in their order (see rowOutcome). */
    async importRows<Kind extends ImportKind>(
      importId: string,
      kind: Kind,
      rows: ImportRows[Kind][],
      leaseMs: number,
      actor: Actor,
    ): Promise<string[]> {
      const numbered = JSON.stringify(rows.map((row, index) => ({ at: index + 1, ...row })));
      const values = kind === 'opening-stock' ? [importId, leaseMs, numbered, actor.subject] : [importId, leaseMs, numbered];
      return (await db.query<{ words: string[] }>(importRows[kind], values)).rows[0]?.words ?? [];
    },
    async saveRefusals(
      importId: string,
      refusals: { row: number; column: string; code: string; detail: string }[],
    ): Promise<void> {
      await db.query(saveRefusals, [importId, JSON.stringify(refusals)]);
    },
    async finishImport(
      importId: string,
      { rows, accepted, unchanged, refused }: { rows: number; accepted: number; unchanged: number; refused: number },
      digest: string,
      key: Key,
      answer: Answer,
    ): Promise<void> {
      const values = [importId, rows, accepted, unchanged, refused, digest];
      await db.query(finishImport, [...finishValues(key.scope, answer), ...values]);
    },
    /** True where the file with this digest is the one that was imported under this id. */
    async isSameFile(importId: string, digest: string): Promise<boolean> {
      return (await prisma.import.count({ where: { id: importId, digest } })) === 1;
    },
    /** Puts the failure on record and gives the key back, so that the same request begins anew. */
    async failImport(importId: string, key: Key): Promise<void> {
      await db.query(failImport, [importId, key.scope]);
    },
    /** Tells the planner at once what autovacuum would tell it in a minute: a level is found by its key, not by reading them all. */
    async analyseLevels(): Promise<void> {
      await db.query(analyseLevels, []);
    },
    async findImport(importId: string) {
      const found = await prisma.import.findUnique({ where: { id: importId } });
      if (found === null) return undefined;
      const { id, leasedUntil: _leasedUntil, subject: _subject, digest: _digest, startedAt, endedAt, ...counts } = found;
      return {
        importId: id,
        ...counts,
        startedAt: startedAt.toISOString(),
        ...(endedAt === null ? {} : { endedAt: endedAt.toISOString() }),
      };
    },
    async refusalsAfter(importId: string, row: number | undefined, limit: number) {
      const where = { importId, ...(row === undefined ? {} : { row: { gt: row } }) };
      return prisma.importRefusal.findMany({ where, orderBy: { row: 'asc' }, take: limit, omit: { importId: true } });
    },

    // The feed.

    /** Numbers committed changes, at most `max`, and answers where the feed stands after it. */
    async sequenceChanges(max: number): Promise<FeedState & { sequenced: number }> {
      return toFeedState((await db.query<FeedRow>(sequenceChanges, [max])).rows[0]);
    },
    /** At most `limit` changes after a number, in order. */
    async changesAfter(seq: number, limit: number): Promise<Change[]> {
      const { rows } = await db.query<{ seq: number; changed_at: Date } & Entity>(changesAfter, [seq, limit]);
      return rows.map(({ changed_at, ...change }) => ({ ...change, changedAt: changed_at }));
    },
    /** Gives the numbering another name, so that every reader takes a snapshot. */
    renewEpoch(reason: string, actor: Actor, keyed?: Keyed): Promise<{ outcome: 'done'; feed: { epoch: string } }> {
      return command(renewEpoch, [reason, actor.subject, actor.role], keyed);
    },
    /** Forgets changes older than this, at most `max`; answers how many. */
    async pruneChanges(retainMs: number, max: number): Promise<number> {
      return (await db.query<{ pruned: number }>(pruneChanges, [retainMs, max])).rows[0]?.pruned ?? 0;
    },
    snapshot: (topics: ReadonlySet<Topic>, rowsMax: number) => readSnapshot(db, topics, rowsMax),
  };
}

interface Command {
  plain: Statement;
  keyed: Statement;
}

/**
 * A command as a statement, and as one that records its answer under a key. The function runs once in either. A refusal records nothing
 * here: it wrote nothing, and the caller records it as a problem document.
 */
function toCommand(call: string, parameters: number, body: string, successes: readonly string[]): Command {
  const name = call.slice(0, call.indexOf('_v'));
  const list = Array.from({ length: parameters }, (_, at) => `$${at + 1}`).join(', ');
  const [scope, fingerprint, expiresAt, status, headers] = Array.from({ length: 5 }, (_, at) => `$${parameters + at + 1}`);
  const isDone = `result->>'outcome' IN (${successes.map((outcome) => `'${outcome}'`).join(', ')})`;
  return {
    plain: { name, text: `SELECT ${call}(${list}) AS result` },
    keyed: {
      name: `${name}_keyed`,
      text: `WITH done AS MATERIALIZED (SELECT ${call}(${list}) AS result), key AS (
          INSERT INTO idempotency_keys (scope, fingerprint, expires_at, status, answer)
          SELECT ${scope}, ${fingerprint}, ${expiresAt}, ${status}, json_build_object('body', result->'${body}', 'headers', ${headers}::json)::text
          FROM done WHERE ${isDone} ON CONFLICT (scope) DO NOTHING RETURNING scope)
        SELECT result, CASE WHEN ${isDone} THEN ${keyExpected} END FROM done`,
    },
  };
}

function keyedValues({ key, status, headers }: Keyed): unknown[] {
  return [key.scope, key.fingerprint, key.expiresAt, status, JSON.stringify(headers)];
}

const reserveStock = toCommand('reserve_stock_v1', 10, 'reservation', ['reserved', 'repeated']);
const firmReservation = toCommand('firm_reservation_v1', 2, 'reservation', ['done', 'repeated']);
const extendReservation = toCommand('extend_reservation_v1', 3, 'reservation', ['done', 'repeated']);
const consumeReservation = toCommand('consume_reservation_v1', 5, 'reservation', ['done', 'repeated']);
const releaseReservation = toCommand('release_reservation_v1', 5, 'reservation', ['done', 'repeated']);
const recoverReservation = toCommand('recover_reservation_v1', 10, 'reservation', ['done', 'repeated']);
const renewEpoch = toCommand('renew_epoch_v1', 3, 'feed', ['done']);
const recordMovements = toCommand('record_movements_v1', 6, 'document', ['recorded', 'repeated']);
const changeProduct = toCommand('change_product_v1', 6, 'product', ['done']);

const ping = { name: 'ping', text: 'SELECT 1' };
const expireReservations = { name: 'expire_reservations', text: 'SELECT expire_reservations_v1($1, $2, $3) AS expired' };
const auditLevels = { name: 'audit_levels', text: 'SELECT audit_levels_v1() AS result' };

const leased = (milliseconds: string) => `now() + ${milliseconds} * interval '1 millisecond'`;
const startImport = {
  name: 'start_import',
  text: `WITH ${keyCte(1)}, started AS (
      INSERT INTO imports (id, kind, state, subject, leased_until) VALUES ($7, $8, 'RUNNING', $9, ${leased('$10::bigint')})),
    audited AS (INSERT INTO privileged_acts (act, target, detail, subject, role) VALUES ('import', 'import:' || $7, json_build_object('kind', $8::text), $9, $11))
    SELECT ${keyExpected}`,
};
const takeOverImport = {
  name: 'take_over_import',
  text: `WITH taken AS (UPDATE imports SET state = 'RUNNING', leased_until = ${leased('$2::bigint')} WHERE id = $1 AND leased_until < now() AND state <> 'DONE' RETURNING id),
    forgotten AS (DELETE FROM import_refusals USING taken WHERE import_id = taken.id)
    SELECT id FROM taken`,
};
const importing = (call: string) =>
  `WITH alive AS (UPDATE imports SET leased_until = ${leased('$2::bigint')} WHERE id = $1) SELECT ${call} AS words`;
const importRows: Record<ImportKind, Statement> = {
  products: { name: 'import_products', text: importing('import_products_v1($3)') },
  shops: { name: 'import_shops', text: importing('import_shops_v1($3)') },
  'opening-stock': { name: 'import_opening_stock', text: importing('import_opening_stock_v1($3, $4)') },
};
const saveRefusals = {
  name: 'save_refusals',
  text: `INSERT INTO import_refusals (import_id, "row", "column", code, detail)
    SELECT $1, "row", "column", code, detail FROM jsonb_to_recordset($2) AS r ("row" integer, "column" text, code text, detail text)
    ON CONFLICT (import_id, "row") DO NOTHING`,
};
const finishImport = {
  name: 'finish_import',
  text: `WITH ${finishCte(1)} UPDATE imports SET state = 'DONE', ended_at = now(), rows = $5, accepted = $6, unchanged = $7, refused = $8, digest = $9 WHERE id = $4`,
};
const failImport = {
  name: 'fail_import',
  text: `WITH given_back AS (DELETE FROM idempotency_keys WHERE scope = $2 AND status IS NULL)
    UPDATE imports SET state = 'FAILED', ended_at = now(), leased_until = now() WHERE id = $1`,
};
const analyseLevels = { name: 'analyse_levels', text: 'ANALYZE stock_levels, stock_movements' };

const sequenceChanges = { name: 'sequence_changes', text: 'SELECT * FROM sequence_changes_v1($1)' };
const changesAfter = {
  name: 'changes_after',
  text: 'SELECT seq, topic, payload, changed_at FROM stock_changes WHERE seq > $1 ORDER BY seq LIMIT $2',
};
const pruneChanges = { name: 'prune_changes', text: 'SELECT prune_changes_v1($1, $2) AS pruned' };

interface FeedRow {
  epoch: string;
  last_seq: number;
  pruned_through: number;
  sequenced: number;
  is_drained: boolean;
  as_of: Date;
}

function toFeedState(row: FeedRow | undefined): FeedState & { sequenced: number } {
  if (row === undefined) throw new Error('the feed has no row');
  const { epoch, last_seq: lastSeq, pruned_through: prunedThrough, sequenced, is_drained: isDrained, as_of: asOf } = row;
  return { epoch, lastSeq, prunedThrough, sequenced, asOf: isDrained ? asOf : undefined };
}

/**
 * The whole state at exactly one number: first the header, then rows of one topic after the other, at most rowsMax at once.
 *
 * While the sequencer is locked out, one transaction takes a snapshot of the database and lends it to a second one (pg_export_snapshot);
 * then the first numbers all changes that snapshot has, and ends. So what the second one reads is the state at the last of these numbers.
 * Error: unavailable when the database fails meanwhile.
 */
async function* readSnapshot(
  db: Database,
  topics: ReadonlySet<Topic>,
  rowsMax: number,
): AsyncGenerator<SnapshotHeader | SnapshotRows> {
  let reader: PoolClient | undefined;
  let isWhole = false;
  try {
    reader = await db.pool.connect();
    yield await openSnapshot(db, reader);
    for (const topic of topics) yield* pagesOf(reader, topic, rowsMax);
    await reader.query('COMMIT');
    isWhole = true;
  } catch (cause) {
    throw new KassaError('unavailable', { detail: 'The snapshot could not be read; ask again.', retryAfterSeconds: 1, cause });
  } finally {
    // Half read, its transaction is still open: the connection is closed and not given to anybody else.
    reader?.release(!isWhole);
  }
}

async function openSnapshot(db: Database, reader: PoolClient): Promise<SnapshotHeader> {
  const sequencer = await db.pool.connect();
  let isDone = false;
  try {
    // The lock is the session's, since the snapshot must be taken after it is held.
    await sequencer.query(`SELECT pg_advisory_lock(hashtext('sequence changes'))`);
    await sequencer.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
    const { rows } = await sequencer.query<{ id: string }>('SELECT pg_export_snapshot() AS id');
    await reader.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    await reader.query(`SET TRANSACTION SNAPSHOT '${rows[0]?.id ?? ''}'`);
    const feed = await sequencer.query<FeedRow>(sequenceChanges.text, [2_147_483_647]);
    await sequencer.query('COMMIT');
    await sequencer.query(`SELECT pg_advisory_unlock(hashtext('sequence changes'))`);
    isDone = true;
    const { epoch, lastSeq } = toFeedState(feed.rows[0]);
    return { epoch, seq: lastSeq };
  } finally {
    sequencer.release(!isDone);
  }
}

const none: SnapshotRows = { products: [], shops: [], levels: [] };
const pages: Record<Topic, { text: string; toRows: (rows: never[]) => SnapshotRows }> = {
  PRODUCT: {
    text: 'SELECT product_v1(p) AS row, ARRAY[sku] AS key FROM products p WHERE ($1::text[])[1] IS NULL OR sku > ($1::text[])[1] ORDER BY sku LIMIT $2',
    toRows: (products) => ({ ...none, products }),
  },
  SHOP: {
    text: 'SELECT shop_v1(s) AS row, ARRAY[id] AS key FROM shops s WHERE ($1::text[])[1] IS NULL OR id > ($1::text[])[1] ORDER BY id LIMIT $2',
    toRows: (shops) => ({ ...none, shops }),
  },
  LEVEL: {
    text: `SELECT level_v1(l) AS row, ARRAY[shop_id, sku] AS key FROM stock_levels l
      WHERE (shop_id, sku) > (coalesce(($1::text[])[1], ''), coalesce(($1::text[])[2], '')) ORDER BY shop_id, sku LIMIT $2`,
    toRows: (levels) => ({ ...none, levels }),
  },
};

async function* pagesOf(reader: PoolClient, topic: Topic, rowsMax: number): AsyncGenerator<SnapshotRows> {
  const { text, toRows } = pages[topic];
  for (let key: string[] = []; ;) {
    const { rows } = await reader.query<{ row: never; key: string[] }>(text, [key, rowsMax]);
    if (rows.length > 0) yield toRows(rows.map(({ row }) => row));
    if (rows.length < rowsMax) return;
    key = rows.at(-1)?.key ?? [];
  }
}

function toReservation(found: {
  id: string;
  shopId: string | null;
  state: string;
  reference: string;
  expiresAt: Date | null;
  lines: { sku: string; quantity: number }[];
}): Reservation {
  const { id, shopId, state, reference, expiresAt, lines } = found;
  return {
    reservationId: id,
    ...(shopId === null ? {} : { shopId }),
    state: state as Reservation['state'],
    reference,
    ...(expiresAt === null ? {} : { expiresAt: expiresAt.toISOString() }),
    lines: lines.map(({ sku, quantity }) => ({ sku, quantity })),
  };
}

function toProduct({ version: _version, changedAt, ...product }: ProductState & { version: number; changedAt: Date }) {
  return { ...product, changedAt: changedAt.toISOString() };
}

function toShop({
  id,
  version: _version,
  changedAt: _changedAt,
  ...shop
}: Omit<ShopState, 'shopId'> & { id: string; version: number; changedAt: Date }): ShopState {
  return { shopId: id, ...shop };
}
