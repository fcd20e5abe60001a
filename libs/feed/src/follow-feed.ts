import type { StreamChangesResponse, Topic } from '@kassa/contracts/inventory';
import { isKassaError } from '@kassa/problem';
import { backoffMs, pause, type Backoff } from './backoff.ts';
import { heardWithin } from './heard-within.ts';
import { countSnapshot } from './metrics.ts';
import type { Batch, FeedClient, FeedPosition, FeedState, Rows, SnapshotReason, Stored } from './types.ts';

export interface FollowOptions {
  client: FeedClient;
  /** What is followed; empty means all. */
  topics: Topic[];
  /** Where the store stands, with the asOf it holds; undefined where it was never filled. */
  load(): Promise<(FeedPosition & { asOf: Date }) | undefined>;
  /**
   * Puts the snapshot in the place of all rows and the position `to` in the place of `from`, in one transaction, provided that
   * the position still is `from`; else answers `moved` and changes nothing. Where the iteration throws, nothing may be kept.
   */
  replace(rows: AsyncIterable<Rows>, to: FeedPosition & { asOf: Date }, from: FeedPosition | undefined): Promise<Stored>;
  /**
   * Stores the changes beyond the store's own position, the position throughSeq and asOf, in one transaction. A store that stands
   * inside or behind the batch's range in the same epoch keeps only what it has not got yet (another process of the service was
   * quicker) and answers `stored`; one that stands before afterSeq or in another epoch changes nothing and answers `moved`.
   */
  apply(batch: Batch): Promise<Stored>;
  /** Told after each contact and each change of the connection. Must not throw. */
  onState(state: FeedState): void;
  /** Ends the following. */
  signal: AbortSignal;
  /** Pause between attempts; default 200 ms doubling up to 5 s, with full jitter. */
  backoff?: Backoff;
  /** Silence after which a stream counts as dead, in milliseconds; default 3000, three heartbeats of inventory. */
  silenceMs?: number;
  /** How often asOf is stored while nothing changes, in milliseconds; default 10000. */
  keepAsOfEveryMs?: number;
}

/**
 * Keeps a copy of inventory's rows: a snapshot where there is none, then every change in order, until the signal is raised.
 * Resolves when the write under way has ended after that; it never rejects. What fails is told to onState and tried again.
 *
 * Any number of processes may follow into the same store. Each reads the feed for itself; the store's position decides which
 * of them writes a change, and the others find it written. There is no leader to elect and none to wait for when it dies.
 */
export async function followFeed(options: FollowOptions): Promise<void> {
  const { signal, onState, backoff = { firstMs: 200, maxMs: 5_000 } } = options;
  const reader = new Reader(options);
  while (!signal.aborted) {
    try {
      await reader.readOn();
    } catch (error) {
      if (signal.aborted) break;
      reader.tell({ connection: 'lost', failure: error });
      if (error instanceof SnapshotNeeded && reader.failures === 0) continue;
      await pause(backoffMs(backoff, reader.failures++, Math.random()), signal);
    }
  }
  onState({ ...reader.state, connection: 'lost' });
}

class Reader {
  /** Attempts that failed since the feed was last heard in good order. */
  failures = 0;
  state: FeedState = { connection: 'connecting', position: undefined, asOf: undefined, heardAtMs: undefined };
  readonly #options: FollowOptions;
  readonly #silenceMs: number;
  /** Where a stream could not go on. Another process may have mended the store meanwhile: any other position is worth a try. */
  #unusable: { position: FeedPosition; reason: SnapshotReason } | undefined;
  #storedAtMs = 0;

  constructor(options: FollowOptions) {
    this.#options = options;
    this.#silenceMs = options.silenceMs ?? 3_000;
  }

  tell(news: Partial<FeedState>): void {
    const { failure: _told, ...lasting } = this.state;
    this.state = { ...lasting, ...news };
    this.#options.onState(this.state);
  }

  /** One attempt: from the store's position, or a snapshot, to the end of a stream. Always ends by throwing. */
  async readOn(): Promise<never> {
    const stored = await this.#options.load();
    this.#see(stored);
    const isUsable = stored !== undefined && !(this.#unusable && isSame(this.#unusable.position, stored));
    return this.#follow(isUsable ? at(stored) : await this.#takeSnapshot(stored));
  }

  #see(stored: (FeedPosition & { asOf: Date }) | undefined): void {
    if (!stored) return this.tell({ connection: 'connecting' });
    const heardAtMs = Math.max(this.state.heardAtMs ?? 0, stored.asOf.getTime());
    this.tell({ connection: 'connecting', position: at(stored), asOf: later(this.state.asOf, stored.asOf), heardAtMs });
  }

