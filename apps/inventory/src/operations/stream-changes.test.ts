import { describe, expect, test } from 'vitest';
import { topics, type Change, type FeedState } from '../domain/feed.ts';
import { createEvents } from '../events.ts';
import type { Store } from '../store.ts';
import { ChangeFeed } from './sequence-changes.ts';
import { streamChanges } from './stream-changes.ts';

const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };
const events = createEvents(quiet);
const all = new Set(topics);

/** A feed in memory: its numbers are given by the test. */
class MemoryFeed {
  lastSeq = 0;
  prunedThrough = 0;
  epoch = 'e:1';
  reads = 0;
  isDown = false;

  store(): Store {
    return {
      sequenceChanges: () =>
        this.isDown
          ? Promise.reject(new Error('down'))
          : Promise.resolve({
              epoch: this.epoch,
              lastSeq: this.lastSeq,
              prunedThrough: this.prunedThrough,
              sequenced: 0,
              asOf: new Date(),
            } satisfies FeedState & { sequenced: number }),
      changesAfter: (seq: number, limit: number) => {
        this.reads += 1;
        const first = Math.max(seq, this.prunedThrough);
        return Promise.resolve(Array.from({ length: Math.min(limit, this.lastSeq - first) }, (_, at) => change(first + at + 1)));
      },
    } as unknown as Store;
  }
}
const change = (seq: number) => ({ seq, topic: 'SHOP', payload: {}, changedAt: new Date(0) }) as unknown as Change;

async function withFeed<T>(memory: MemoryFeed, act: (feed: ChangeFeed, signal: AbortSignal) => Promise<T>): Promise<T> {
  const stop = new AbortController();
  const feed = new ChangeFeed({ store: memory.store(), events, pollMs: 5 });
  const running = feed.run(stop.signal);
  try {
    return await act(feed, stop.signal);
  } finally {
    stop.abort();
    await running;
  }
}

describe('a stream', () => {
  test('gives what the reader lacks in batches of 500, then beats', async () => {
    const memory = new MemoryFeed();
    memory.lastSeq = 1_200;
    await withFeed(memory, async (feed, signal) => {
      const stream = streamChanges({ feed, events }, { epoch: 'e:1', afterSeq: 0 }, all, signal);
      const ranges = [];
      for (let n = 0; n < 4; n += 1) {
        const { value } = await stream.next();
        ranges.push([value?.afterSeq, value?.throughSeq, value?.changes.length]);
      }
      expect(ranges).toEqual([
        [0, 500, 500],
        [500, 1000, 500],
        [1000, 1200, 200],
        [1200, 1200, 0],
      ]);
      await stream.return(undefined);
    });
  });

  test('of many readers asks the database once for what is new', async () => {
    const memory = new MemoryFeed();
    await withFeed(memory, async (feed, signal) => {
      const streams = Array.from({ length: 20 }, () =>
        streamChanges({ feed, events }, { epoch: 'e:1', afterSeq: 0 }, all, signal),
      );
      for (const stream of streams) expect((await stream.next()).value?.throughSeq).toBe(0);
      const waiting = streams.map((stream) => stream.next());
      memory.reads = 0;
      memory.lastSeq = 10;
      for (const batch of waiting) expect((await batch).value?.throughSeq).toBe(10);
      expect(memory.reads).toBe(1);
      for (const stream of streams) await stream.return(undefined);
    });
  });

  test('goes on for a reader who was further with another process than this one has looked', async () => {
    const memory = new MemoryFeed();
    memory.lastSeq = 10;
    await withFeed(memory, async (feed, signal) => {
      await feed.changed(1_000, signal);
      memory.lastSeq = 12;
      const stream = streamChanges({ feed, events }, { epoch: 'e:1', afterSeq: 11 }, all, signal);
      expect((await stream.next()).value).toMatchObject({ afterSeq: 11, throughSeq: 12 });
      await stream.return(undefined);
    });
  });

  test('ends for a reader who is ahead of all that was numbered', async () => {
    const memory = new MemoryFeed();
    memory.lastSeq = 10;
    await withFeed(memory, async (feed, signal) => {
      const stream = streamChanges({ feed, events }, { epoch: 'e:1', afterSeq: 11 }, all, signal);
      await expect(stream.next()).rejects.toMatchObject({ code: 'feed-epoch-changed' });
    });
  });

  test('ends when what follows was forgotten while its reader was slow', async () => {
    const memory = new MemoryFeed();
    memory.lastSeq = 1_000;
    await withFeed(memory, async (feed, signal) => {
      const stream = streamChanges({ feed, events }, { epoch: 'e:1', afterSeq: 0 }, all, signal);
      await stream.next();
      memory.prunedThrough = 800;
      await expect(stream.next()).rejects.toMatchObject({ code: 'feed-epoch-changed' });
    });
  });

  test('lets its reader go when the database is not seen for three seconds, rather than beat without knowing', async () => {
    const memory = new MemoryFeed();
    await withFeed(memory, async (feed, signal) => {
      const stream = streamChanges({ feed, events }, { epoch: 'e:1', afterSeq: 0 }, all, signal);
      await stream.next();
      memory.isDown = true;
      await expect(stream.next()).rejects.toMatchObject({ code: 'unavailable' });
    });
  });

  test('ends in peace when the server drains', async () => {
    const memory = new MemoryFeed();
    const stop = new AbortController();
    await withFeed(memory, async (feed) => {
      const stream = streamChanges({ feed, events }, { epoch: 'e:1', afterSeq: 0 }, all, stop.signal);
      await stream.next();
      const next = stream.next();
      stop.abort();
      expect((await next).done).toBe(true);
    });
  });
});
