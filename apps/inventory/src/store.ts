import { createHash } from 'node:crypto';
import type { Database, Statement } from '@kassa/database';
import { keyExpected, type Key } from '@kassa/idempotency';
import type { ProductState, ShopState } from './domain/feed.ts';
import type { BookedLine, MovementOutcome } from './domain/movement.ts';
import {
  requestText,
  sortedLines,
  type RecoverRequest,
  type Reservation,
  type ReservationOutcome,
  type ReserveRequest,
} from './domain/reservation.ts';
import type { ShopAudit } from './domain/shop-audit.ts';
import type { PrismaClient } from './gen/prisma/client.ts';
import { createFeed, type SnapshotHeader, type SnapshotRows } from './store/feed.ts';
import { createImports } from './store/imports.ts';

export type { SnapshotHeader, SnapshotRows };

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

/** A reservation, and the document that consumes it, such as a sale. */
export interface Consumption {
  reservationId: string;
  document: { type: string; id: string };
}

export interface Consumed {
  reservationId: string;
  outcome: 'done' | 'repeated';
  /** How many lines it has. */
  lines: number;
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

  /** Those that come while others are being made are made together; where that fails, each is made alone. */
  const reserveInGroup = db.grouped(async (requests: readonly Reserve[]): Promise<(ReservationOutcome | Error)[]> => {
    const alone = (request: Reserve) => command<ReservationOutcome>(reserveStock, Object.values(request), undefined);
    if (requests.length > 1) {
      const { rows } = await db
        .query<{ result: ReservationOutcome[] }>(reserveSeveral, [JSON.stringify(requests)])
        .catch(() => ({ rows: [] }));
      if (rows[0]) return rows[0].result;
    }
    return Promise.all(requests.map((request) => alone(request).catch((error: Error) => error)));
  });

  return {
    ...createImports(db, prisma),
    ...createFeed(db),

    async isThere(): Promise<void> {
      await db.query(ping, []);
    },

    // Reservations.

    reserve(request: ReserveRequest, actor: Actor, keyed?: Keyed): Promise<ReservationOutcome> {
      const lines = sortedLines(request.lines);
      const { reservationId, shopId, state, ttlMs, reference } = request;
      const fingerprint = createHash('sha256').update(requestText(request)).digest('hex');
      const skus = lines.map(({ sku }) => sku);
      const quantities = lines.map(({ quantity }) => quantity);
      const what = { id: reservationId, shopId, skus, quantities, state, ttlMs, reference, fingerprint };
      const asked: Reserve = { ...what, subject: actor.subject, role: actor.role };
      return keyed === undefined ? reserveInGroup(asked) : command(reserveStock, Object.values(asked), keyed);
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
    /** Of those that are there and firm; answers those that are consumed by their document, `done` now or `repeated`. */
    async consumeBatch(items: Consumption[]): Promise<Consumed[]> {
      const ids = items.map(({ reservationId }) => reservationId);
      const documents = [items.map(({ document }) => document.type), items.map(({ document }) => document.id)];
      const { rows } = await db.query<{ result: Consumed[] }>(consumeReservations, [ids, ...documents]);
      return rows[0]?.result ?? [];
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
    /** Of the first shop after this one: its levels that are not what they are the sum of, from one snapshot. */
    async auditShopAfter(shopId: string): Promise<ShopAudit | undefined> {
      return (await db.query<{ result: ShopAudit | null }>(auditLevels, [shopId])).rows[0]?.result ?? undefined;
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

    /** Gives the numbering another name, so that every reader takes a snapshot. */
    renewEpoch(reason: string, actor: Actor, keyed?: Keyed): Promise<{ outcome: 'done'; feed: { epoch: string } }> {
      return command(renewEpoch, [reason, actor.subject, actor.role], keyed);
    },
  };
}

/** A request as the database takes it: its parameters in their order. */
interface Reserve {
  id: string;
  shopId: string;
  skus: string[];
  quantities: number[];
  state: string;
  ttlMs: number;
  reference: string;
  fingerprint: string;
  subject: string;
  role: string;
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

const reserveStock = toCommand('reserve_stock_v2', 10, 'reservation', ['reserved', 'repeated']);
const firmReservation = toCommand('firm_reservation_v1', 2, 'reservation', ['done', 'repeated']);
const extendReservation = toCommand('extend_reservation_v1', 3, 'reservation', ['done', 'repeated']);
const consumeReservation = toCommand('consume_reservation_v1', 5, 'reservation', ['done', 'repeated']);
const releaseReservation = toCommand('release_reservation_v1', 5, 'reservation', ['done', 'repeated']);
const recoverReservation = toCommand('recover_reservation_v1', 10, 'reservation', ['done', 'repeated']);
const renewEpoch = toCommand('renew_epoch_v1', 3, 'feed', ['done']);
const recordMovements = toCommand('record_movements_v1', 6, 'document', ['recorded', 'repeated']);
const changeProduct = toCommand('change_product_v1', 6, 'product', ['done']);

const reserveSeveral = { name: 'reserve_several', text: 'SELECT reserve_several_v1($1) AS result' };
const consumeReservations = { name: 'consume_reservations', text: 'SELECT consume_reservations_v1($1, $2, $3) AS result' };
const ping = { name: 'ping', text: 'SELECT 1' };
const expireReservations = { name: 'expire_reservations', text: 'SELECT expire_reservations_v1($1, $2, $3) AS expired' };
const auditLevels = { name: 'audit_levels', text: 'SELECT audit_levels_v2($1) AS result' };

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
