import { reservationOf, type Reservation, type ReserveRequest } from '../domain/reservation.ts';
import type { Events } from '../events.ts';
import type { Actor, Keyed, Store } from '../store.ts';
import type { ChangeFeed } from './sequence-changes.ts';

export interface ReserveStockDeps {
  store: Store;
  events: Events;
  feed: Pick<ChangeFeed, 'wake'>;
}

/** Each round clears what had expired when it began; a shop does not lose that many reservations to the clock at once. */
const roundsMax = 10;

/**
 * Reserves all lines or none, once per reservation id. A reservation that ran out of time never stands in the way: where units are short
 * and such ones hold some, they are ended first and the request is made again.
 * Errors: insufficient-stock naming the short lines, reservation-expired and reservation-closed for an id that has ended,
 * idempotency-key-reused for other content under the same id, not-found for a shop that is none, write-conflict.
 */
export async function reserveStock(
  { store, events, feed }: ReserveStockDeps,
  request: ReserveRequest,
  actor: Actor,
  keyed?: Keyed,
): Promise<Reservation> {
  const skus = request.lines.map(({ sku }) => sku);
  let result = await store.reserve(request, actor, keyed);
  for (let round = 1; result.outcome === 'expired-in-the-way' && round < roundsMax; round += 1) {
    const expired = await store.expire(0, { shopId: request.shopId, skus });
    if (expired > 0) events.reservationsExpired(expired);
    result = await store.reserve(request, actor, keyed);
  }
  events.reservationAsked('reserve', request.reservationId, result);
  feed.wake();
  return reservationOf(result);
}
