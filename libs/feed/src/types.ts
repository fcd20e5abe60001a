import type { Change, Level, Product, Shop, SnapshotResponse, StreamChangesResponse, Topic } from '@kassa/contracts/inventory';

/** Where a reader stands: it holds every change of this epoch up to and including seq. */
export interface FeedPosition {
  /** Opaque; a new one says that the numbering began anew. */
  epoch: string;
  seq: number;
}

/** One message of a snapshot. A row stands in one message only. */
export interface Rows {
  products: Product[];
  shops: Shop[];
  levels: Level[];
}

/** A stretch of the feed to be stored: the changes of the followed topics in (afterSeq, throughSeq], in order. */
export interface Batch {
  epoch: string;
  afterSeq: number;
  /** Equal to afterSeq where nothing happened and only asOf moved. */
  throughSeq: number;
  changes: Change[];
  /** Inventory's clock when it sent the batch: up to this instant the reader misses nothing. */
  asOf: Date;
}

/**
 * What the store did with what it was given.
 * `stored`: its position is now at or beyond what was given. `moved`: its position is not one this could be put on top of,
 * because someone else wrote meanwhile; nothing was changed, and the follower begins again at `load()`.
 */
export type Stored = 'stored' | 'moved';

/** Why rows are read anew: there are none, changes are missing, the numbering began anew, or the feed stands behind us. */
export type SnapshotReason = 'empty' | 'gap' | 'epoch' | 'went-back';

export interface FeedState {
  /** `following` from the first message of a stream on; `lost` from its end until the next one's first message. */
  connection: 'connecting' | 'snapshotting' | 'following' | 'lost';
  /** What is stored; undefined before the first snapshot. */
  position: FeedPosition | undefined;
  /** Inventory's clock at the last contact; undefined where there never was one. */
  asOf: Date | undefined;
  /** This process's clock (ms since 1970) at the last contact; as good as asOf where the contact was another process's. */
  heardAtMs: number | undefined;
  /** What ended the last attempt; for the log. */
  failure?: unknown;
}

/** The two calls of inventory that make the feed; a generated client of InventoryService has this shape. */
export interface FeedClient {
  snapshot(request: { topics: Topic[] }, options: { signal: AbortSignal }): AsyncIterable<SnapshotResponse>;
  streamChanges(
    request: { epoch: string; afterSeq: bigint; topics: Topic[] },
    options: { signal: AbortSignal },
  ): AsyncIterable<StreamChangesResponse>;
}
