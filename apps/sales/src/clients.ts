import { createHash } from 'node:crypto';
import DataLoader from 'dataloader';
import { inventoryDefinition, ReservationState } from '@kassa/contracts/inventory';
import { Method, paymentsDefinition, TransactionStatus, type Transaction } from '@kassa/contracts/payments';
import { createClient, type GrpcClient, type GrpcClientOptions } from '@kassa/grpc';
import { isKassaError, type ErrorCode } from '@kassa/problem';
import type { IntentBalance, Plan, Step } from './domain/checkout.ts';
import type { TenderMethod } from './domain/sale.ts';

/** `refused` is final: repeating the call gives the same answer. `unknown`: it may have happened; repeat the same call later. */
export type Said = { outcome: 'done' } | Refused | Unknown;
export interface Refused {
  outcome: 'refused';
  code: ErrorCode;
  /** Safe for the client. */
  detail: string;
  declineCode?: string;
  /** The lines inventory is short of. */
  lines?: unknown;
}
export interface Unknown {
  outcome: 'unknown';
  /** A code of the catalogue, or what the neighbour called it; for operators. */
  problem: string;
}
export type PaymentSaid = { outcome: 'done'; authorisationCode: string | null; cardLabel: string | null } | Refused | Unknown;

type StepOf<Kind extends Step['step']> = Extract<Step, { step: Kind }>;

/** Inventory as a checkout sees it. Every call may be repeated. */
export interface Inventory {
  reserve(plan: Plan, step: StepOf<'reserve'>): Promise<Said>;
  firm(reservationId: string): Promise<Said>;
  release(reservationId: string): Promise<Said>;
  consume(reservationId: string, saleId: string): Promise<Said>;
}

/** Payments as a checkout sees it. Every call may be repeated with the same ids. */
export interface Payments {
  authorise(plan: Plan, step: StepOf<'authorise'>): Promise<PaymentSaid>;
  purchase(plan: Plan, step: StepOf<'purchase'>): Promise<PaymentSaid>;
  capture(plan: Plan, step: StepOf<'capture'>): Promise<PaymentSaid>;
  /** What became of an intent; null where payments never saw it, `unknown` where it cannot be asked. */
  balance(intentId: string): Promise<IntentBalance | null | Unknown>;
  /** Voids what is authorised and not captured. */
  cancel(plan: Plan, back: Return): Promise<Said>;
  /** Gives back all that is captured and not refunded. */
  refund(plan: Plan, back: Return): Promise<Said>;
}

/** Which payment is taken back, and under which id. */
export interface Return {
  intentId: string;
  transactionId: string;
}

/**
 * The id of a step at our neighbours: a UUID of version 8 (RFC 9562 §5.8) made of SHA-256 over sale, attempt and the step's name. Whoever
 * walks the plan, and however often, it is the same; of another attempt it is another.
 */
