import { describe, expect, it } from 'vitest';
import { followFeed, FeedSilent, type FeedState } from '../src/index.ts';
import { batch, MemoryStore, refusal, scriptedInventory, snapshot, stream, type Answer } from './scripted-inventory.ts';

interface Case {
  title: string;
  /** Where the store stands before; nowhere unless said. */
  stored?: { epoch: string; seq: number };
  script: Answer[];
  journal: string[];
  end: { position: string; stock: Record<string, number> };
}

const cases: Case[] = [
  {
    title: 'an empty store is filled by a snapshot and followed from its sequence',
    script: [snapshot('A', 5, { cable: 3, phone: 1 }), stream(batch('A', 5, 6, { phone: 0 }))],
    journal: ['snapshot?', 'replace A:5', 'stream A:5?', 'apply 5-6', 'stream A:6?'],
    end: { position: 'A:6', stock: { cable: 3, phone: 0 } },
  },
  {
    title: 'a filled store is followed from where it stands',
    stored: { epoch: 'A', seq: 5 },
    script: [stream(batch('A', 5, 7, { cable: 2, phone: 4 }), batch('A', 7, 8, { cable: 1 }))],
    journal: ['stream A:5?', 'apply 5-7', 'apply 7-8', 'stream A:8?'],
    end: { position: 'A:8', stock: { cable: 1, phone: 4 } },
  },
  {
    title: 'a range without changes of the followed topics moves the position',
    stored: { epoch: 'A', seq: 5 },
    script: [stream(batch('A', 5, 9))],
    journal: ['stream A:5?', 'apply 5-9', 'stream A:9?'],
    end: { position: 'A:9', stock: {} },
  },
  {
    title: 'heartbeats store asOf once in a while, not each time',
    stored: { epoch: 'A', seq: 5 },
    script: [stream(batch('A', 5, 5), batch('A', 5, 5), batch('A', 5, 5))],
    journal: ['stream A:5?', 'apply 5-5', 'stream A:5?'],
    end: { position: 'A:5', stock: {} },
  },
  {
    title: 'a batch that comes twice is applied once',
    stored: { epoch: 'A', seq: 5 },
    script: [stream(batch('A', 5, 6, { cable: 2 }), batch('A', 6, 7, { cable: 1 }), batch('A', 5, 6, { cable: 2 }))],
    journal: ['stream A:5?', 'apply 5-6', 'apply 6-7', 'stream A:7?'],
    end: { position: 'A:7', stock: { cable: 1 } },
  },
  {
    title: 'of a batch that reaches over the position only the rest is applied',
    stored: { epoch: 'A', seq: 5 },
    script: [stream(batch('A', 5, 6, { cable: 2 }), batch('A', 5, 7, { cable: 2, phone: 9 }))],
    journal: ['stream A:5?', 'apply 5-6', 'apply 6-7', 'stream A:7?'],
    end: { position: 'A:7', stock: { cable: 2, phone: 9 } },
  },
  {
    title: 'a gap forces a snapshot',
    stored: { epoch: 'A', seq: 5 },
    script: [stream(batch('A', 5, 6, { cable: 2 }), batch('A', 8, 9, { cable: 1 })), snapshot('A', 9, { cable: 1, phone: 7 })],
    journal: ['stream A:5?', 'apply 5-6', 'snapshot?', 'replace A:9', 'stream A:9?'],
    end: { position: 'A:9', stock: { cable: 1, phone: 7 } },
  },
  {
    title: 'changes out of order force a snapshot and change nothing',
    stored: { epoch: 'A', seq: 5 },
    script: [stream({ ...batch('A', 5, 7, { cable: 2, phone: 1 }), throughSeq: 6n }), snapshot('A', 7, { cable: 2 })],
    journal: ['stream A:5?', 'snapshot?', 'replace A:7', 'stream A:7?'],
    end: { position: 'A:7', stock: { cable: 2 } },
  },
  {
    title: 'a heartbeat from behind the position forces a snapshot',
    stored: { epoch: 'A', seq: 5 },
    script: [stream(batch('A', 3, 3)), snapshot('A', 3, { cable: 8 })],
    journal: ['stream A:5?', 'snapshot?', 'replace A:3', 'stream A:3?'],
    end: { position: 'A:3', stock: { cable: 8 } },
  },
  {
    title: 'a batch of another epoch forces a snapshot',
    stored: { epoch: 'A', seq: 5 },
    script: [stream(batch('B', 5, 6, { cable: 2 })), snapshot('B', 2, { cable: 4 })],
    journal: ['stream A:5?', 'snapshot?', 'replace B:2', 'stream B:2?'],
    end: { position: 'B:2', stock: { cable: 4 } },
  },
  {
    title: 'the refusal feed-epoch-changed forces a snapshot',
    stored: { epoch: 'A', seq: 5 },
    script: [refusal('feed-epoch-changed'), snapshot('B', 2, { cable: 4 })],
    journal: ['stream A:5?', 'snapshot?', 'replace B:2', 'stream B:2?'],
    end: { position: 'B:2', stock: { cable: 4 } },
  },
  {
    title: 'another refusal is tried again from the same place',
    stored: { epoch: 'A', seq: 5 },
    script: [refusal('unavailable'), refusal('unauthenticated'), stream(batch('A', 5, 6, { cable: 2 }))],
    journal: ['stream A:5?', 'stream A:5?', 'stream A:5?', 'apply 5-6', 'stream A:6?'],
    end: { position: 'A:6', stock: { cable: 2 } },
  },
  {
    title: 'a snapshot that breaks off in the middle leaves the store as it was',
    script: [{ ...snapshot('A', 5, { cable: 3 }), then: new Error('connection reset') }, snapshot('A', 6, { cable: 2 })],
    journal: ['snapshot?', 'snapshot?', 'replace A:6', 'stream A:6?'],
    end: { position: 'A:6', stock: { cable: 2 } },
  },
  {
    title: 'a snapshot that falls silent is tried again',
    script: [{ ...snapshot('A', 5, { cable: 3 }), then: 'silence' }, snapshot('A', 6, { cable: 2 })],
    journal: ['snapshot?', 'snapshot?', 'replace A:6', 'stream A:6?'],
    end: { position: 'A:6', stock: { cable: 2 } },
  },
  {
    title: 'a snapshot without a header is refused',
    script: [stream(), snapshot('A', 6, { cable: 2 })],
    journal: ['snapshot?', 'snapshot?', 'replace A:6', 'stream A:6?'],
    end: { position: 'A:6', stock: { cable: 2 } },
  },
  {
    title: 'a stream that falls silent is opened again',
    stored: { epoch: 'A', seq: 5 },
    script: [{ messages: [batch('A', 5, 6, { cable: 2 })], then: 'silence' }, stream(batch('A', 6, 7, { cable: 1 }))],
    journal: ['stream A:5?', 'apply 5-6', 'stream A:6?', 'apply 6-7', 'stream A:7?'],
    end: { position: 'A:7', stock: { cable: 1 } },
  },
  {
    title: 'a message without a time is not taken',
    stored: { epoch: 'A', seq: 5 },
    script: [stream({ ...batch('A', 5, 6, { cable: 9 }), sentAt: '' }), stream(batch('A', 5, 6, { cable: 2 }))],
    journal: ['stream A:5?', 'stream A:5?', 'apply 5-6', 'stream A:6?'],
    end: { position: 'A:6', stock: { cable: 2 } },
  },
];

