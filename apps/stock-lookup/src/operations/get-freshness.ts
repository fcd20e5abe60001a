import type { FeedState } from '@kassa/feed';
import { formulaVersion } from '../domain/availability.ts';
import { freshness, type Freshness } from '../domain/freshness.ts';
import type { Events } from '../events.ts';
import type { Store } from '../store.ts';

/** What every operation of this room works with. */
export interface Deps {
  store: Store;
  feed(): FeedState;
  /** Silence of the feed after which answers say degraded; ms. */
  staleAfterMs: number;
  now(): Date;
  events: Events;
}

/** What every answer says about itself. */
export interface Stamp extends Freshness {
  epoch: string;
  /** The answer is inventory's state at this sequence. */
  seq: number;
  formulaVersion: string;
}

/**
 * How fresh an answer given now from the state at `position` is. An answer that waited for its rows gives what was `heard` before it asked
 * for them: what was heard meanwhile may be younger than they are.
 */
export function stamp(deps: Deps, position: { epoch: string; seq: number }, heard = deps.feed()): Stamp {
  const { connection, asOf, heardAtMs } = heard;
  const feed = { isConnected: connection === 'following', asOf: asOf ?? new Date(0), heardAtMs: heardAtMs ?? 0 };
  const { epoch, seq } = position;
  return { epoch, seq, ...freshness(feed, deps.now().getTime(), deps.staleAfterMs), formulaVersion };
}

/** Where this replica's copy stands and whether the feed is heard. Error: unavailable before the first snapshot. */
export function getFreshness(deps: Deps): Stamp & { connection: FeedState['connection'] } {
  return { ...stamp(deps, deps.store.model()), connection: deps.feed().connection };
}
