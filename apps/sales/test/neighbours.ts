import { createGrpcServer } from '@kassa/grpc';
import {
  inventoryDefinition,
  inventoryReflection,
  ReservationState,
  type ReserveRequest,
  type Topic,
} from '@kassa/contracts/inventory';
import {
  Method,
  paymentsDefinition,
  paymentsReflection,
  TransactionKind,
  TransactionStatus,
  type CaptureRequest,
  type PurchaseRequest,
} from '@kassa/contracts/payments';
import { KassaError } from '@kassa/problem';

/*
 * Inventory and payments for the tests of this room: real gRPC servers of the real contract, with their books in memory. They keep the
 * contract's promises (idempotent by id, marks for what was undone before it was done) and let a test decide what goes wrong.
 */

export interface Product {
  sku: string;
  gtin: string;
  name: string;
  isSerialised?: boolean;
  isActive?: boolean;
}

/** What happens to the next calls of a method, in order; without one it works. */
export type Fault =
  /** Nothing is done and the caller hears that the neighbour is away. */
  | 'away'
  /** It is done, and the answer is lost. */
  | 'lost-reply'
  /** It is done after this many milliseconds. */
  | { afterMs: number }
  /** The card is declined, or the capture. */
  | { declined: string }
  /** It is known not to have happened. */
  | 'failed'
  /** Payments does not know. */
  | 'unknown'
  /** It goes on when the promise is resolved. */
  | { until: Promise<void> };

const away = () => new KassaError('unavailable', { detail: 'The test says so.' });

class Faults {
  readonly calls: string[] = [];
  readonly #planned = new Map<string, Fault[]>();

  plan(method: string, ...faults: Fault[]): void {
    this.#planned.set(method, [...(this.#planned.get(method) ?? []), ...faults]);
  }

  forget(method: string): void {
    this.#planned.delete(method);
  }

  /** Notes the call, and does the work the way the test wants it. */
  async around<T>(method: string, id: string, work: (fault: Fault | undefined) => T): Promise<T> {
    this.calls.push(`${method} ${id}`);
    const fault = this.#planned.get(method)?.shift();
    if (fault === 'away') throw away();
    if (typeof fault === 'object' && 'afterMs' in fault) await new Promise((resolve) => setTimeout(resolve, fault.afterMs));
    if (typeof fault === 'object' && 'until' in fault) await fault.until;
    const answer = work(fault);
    if (fault === 'lost-reply') throw away();
    return answer;
  }
}

interface Held {
  id: string;
  shopId: string;
  state: ReservationState;
  lines: { sku: string; quantity: number }[];
}

export interface TestInventory {
  address: string;
  calls: string[];
  fail(method: 'reserve' | 'firm' | 'release' | 'consume' | 'consumeBatch', ...faults: Fault[]): void;
  /** From now on the method works again. */
  forget(method: string): void;
  /** Units on hand by `shop sku`; what is not named is there in plenty. */
  stock: Map<string, number>;
  reservations: Map<string, Held>;
  /** The reservation runs out of time. */
  expire(reservationId: string): void;
  /** The feed's products change. */
  change(product: Product): void;
  close(): Promise<void>;
}

export const shops = [
  {
    id: 'dk-001',
    name: 'Elnord Købmagergade',
    country: 'dk',
    city: 'København K',
    timeZone: 'Europe/Copenhagen',
    address: 'Købmagergade 40',
    postalCode: '1150',
  },
  {
    id: 'dk-002',
    name: 'Elnord Frederiksberg',
    country: 'dk',
    city: 'Frederiksberg',
    timeZone: 'Europe/Copenhagen',
    address: 'Falkoner Allé 21',
    postalCode: '2000',
  },
  {
    id: 'no-001',
    name: 'Elnord Oslo',
    country: 'no',
    city: 'Oslo',
    timeZone: 'Europe/Oslo',
    address: 'Karl Johans gate 20',
    postalCode: '0159',
  },
  {
    id: 'dk-999',
    name: 'Elnord Lukket',
    country: 'dk',
    city: 'Ribe',
    timeZone: 'Europe/Copenhagen',
    address: 'Torvet 1',
    postalCode: '6760',
    status: 'closed',
  },
].map((shop) => ({
  gln: '9529000000014',
  latitude: 55,
  longitude: 12,
  status: 'open',
  seller: 'Elnord Danmark A/S',
  sellerNumber: '00 00 00 19',
  ...shop,
}));

