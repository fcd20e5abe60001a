import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { SnapshotResponseSchema, StreamChangesResponseSchema } from '@kassa/contracts/inventory';
import { KassaError, type ErrorCode } from '@kassa/problem';
import type { Batch, FeedClient, FeedPosition, Rows, Stored } from '../src/types.ts';

type StreamMessage = MessageInitShape<typeof StreamChangesResponseSchema>;
type SnapshotMessage = MessageInitShape<typeof SnapshotResponseSchema>;
type Message = StreamMessage | SnapshotMessage;
/** What a call answers: messages, then an end, an error, or silence. */
export type Answer = { messages?: Message[]; then?: 'end' | 'silence' | Error };

const sentAt = '2026-03-02T10:00:00.000Z';

export function level(sku: string, onHand: number) {
  return { shopId: 'dk-001', sku, onHand, reserved: 0, changedAt: sentAt };
}

/** A snapshot in two messages: the header with the first row, then the others. Without asOf, as an inventory of before gives it. */
export function snapshot(epoch: string, seq: number, stock: Record<string, number>, asOf = ''): Answer {
  const [first, ...rest] = Object.entries(stock).map(([sku, onHand]) => level(sku, onHand));
  return { messages: [{ epoch, seq: BigInt(seq), asOf, levels: first ? [first] : [] }, { levels: rest }] };
}

/** A batch that gives each named sku a new level, one change after the other, ending at throughSeq. */
export function batch(epoch: string, afterSeq: number, throughSeq: number, stock: Record<string, number> = {}): StreamMessage {
  const entries = Object.entries(stock);
  const changes = entries.map(([sku, onHand], n) => ({
    seq: BigInt(throughSeq - entries.length + 1 + n),
    entity: { case: 'level' as const, value: level(sku, onHand) },
  }));
  return { epoch, afterSeq: BigInt(afterSeq), throughSeq: BigInt(throughSeq), changes, sentAt };
}

export const stream = (...messages: StreamMessage[]): Answer => ({ messages });
export const refusal = (code: ErrorCode): Answer => ({ then: new KassaError(code) });

/** Inventory that answers each call with the next line of a script, notes what it was asked, and calls `over` after the last. */
export function scriptedInventory(script: Answer[], journal: string[], over: () => void): FeedClient {
  const lines = [...script];
  async function* answer<T>(make: (message: Message) => T): AsyncGenerator<T> {
    const line = lines.shift();
    if (!line) {
      over();
      throw new Error('the script is over');
    }
    for (const message of line.messages ?? []) yield make(message);
    if (line.then === 'silence') await new Promise(() => {});
    if (line.then instanceof Error) throw line.then;
  }
  return {
    snapshot() {
      journal.push('snapshot?');
      return answer((message) => create(SnapshotResponseSchema, message as SnapshotMessage));
    },
    streamChanges({ epoch, afterSeq }) {
      journal.push(`stream ${epoch}:${afterSeq}?`);
      return answer((message) => create(StreamChangesResponseSchema, message as StreamMessage));
    },
  };
}

/** A store in memory that keeps the law of FollowOptions; rows and position change in one step or not at all. */
export class MemoryStore {
  position: (FeedPosition & { asOf: Date }) | undefined;
  stock: Record<string, number> = {};
  readonly #journal: string[];

  constructor(journal: string[] = []) {
    this.#journal = journal;
  }

  load = () => Promise.resolve(this.position);

  replace = async (
    rows: AsyncIterable<Rows>,
    to: FeedPosition & { asOf: Date },
    from: FeedPosition | undefined,
  ): Promise<Stored> => {
    const stock: Record<string, number> = {};
    for await (const { levels } of rows) for (const { sku, onHand } of levels) stock[sku] = onHand;
    if (this.position?.epoch !== from?.epoch || this.position?.seq !== from?.seq) return 'moved';
    this.#journal.push(`replace ${to.epoch}:${to.seq}`);
    Object.assign(this, { stock, position: to });
    return 'stored';
  };

  apply = ({ epoch, afterSeq, throughSeq, changes, asOf }: Batch): Promise<Stored> => {
    const here = this.position;
    if (!here || here.epoch !== epoch || here.seq < afterSeq) return Promise.resolve('moved');
    this.#journal.push(`apply ${afterSeq}-${throughSeq}`);
    for (const { seq, entity } of changes) {
      if (entity.case === 'level' && Number(seq) > here.seq) this.stock[entity.value.sku] = entity.value.onHand;
    }
    this.position = { epoch, seq: Math.max(here.seq, throughSeq), asOf };
    return Promise.resolve('stored');
  };
}
