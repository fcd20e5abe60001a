import type { Actor, Keyed } from '../store.ts';
import type { ReserveStockDeps } from './reserve-stock.ts';

/**
 * The numbering of the change feed begins anew: every reader takes a snapshot. For a database restored from a dump or a copy, whose
 * numbers would otherwise be given a second time to other changes. It costs nothing but the snapshots.
 */
export async function renewEpoch(
  { store, feed }: ReserveStockDeps,
  reason: string,
  actor: Actor,
  keyed?: Keyed,
): Promise<{ epoch: string }> {
  const renewed = await store.renewEpoch(reason, actor, keyed);
  feed.wake();
  return renewed.feed;
}
