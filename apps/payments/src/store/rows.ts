import { KassaError } from '@kassa/problem';
import type { Channel, Intent, IntentStatus } from '../domain/intent.ts';
import type { Method } from '../domain/methods.ts';
import type { Kind, Status, Transaction } from '../domain/transaction.ts';

/** Where a command stands, with the rows as they are and the database's time. */
export interface Movement {
  intent: Intent;
  /** Absent only where a cancel had nothing to void. */
  transaction?: Transaction;
  now: Date;
}

/** See begin_payment_v1() and begin_follow_up_v1() for what each means. */
export type Begun =
  | (Movement & { verdict: 'claimed' | 'seen'; transaction: Transaction })
  | (Movement & { verdict: 'canceled' | 'refused' })
  /** not-allowed: refused, and with it the client's key was not claimed either; the intent has to be read to tell why. */
  | { verdict: 'reused' | 'missing' | 'not-allowed' };

/** See finish_transaction_v1() for what each verdict means. */
export type Finished = Movement & { verdict: 'recorded' | 'settled' | 'open' | 'contradicted'; transaction: Transaction };

/** Columns as to_jsonb() gives them. */
export interface IntentRow {
  id: string;
  reference: string;
  country: string;
  channel: Channel;
  shop_id: string | null;
  method: Method | null;
  capture_mode: Intent['captureMode'];
  amount_minor: number;
  currency: string;
  authorise_pending_minor: number;
  authorised_minor: number;
  capture_pending_minor: number;
  captured_minor: number;
  void_pending_minor: number;
  voided_minor: number;
  refund_pending_minor: number;
  refunded_minor: number;
  unknown_count: number;
  declined_count: number;
  canceled_at: string | null;
  expired_at: string | null;
  integrity_failed_at: string | null;
  expires_at: string | null;
  original_id: string | null;
  status: IntentStatus;
  version: number;
  created_at: string;
}

export interface TransactionRow {
  id: string;
  intent_id: string;
  kind: Kind;
  status: Status;
  amount_minor: number;
  currency: string;
  method: Method;
  channel: Channel;
  instrument: string;
  original_id: string | null;
  decline_code: string | null;
  authorisation_code: string | null;
  card_label: string | null;
  provider_ref: string | null;
  note: string | null;
  sends: number;
  attempts: number;
  lease_until: string | null;
  quiet_from: string;
  created_at: string;
}

export interface AnswerRow {
  verdict: string;
  intent: IntentRow | null;
  transaction: TransactionRow | null;
  now: string;
}

export function onlyRow<Row>(rows: Row[]): Row {
  const [row] = rows;
  if (row === undefined) throw new Error('a statement that answers one row answered none');
  return row;
}

export function toBegun(row: AnswerRow): Begun {
  const verdict = row.verdict as Begun['verdict'];
  if (verdict === 'reused' || verdict === 'missing' || verdict === 'not-allowed') return { verdict };
  const movement = toMovement(row);
  if (verdict === 'canceled' || verdict === 'refused') return { ...movement, verdict };
  if (movement.transaction === undefined) throw new Error(`a command was ${verdict} without a transaction`);
  return { ...movement, verdict, transaction: movement.transaction };
}

export function toFinished(row: AnswerRow): Finished {
  if (row.verdict === 'missing') throw new KassaError('not-found', { detail: 'There is no such transaction.' });
  const movement = toMovement(row);
  if (movement.transaction === undefined) throw new Error('a transaction was finished and is not there');
  return { ...movement, verdict: row.verdict as Finished['verdict'], transaction: movement.transaction };
}

export function toMovement(row: AnswerRow): Movement {
  if (row.intent === null) throw new Error('a movement has no intent');
  return {
    intent: toIntent(row.intent),
    ...(row.transaction === null ? {} : { transaction: toTransaction(row.transaction) }),
    now: new Date(row.now),
  };
}

export function toIntent(row: IntentRow): Intent {
  return {
    id: row.id,
    reference: row.reference,
    country: row.country,
    channel: row.channel,
    ...(row.shop_id === null ? {} : { shopId: row.shop_id }),
    ...(row.method === null ? {} : { method: row.method }),
    captureMode: row.capture_mode,
    amountMinor: row.amount_minor,
    currency: row.currency,
    balances: {
      authorisePending: row.authorise_pending_minor,
      authorised: row.authorised_minor,
      capturePending: row.capture_pending_minor,
      captured: row.captured_minor,
      voidPending: row.void_pending_minor,
      voided: row.voided_minor,
      refundPending: row.refund_pending_minor,
      refunded: row.refunded_minor,
    },
    marks: {
      unknownCount: row.unknown_count,
      declinedCount: row.declined_count,
      isCanceled: row.canceled_at !== null,
      isExpired: row.expired_at !== null,
      hasIntegrityFailed: row.integrity_failed_at !== null,
    },
    status: row.status,
    ...(row.expires_at === null ? {} : { expiresAt: new Date(row.expires_at) }),
    ...(row.original_id === null ? {} : { originalId: row.original_id }),
    version: row.version,
    createdAt: new Date(row.created_at),
  };
}

export function toTransaction(row: TransactionRow): Transaction {
  return {
    id: row.id,
    intentId: row.intent_id,
    kind: row.kind,
    status: row.status,
    amountMinor: row.amount_minor,
    currency: row.currency,
    method: row.method,
    channel: row.channel,
    instrument: row.instrument,
    ...(row.original_id === null ? {} : { originalId: row.original_id }),
    ...(row.decline_code === null ? {} : { declineCode: row.decline_code }),
    ...(row.authorisation_code === null ? {} : { authorisationCode: row.authorisation_code }),
    ...(row.card_label === null ? {} : { cardLabel: row.card_label }),
    ...(row.provider_ref === null ? {} : { providerRef: row.provider_ref }),
    ...(row.note === null ? {} : { note: row.note }),
    sends: row.sends,
    attempts: row.attempts,
    ...(row.lease_until === null ? {} : { leaseUntil: new Date(row.lease_until) }),
    quietFrom: new Date(row.quiet_from),
    createdAt: new Date(row.created_at),
  };
}