  async #takeSnapshot(from: FeedPosition | undefined): Promise<FeedPosition> {
    const reason = from && this.#unusable ? this.#unusable.reason : 'empty';
    this.tell({ connection: 'snapshotting' });
    const { client, topics, signal } = this.#options;
    const askedAt = new Date();
    const messages = heardWithin((callSignal) => client.snapshot({ topics }, { signal: callSignal }), this.#silenceMs, signal);
    try {
      const header = await messages.next();
      if (header.done || header.value.epoch === '') throw new Error('the snapshot has no header');
      const to = { epoch: header.value.epoch, seq: safe(header.value.seq) };
      // An inventory of before does not say it; what was committed before the question was asked is in the answer.
      const asOf = header.value.asOf === '' ? askedAt : instant(header.value.asOf);
      const stored = await this.#options.replace(rowsOf(header.value, messages), { ...to, asOf }, from);
      if (stored === 'moved') throw new StoreMoved();
      countSnapshot(reason);
      this.#unusable = undefined;
      this.#storedAtMs = Date.now();
      this.tell({ connection: 'connecting', position: to, asOf, heardAtMs: askedAt.getTime() });
      return to;
    } finally {
      await messages.return(undefined);
    }
  }

  async #follow(position: FeedPosition): Promise<never> {
    const { client, topics, signal } = this.#options;
    const request = { epoch: position.epoch, afterSeq: BigInt(position.seq), topics };
    let here = position;
    try {
      for await (const message of heardWithin(
        (callSignal) => client.streamChanges(request, { signal: callSignal }),
        this.#silenceMs,
        signal,
      )) {
        here = await this.#take(readBatch(message), here);
      }
    } catch (error) {
      if (isKassaError(error, 'feed-epoch-changed')) throw this.#snapshotNeeded(here, 'epoch', error);
      throw error;
    }
    throw new Error('inventory ended the stream');
  }

  /** Brings one message home and says where the reader stands then. */
  async #take(batch: Batch, here: FeedPosition): Promise<FeedPosition> {
    const faulty = reasonToDoubt(batch, here);
    if (faulty) throw this.#snapshotNeeded(here, faulty);
    const isOld = batch.throughSeq < here.seq;
    const isNews = batch.throughSeq > here.seq;
    if (isNews || (!isOld && Date.now() - this.#storedAtMs >= (this.#options.keepAsOfEveryMs ?? 10_000))) {
      const changes = batch.changes.filter((change) => Number(change.seq) > here.seq);
      if ((await this.#options.apply({ ...batch, afterSeq: here.seq, changes })) === 'moved') throw new StoreMoved();
      this.#storedAtMs = Date.now();
    }
    const position = { epoch: here.epoch, seq: Math.max(here.seq, batch.throughSeq) };
    this.failures = 0;
    this.tell({ connection: 'following', position, asOf: later(this.state.asOf, batch.asOf), heardAtMs: Date.now() });
    return position;
  }

  #snapshotNeeded(position: FeedPosition, reason: SnapshotReason, cause?: unknown): SnapshotNeeded {
    this.#unusable = { position, reason };
    return new SnapshotNeeded(reason, cause);
  }
}

/** The stream cannot be put on top of what is stored. */
class SnapshotNeeded extends Error {
  override readonly name = 'SnapshotNeeded';

  constructor(reason: SnapshotReason, cause: unknown) {
    super(`the feed and the stored position do not meet: ${reason}`, { cause });
  }
}

/** Another process of this service wrote what does not go together with what we hold. */
class StoreMoved extends Error {
  override readonly name = 'StoreMoved';

  constructor() {
    super('the stored position was moved by another process');
  }
}

/**
 * Why a batch cannot follow on a position, if so. A repeated batch, or one that reaches over what is stored, is fine.
 * A heartbeat from behind is not: then inventory itself stands at less than was read from it.
 */
function reasonToDoubt(batch: Batch, here: FeedPosition): SnapshotReason | undefined {
  if (batch.epoch !== here.epoch) return 'epoch';
  if (batch.afterSeq > here.seq || !isInOrder(batch)) return 'gap';
  if (batch.afterSeq === batch.throughSeq && batch.throughSeq < here.seq) return 'went-back';
  return undefined;
}

function isInOrder({ afterSeq, throughSeq, changes }: Batch): boolean {
  let last = afterSeq;
  for (const { seq } of changes) {
    if (Number(seq) <= last) return false;
    last = Number(seq);
  }
  return last <= throughSeq;
}

function readBatch(message: StreamChangesResponse): Batch {
  return {
    epoch: message.epoch,
    afterSeq: safe(message.afterSeq),
    throughSeq: safe(message.throughSeq),
    changes: message.changes,
    asOf: instant(message.sentAt),
  };
}

function instant(text: string): Date {
  const time = new Date(text);
  if (Number.isNaN(time.getTime())) throw new Error(`inventory tells a time that is none: ${text}`);
  return time;
}

async function* rowsOf(header: Rows, rest: AsyncIterable<Rows>): AsyncGenerator<Rows> {
  yield header;
  yield* rest;
}

function at({ epoch, seq }: FeedPosition): FeedPosition {
  return { epoch, seq };
}

function isSame(a: FeedPosition, b: FeedPosition): boolean {
  return a.epoch === b.epoch && a.seq === b.seq;
}

function later(a: Date | undefined, b: Date): Date {
  return a && a > b ? a : b;
}

function safe(seq: bigint): number {
  if (seq > BigInt(Number.MAX_SAFE_INTEGER)) throw new Error(`sequence ${seq} is beyond what a number holds`);
  return Number(seq);
}
