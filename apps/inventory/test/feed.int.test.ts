import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Topic, type Change, type SnapshotResponse, type StreamChangesResponse } from '@kassa/contracts/inventory';
import { eventually } from '@kassa/testing';
import { caller, openRoom, reserving, stateOf, stockShops, type InventoryClient, type Room } from './room.ts';

let room: Room;
const skus = Array.from({ length: 8 }, (_, n) => `E${n + 1}`);

beforeAll(async () => {
  room = await openRoom();
  await stockShops(room, ['dk-001', 'dk-002'], Object.fromEntries(skus.map((sku) => [sku, 500])));
});
afterAll(() => room.close());

/** The state of every row, by its key, as JSON with sorted members. */
type State = Map<string, string>;

async function snapshot(
  grpc: InventoryClient,
  topics: Topic[] = [],
): Promise<{ epoch: string; seq: bigint; asOf: string; state: State }> {
  const state: State = new Map();
  let header: SnapshotResponse | undefined;
  for await (const message of grpc.snapshot({ topics })) {
    header ??= message;
    for (const product of message.products) put(state, { case: 'product', value: product });
    for (const shop of message.shops) put(state, { case: 'shop', value: shop });
    for (const level of message.levels) put(state, { case: 'level', value: level });
  }
  if (header === undefined) throw new Error('no header');
  return { epoch: header.epoch, seq: header.seq, asOf: header.asOf, state };
}

function put(state: State, entity: Change['entity']): void {
  if (entity.case === undefined) throw new Error('a change of nothing');
  const { value } = entity;
  const key =
    entity.case === 'product'
      ? entity.value.sku
      : entity.case === 'shop'
        ? entity.value.id
        : `${entity.value.shopId}/${entity.value.sku}`;
  state.set(
    `${entity.case} ${key}`,
    JSON.stringify(
      Object.entries(value)
        .filter(([name]) => !name.startsWith('$'))
        .sort(([a], [b]) => (a < b ? -1 : 1)),
    ),
  );
}

/** Reads the stream until `isEnough` holds of a message. */
async function read(
  grpc: InventoryClient,
  from: { epoch: string; afterSeq: bigint; topics?: Topic[] },
  isEnough: (message: StreamChangesResponse) => boolean,
) {
  const end = new AbortController();
  const messages: StreamChangesResponse[] = [];
  for await (const message of grpc.streamChanges({ topics: [], ...from }, { signal: end.signal })) {
    messages.push(message);
    if (isEnough(message)) break;
  }
  end.abort();
  return messages;
}

const reaches = (seq: bigint) => (message: StreamChangesResponse) => message.throughSeq >= seq;
const isHeartbeat = (message: StreamChangesResponse) => message.throughSeq === message.afterSeq;

/** Sells, returns and renames at random, from several sides at once. */
async function bustle(rounds: number, grpcs: InventoryClient[]): Promise<void> {
  const operator = caller(room);
  const any = <T>(list: T[]): T => list[Math.floor(Math.random() * list.length)] as T;
  await Promise.all(
    Array.from({ length: 8 }, async (_, worker) => {
      for (let n = 0; n < rounds; n += 1) {
        const grpc = any(grpcs);
        const lines = [...new Set([any(skus), any(skus), any(skus)])].map((sku) => ({ sku, quantity: 1 }));
        const request = reserving({ shopId: any(['dk-001', 'dk-002']), lines, state: 'FIRM' });
        const { reservationId } = request;
        await stateOf(grpc.reserve(request));
        if (Math.random() < 0.5) await stateOf(grpc.consume({ reservationId, documentType: 'sale', documentId: reservationId }));
        else await stateOf(grpc.release({ reservationId }));
        if (worker === 0) {
          const sku = any(skus);
          const { headers } = await operator(`/v1/products/${sku}`);
          await operator(`/v1/products/${sku}`, {
            method: 'PATCH',
            body: { name: `Navn ${n}` },
            headers: { 'if-match': headers.get('etag') ?? '' },
          });
        }
      }
    }),
  );
}

