import { reservationOf, type RecoverRequest, type Reservation } from '../domain/reservation.ts';
import type { Actor, Keyed } from '../store.ts';
import type { ReserveStockDeps } from './reserve-stock.ts';

const roundsMax = 10;

/**
 * Books what a sale took off the shelf before this database was restored to an earlier point: its reservation ends CONSUMED, under the id
 * it had, with its SALE movements and a record of who said so. One that is booked already is answered as it is.
 * Errors: insufficient-stock naming the lines whose goods are not there (a delivery may be lost as well: book that first),
 * idempotency-key-reused where the id is another document's, or has other lines; reservation-closed once it was released; not-found for a
 * shop that is none; write-conflict.
 */
export async function recoverReservation(
  { store, events, feed }: ReserveStockDeps,
  request: RecoverRequest,
  actor: Actor,
  keyed?: Keyed,
): Promise<Reservation> {
  const where = { shopId: request.shopId, skus: request.lines.map(({ sku }) => sku) };
  let result = await store.recover(request, actor, keyed);
  for (let round = 1; result.outcome === 'expired-in-the-way' && round < roundsMax; round += 1) {
    const expired = await store.expire(0, where);
    if (expired > 0) events.reservationsExpired(expired);
    result = await store.recover(request, actor, keyed);
  }
  events.reservationAsked('recover', request.reservationId, result);
  if (result.outcome === 'done') events.sold(result.reservation.lines.length);
  feed.wake();
  return reservationOf(result);
}
