/** What is known of the feed at one moment. */
export interface Feed {
  /** True while a stream of the feed is being heard. */
  isConnected: boolean;
  /** Inventory's clock at the last contact. */
  asOf: Date;
  /** Our clock at the last contact, ms since 1970. */
  heardAtMs: number;
}

export interface Freshness {
  /** Inventory's clock: up to this instant the answer misses nothing. */
  asOf: Date;
  /** Milliseconds since the feed was last heard, by our clock. */
  stalenessMs: number;
  /** True where the answer may miss something: nothing is connected, or it is silent for longer than staleAfterMs. */
  degraded: boolean;
}

/** How old an answer given at `nowMs` is. Clocks that differ never make it younger than nothing. */
export function freshness(feed: Feed, nowMs: number, staleAfterMs: number): Freshness {
  const stalenessMs = Math.max(0, nowMs - feed.heardAtMs);
  return { asOf: feed.asOf, stalenessMs, degraded: !feed.isConnected || stalenessMs > staleAfterMs };
}
