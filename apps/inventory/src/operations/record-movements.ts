import { bookedLines, documentOf, type MovementLine, type StockDocument } from '../domain/movement.ts';
import type { Actor, Keyed } from '../store.ts';
import type { ReserveStockDeps } from './reserve-stock.ts';

const roundsMax = 10;

/**
 * Books what came, was found, was damaged or counted in one shop: all lines or none, once per document however often it is sent.
 * Nothing that is reserved can be taken. Errors, the first that holds: validation-failed, not-found for a shop that is none,
 * unknown-item, already-exists, stock-changed, insufficient-stock, each naming its lines; write-conflict.
 */
export async function recordMovements(
  { store, events, feed }: ReserveStockDeps,
  document: { shopId: string; documentType: string; documentId: string; lines: MovementLine[] },
  actor: Actor,
  keyed?: Keyed,
): Promise<StockDocument> {
  const booked = { ...document, lines: bookedLines(document.lines) };
  const where = { shopId: document.shopId, skus: document.lines.map(({ sku }) => sku) };
  let result = await store.recordMovements(booked, actor, keyed);
  for (let round = 1; result.outcome === 'expired-in-the-way' && round < roundsMax; round += 1) {
    const expired = await store.expire(0, where);
    if (expired > 0) events.reservationsExpired(expired);
    result = await store.recordMovements(booked, actor, keyed);
  }
  events.movementsBooked(document.documentId, result);
  feed.wake();
  return documentOf(result);
}