export const products: Product[] = [
  { sku: 'E1', gtin: '4006381333931', name: 'USB-C-kabel 2 m' },
  { sku: 'E2', gtin: '9520001000010', name: 'Nordhavn Fjord 7 Pro 256 GB, midnatsblå', isSerialised: true },
  { sku: 'E3', gtin: '9520001000027', name: 'Høretelefoner', isActive: false },
  { sku: 'E4', gtin: '9520001000034', name: 'Uden pris' },
  { sku: 'E5', gtin: '9520001000041', name: 'Batterier AA' },
];

export async function startInventory(
  authenticate: (authorization: string | undefined) => Promise<{ roles: readonly string[] }>,
): Promise<TestInventory> {
  const faults = new Faults();
  const stock = new Map<string, number>();
  const reservations = new Map<string, Held>();
  const feed = { epoch: 'test', seq: 1, wake: [] as (() => void)[] };
  const changes: { seq: bigint; product: Product }[] = [];

  function reserve(request: ReserveRequest): Held {
    const known = reservations.get(request.reservationId);
    if (known) {
      if (known.state === ReservationState.RELEASED) throw new KassaError('reservation-closed');
      return known;
    }
    const short = request.lines.filter(({ sku, quantity }) => (stock.get(`${request.shopId} ${sku}`) ?? Infinity) < quantity);
    if (short.length > 0) {
      const lines = short.map(({ sku, quantity }) => ({
        sku,
        requested: quantity,
        available: stock.get(`${request.shopId} ${sku}`) ?? 0,
      }));
      throw new KassaError('insufficient-stock', { detail: 'There is too little stock.', params: { lines } });
    }
    const held = { id: request.reservationId, shopId: request.shopId, state: request.state, lines: request.lines };
    move(held, -1);
    reservations.set(held.id, held);
    return held;
  }

  function move({ shopId, lines }: Held, sign: 1 | -1): void {
    for (const { sku, quantity } of lines) {
      const key = `${shopId} ${sku}`;
      const before = stock.get(key);
      if (before !== undefined) stock.set(key, before + sign * quantity);
    }
  }

  function release(id: string): Held {
    const held = reservations.get(id) ?? { id, shopId: '', state: ReservationState.RELEASED, lines: [] };
    if (held.state === ReservationState.CONSUMED) throw new KassaError('wrong-state');
    if (held.state !== ReservationState.RELEASED) move(held, 1);
    held.state = ReservationState.RELEASED;
    reservations.set(id, held);
    return held;
  }

  function advance(id: string, state: ReservationState): Held {
    const held = reservations.get(id);
    if (!held) throw new KassaError('not-found');
    if (held.state === ReservationState.RELEASED) throw new KassaError('reservation-expired');
    if (held.state < state) held.state = state;
    return held;
  }

  const server = createGrpcServer({ log, authenticate, isReady: async () => true });
  server.add(
    inventoryDefinition,
    {
      reserve: async (request) => ({
        reservation: await faults.around('reserve', request.reservationId, () => reserve(request)),
      }),
      firm: async ({ reservationId }) => ({
        reservation: await faults.around('firm', reservationId, () => advance(reservationId, ReservationState.FIRM)),
      }),
      release: async ({ reservationId }) => ({
        reservation: await faults.around('release', reservationId, () => release(reservationId)),
      }),
      consume: async ({ reservationId }) => ({
        reservation: await faults.around('consume', reservationId, () => advance(reservationId, ReservationState.CONSUMED)),
      }),
      async consumeBatch({ items }) {
        await faults.around('consumeBatch', `of ${items.length}`, () => undefined);
        const consumed = items.map(({ reservationId }) =>
          faults.around('consume', reservationId, () => advance(reservationId, ReservationState.CONSUMED)),
        );
        const ended = await Promise.allSettled(consumed);
        return { consumedIds: ended.flatMap((one) => (one.status === 'fulfilled' ? [one.value.id] : [])) };
      },
      getReservation: async ({ reservationId }) => ({ reservation: reservations.get(reservationId) }),
      async *snapshot() {
        yield { epoch: feed.epoch, seq: BigInt(feed.seq), products: products.map(toWire), shops };
      },
      async *streamChanges({ afterSeq }: { afterSeq: bigint; topics: Topic[] }, { signal }) {
        let after = afterSeq;
        while (!signal.aborted && !server.draining.aborted) {
          const fresh = changes.filter(({ seq }) => seq > after);
          const through = BigInt(feed.seq);
          const sentAt = new Date().toISOString();
          const wire = fresh.map(({ seq, product }) => ({ seq, entity: { case: 'product' as const, value: toWire(product) } }));
          yield { epoch: feed.epoch, afterSeq: after, throughSeq: through, changes: wire, sentAt };
          after = through;
          await new Promise<void>((resolve) => {
            feed.wake.push(resolve);
            setTimeout(resolve, 500);
          });
        }
      },
    },
    inventoryReflection,
  );
  const port = await server.listen('127.0.0.1', 0);
  return {
    address: `127.0.0.1:${port}`,
    calls: faults.calls,
    fail: (method, ...planned) => faults.plan(method, ...planned),
    forget: (method) => faults.forget(method),
    stock,
    reservations,
    expire: (reservationId) => void release(reservationId),
    change(product) {
      feed.seq += 1;
      changes.push({ seq: BigInt(feed.seq), product });
      for (const wake of feed.wake.splice(0)) wake();
    },
    close: () => server.close(100),
  };
}

