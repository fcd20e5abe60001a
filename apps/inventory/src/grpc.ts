import type { CallContext, ServiceImplementation } from 'nice-grpc';
import { ReservationState, Topic as WireTopic, type ConsumeRequest, type inventoryDefinition } from '@kassa/contracts/inventory';
import { KassaError } from '@kassa/problem';
import { topics, type Change, type LevelState, type ProductState, type ShopState, type Topic } from './domain/feed.ts';
import { linesMax, quantityMax, ttlMsMax, type Reservation } from './domain/reservation.ts';
import { consumeReservation, consumeReservations, firmReservation, releaseReservation } from './operations/end-reservation.ts';
import { reserveStock, type ReserveStockDeps } from './operations/reserve-stock.ts';
import { streamChanges, type StreamChangesDeps } from './operations/stream-changes.ts';
import { takeSnapshot, type TakeSnapshotDeps } from './operations/take-snapshot.ts';
import type { Actor, Consumption } from './store.ts';

export type GrpcDeps = ReserveStockDeps &
  StreamChangesDeps &
  TakeSnapshotDeps & {
    reservationTtlMs: number;
    /** Raised when the server drains: streams without end are ended then. */
    draining: AbortSignal;
  };

/** As many as are consumed at once. */
const batchMax = 100;

/** A service acts without a person's name where the request carries none. */
const service: Actor = { subject: 'service', role: 'service' };

/** InventoryService. Commands are idempotent by their reservation id, for ever. */
export function implementation(deps: GrpcDeps): ServiceImplementation<typeof inventoryDefinition> {
  return {
    async reserve(request) {
      const { shopId, reference } = request;
      const state = request.state === ReservationState.FIRM ? 'FIRM' : 'ACTIVE';
      expect(
        request.state === ReservationState.FIRM || request.state === ReservationState.ACTIVE,
        'state',
        'must be ACTIVE or FIRM',
      );
      expect(/^[a-z]{2}-\d{3}$/.test(shopId), 'shop_id', 'must be a shop id like dk-001');
      expect(reference.length <= 80, 'reference', 'must have at most 80 characters');
      expect(request.lines.length >= 1 && request.lines.length <= linesMax, 'lines', `must be 1 to ${linesMax}`);
      expect(request.ttlMs >= 0n && request.ttlMs <= ttlMsMax, 'ttl_ms', `must be 0 to ${ttlMsMax}`);
      const lines = request.lines.map(({ sku, quantity }, at) => {
        expect(sku !== '' && sku.length <= 40, `lines/${at}/sku`, 'must have 1 to 40 characters');
        expect(quantity >= 1 && quantity <= quantityMax, `lines/${at}/quantity`, `must be 1 to ${quantityMax}`);
        return { sku, quantity };
      });
      const ttlMs = request.ttlMs === 0n ? deps.reservationTtlMs : Number(request.ttlMs);
      const { subject, role } = request.actor ?? service;
      const wanted = { reservationId: reservationId(request), shopId, lines, state, ttlMs, reference } as const;
      return { reservation: toWire(await reserveStock(deps, wanted, subject === '' ? service : { subject, role })) };
    },
    async firm(request) {
      return { reservation: toWire(await firmReservation(deps, command(request))) };
    },
    async consume(request) {
      const { reservationId, document } = consumption(request);
      return {
        reservation: toWire(await consumeReservation(deps, { reservationId, shopId: undefined, document })),
      };
    },
    async consumeBatch({ items }) {
      expect(items.length >= 1 && items.length <= batchMax, 'items', `must be 1 to ${batchMax}`);
      return {
        consumedIds: await consumeReservations(
          deps,
          items.map((item, at) => consumption(item, `items/${at}/`)),
        ),
      };
    },
    async release(request) {
      return { reservation: toWire(await releaseReservation(deps, { ...command(request), isTombstone: true })) };
    },
    async getReservation(request) {
      const found = await deps.store.findReservation(reservationId(request), undefined);
      if (found === undefined) throw new KassaError('not-found', { detail: 'There is no such reservation.' });
      return { reservation: toWire(found) };
    },
    async *snapshot(request, context) {
      for await (const part of takeSnapshot(deps, wantedTopics(request.topics), untilEnd(deps, context))) {
        if ('epoch' in part) yield { epoch: part.epoch, seq: BigInt(part.seq), asOf: part.asOf.toISOString() };
        else yield { products: part.products.map(product), shops: part.shops.map(shop), levels: part.levels.map(level) };
      }
    },
    async *streamChanges(request, context) {
      const reader = { epoch: request.epoch, afterSeq: Number(request.afterSeq) };
      for await (const batch of streamChanges(deps, reader, wantedTopics(request.topics), untilEnd(deps, context))) {
        yield {
          epoch: batch.epoch,
          afterSeq: BigInt(batch.afterSeq),
          throughSeq: BigInt(batch.throughSeq),
          changes: batch.changes.map(change),
          sentAt: batch.asOf.toISOString(),
        };
      }
    },
  };
}

