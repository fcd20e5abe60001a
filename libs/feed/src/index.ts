export { followFeed, type FollowOptions } from './follow-feed.ts';
export { backoffMs, type Backoff } from './backoff.ts';
export { FeedSilent } from './heard-within.ts';
export { observeFeed } from './metrics.ts';
export type { Batch, FeedClient, FeedPosition, FeedState, Rows, SnapshotReason, Stored } from './types.ts';
