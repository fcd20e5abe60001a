import { KassaError } from '@kassa/problem';
import type { Topic } from '../domain/feed.ts';
import type { SnapshotHeader, SnapshotRows, Store } from '../store.ts';

const rowsMax = 1_000;

/** Each holds a connection while its reader reads; the tills need the others. */
export const snapshotsMax = 3;

export interface TakeSnapshotDeps {
  store: Store;
  snapshotsUnderWay: { count: number };
}

/**
 * The whole state at one number of the feed: first the header, then the rows. Every change up to that number is in it, and none after.
 * Error: unavailable where too many are being read, or the database fails.
 */
export async function* takeSnapshot(
  { store, snapshotsUnderWay }: TakeSnapshotDeps,
  topics: ReadonlySet<Topic>,
  signal: AbortSignal,
): AsyncGenerator<SnapshotHeader | SnapshotRows> {
  if (snapshotsUnderWay.count >= snapshotsMax) {
    throw new KassaError('unavailable', { detail: `${snapshotsMax} snapshots are being read; ask again.`, retryAfterSeconds: 2 });
  }
  snapshotsUnderWay.count += 1;
  try {
    for await (const part of store.snapshot(topics, rowsMax)) {
      if (signal.aborted) return;
      yield part;
    }
  } finally {
    snapshotsUnderWay.count -= 1;
  }
}