function expect(isRight: boolean, field: string, detail: string): void {
  if (!isRight)
    throw new KassaError('validation-failed', { detail: `${field} ${detail}.`, errors: [{ pointer: `/${field}`, detail }] });
}

function reservationId(request: { reservationId: string }, place = ''): string {
  const isUuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(request.reservationId);
  expect(isUuid, `${place}reservation_id`, 'must be a UUID');
  return request.reservationId.toLowerCase();
}

function consumption(request: ConsumeRequest, place = ''): Consumption {
  const { documentType: type, documentId: id } = request;
  expect(/^[\w.:-]{1,80}$/.test(type), `${place}document_type`, 'must be 1 to 80 letters, digits or ._:-');
  expect(/^[\w.:-]{1,80}$/.test(id), `${place}document_id`, 'must be 1 to 80 letters, digits or ._:-');
  return { reservationId: reservationId(request, place), document: { type, id } };
}

function command(request: { reservationId: string }) {
  return { reservationId: reservationId(request), shopId: undefined, actor: service };
}

function untilEnd({ draining }: GrpcDeps, context: CallContext): AbortSignal {
  return AbortSignal.any([draining, context.signal]);
}

const topicOf: Partial<Record<WireTopic, Topic>> = {
  [WireTopic.PRODUCT]: 'PRODUCT',
  [WireTopic.SHOP]: 'SHOP',
  [WireTopic.LEVEL]: 'LEVEL',
};

/** None means all. Error: validation-failed for one that is none of ours. */
function wantedTopics(wanted: readonly WireTopic[]): ReadonlySet<Topic> {
  if (wanted.length === 0) return new Set(topics);
  return new Set(
    wanted.map((topic): Topic => {
      const known = topicOf[topic];
      if (known === undefined)
        throw new KassaError('validation-failed', { errors: [{ pointer: '/topics', detail: 'must be PRODUCT, SHOP or LEVEL' }] });
      return known;
    }),
  );
}

function toWire({ reservationId: id, shopId = '', state, lines, expiresAt = '' }: Reservation) {
  return { id, shopId, state: ReservationState[state], lines, expiresAt };
}

const product = ({ sku, gtin, name, itemGroup, isSerialised, isActive }: ProductState) => ({
  sku,
  gtin,
  name,
  itemGroup,
  isSerialised,
  isActive,
});
const shop = ({ shopId: id, ...row }: ShopState) => ({ id, ...row });
const level = ({ shopId, sku, onHand, reserved, changedAt }: LevelState) => ({ shopId, sku, onHand, reserved, changedAt });

function change(one: Change) {
  return { seq: BigInt(one.seq), entity: entity(one) };
}

function entity(one: Change) {
  switch (one.topic) {
    case 'PRODUCT':
      return { case: 'product', value: product(one.payload) } as const;
    case 'SHOP':
      return { case: 'shop', value: shop(one.payload) } as const;
    case 'LEVEL':
      return { case: 'level', value: level(one.payload) } as const;
  }
}
