import type { PoolClient } from 'pg';
import type { Database } from '@kassa/database';
import { KassaError } from '@kassa/problem';
import type { Change, Entity, FeedState, LevelState, ProductState, ShopState, Topic } from '../domain/feed.ts';

export interface SnapshotHeader {
  epoch: string;
  seq: number;
  /** What was committed before this instant is in the rows. */
  asOf: Date;
}
export interface SnapshotRows {
  products: ProductState[];
  shops: ShopState[];
  levels: LevelState[];
}

/** The change feed: numbering, reading and forgetting changes, and snapshots of all they add up to. */
export function createFeed(db: Database) {
  return {
    /** Numbers committed changes, at most `max`, and answers where the feed stands after it. */
    async sequenceChanges(max: number): Promise<FeedState & { sequenced: number }> {
      return toFeedState((await db.query<FeedRow>(sequenceChanges, [max])).rows[0]);
    },
    /** At most `limit` changes after a number, in order. */
    async changesAfter(seq: number, limit: number): Promise<Change[]> {
      const { rows } = await db.query<{ seq: number; changed_at: Date } & Entity>(changesAfter, [seq, limit]);
      return rows.map(({ changed_at, ...change }) => ({ ...change, changedAt: changed_at }));
    },
    /** Forgets changes older than this, at most `max`; answers how many. */
    async pruneChanges(retainMs: number, max: number): Promise<number> {
      return (await db.query<{ pruned: number }>(pruneChanges, [retainMs, max])).rows[0]?.pruned ?? 0;
    },
    snapshot: (topics: ReadonlySet<Topic>, rowsMax: number) => readSnapshot(db, topics, rowsMax),
  };
}

const sequenceChanges = { name: 'sequence_changes', text: 'SELECT * FROM sequence_changes_v1($1)' };
const changesAfter = {
  name: 'changes_after',
  text: 'SELECT seq, topic, payload, changed_at FROM stock_changes WHERE seq > $1 ORDER BY seq LIMIT $2',
};
const pruneChanges = { name: 'prune_changes', text: 'SELECT prune_changes_v1($1, $2) AS pruned' };

interface FeedRow {
  epoch: string;
  last_seq: number;
  pruned_through: number;
  sequenced: number;
  is_drained: boolean;
  as_of: Date;
}

function toFeedState(row: FeedRow | undefined): FeedState & { sequenced: number } {
  if (row === undefined) throw new Error('the feed has no row');
  const { epoch, last_seq: lastSeq, pruned_through: prunedThrough, sequenced, is_drained: isDrained, as_of: asOf } = row;
  return { epoch, lastSeq, prunedThrough, sequenced, asOf: isDrained ? asOf : undefined };
}

/**
 * The whole state at exactly one number: first the header, then rows of one topic after the other, at most rowsMax at once.
 *
 * While the sequencer is locked out, one transaction takes a snapshot of the database and lends it to a second one (pg_export_snapshot);
 * then the first numbers all changes that snapshot has, and ends. So what the second one reads is the state at the last of these numbers.
 * Error: unavailable when the database fails meanwhile.
 */
async function* readSnapshot(
  db: Database,
  topics: ReadonlySet<Topic>,
  rowsMax: number,
): AsyncGenerator<SnapshotHeader | SnapshotRows> {
  let reader: PoolClient | undefined;
  let isWhole = false;
  try {
    reader = await db.pool.connect();
    yield await openSnapshot(db, reader);
    for (const topic of topics) yield* pagesOf(reader, topic, rowsMax);
    await reader.query('COMMIT');
    isWhole = true;
  } catch (cause) {
    throw new KassaError('unavailable', { detail: 'The snapshot could not be read; ask again.', retryAfterSeconds: 1, cause });
  } finally {
    // Half read, its transaction is still open: the connection is closed and not given to anybody else.
    reader?.release(!isWhole);
  }
}

async function openSnapshot(db: Database, reader: PoolClient): Promise<SnapshotHeader> {
  const sequencer = await db.pool.connect();
  let isDone = false;
  try {
    // The lock is the session's, since the snapshot must be taken after it is held.
    await sequencer.query(`SELECT pg_advisory_lock(hashtext('sequence changes'))`);
    await sequencer.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
    // now() is when the transaction began, which is before its snapshot was taken.
    const { rows } = await sequencer.query<{ id: string; as_of: Date }>('SELECT pg_export_snapshot() AS id, now() AS as_of');
    const [taken] = rows;
    if (taken === undefined) throw new Error('no snapshot was exported');
    await reader.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    await reader.query(`SET TRANSACTION SNAPSHOT '${taken.id}'`);
    const feed = await sequencer.query<FeedRow>(sequenceChanges.text, [2_147_483_647]);
    await sequencer.query('COMMIT');
    await sequencer.query(`SELECT pg_advisory_unlock(hashtext('sequence changes'))`);
    isDone = true;
    const { epoch, lastSeq } = toFeedState(feed.rows[0]);
    return { epoch, seq: lastSeq, asOf: taken.as_of };
  } finally {
    sequencer.release(!isDone);
  }
}

const none: SnapshotRows = { products: [], shops: [], levels: [] };
const pages: Record<Topic, { text: string; toRows: (rows: never[]) => SnapshotRows }> = {
  PRODUCT: {
    text: 'SELECT product_v1(p) AS row, ARRAY[sku] AS key FROM products p WHERE ($1::text[])[1] IS NULL OR sku > ($1::text[])[1] ORDER BY sku LIMIT $2',
    toRows: (products) => ({ ...none, products }),
  },
  SHOP: {
    text: 'SELECT shop_v1(s) AS row, ARRAY[id] AS key FROM shops s WHERE ($1::text[])[1] IS NULL OR id > ($1::text[])[1] ORDER BY id LIMIT $2',
    toRows: (shops) => ({ ...none, shops }),
  },
  LEVEL: {
    text: `SELECT level_v1(l) AS row, ARRAY[shop_id, sku] AS key FROM stock_levels l
      WHERE (shop_id, sku) > (coalesce(($1::text[])[1], ''), coalesce(($1::text[])[2], '')) ORDER BY shop_id, sku LIMIT $2`,
    toRows: (levels) => ({ ...none, levels }),
  },
};

async function* pagesOf(reader: PoolClient, topic: Topic, rowsMax: number): AsyncGenerator<SnapshotRows> {
  const { text, toRows } = pages[topic];
  for (let key: string[] = []; ;) {
    const { rows } = await reader.query<{ row: never; key: string[] }>(text, [key, rowsMax]);
    if (rows.length > 0) yield toRows(rows.map(({ row }) => row));
    if (rows.length < rowsMax) return;
    key = rows.at(-1)?.key ?? [];
  }
}