describe('the feed', () => {
  test('from its beginning rebuilds what a snapshot shows, without gap or repeat, while many write through two processes', async () => {
    const { epoch } = await snapshot(room.grpc);
    const other = await room.replica();
    const readers = [room.grpc, other.grpc].map(async (grpc) => {
      const state: State = new Map();
      const seqs: bigint[] = [];
      let isOver = false;
      return {
        stop: () => (isOver = true),
        done: read(grpc, { epoch, afterSeq: 0n }, (message) => {
          for (const { seq, entity } of message.changes) {
            seqs.push(seq);
            put(state, entity);
          }
          return isOver && isHeartbeat(message);
        }).then((messages) => ({ state, seqs, messages })),
      };
    });
    await bustle(25, [room.grpc, other.grpc]);
    const truth = await snapshot(room.grpc);
    for (const reader of readers) {
      const { stop, done } = await reader;
      stop();
      const { state, seqs, messages } = await done;
      expect(seqs).toEqual(Array.from({ length: seqs.length }, (_, at) => BigInt(at + 1)));
      expect(BigInt(seqs.length)).toBe(truth.seq);
      expect(new Map([...state].sort())).toEqual(new Map([...truth.state].sort()));
      messages.forEach((message, at) => expect(message.afterSeq).toBe(at === 0 ? 0n : messages[at - 1]!.throughSeq));
    }
    await other.close();
  });

  test('a snapshot taken while many write is the state at its own number: replaying up to there gives the same', async () => {
    const { epoch } = await snapshot(room.grpc);
    const writing = bustle(25, [room.grpc]);
    const taken = [];
    for (let n = 0; n < 6; n += 1) taken.push(await snapshot(room.grpc));
    await writing;
    const last = (await snapshot(room.grpc)).seq;
    const changes = (await read(room.grpc, { epoch, afterSeq: 0n }, reaches(last))).flatMap((message) => message.changes);
    for (const { seq, state } of taken) {
      const replayed: State = new Map();
      for (const change of changes) if (change.seq <= seq) put(replayed, change.entity);
      expect(new Map([...state].sort())).toEqual(new Map([...replayed].sort()));
    }
    expect(new Set(taken.map(({ seq }) => seq)).size).toBeGreaterThan(1);
  });

  test('a snapshot says, by the clock of its database, up to when it misses nothing', async () => {
    const clock = async () => (await room.db.query<{ now: Date }>('SELECT clock_timestamp() AS now')).rows[0]!.now.toISOString();
    const before = await clock();
    const { asOf } = await snapshot(room.grpc);
    const after = await clock();
    expect([before, asOf, after].toSorted()).toEqual([before, asOf, after]);
  });

  test('tells the level of one product in the order in which it changed', async () => {
    const { epoch, seq } = await snapshot(room.grpc);
    const level = () =>
      room.db.query<{ on_hand: number }>(`SELECT on_hand FROM stock_levels WHERE shop_id = 'dk-001' AND sku = 'E1'`);
    const before = (await level()).rows[0]!.on_hand;
    const operator = caller(room);
    await Promise.all(
      Array.from({ length: 30 }, () =>
        operator('/v1/movements', {
          method: 'POST',
          body: {
            shopId: 'dk-001',
            documentType: 'goods-receipt',
            documentId: randomUUID(),
            lines: [{ type: 'receipt', sku: 'E1', quantity: 1 }],
          },
        }),
      ),
    );
    const onHand = (await read(room.grpc, { epoch, afterSeq: seq, topics: [Topic.LEVEL] }, reaches(seq + 30n)))
      .flatMap((message) => message.changes)
      .map(({ entity }) => (entity.case === 'level' ? entity.value.onHand : undefined));
    expect(onHand).toEqual(Array.from({ length: 30 }, (_, n) => before + n + 1));
  });

  test('leaves other topics out of a batch, and counts them in its range', async () => {
    const { epoch, seq } = await snapshot(room.grpc, [Topic.SHOP]);
    await room.grpc.reserve(reserving());
    const operator = caller(room);
    const { headers } = await operator('/v1/products/E2');
    await operator('/v1/products/E2', {
      method: 'PATCH',
      body: { isActive: false },
      headers: { 'if-match': headers.get('etag') ?? '' },
    });
    const messages = await read(room.grpc, { epoch, afterSeq: seq, topics: [Topic.PRODUCT] }, reaches(seq + 2n));
    expect(messages.flatMap((message) => message.changes)).toMatchObject([
      { entity: { case: 'product', value: { sku: 'E2', isActive: false } } },
    ]);
  });

  test(
    'a change is told at once, without waiting for the next look; one of another process at the next look',
    { timeout: 20_000 },
    async () => {
      const alone = await openRoom({ FEED_POLL_MS: '1000' });
      await stockShops(alone, ['dk-001'], { E1: 100 });
      let at = await snapshot(alone.grpc);
      /** Milliseconds from a write until a reader has it. */
      const measure = async (writer: InventoryClient) => {
        let sentAtMs = 0;
        await read(alone.grpc, { epoch: at.epoch, afterSeq: at.seq }, (message) => {
          if (sentAtMs === 0) {
            sentAtMs = performance.now();
            void writer.reserve(reserving());
          }
          return message.throughSeq > at.seq;
        });
        at = { ...at, seq: at.seq + 1n };
        return performance.now() - sentAtMs;
      };
      const own = [];
      for (let n = 0; n < 5; n += 1) own.push(await measure(alone.grpc));
      expect(Math.min(...own)).toBeLessThan(500);
      const other = await alone.replica({ FEED_POLL_MS: '1000' });
      expect(await measure(other.grpc)).toBeGreaterThan(0);
      await alone.close();
    },
  );

  test('beats while nothing happens: up to that instant the reader misses nothing', async () => {
    const { epoch, seq } = await snapshot(room.grpc);
    const beats: { at: number; sentAt: number }[] = [];
    await read(room.grpc, { epoch, afterSeq: seq }, (message) => {
      expect(isHeartbeat(message)).toBe(true);
      beats.push({ at: Date.now(), sentAt: Date.parse(message.sentAt) });
      return beats.length === 3;
    });
    const [first, second, third] = beats.map(({ sentAt }) => sentAt) as [number, number, number];
    expect([second > first, third > second, beats[2]!.at - beats[0]!.at > 1_500]).toEqual([true, true, true]);
  });
});

