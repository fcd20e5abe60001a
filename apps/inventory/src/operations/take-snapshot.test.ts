import { expect, test } from 'vitest';
import type { Store } from '../store.ts';
import { snapshotsMax, takeSnapshot } from './take-snapshot.ts';

async function* parts() {
  yield await Promise.resolve({ epoch: 'e:1', seq: 7 });
  yield { products: [], shops: [], levels: [] };
}
const store = { snapshot: parts } as unknown as Store;
const topics = new Set(['LEVEL'] as const);

test('so many are read at once; one more is refused, until one of them is done', async () => {
  const deps = { store, snapshotsUnderWay: { count: 0 } };
  const { signal } = new AbortController();
  const open = Array.from({ length: snapshotsMax }, () => takeSnapshot(deps, topics, signal));
  for (const snapshot of open) await snapshot.next();
  await expect(takeSnapshot(deps, topics, signal).next()).rejects.toMatchObject({ code: 'unavailable' });
  await open[0]?.return(undefined);
  expect((await takeSnapshot(deps, topics, signal).next()).value).toEqual({ epoch: 'e:1', seq: 7 });
});

test('ends early when its reader is gone', async () => {
  const deps = { store, snapshotsUnderWay: { count: 0 } };
  const gone = new AbortController();
  const snapshot = takeSnapshot(deps, topics, gone.signal);
  await snapshot.next();
  gone.abort();
  expect((await snapshot.next()).done).toBe(true);
  expect(deps.snapshotsUnderWay.count).toBe(0);
});
