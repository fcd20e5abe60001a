import { isDense, type Change, type FeedState } from '../domain/feed.ts';
import type { Events } from '../events.ts';
import type { Store } from '../store.ts';

/** Changes numbered in one transaction at most. */
const batchMax = 500;
/** A write waits this long for company before its changes are numbered, so that a busy second is ten transactions and not a thousand. */
const lingerMs = 100;
/** Changes kept in memory for the readers of this process. */
const keptMax = 2_000;

/**
 * The end of the feed as this process knows it: one loop numbers what was committed, and all readers of the process wait for it and
 * share what it read. Writes of this process wake it; those of others are seen at the next look.
 */
export class ChangeFeed {
  readonly #store: Store;
  readonly #events: Events;
  readonly #pollMs: number;
  #state: (FeedState & { seenAtMs: number }) | undefined;
  #kept: Change[] = [];
  #isWoken = false;
  #wakers: (() => void)[] = [];
  #waiters = new Set<() => void>();

  constructor(options: { store: Store; events: Events; pollMs: number }) {
    this.#store = options.store;
    this.#events = options.events;
    this.#pollMs = options.pollMs;
  }

  /** What the last look found, and when by this process's monotonic clock; undefined before the first one. */
  get state(): (FeedState & { seenAtMs: number }) | undefined {
    return this.#state;
  }

  /** Says that changes were committed just now. */
  wake(): void {
    if (this.#isWoken) return;
    this.#isWoken = true;
    for (const wake of this.#wakers.splice(0)) wake();
  }

  /** Numbers changes until the signal is raised. It never rejects; a look that fails is repeated. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      let isDrained = true;
      try {
        isDrained = await this.#look();
      } catch (error) {
        this.#events.jobFailed('sequence-changes', error);
      }
      if (isDrained) await this.#rest(signal);
    }
  }

  /** Resolves when the feed was looked at again, or after `timeoutMs`, or when the signal is raised. */
  changed(timeoutMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#waiters.delete(done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, timeoutMs);
      this.#waiters.add(done);
      signal.addEventListener('abort', done);
      if (signal.aborted) done();
    });
  }

  /** At most `limit` changes after a number: from memory where they are kept, else from the database. */
  async after(seq: number, limit: number): Promise<Change[]> {
    const first = this.#kept[0]?.seq;
    if (first === undefined || seq + 1 < first) return this.#store.changesAfter(seq, limit);
    return this.#kept.slice(seq + 1 - first, seq + 1 - first + limit);
  }

  async #look(): Promise<boolean> {
    this.#isWoken = false;
    const seenAtMs = performance.now();
    const found = await this.#store.sequenceChanges(batchMax);
    await this.#keep(found);
    this.#state = { ...found, seenAtMs };
    this.#events.changesSequenced(found);
    for (const tell of [...this.#waiters]) tell();
    return found.asOf !== undefined;
  }

  /** Reads what is new once for all readers; without readers nothing is read. */
  async #keep(found: FeedState): Promise<void> {
    const last = this.#kept.at(-1)?.seq ?? this.#state?.lastSeq;
    const isNext =
      this.#waiters.size > 0 && last !== undefined && found.epoch === this.#state?.epoch && found.lastSeq - last <= keptMax;
    if (!isNext) {
      this.#kept = [];
      return;
    }
    if (found.lastSeq <= last) return;
    const news = await this.#store.changesAfter(last, found.lastSeq - last);
    this.#kept = isDense(news, last) ? [...this.#kept, ...news].slice(-keptMax) : [];
  }

  async #rest(signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, this.#pollMs);
      signal.addEventListener('abort', done);
      this.#wakers.push(() => {
        clearTimeout(timer);
        setTimeout(done, Math.min(lingerMs, this.#pollMs));
      });
      if (this.#isWoken) for (const wake of this.#wakers.splice(0)) wake();
      if (signal.aborted) done();
    });
    this.#wakers = [];
  }
}
