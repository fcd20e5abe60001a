import { reservationOf, type Reservation } from '../domain/reservation.ts';
import type { Actor, Consumption, Keyed } from '../store.ts';
import type { ReserveStockDeps } from './reserve-stock.ts';

export interface ReservationCommand {
  reservationId: string;
  /** Only a reservation of this shop; undefined: of any. */
  shopId: string | undefined;
  actor: Actor;
  keyed?: Keyed | undefined;
}

/** From now on it does not expire. Errors: reservation-expired, reservation-closed, not-found. */
export async function firmReservation(
  { store, events }: ReserveStockDeps,
  { reservationId, shopId, keyed }: ReservationCommand,
): Promise<Reservation> {
  const result = await store.firm(reservationId, shopId, keyed);
  events.reservationAsked('firm', reservationId, result);
  return reservationOf(result);
}

/** It lives at least ttlMs from now. Errors: reservation-expired, reservation-closed, wrong-state once it is FIRM, not-found. */
export async function extendReservation(
  { store, events }: ReserveStockDeps,
  { reservationId, shopId, keyed, ttlMs }: ReservationCommand & { ttlMs: number },
): Promise<Reservation> {
  const result = await store.extend(reservationId, shopId, ttlMs, keyed);
  events.reservationAsked('extend', reservationId, result);
  return reservationOf(result);
}

/**
 * The goods are handed over: its SALE movements are written, and it has ended. Once it is FIRM this cannot fail for want of stock.
 * Errors: wrong-state while it is ACTIVE, reservation-expired, reservation-closed, idempotency-key-reused where another document consumed it, not-found.
 */
export async function consumeReservation(
  { store, events, feed }: ReserveStockDeps,
  {
    reservationId,
    shopId,
    actor,
    keyed,
    document,
  }: Omit<ReservationCommand, 'actor'> & { actor?: Actor | undefined; document: { type: string; id: string } },
): Promise<Reservation> {
  const result = await store.consume(reservationId, shopId, document, actor, keyed);
  events.reservationAsked('consume', reservationId, result);
  if (result.outcome === 'done') events.sold(result.reservation.lines.length);
  feed.wake();
  return reservationOf(result);
}

/**
 * Consumes several in one transaction, and answers the ids of those that are consumed by their document, now or before. One that is
 * refused keeps no other from it, and is asked for alone to hear why.
 */
export async function consumeReservations(
  { store, events, feed }: ReserveStockDeps,
  consumptions: Consumption[],
): Promise<string[]> {
  const consumed = await store.consumeBatch(consumptions);
  for (const { reservationId, outcome, lines } of consumed) {
    events.reservationAsked('consume', reservationId, { outcome });
    if (outcome === 'done') events.sold(lines);
  }
  feed.wake();
  return consumed.map(({ reservationId }) => reservationId);
}

/**
 * Its units are free again. A released or expired one stays as it is. With isTombstone, an id never seen is written down as released, so
 * that a Reserve which is still under way finds it closed. Errors: reservation-closed once it is CONSUMED, not-found.
 */
export async function releaseReservation(
  { store, events, feed }: ReserveStockDeps,
  { reservationId, shopId, actor, keyed, isTombstone }: ReservationCommand & { isTombstone: boolean },
): Promise<Reservation> {
  const result = await store.release(reservationId, shopId, isTombstone, actor, keyed);
  events.reservationAsked('release', reservationId, result);
  feed.wake();
  return reservationOf(result);
}

const batchMax = 500;

/** Ends every reservation whose time is over, but for those somebody works on. One statement where there is none. */
export async function expireReservations({ store, events, feed }: ReserveStockDeps): Promise<void> {
  for (;;) {
    const expired = await store.expire(batchMax);
    if (expired > 0) {
      events.reservationsExpired(expired);
      feed.wake();
    }
    if (expired < batchMax) return;
  }
}
