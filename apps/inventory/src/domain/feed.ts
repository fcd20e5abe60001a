/** Where the feed stands, as one look at the database found it. */
export interface FeedState {
  /** Names the numbering; another one says that it began anew. */
  epoch: string;
  lastSeq: number;
  /** Changes up to this one are forgotten. */
  prunedThrough: number;
  /** Everything that was committed before this instant has a number, at most lastSeq; undefined where more waits for its number. */
  asOf: Date | undefined;
}

export const topics = ['PRODUCT', 'SHOP', 'LEVEL'] as const;
export type Topic = (typeof topics)[number];

export interface ProductState {
  sku: string;
  gtin: string;
  name: string;
  itemGroup: string;
  isSerialised: boolean;
  isActive: boolean;
}

export interface ShopState {
  shopId: string;
  gln: string;
  name: string;
  country: string;
  address: string;
  postalCode: string;
  city: string;
  latitude: number;
  longitude: number;
  timeZone: string;
  status: string;
  /** Who sells there in law. */
  seller: string;
  /** Their number in the country's register, as a receipt prints it. */
  sellerNumber: string;
}

export interface LevelState {
  shopId: string;
  sku: string;
  onHand: number;
  reserved: number;
  /** RFC 3339 in UTC. */
  changedAt: string;
}

/** A row of one topic in its new state. */
export type Entity =
  { topic: 'PRODUCT'; payload: ProductState } | { topic: 'SHOP'; payload: ShopState } | { topic: 'LEVEL'; payload: LevelState };

export type Change = Entity & { seq: number; changedAt: Date };

/** A stretch of the feed: the changes in (afterSeq, throughSeq] of the topics asked for. */
export interface ChangeBatch {
  epoch: string;
  afterSeq: number;
  throughSeq: number;
  changes: Change[];
  /** A reader that holds the batch misses nothing that was committed before this instant. */
  asOf: Date;
}

/** True where a reader who stands at afterSeq of this epoch can go on reading; else it needs a snapshot. */
export function canReadOn(feed: FeedState, reader: { epoch: string; afterSeq: number }): boolean {
  return reader.epoch === feed.epoch && reader.afterSeq >= feed.prunedThrough && reader.afterSeq <= feed.lastSeq;
}

/** True where these changes follow afterSeq without a gap. */
export function isDense(changes: readonly Change[], afterSeq: number): boolean {
  return changes.every(({ seq }, at) => seq === afterSeq + 1 + at);
}

/**
 * The batch of changes, at least one, that follow afterSeq; of other topics than asked for only the numbers count. Short of the feed's
 * end, a reader misses what came after the last of them, so that is as far as its age is known.
 */
export function batchOf(feed: FeedState, afterSeq: number, changes: readonly Change[], wanted: ReadonlySet<Topic>): ChangeBatch {
  const last = changes.at(-1);
  if (last === undefined) throw new Error('a batch has changes');
  return {
    epoch: feed.epoch,
    afterSeq,
    throughSeq: last.seq,
    changes: changes.filter(({ topic }) => wanted.has(topic)),
    asOf: (last.seq === feed.lastSeq ? feed.asOf : undefined) ?? last.changedAt,
  };
}

/** The batch without changes that tells a reader at the feed's end that it misses nothing. */
export function heartbeatOf(feed: FeedState, asOf: Date): ChangeBatch {
  return { epoch: feed.epoch, afterSeq: feed.lastSeq, throughSeq: feed.lastSeq, changes: [], asOf };
}
