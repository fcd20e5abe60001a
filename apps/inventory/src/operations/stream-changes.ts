import { KassaError } from '@kassa/problem';
import { batchOf, canReadOn, heartbeatOf, isDense, type ChangeBatch, type Topic } from '../domain/feed.ts';
import type { Events } from '../events.ts';
import type { ChangeFeed } from './sequence-changes.ts';

const batchMax = 500;
const heartbeatMs = 1_000;
/** A process that could not look at its database for so long does not know whether its readers miss anything, and lets them go. */
const blindMsMax = 3_000;

export interface StreamChangesDeps {
  feed: ChangeFeed;
  events: Events;
}

/**
 * The changes after a number, in order and without gap, until the signal is raised; at the end of the feed a heartbeat each second.
 * A reader takes as long as it wants with a batch: nothing is kept for it but its place.
 * Errors: feed-epoch-changed where it cannot go on from its place and needs a snapshot; unavailable while the database is not reached.
 */
export async function* streamChanges(
  { feed, events }: StreamChangesDeps,
  reader: { epoch: string; afterSeq: number },
  topics: ReadonlySet<Topic>,
  signal: AbortSignal,
): AsyncGenerator<ChangeBatch> {
  let afterSeq = reader.afterSeq;
  const cameAtMs = performance.now();
  let heardAtMs = -Infinity;
  let heardAsOf: Date | undefined;
  events.readerCame();
  try {
    while (!signal.aborted) {
      const state = feed.state;
      const nowMs = performance.now();
      if (state === undefined || nowMs - state.seenAtMs > blindMsMax) {
        await feed.changed(heartbeatMs, signal);
        if (feed.state === undefined || performance.now() - feed.state.seenAtMs > blindMsMax) throw blind();
        continue;
      }
      if (!canReadOn(state, { epoch: reader.epoch, afterSeq })) {
        // Another process may have numbered what this reader has: only a look since it came can tell that it went astray.
        if (state.seenAtMs > cameAtMs) throw beganAnew();
        await feed.changed(heartbeatMs, signal);
        continue;
      }
      if (afterSeq < state.lastSeq) {
        const changes = await feed.after(afterSeq, Math.min(batchMax, state.lastSeq - afterSeq));
        // What was there a moment ago has been pruned: the reader fell too far behind.
        if (changes.length === 0 || !isDense(changes, afterSeq)) throw beganAnew();
        const batch = batchOf(state, afterSeq, changes, topics);
        yield batch;
        afterSeq = batch.throughSeq;
        heardAtMs = performance.now();
        heardAsOf = batch.asOf;
        continue;
      }
      if (state.asOf !== undefined && nowMs - heardAtMs >= heartbeatMs && state.asOf.getTime() !== heardAsOf?.getTime()) {
        yield heartbeatOf(state, state.asOf);
        heardAtMs = performance.now();
        heardAsOf = state.asOf;
        continue;
      }
      await feed.changed(heartbeatMs, signal);
    }
  } finally {
    events.readerWent();
  }
}

function beganAnew(): KassaError {
  return new KassaError('feed-epoch-changed', { detail: 'The feed does not go on from there; take a snapshot.' });
}

function blind(): KassaError {
  return new KassaError('unavailable', { detail: 'The database does not answer.', retryAfterSeconds: 1 });
}
