import { KassaError } from '@kassa/problem';
import type { ProductState } from '../domain/feed.ts';
import type { Actor, Keyed } from '../store.ts';
import type { ReserveStockDeps } from './reserve-stock.ts';

/** Changes a product's name, or whether it is sold, and writes down who did. Errors: not-found; precondition-failed where it has another version by now. */
export async function changeProduct(
  { store, events, feed }: ReserveStockDeps,
  sku: string,
  version: number,
  change: { name?: string | undefined; isActive?: boolean | undefined },
  actor: Actor,
  keyed?: Keyed,
): Promise<ProductState> {
  const result = await store.changeProduct(sku, version, change, actor, keyed);
  switch (result.outcome) {
    case 'not-found':
      throw new KassaError('not-found', { detail: 'There is no such product.' });
    case 'stale':
      throw new KassaError('precondition-failed', { detail: 'The product was changed meanwhile; read it again.' });
    case 'done':
      events.productChanged(sku);
      feed.wake();
      return result.product;
  }
  return result satisfies never;
}