describe('a reader who cannot go on is told to take a snapshot', () => {
  test.each([
    ['of another epoch', (at: { epoch: string; seq: bigint }) => ({ epoch: `${at.epoch}x`, afterSeq: at.seq })],
    ['ahead of the feed', (at: { epoch: string; seq: bigint }) => ({ epoch: at.epoch, afterSeq: at.seq + 1_000_000n })],
    ['with a number below zero', (at: { epoch: string; seq: bigint }) => ({ epoch: at.epoch, afterSeq: -1n })],
  ])('%s', async (_which, from) => {
    await expect(read(room.grpc, from(await snapshot(room.grpc)), () => true)).rejects.toMatchObject({
      code: 'feed-epoch-changed',
    });
  });

  test('behind what is kept; the others read on', async () => {
    const { epoch, seq } = await snapshot(room.grpc);
    await room.db.query("UPDATE stock_changes SET changed_at = changed_at - interval '2 days' WHERE seq <= $1", [
      Number(seq) - 5,
    ]);
    await room.db.query('SELECT prune_changes_v1(86400000, 100000)');
    await eventually(() =>
      expect(read(room.grpc, { epoch, afterSeq: seq - 6n }, () => true)).rejects.toMatchObject({ code: 'feed-epoch-changed' }),
    );
    expect((await read(room.grpc, { epoch, afterSeq: seq - 5n }, reaches(seq))).flatMap(({ changes }) => changes)).toHaveLength(
      5,
    );
  });

  test('in the middle of a stream, when the numbering begins anew', async () => {
    const { epoch, seq } = await snapshot(room.grpc);
    let isFirst = true;
    const reading = read(room.grpc, { epoch, afterSeq: seq }, () => {
      if (isFirst) void room.db.query('UPDATE feed SET epoch = gen_random_uuid()');
      isFirst = false;
      return false;
    });
    await expect(reading).rejects.toMatchObject({ code: 'feed-epoch-changed' });
    expect((await snapshot(room.grpc)).epoch).not.toBe(epoch);
  });
});

test('an idle service writes nothing', { timeout: 60_000 }, async () => {
  // Sessions tell what they did at most once a second.
  const written = async () => {
    await sleep(1_500);
    const { rows } = await room.db.query<{ rows: string }>(
      'SELECT tup_inserted + tup_updated + tup_deleted AS rows FROM pg_stat_database WHERE datname = current_database()',
    );
    return Number(rows[0]?.rows);
  };
  await eventually(async () => expect((await room.db.query('SELECT FROM pending_changes')).rowCount).toBe(0));
  await eventually(async () => expect((await written()) - (await written())).toBe(0), 40_000);
});