function toWire(product: Product) {
  return { itemGroup: 'test', isSerialised: false, isActive: true, ...product };
}

interface Intent {
  id: string;
  status: string;
  amount: { minor: bigint; currency: string };
  authorisedMinor: bigint;
  capturedMinor: bigint;
  refundedMinor: bigint;
  voidedMinor: bigint;
  reference: string;
}

interface Moved {
  id: string;
  intentId: string;
  kind: TransactionKind;
  status: TransactionStatus;
  amount: { minor: bigint; currency: string };
  declineCode: string;
  authorisationCode: string;
  cardLabel: string;
}

export interface TestPayments {
  address: string;
  calls: string[];
  /** For whom each capture, cancel and refund came, in their order. */
  actors: CaptureRequest['actor'][];
  fail(method: 'authorise' | 'purchase' | 'capture' | 'getIntent' | 'cancel' | 'refund', ...faults: Fault[]): void;
  /** From now on the method works again. */
  forget(method: string): void;
  intents: Map<string, Intent>;
  transactions: Map<string, Moved>;
  /** Someone cancels an intent before it is used. */
  cancel(intentId: string): void;
  /** Captured less refunded over all intents of a sale. */
  netMinor(saleId: string): number;
  close(): Promise<void>;
}

export async function startPayments(
  authenticate: (authorization: string | undefined) => Promise<{ roles: readonly string[] }>,
): Promise<TestPayments> {
  const faults = new Faults();
  const intents = new Map<string, Intent>();
  const transactions = new Map<string, Moved>();
  const actors: CaptureRequest['actor'][] = [];

  function intentOf(id: string, amount = { minor: 0n, currency: 'DKK' }, reference = ''): Intent {
    const known = intents.get(id);
    if (known) return known;
    const made = {
      id,
      status: 'requires_method',
      amount,
      authorisedMinor: 0n,
      capturedMinor: 0n,
      refundedMinor: 0n,
      voidedMinor: 0n,
      reference,
    };
    intents.set(id, made);
    return made;
  }

  /** Once per transaction id; what was unknown is settled when it is asked for again. */
  function act(
    facts: Pick<Moved, 'id' | 'intentId' | 'kind' | 'amount'>,
    intent: Intent,
    fault: Fault | undefined,
    happen: () => void,
  ) {
    const known = transactions.get(facts.id);
    if (known && known.status !== TransactionStatus.UNKNOWN) return { transaction: known, intent };
    if (!known && intent.status === 'canceled') throw new KassaError('payment-canceled');
    const moved: Moved = {
      ...facts,
      status: TransactionStatus.SUCCEEDED,
      declineCode: '',
      authorisationCode: '831000',
      cardLabel: 'Dankort •••• 4321',
    };
    if (fault === 'failed') {
      moved.status = TransactionStatus.FAILED;
    } else if (fault === 'unknown') {
      moved.status = TransactionStatus.UNKNOWN;
      intent.status = 'unknown';
    } else if (typeof fault === 'object' && 'declined' in fault) {
      Object.assign(moved, {
        status: TransactionStatus.DECLINED,
        declineCode: fault.declined,
        authorisationCode: '',
        cardLabel: '',
      });
      if (facts.kind !== TransactionKind.CAPTURE && facts.kind !== TransactionKind.REFUND) intent.status = 'declined';
    } else {
      happen();
    }
    transactions.set(facts.id, moved);
    return { transaction: moved, intent };
  }

  const pay =
    (kind: 'authorise' | 'purchase') =>
    async (request: Pick<PurchaseRequest, 'transactionId' | 'intentId' | 'method' | 'reference' | 'amount'>) =>
      faults.around(kind, request.transactionId, (fault) => {
        const amount = { minor: request.amount?.minor ?? 0n, currency: request.amount?.currency ?? '' };
        const intent = intentOf(request.intentId, amount, request.reference);
        const facts = {
          id: request.transactionId,
          intentId: request.intentId,
          kind: kind === 'authorise' ? TransactionKind.AUTHORISE : TransactionKind.PURCHASE,
          amount,
        };
        const answer = act(facts, intent, fault, () => {
          intent.authorisedMinor = amount.minor;
          intent.capturedMinor = kind === 'purchase' ? amount.minor : 0n;
          intent.status = kind === 'purchase' ? 'captured' : 'authorised';
        });
        if (request.method === Method.CASH) Object.assign(answer.transaction, { authorisationCode: '', cardLabel: '' });
        return answer;
      });

  const server = createGrpcServer({ log, authenticate, isReady: async () => true });
  server.add(
    paymentsDefinition,
    {
      authorise: pay('authorise'),
      purchase: pay('purchase'),
      capture: ({ transactionId, intentId, amount, actor }) =>
        faults.around('capture', transactionId, (fault) => {
          actors.push(actor);
          const intent = intentOf(intentId);
          const taken = { minor: amount?.minor ?? intent.authorisedMinor, currency: intent.amount.currency };
          return act({ id: transactionId, intentId, kind: TransactionKind.CAPTURE, amount: taken }, intent, fault, () => {
            intent.capturedMinor += taken.minor;
            intent.status = 'captured';
          });
        }),
      cancel: ({ transactionId, intentId, actor }) =>
        faults.around('cancel', transactionId, (fault) => {
          actors.push(actor);
          const intent = intentOf(intentId);
          const minor = intent.authorisedMinor - intent.capturedMinor;
          if (minor === 0n) {
            if (intent.status === 'requires_method') intent.status = 'canceled';
            return { intent };
          }
          return act(
            { id: transactionId, intentId, kind: TransactionKind.VOID, amount: { ...intent.amount, minor } },
            intent,
            fault,
            () => {
              intent.voidedMinor = minor;
              intent.status = 'voided';
            },
          );
        }),
      refund: ({ transactionId, intentId, actor }) =>
        faults.around('refund', transactionId, (fault) => {
          actors.push(actor);
          const intent = intentOf(intentId);
          const minor = intent.capturedMinor - intent.refundedMinor;
          return act(
            { id: transactionId, intentId, kind: TransactionKind.REFUND, amount: { ...intent.amount, minor } },
            intent,
            fault,
            () => {
              intent.refundedMinor += minor;
              intent.status = 'refunded';
            },
          );
        }),
      getIntent: ({ intentId }) =>
        faults.around('getIntent', intentId, () => {
          const intent = intents.get(intentId);
          if (!intent) throw new KassaError('not-found');
          return { intent, transactions: [...transactions.values()].filter((moved) => moved.intentId === intentId) };
        }),
    },
    paymentsReflection,
  );
  const port = await server.listen('127.0.0.1', 0);
  return {
    address: `127.0.0.1:${port}`,
    calls: faults.calls,
    actors,
    fail: (method, ...planned) => faults.plan(method, ...planned),
    forget: (method) => faults.forget(method),
    intents,
    transactions,
    cancel: (intentId) => void Object.assign(intentOf(intentId), { status: 'canceled' }),
    netMinor: (saleId) =>
      [...intents.values()]
        .filter(({ reference }) => reference === `sale:${saleId}`)
        .reduce((sum, intent) => sum + Number(intent.capturedMinor - intent.refundedMinor), 0),
    close: () => server.close(100),
  };
}

const log = { warn() {}, error() {} };
