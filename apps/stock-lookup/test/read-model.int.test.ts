import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openDatabase, type Database } from '@kassa/database';
import { roomFolder, testDatabase, type TestDatabase } from '@kassa/testing';
import { stockOn } from '../src/domain/shelf.ts';
import type { Level, Product, Rows, Shop } from '../src/domain/read-model.ts';
import { createStore, type Store, type View } from '../src/store.ts';

const skus = ['E1', 'E2', 'E3', 'E4', 'E5'];
const shopIds = ['dk-001', 'dk-002', 'dk-003'];

/** One change of the feed, before it has its number. */
type Step =
  | { kind: 'product'; sku: string; name: string }
  | { kind: 'shop'; id: string; status: 'open' | 'closed' }
  | { kind: 'level'; sku: string; shopId: string; onHand: number; reserved: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('product' as const),
      sku: fc.constantFrom(...skus),
      name: fc.string({ maxLength: 5, unit: 'grapheme-ascii' }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('shop' as const),
      id: fc.constantFrom(...shopIds),
      status: fc.constantFrom('open' as const, 'closed' as const),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('level' as const),
      sku: fc.constantFrom(...skus),
      shopId: fc.constantFrom(...shopIds),
      onHand: fc.nat(99),
      reserved: fc.nat(99),
    }),
  },
);

/** What inventory's state is at a sequence, worked out the simplest way: all changes up to there, one after the other. */
interface State {
  products: Record<string, string>;
  shops: Record<string, string>;
  stock: Record<string, { onHand: number; reserved: number }>;
}

function stateAt(history: Step[], seq: number): State {
  const state: State = { products: {}, shops: {}, stock: {} };
  for (const change of history.slice(0, seq)) {
    if (change.kind === 'product') state.products[change.sku] = change.name;
    if (change.kind === 'shop') state.shops[change.id] = change.status;
    if (change.kind === 'level')
      state.stock[`${change.sku} ${change.shopId}`] = { onHand: change.onHand, reserved: change.reserved };
  }
  return state;
}

/** What an answer would say of these products. */
function seen(view: View, asked: string[]): State {
  const state: State = { products: {}, shops: {}, stock: {} };
  for (const [id, { status }] of view.model.shops) state.shops[id] = status;
  for (const sku of asked) {
    const found = view.find(sku);
    if (!found) continue;
    state.products[sku] = found.product.name;
    for (const shopId of shopIds) {
      const number = view.model.shopNumbers.get(shopId);
      if (number !== undefined) state.stock[`${sku} ${shopId}`] = stockOn(found.shelf, number);
    }
  }
  return state;
}

/** The same, of the true state: a product nobody has told of is not found, and stock nobody has told of is none. */
function expected(state: State, asked: string[], numbered: (shopId: string) => boolean): State {
  const products = Object.fromEntries(asked.filter((sku) => sku in state.products).map((sku) => [sku, state.products[sku]!]));
  const none = { onHand: 0, reserved: 0 };
  const stock = Object.keys(products).flatMap((sku) =>
    shopIds.filter(numbered).map((shopId) => [`${sku} ${shopId}`, state.stock[`${sku} ${shopId}`] ?? none] as const),
  );
  return { products, shops: state.shops, stock: Object.fromEntries(stock) };
}

function rowsOf(history: Step[], afterSeq: number, throughSeq: number, seqOf = (n: number) => n): Rows {
  const products = new Map<string, Product>();
  const shops = new Map<string, Shop>();
  const levels = new Map<string, Level>();
  history.slice(afterSeq, throughSeq).forEach((change, n) => {
    const seq = seqOf(afterSeq + n + 1);
    if (change.kind === 'product') products.set(change.sku, product(change.sku, change.name, seq));
    if (change.kind === 'shop') shops.set(change.id, shop(change.id, change.status, seq));
    if (change.kind === 'level') levels.set(`${change.sku} ${change.shopId}`, { ...change, seq });
  });
  return { products: [...products.values()], shops: [...shops.values()], levels: [...levels.values()] };
}

function product(sku: string, name: string, seq: number): Product {
  return { sku, gtin: `952000100${sku.slice(1)}00`, name, itemGroup: 'cables', isSerialised: false, isActive: true, seq };
}

function shop(id: string, status: 'open' | 'closed', seq: number): Shop {
  const place = {
    gln: '9529000000014',
    name: id,
    country: 'dk',
    address: 'Gade 1',
    postalCode: '1000',
    city: 'By',
    timeZone: 'Europe/Copenhagen',
  };
  return { id, ...place, latitude: 55, longitude: 12, status, seq };
}

