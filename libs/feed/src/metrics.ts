import { metrics } from '@opentelemetry/api';
import type { FeedState, SnapshotReason } from './types.ts';

const meter = metrics.getMeter('kassa-feed');

const snapshots = meter.createCounter('kassa_feed_snapshots', {
  description: 'Snapshots taken, by reason: empty, gap, epoch, went-back',
});

export function countSnapshot(reason: SnapshotReason): void {
  snapshots.add(1, { reason });
}

/**
 * Shows a follower's state as gauges: kassa_feed_seq, kassa_feed_lag_seconds (since the last contact, by this process's clock)
 * and kassa_feed_connected (1 while a stream is heard). Returns what ends it.
 */
export function observeFeed(state: () => FeedState): () => void {
  const seq = meter.createObservableGauge('kassa_feed_seq', { description: 'Last stored sequence of the change feed' });
  const lag = meter.createObservableGauge('kassa_feed_lag_seconds', { description: 'Seconds since the feed was last heard' });
  const connected = meter.createObservableGauge('kassa_feed_connected', { description: '1 while a stream of the feed is heard' });
  const gauges = [seq, lag, connected];
  const observe = (result: { observe(gauge: typeof seq, value: number): void }) => {
    const { position, heardAtMs, connection } = state();
    if (position) result.observe(seq, position.seq);
    if (heardAtMs !== undefined) result.observe(lag, Math.max(0, Date.now() - heardAtMs) / 1_000);
    result.observe(connected, connection === 'following' ? 1 : 0);
  };
  meter.addBatchObservableCallback(observe, gauges);
  return () => meter.removeBatchObservableCallback(observe, gauges);
}
