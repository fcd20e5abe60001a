import { randomUUID } from 'node:crypto';
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { createAuthenticator } from '@kassa/auth';
import {
  ChangeSchema,
  inventoryDefinition,
  inventoryReflection,
  LevelSchema,
  ProductSchema,
  ShopSchema,
  type Change,
  type Level,
  type Product,
  type Shop,
} from '@kassa/contracts/inventory';
import { createGrpcServer, type GrpcServer } from '@kassa/grpc';
import { KassaError } from '@kassa/problem';

type Entity = Change['entity'];
export type Fault = 'lose-a-batch' | 'repeat-a-batch' | 'break-a-snapshot' | 'fall-silent';

/** Inventory over its real contract and a real socket, whose rows and faults a test decides. */
export class TestInventory {
  epoch: string = randomUUID();
  /** Every change of this epoch: number n has seq n + 1. */
  changes: Change[] = [];
  faults: Fault[] = [];
  readonly #issuer: string;
  readonly #heartbeatMs: number;
  #server: GrpcServer | undefined;
  #port = 0;
  #waiting = new Set<() => void>();

  constructor(issuer: string, heartbeatMs = 100) {
    this.#issuer = issuer;
    this.#heartbeatMs = heartbeatMs;
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  get seq(): number {
    return this.changes.length;
  }

  product(value: MessageInitShape<typeof ProductSchema>): void {
    this.#put({ case: 'product', value: create(ProductSchema, { itemGroup: 'cables', isActive: true, ...value }) });
  }

  shop(value: MessageInitShape<typeof ShopSchema>): void {
    const whole = { gln: '9529000000014', country: 'dk', timeZone: 'Europe/Copenhagen', status: 'open', ...value };
    this.#put({ case: 'shop', value: create(ShopSchema, whole) });
  }

  level(shopId: string, sku: string, onHand: number, reserved = 0): void {
    this.#put({
      case: 'level',
      value: create(LevelSchema, { shopId, sku, onHand, reserved, changedAt: new Date().toISOString() }),
    });
  }

  /** The same rows under a new numbering, as after the database was restored. */
  beginAnew(): void {
    const rows = this.#rows();
    this.epoch = randomUUID();
    this.changes = rows.map((entity, n) => create(ChangeSchema, { seq: BigInt(n + 1), entity }));
    this.#wake();
  }

  /** Listens, the second time at the same port. */
  async start(): Promise<void> {
    const authenticate = createAuthenticator({ issuer: this.#issuer, audience: 'kassa', jwksUri: `${this.#issuer}/jwks` });
    this.#server = createGrpcServer({ log: { warn() {}, error() {} }, authenticate, isReady: async () => true });
    const unused = () => Promise.reject(new KassaError('unavailable'));
    this.#server.add(
      inventoryDefinition,
      {
        reserve: unused,
        firm: unused,
        consume: unused,
        consumeBatch: unused,
        release: unused,
        getReservation: unused,
        snapshot: () => this.#snapshot(),
        streamChanges: (request, { signal }) => this.#stream(request, signal),
      },
      inventoryReflection,
    );
    this.#port = await this.#server.listen('127.0.0.1', this.#port);
  }

  /** Ends all streams and stops listening. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    await server?.close(0);
  }

  async *#snapshot() {
    const rows = this.#rows();
    yield { epoch: this.epoch, seq: BigInt(this.seq) };
    const of = (kind: Entity['case']) => rows.filter((row) => row.case === kind).map((row) => row.value);
    yield { products: of('product') as Product[], shops: of('shop') as Shop[] };
    if (this.#hasFault('break-a-snapshot')) throw new KassaError('unavailable');
    const levels = of('level') as Level[];
    for (let at = 0; at < levels.length; at += 500) yield { levels: levels.slice(at, at + 500) };
  }

  async *#stream({ epoch, afterSeq }: { epoch: string; afterSeq: bigint }, signal: AbortSignal) {
    const server = this.#server;
    for (let at = Number(afterSeq); this.#server === server && !signal.aborted;) {
      if (epoch !== this.epoch) throw new KassaError('feed-epoch-changed');
      const changes = this.changes.slice(at, at + 100);
      const message = {
        epoch,
        afterSeq: BigInt(at),
        throughSeq: BigInt(at + changes.length),
        changes,
        sentAt: new Date().toISOString(),
      };
      at += changes.length;
      if (changes.length > 0 && this.#hasFault('lose-a-batch')) continue;
      if (this.#hasFault('fall-silent')) await this.#change(signal, 60_000);
      yield message;
      if (changes.length > 0 && this.#hasFault('repeat-a-batch')) yield message;
      if (at === this.seq) await this.#change(signal, this.#heartbeatMs);
    }
  }

  #put(entity: Entity): void {
    this.changes.push(create(ChangeSchema, { seq: BigInt(this.seq + 1), entity }));
    this.#wake();
  }

  #rows(): Entity[] {
    const key = ({ case: kind, value }: Entity) =>
      JSON.stringify([kind, value && 'id' in value ? value.id : value?.sku, value && 'shopId' in value ? value.shopId : '']);
    return [...new Map(this.changes.map(({ entity }) => [key(entity), entity])).values()];
  }

  #hasFault(fault: Fault): boolean {
    const at = this.faults.indexOf(fault);
    if (at >= 0) this.faults.splice(at, 1);
    return at >= 0;
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
  }

  #change(signal: AbortSignal, atMostMs: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.#waiting.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, atMostMs);
      this.#waiting.add(wake);
      signal.addEventListener('abort', wake, { once: true });
      this.#server?.draining.addEventListener('abort', wake, { once: true });
    });
  }
}
