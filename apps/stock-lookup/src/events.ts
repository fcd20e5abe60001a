import { metrics } from '@opentelemetry/api';
import type { FeedState } from '@kassa/feed';

/** As much of a logger as events need. */
export interface Log {
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
}

export type LookupResult = 'found' | 'unknown-item' | 'gtin-check-digit';

export interface Events {
  /** Items were looked up; not logged, there are thousands a second. */
  lookedUp(result: LookupResult, items?: number): void;
  /** The feed was found, lost, or is read anew; said once, not at each attempt to find it again. */
  feedChanged(now: FeedState): void;
}

export function createEvents(log: Log): Events {
  // Counted in plain numbers, which are read when they are asked for: there are thousands a second.
  const counted: Record<LookupResult, number> = { found: 0, 'unknown-item': 0, 'gtin-check-digit': 0 };
  metrics
    .getMeter('kassa-stock-lookup')
    .createObservableCounter('kassa_lookups', {
      description: 'Items looked up, by result: found, unknown-item, gtin-check-digit',
    })
    .addCallback((metric) => {
      for (const [result, count] of Object.entries(counted)) metric.observe(count, { result });
    });
  let told: FeedState['connection'] = 'connecting';
  return {
    lookedUp(result, items = 1) {
      counted[result] += items;
    },
    feedChanged(now) {
      if (now.connection === told || now.connection === 'connecting') return;
      told = now.connection;
      const facts = { connection: now.connection, ...now.position, asOf: now.asOf };
      if (now.connection === 'lost') log.warn({ ...facts, err: now.failure }, 'the feed of inventory is lost');
      else log.info(facts, now.connection === 'following' ? 'the feed of inventory is heard' : 'inventory is read anew');
    },
  };
}
