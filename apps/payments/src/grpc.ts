import { holdsCardNumber } from '@kassa/check-digits';
import {
  Method,
  TransactionKind,
  TransactionStatus,
  type AuthoriseRequest,
  type CancelRequest,
  type CaptureRequest,
  type paymentsDefinition,
  type PurchaseRequest,
  type RefundRequest,
} from '@kassa/contracts/payments';
import { KassaError } from '@kassa/problem';
import type { ServiceImplementation } from 'nice-grpc';
import { z } from 'zod';
import { channels, type Intent } from './domain/intent.ts';
import type { Kind, Status, Transaction } from './domain/transaction.ts';
import { continuePayment } from './operations/continue-payment.ts';
import { getIntentForService } from './operations/get-intent.ts';
import type { Deps } from './operations/settle-transaction.ts';
import { takePayment } from './operations/take-payment.ts';
import type { BeginFollowUp, BeginPayment, Movement } from './store.ts';

/** Table of contents over gRPC: decode, the same operations, encode. */
export function implementation(deps: Deps): ServiceImplementation<typeof paymentsDefinition> {
  return {
    authorise: async (request) => encode(await takePayment(deps, decodePayment('AUTHORISE', request))),
    purchase: async (request) => encode(await takePayment(deps, decodePayment('PURCHASE', request))),
    capture: async (request) => encode(await continuePayment(deps, decodeFollowUp('CAPTURE', request))),
    cancel: async (request) => encode(await continuePayment(deps, decodeFollowUp('VOID', request))),
    refund: async (request) => encode(await continuePayment(deps, decodeFollowUp('REFUND', request))),
    async getIntent({ intentId }) {
      const { intent, transactions } = await getIntentForService(
        deps,
        check(z.object({ intentId: z.uuid() }), { intentId }).intentId,
      );
      return { intent: encodeIntent(intent), transactions: transactions.map(encodeTransaction) };
    },
  };
}

const methodOf = { [Method.CASH]: 'cash', [Method.TERMINAL]: 'terminal', [Method.ONLINE]: 'online' } as const;

const Money = z.object({
  minor: z
    .bigint()
    .refine((minor) => minor > 0n && minor < 1_000_000_000_000n, 'must be more than nothing, in minor units')
    .transform(Number),
  currency: z.string().regex(/^[A-Z]{3}$/, 'must be an ISO 4217 code'),
});
const Actor = z.object({ subject: z.string().min(1), role: z.string(), shopId: z.string() });
const ids = { transactionId: z.uuid(), intentId: z.uuid() };

const PaymentMessage = z
  .object({
    ...ids,
    amount: Money,
    country: z.string().regex(/^[a-z]{2}$/, 'must be a country code in lower case'),
    channel: z.enum(channels),
    method: z.enum(Method).refine((method) => method !== Method.UNSPECIFIED, 'must be named'),
    instrument: z
      .string()
      .max(100)
      .refine((text) => !holdsCardNumber(text), 'must be a terminal id or a token, never a card number'),
    reference: z
      .string()
      .min(1)
      .max(100)
      .refine((text) => !holdsCardNumber(text), 'must not hold a card number'),
    actor: Actor,
  })
  .refine(({ method, instrument }) => (method === Method.CASH) === (instrument === ''), {
    path: ['instrument'],
    message: 'names the terminal or the card, and is empty for cash',
  });

function decodePayment(kind: BeginPayment['kind'], message: AuthoriseRequest | PurchaseRequest): BeginPayment {
  const { transactionId, intentId, amount, country, channel, method, instrument, reference, actor } = check(
    PaymentMessage,
    message,
  );
  return {
    ...{ transactionId, intentId, kind, country, channel, instrument, reference },
    amountMinor: amount.minor,
    currency: amount.currency,
    method: methodOf[method as Exclude<Method, Method.UNSPECIFIED>],
    ...(actor.shopId === '' ? {} : { shopId: actor.shopId }),
    actor: { subject: actor.subject, role: actor.role },
  };
}

const FollowUpMessage = z.object({ ...ids, amount: Money.optional(), actor: Actor.optional() });

/** A caller of the last release names no actor. */
function decodeFollowUp(kind: BeginFollowUp['kind'], message: CaptureRequest | CancelRequest | RefundRequest): BeginFollowUp {
  const { transactionId, intentId, amount, actor = service } = check(FollowUpMessage, message);
  return {
    ...{ transactionId, intentId, kind },
    ...(amount === undefined ? {} : { amountMinor: amount.minor, currency: amount.currency }),
    actor: { subject: actor.subject, role: actor.role },
  };
}

const service = { subject: 'service', role: 'service' };

/** Error: validation-failed, with every field that is wrong. */
function check<Schema extends z.ZodType>(schema: Schema, message: unknown): z.output<Schema> {
  const result = schema.safeParse(message);
  if (result.success) return result.data;
  const errors = result.error.issues.map((issue) => ({ pointer: `/${issue.path.join('/')}`, detail: issue.message }));
  throw new KassaError('validation-failed', { errors, detail: `${errors[0]?.pointer}: ${errors[0]?.detail}` });
}

function encode({ intent, transaction }: Movement) {
  return { intent: encodeIntent(intent), ...(transaction ? { transaction: encodeTransaction(transaction) } : {}) };
}

function encodeIntent({ id, status, amountMinor, currency, balances, reference }: Intent) {
  return {
    ...{ id, status, reference },
    amount: { minor: BigInt(amountMinor), currency },
    authorisedMinor: BigInt(balances.authorised),
    capturedMinor: BigInt(balances.captured),
    refundedMinor: BigInt(balances.refunded),
    voidedMinor: BigInt(balances.voided),
  };
}

const kindNumber: Record<Kind, TransactionKind> = TransactionKind;
const statusNumber: Record<Status, TransactionStatus> = TransactionStatus;

function encodeTransaction(transaction: Transaction) {
  const { id, intentId, kind, status, amountMinor, currency } = transaction;
  return {
    ...{ id, intentId, kind: kindNumber[kind], status: statusNumber[status] },
    amount: { minor: BigInt(amountMinor), currency },
    declineCode: transaction.declineCode ?? '',
    authorisationCode: transaction.authorisationCode ?? '',
    cardLabel: transaction.cardLabel ?? '',
    providerRef: transaction.providerRef ?? '',
  };
}