export function stepId(saleId: string, attempt: number, ...name: string[]): string {
  const bytes = createHash('sha256')
    .update(JSON.stringify([saleId, attempt, ...name]))
    .digest()
    .subarray(0, 16);
  bytes[6] = (bytes.readUInt8(6) & 0x0f) | 0x80;
  bytes[8] = (bytes.readUInt8(8) & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

/** The client behind Inventory and the feed; its owner closes it. */
export function connectInventory(options: GrpcClientOptions) {
  return createClient(inventoryDefinition, options);
}

/** `gatherMs`: how long goods that are to be consumed wait for others; 0: not at all. */
export function createInventory(client: GrpcClient<typeof inventoryDefinition>, { gatherMs }: { gatherMs: number }): Inventory {
  const state = { ACTIVE: ReservationState.ACTIVE, FIRM: ReservationState.FIRM };
  const consumption = createConsumption(client, gatherMs);
  return {
    reserve: (plan, step) =>
      asking(async () => {
        const { saleId, shopId, actor } = plan;
        const { reservation } = await client.reserve({
          reservationId: step.reservationId,
          shopId,
          lines: step.lines,
          state: state[step.state],
          reference: `sale:${saleId}`,
          actor,
        });
        return isHeld(reservation?.state) ? { outcome: 'done' } : expired();
      }),
    firm: (reservationId) =>
      asking(async () => {
        const { reservation } = await client.firm({ reservationId });
        return isHeld(reservation?.state) ? { outcome: 'done' } : expired();
      }),
    release: (reservationId) =>
      asking(async () => {
        await client.release({ reservationId });
        return { outcome: 'done' };
      }),
    consume: (reservationId, saleId) => consumption.load({ reservationId, documentType: 'sale', documentId: saleId }),
  };
}

/** As many as inventory consumes at once. */
const batchMax = 100;

/**
 * Asks to consume what comes at about the same time in one call: nobody waits for it, and ten cost as much as two. Whatever goes wrong
 * with several, each is then asked for alone.
 */
function createConsumption(client: GrpcClient<typeof inventoryDefinition>, gatherMs: number) {
  type Item = { reservationId: string; documentType: string; documentId: string };
  const consumeOne = (item: Item) =>
    asking<Said>(async () => {
      await client.consume(item);
      return { outcome: 'done' };
    });
  const consumeSeveral = async (items: readonly Item[]) => {
    if (items.length === 1) return new Set<string>();
    const { consumedIds } = await client.consumeBatch({ items: [...items] }).catch(() => ({ consumedIds: [] }));
    return new Set(consumedIds);
  };
  return new DataLoader<Item, Said>(
    async (items) => {
      const consumed = await consumeSeveral(items);
      const done: Said = { outcome: 'done' };
      return Promise.all(items.map((item) => (consumed.has(item.reservationId) ? done : consumeOne(item))));
    },
    { cache: false, batch: gatherMs > 0, maxBatchSize: batchMax, batchScheduleFn: (send) => setTimeout(send, gatherMs) },
  );
}

/** A repeated command answers the reservation as it is now, which may be further on. */
function isHeld(state: ReservationState | undefined): boolean {
  return state === ReservationState.ACTIVE || state === ReservationState.FIRM || state === ReservationState.CONSUMED;
}

function expired(): Refused {
  return { outcome: 'refused', code: 'reservation-expired', detail: 'The goods were held too long without being paid.' };
}

export function connectPayments(options: GrpcClientOptions) {
  return createClient(paymentsDefinition, options);
}

export function createPayments(client: GrpcClient<typeof paymentsDefinition>): Payments {
  return {
    authorise: (plan, step) => asking(async () => paymentSaid((await client.authorise(paymentRequest(plan, step))).transaction)),
    purchase: (plan, step) => asking(async () => paymentSaid((await client.purchase(paymentRequest(plan, step))).transaction)),
    capture: ({ currency, actor }, { transactionId, intentId, amountMinor }) =>
      asking(async () => {
        const amount = { minor: BigInt(amountMinor), currency };
        return paymentSaid((await client.capture({ transactionId, intentId, amount, actor })).transaction);
      }),
    async balance(intentId) {
      try {
        const { intent } = await client.getIntent({ intentId });
        if (!intent) return { outcome: 'unknown', problem: 'internal-error' };
        const { status, authorisedMinor, capturedMinor, refundedMinor, voidedMinor } = intent;
        return {
          status,
          authorisedMinor: Number(authorisedMinor),
          capturedMinor: Number(capturedMinor),
          refundedMinor: Number(refundedMinor),
          voidedMinor: Number(voidedMinor),
        };
      } catch (error) {
        return isKassaError(error, 'not-found') ? null : { outcome: 'unknown', problem: problemOf(error) };
      }
    },
    cancel: ({ actor }, back) => asking(async () => returnSaid((await client.cancel({ ...back, actor })).transaction)),
    refund: ({ actor }, back) => asking(async () => returnSaid((await client.refund({ ...back, actor })).transaction)),
  };
}

const methods: Record<TenderMethod, Method> = { cash: Method.CASH, terminal: Method.TERMINAL, online: Method.ONLINE };

function paymentRequest(plan: Plan, step: StepOf<'authorise'> | StepOf<'purchase'>) {
  const { country, channel, currency, actor, saleId } = plan;
  const { transactionId, intentId, instrument, method, amountMinor } = step;
  return {
    transactionId,
    intentId,
    amount: { minor: BigInt(amountMinor), currency },
    country,
    channel,
    method: methods[method],
    instrument: instrument ?? '',
    reference: `sale:${saleId}`,
    actor,
  };
}

/** Why a card was declined, as a cashier can say it aloud; a lost card is not accused. Every other reason is the bank's own. */
const declineWords: Record<string, string> = {
  'insufficient-funds': 'There is not enough money on the card.',
  'expired-card': 'The card has expired.',
};

function paymentSaid(transaction: Transaction | undefined): PaymentSaid {
  switch (transaction?.status) {
    case TransactionStatus.SUCCEEDED:
      return {
        outcome: 'done',
        authorisationCode: transaction.authorisationCode || null,
        cardLabel: transaction.cardLabel || null,
      };
    case TransactionStatus.DECLINED: {
      const declineCode = transaction.declineCode || 'declined';
      return {
        outcome: 'refused',
        code: 'payment-declined',
        detail: declineWords[declineCode] ?? 'The bank of the card says no.',
        declineCode,
      };
    }
    case TransactionStatus.FAILED:
      return { outcome: 'refused', code: 'payment-failed', detail: 'It did not get through to the acquirer.' };
    default:
      return { outcome: 'unknown', problem: 'payment-unknown' };
  }
}

/** Money on its way back. A refused return is not the end: it is tried again under a new id. */
function returnSaid(transaction: Transaction | undefined): Said {
  if (transaction === undefined || transaction.status === TransactionStatus.SUCCEEDED) return { outcome: 'done' };
  if (transaction.status === TransactionStatus.DECLINED || transaction.status === TransactionStatus.FAILED) {
    return {
      outcome: 'refused',
      code: 'payment-failed',
      detail: `Money could not be given back: ${transaction.declineCode || 'it failed'}.`,
    };
  }
  return { outcome: 'unknown', problem: 'payment-unknown' };
}

/** Codes that say no and still do not say that nothing happened. */
const inDoubt: ErrorCode[] = ['integrity-failed', 'idempotency-key-reused'];

/** What a neighbour threw, as an outcome: a refusal by its own rules is final, whatever else leaves open whether it happened. */
async function asking<Answer>(call: () => Promise<Answer>): Promise<Answer | Refused | Unknown> {
  try {
    return await call();
  } catch (error) {
    const isRefusal = isKassaError(error) && !error.kind.isRetryable && [400, 409, 422].includes(error.kind.status);
    if (!isRefusal || inDoubt.includes(error.code)) return { outcome: 'unknown', problem: problemOf(error) };
    const lines = error.facts.params?.['lines'];
    return { outcome: 'refused', code: error.code, detail: error.message, ...(lines === undefined ? {} : { lines }) };
  }
}

function problemOf(error: unknown): string {
  return isKassaError(error) ? error.code : 'internal-error';
}