async function* once(rows: Rows): AsyncGenerator<Rows> {
  yield rows;
}

const asOf = new Date('2026-03-02T10:00:00.000Z');
const epoch = randomUUID();

/** Brings a store on, as the follower does: where it has been overtaken it begins again at the stored position. */
class Follower {
  readonly store: Store;
  at: number | undefined;

  constructor(db: Database) {
    // Not enough shelves for all products, so that some lookups find theirs gone.
    this.store = createStore(db, 6);
  }

  async advance(history: Step[], by: number): Promise<void> {
    const from = this.at ?? (await this.store.load())?.seq;
    if (from === undefined) return this.fill(history, by);
    const throughSeq = Math.min(history.length, from + by);
    const stored = await this.store.apply({ epoch, afterSeq: from, throughSeq, asOf }, rowsOf(history, from, throughSeq));
    this.at = stored === 'stored' ? throughSeq : undefined;
  }

  async fill(history: Step[], seq: number): Promise<void> {
    const to = { epoch, seq: Math.min(seq, history.length), asOf };
    const stored = await this.store.replace(once(rowsOf(history, 0, to.seq, () => to.seq)), to, undefined);
    this.at = stored === 'stored' ? to.seq : (await this.store.load())?.seq;
  }
}

let database: TestDatabase;
let pools: Database[];

beforeAll(async () => {
  database = await testDatabase(roomFolder('stock-lookup'));
  pools = [1, 2].map(() => openDatabase({ url: database.url, poolMax: 4, applicationName: 'test' }));
});
afterAll(async () => {
  for (const pool of pools) await pool.close();
  await database.drop();
});
beforeEach(forget);

async function forget(): Promise<void> {
  await pools[0]!.pool.query(`TRUNCATE products, shops, levels; UPDATE feed_position SET epoch = NULL, seq = 0, as_of = NULL`);
}

describe('a copy of inventory', () => {
  // What the runs do: replica `who` reads on by `by` changes, or looks products up.
  const move = fc.oneof(
    fc.record({ who: fc.nat(1), by: fc.integer({ min: 1, max: 7 }) }),
    fc.record({ who: fc.nat(1), asked: fc.uniqueArray(fc.constantFrom(...skus), { minLength: 1 }) }),
  );

  test('answers at each sequence what inventory was at that sequence, whichever replica is asked and whichever was quicker', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 5, maxLength: 60 }),
        fc.array(move, { maxLength: 40 }),
        async (history, moves) => {
          await forget();
          const replicas = pools.map((pool) => new Follower(pool));
          for (const replica of replicas) await replica.fill(history, 3);
          for (const next of moves) {
            const replica = replicas[next.who]!;
            if ('by' in next) await replica.advance(history, next.by);
            else await expectTruth(replica.store, history, next.asked);
          }
          for (const replica of replicas) while (replica.at !== history.length) await replica.advance(history, 7);
          for (const replica of replicas) expect(await expectTruth(replica.store, history, skus)).toBe(history.length);
        },
      ),
      { numRuns: 60 },
    );
  });

  test('answers so while replicas read on and are asked at the same time', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 40, maxLength: 80 }), async (history) => {
        await forget();
        const replicas = pools.map((pool) => new Follower(pool));
        const readOn = async (replica: Follower, by: number) => {
          while (replica.at !== history.length) await replica.advance(history, by);
        };
        await replicas[0]!.fill(history, 1);
        await replicas[1]!.store.load();
        const asked = replicas.flatMap(({ store }) =>
          Array.from({ length: 60 }, (_, n) => ({ store, one: skus[n % skus.length]! })),
        );
        const outcomes = await Promise.allSettled([
          readOn(replicas[0]!, 3),
          readOn(replicas[1]!, 2),
          ...asked.map(({ store, one }) => expectTruth(store, history, [one, 'E1'])),
        ]);
        expect(outcomes.filter(({ status }) => status === 'rejected')).toEqual([]);
      }),
      { numRuns: 15 },
    );
  });

  test('built anew from the database, or from a snapshot, is the one that followed every change', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), async (history) => {
        await forget();
        const live = new Follower(pools[0]!);
        while (live.at !== history.length) await live.advance(history, 4);
        const restarted = createStore(pools[1]!, 2);
        await restarted.load();
        expect(await restarted.read(skus, (view) => [view.seq, seen(view, skus)])).toEqual(
          await live.store.read(skus, (view) => [view.seq, seen(view, skus)]),
        );
        const anew = { epoch: randomUUID(), seq: 3, asOf };
        await restarted.replace(once(rowsOf(history, 0, history.length, () => 3)), anew, { epoch, seq: history.length });
        expect(await restarted.read(skus, (view) => seen(view, skus))).toEqual(
          await live.store.read(skus, (view) => seen(view, skus)),
        );
      }),
      { numRuns: 15 },
    );
  });
});

