import type { Idempotency } from '@kassa/idempotency';
import type { Store } from '../store.ts';

const batchMax = 5_000;

/** Forgets recorded answers past their time and changes past their retention. A reader of the feed who stands before those needs a snapshot. */
export async function keepHouse({
  store,
  idempotency,
  retainMs,
}: {
  store: Store;
  idempotency: Pick<Idempotency, 'purge'>;
  retainMs: number;
}): Promise<void> {
  while ((await idempotency.purge()) >= 1_000);
  while ((await store.pruneChanges(retainMs, batchMax)) >= batchMax);
}