describe('followFeed', () => {
  it.each(cases)('$title', async ({ stored, script, journal, end }) => {
    const seen: string[] = [];
    const store = new MemoryStore(seen);
    store.position = stored && { ...stored, asOf: new Date(0) };
    await follow(store, script, seen);
    expect(seen).toEqual(journal);
    expect(store.stock).toEqual(end.stock);
    expect(`${store.position!.epoch}:${store.position!.seq}`).toBe(end.position);
  });

  it('tells what it holds, since when, and why it stopped', async () => {
    const store = new MemoryStore();
    const states = await follow(store, [snapshot('A', 5, {}), { messages: [batch('A', 5, 5)], then: 'silence' }]);
    const asOf = new Date('2026-03-02T10:00:00.000Z');
    expect(states.map(({ connection, position }) => [connection, position?.seq])).toEqual([
      ['connecting', undefined],
      ['snapshotting', undefined],
      ['connecting', 5],
      ['following', 5],
      ['lost', 5],
      ['connecting', 5],
      ['lost', 5],
    ]);
    expect(states[4]!.failure).toBeInstanceOf(FeedSilent);
    expect(states[5]!.failure).toBeUndefined();
    expect(states[3]!.asOf! >= asOf).toBe(true);
  });

  it('takes asOf from the clock of inventory, which may be behind its own', async () => {
    const store = new MemoryStore();
    const states = await follow(store, [snapshot('A', 5, {}, '2026-03-02T09:59:59.000Z'), stream(batch('A', 5, 5))]);
    expect(states.map(({ connection, asOf }) => [connection, asOf?.toISOString()]).slice(2, 4)).toEqual([
      ['connecting', '2026-03-02T09:59:59.000Z'],
      ['following', '2026-03-02T10:00:00.000Z'],
    ]);
  });

  it('begins again when another process moved the store away from under a snapshot', async () => {
    const journal: string[] = [];
    const store = new MemoryStore(journal);
    const overtaken = { ...snapshot('A', 5, { cable: 3 }) };
    const rows = store.replace;
    store.replace = async (snapshotRows, to, from) => {
      store.position ??= { epoch: 'A', seq: 8, asOf: new Date(0) };
      return rows(snapshotRows, to, from);
    };
    await follow(store, [overtaken, stream(batch('A', 8, 9, { cable: 1 }))], journal);
    expect(journal).toEqual(['snapshot?', 'stream A:8?', 'apply 8-9', 'stream A:9?']);
  });

  it('takes no snapshot for a gap that another process has mended meanwhile', async () => {
    const journal: string[] = [];
    const store = new MemoryStore(journal);
    store.position = { epoch: 'A', seq: 5, asOf: new Date(0) };
    const positions = [5, 9].map((seq) => ({ epoch: 'A', seq, asOf: new Date(0) }));
    store.load = () => Promise.resolve((store.position = positions.shift() ?? store.position));
    await follow(store, [stream(batch('A', 8, 9, { cable: 1 })), stream(batch('A', 9, 10, { cable: 0 }))], journal);
    expect(journal).toEqual(['stream A:5?', 'stream A:9?', 'apply 9-10', 'stream A:10?']);
  });

  it('survives a store that fails', async () => {
    const journal: string[] = [];
    const store = new MemoryStore(journal);
    store.position = { epoch: 'A', seq: 5, asOf: new Date(0) };
    const apply = store.apply;
    let failuresLeft = 1;
    store.apply = (given) => (failuresLeft-- > 0 ? Promise.reject(new Error('the database is away')) : apply(given));
    const script = [stream(batch('A', 5, 6, { cable: 1 })), stream(batch('A', 5, 6, { cable: 1 }))];
    await follow(store, script, journal);
    expect(journal).toEqual(['stream A:5?', 'stream A:5?', 'apply 5-6', 'stream A:6?']);
  });

  it('ends when it is told to, in the middle of a silent stream', async () => {
    const stop = new AbortController();
    const store = new MemoryStore();
    const client = scriptedInventory([snapshot('A', 5, {}), { messages: [batch('A', 5, 5)], then: 'silence' }], [], () => {});
    const states: FeedState[] = [];
    const onState = (state: FeedState) => {
      states.push(state);
      if (state.connection === 'following') stop.abort();
    };
    await followFeed({ client, topics: [], ...store, onState, signal: stop.signal, silenceMs: 60_000 });
    expect(states.at(-1)!.connection).toBe('lost');
  });
});

/** Follows a script to its end, with pauses of a millisecond, and gives the states that were told. */
async function follow(store: MemoryStore, script: Answer[], journal: string[] = []): Promise<FeedState[]> {
  const stop = new AbortController();
  const states: FeedState[] = [];
  const client = scriptedInventory(script, journal, () => stop.abort());
  const { load, replace, apply } = store;
  const onState = (state: FeedState) => states.push(state);
  await followFeed({
    client,
    topics: [],
    load,
    replace,
    apply,
    onState,
    signal: stop.signal,
    backoff: { firstMs: 1, maxMs: 1 },
    silenceMs: 30,
  });
  return states;
}