/** Asks, compares with the truth at the sequence of the answer, and gives that sequence. */
async function expectTruth(store: Store, history: Step[], asked: string[]): Promise<number> {
  return store.read([...new Set(asked)], (view) => {
    const numbered = (shopId: string) => view.model.shopNumbers.has(shopId);
    expect(seen(view, asked)).toEqual(expected(stateAt(history, view.seq), asked, numbered));
    return view.seq;
  });
}

describe('the store', () => {
  const level = (onHand: number, seq: number): Level => ({ sku: 'E1', shopId: 'dk-001', onHand, reserved: 0, seq });
  const filled = async () => {
    const store = createStore(pools[0]!, 10);
    const rows = { products: [product('E1', 'Kabel', 5)], shops: [shop('dk-001', 'open', 5)], levels: [level(1, 5)] };
    expect(await store.replace(once(rows), { epoch, seq: 5, asOf }, undefined)).toBe('stored');
    return store;
  };
  const onHand = (store: Store) => store.read(['E1'], (view) => stockOn(view.find('E1')!.shelf, 0).onHand);

  test.each([
    ['of another epoch', { epoch: 'another', afterSeq: 5, throughSeq: 6 }, 'moved', 1, 5],
    ['that leaves a gap', { epoch, afterSeq: 6, throughSeq: 7 }, 'moved', 1, 5],
    ['that follows', { epoch, afterSeq: 5, throughSeq: 7 }, 'stored', 2, 7],
    ['that it has got already', { epoch, afterSeq: 3, throughSeq: 4 }, 'stored', 1, 5],
    ['that reaches over its position', { epoch, afterSeq: 4, throughSeq: 7 }, 'stored', 2, 7],
  ] as const)('takes a batch %s as it should', async (_which, batch, answer, onHandAfter, seqAfter) => {
    const store = await filled();
    const rows = { products: [], shops: [], levels: [level(2, batch.throughSeq)] };
    expect(await store.apply({ ...batch, asOf }, rows)).toBe(answer);
    expect([await onHand(store), (await store.load())?.seq]).toEqual([onHandAfter, seqAfter]);
  });

  test('keeps the later asOf, whichever comes first', async () => {
    const store = await filled();
    const later = new Date(asOf.getTime() + 60_000);
    const nothing = { products: [], shops: [], levels: [] };
    await store.apply({ epoch, afterSeq: 5, throughSeq: 5, asOf: later }, nothing);
    await store.apply({ epoch, afterSeq: 5, throughSeq: 5, asOf }, nothing);
    expect(await store.load()).toEqual({ epoch, seq: 5, asOf: later });
  });

  test('keeps its rows where a snapshot breaks off, or came too late', async () => {
    const store = await filled();
    const broken = async function* () {
      yield { products: [], shops: [], levels: [level(9, 9)] };
      throw new Error('connection reset');
    };
    await expect(store.replace(broken(), { epoch, seq: 9, asOf }, { epoch, seq: 5 })).rejects.toThrow('connection reset');
    const late = once({ products: [], shops: [], levels: [level(9, 4)] });
    expect(await store.replace(late, { epoch, seq: 4, asOf }, { epoch, seq: 3 })).toBe('moved');
    expect([await onHand(store), (await store.load())?.seq]).toEqual([1, 5]);
  });

  test('goes on answering from memory what it holds, and the old rows, while a snapshot is being read', async () => {
    const store = await filled();
    let seenMeanwhile: number | undefined;
    const slow = async function* () {
      yield { products: [product('E1', 'Kabel', 9)], shops: [shop('dk-001', 'open', 9)], levels: [level(9, 9)] };
      seenMeanwhile = await onHand(createdBeside);
    };
    const createdBeside = createStore(pools[1]!, 10);
    await createdBeside.load();
    await store.replace(slow(), { epoch: 'new', seq: 9, asOf }, { epoch, seq: 5 });
    expect([seenMeanwhile, await onHand(store), await onHand(createdBeside)]).toEqual([1, 9, 1]);
    await createdBeside.load();
    expect(await onHand(createdBeside)).toBe(9);
  });
});
