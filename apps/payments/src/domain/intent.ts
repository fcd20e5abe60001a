import type { Method } from './methods.ts';
import type { Transaction } from './transaction.ts';

/** Where a payment stands. It follows from its balances and marks alone (see intentStatus), so it can never disagree with them. */
export const intentStatuses = [
  'requires_method',
  'processing',
  'authorised',
  'partially_captured',
  'captured',
  'partially_refunded',
  'refunded',
  'declined',
  'unknown',
  'canceled',
  'voided',
  'expired',
  'integrity_failed',
] as const;
export type IntentStatus = (typeof intentStatuses)[number];

/** What can be asked of a payment. */
export const commands = ['authorise', 'purchase', 'capture', 'cancel', 'refund'] as const;
export type Command = (typeof commands)[number];

/**
 * The sums over a payment's transactions, in minor units. A pending amount is one whose outcome is not known yet; it counts against
 * every limit as if it had happened, so that no order of late answers can break one.
 */
export interface Balances {
  authorisePending: number;
  authorised: number;
  capturePending: number;
  captured: number;
  voidPending: number;
  voided: number;
  refundPending: number;
  refunded: number;
}

/** What else tells where a payment stands. */
export interface Marks {
  /** Transactions whose outcome nobody knows. */
  unknownCount: number;
  /** Attempts that were declined. */
  declinedCount: number;
  isCanceled: boolean;
  /** The authorisation ran out of time. */
  isExpired: boolean;
  /** The provider reported something else than was asked for; a person has to look. */
  hasIntegrityFailed: boolean;
}

export interface Intent {
  id: string;
  reference: string;
  /** ISO 3166-1 alpha-2, lower case; empty where the intent was canceled before anyone else spoke of it. */
  country: string;
  channel: Channel;
  /** The shop whose money it is; undefined for the web shop. */
  shopId?: string;
  /** Known from the first attempt on. */
  method?: Method;
  captureMode: 'automatic' | 'manual';
  amountMinor: number;
  currency: string;
  balances: Balances;
  marks: Marks;
  status: IntentStatus;
  /** When what is authorised can no longer be captured. */
  expiresAt?: Date;
  /** The authorisation or purchase that succeeded; later steps name it to the provider. */
  originalId?: string;
  version: number;
  createdAt: Date;
}

export const channels = ['store', 'web'] as const;
export type Channel = (typeof channels)[number];

/**
 * The legal moves: in which states a command may go ahead. What a row allows may still be refused by an amount.
 * Cancel is allowed where there is nothing left to cancel, too: it then changes nothing.
 */
export const legalMoves: Record<IntentStatus, readonly Command[]> = {
  requires_method: ['authorise', 'purchase', 'cancel'],
  processing: [],
  authorised: ['capture', 'cancel'],
  partially_captured: ['capture', 'cancel', 'refund'],
  captured: ['refund'],
  partially_refunded: ['capture', 'cancel', 'refund'],
  refunded: [],
  declined: ['authorise', 'purchase', 'cancel'],
  unknown: [],
  canceled: ['cancel'],
  voided: ['cancel'],
  expired: ['cancel'],
  integrity_failed: [],
};

/** The states in which a command may go ahead. */
export function statesAllowing(command: Command): IntentStatus[] {
  return intentStatuses.filter((status) => legalMoves[status].includes(command));
}

const zero: Balances = {
  authorisePending: 0,
  authorised: 0,
  capturePending: 0,
  captured: 0,
  voidPending: 0,
  voided: 0,
  refundPending: 0,
  refunded: 0,
};

/** The balances and counts that a payment's transactions add up to, in whatever order they are given. */
export function fold(transactions: readonly Pick<Transaction, 'kind' | 'status' | 'amountMinor'>[]): {
  balances: Balances;
  unknownCount: number;
  declinedCount: number;
} {
  const balances = { ...zero };
  const counts = { unknownCount: 0, declinedCount: 0 };
  for (const { kind, status, amountMinor } of transactions) {
    const begins = kind === 'AUTHORISE' || kind === 'PURCHASE';
    if (status === 'UNKNOWN') counts.unknownCount += 1;
    if (status === 'DECLINED' && begins) counts.declinedCount += 1;
    if (status === 'DECLINED' || status === 'FAILED') continue;
    const isPending = status !== 'SUCCEEDED';
    if (begins) balances[isPending ? 'authorisePending' : 'authorised'] += amountMinor;
    if (kind === 'PURCHASE' && !isPending) balances.captured += amountMinor;
    if (kind === 'CAPTURE') balances[isPending ? 'capturePending' : 'captured'] += amountMinor;
    if (kind === 'VOID') balances[isPending ? 'voidPending' : 'voided'] += amountMinor;
    if (kind === 'REFUND') balances[isPending ? 'refundPending' : 'refunded'] += amountMinor;
  }
  return { balances, ...counts };
}

/** Authorised, neither taken nor given up, nor on the way to either. */
export function capturable(balances: Balances): number {
  return balances.authorised - balances.captured - balances.capturePending - balances.voided - balances.voidPending;
}

/** Taken, and neither given back nor on the way back. */
export function refundable(balances: Balances): number {
  return balances.captured - balances.refunded - balances.refundPending;
}

/**
 * Where a payment stands. The same rule stands in the database as payment_intent_status_v1(), which keeps the column `status`;
 * a test asks both.
 */
export function intentStatus(balances: Balances, marks: Marks): IntentStatus {
  const { authorised, captured, voided, refunded } = balances;
  if (marks.hasIntegrityFailed) return 'integrity_failed';
  if (marks.unknownCount > 0) return 'unknown';
  if (balances.authorisePending > 0) return 'processing';
  const isOpen = authorised > captured + voided;
  if (refunded > 0) return refunded === captured && !isOpen ? 'refunded' : 'partially_refunded';
  if (captured > 0) return isOpen ? 'partially_captured' : 'captured';
  if (authorised > 0) return marks.isExpired ? 'expired' : isOpen ? 'authorised' : 'voided';
  if (marks.isCanceled) return 'canceled';
  return marks.declinedCount > 0 ? 'declined' : 'requires_method';
}

/** Why a command is refused. The order is the precedence: the first that holds is told. */
export type Refusal =
  | { code: 'integrity-failed' }
  | { code: 'payment-unknown' }
  | { code: 'request-in-progress' }
  | { code: 'payment-canceled' }
  | { code: 'wrong-state'; allowed: readonly Command[] }
  | { code: 'already-exists' }
  | { code: 'currency-mismatch' }
  | { code: 'amount-exceeds-capturable'; capturableMinor: number }
  | { code: 'amount-exceeds-refundable'; refundableMinor: number };

/** A command as it bears on the intent. An absent amount means all there is. */
export interface Asked {
  command: Command;
  amountMinor?: number;
  currency?: string;
  /** The method of an attempt to pay. */
  method?: Method;
}

/** The first reason to refuse a command, or undefined where it may go ahead. `now` is the database's time. */
export function refusalOf(intent: Intent, asked: Asked, now: Date): Refusal | undefined {
  return (
    refusalByState(intent, asked.command) ??
    refusalByContent(intent, asked) ??
    refusalByExpiry(intent, asked.command, now) ??
    refusalByAmount(intent, asked)
  );
}

function refusalByState(intent: Intent, command: Command): Refusal | undefined {
  if (legalMoves[intent.status].includes(command)) return undefined;
  switch (intent.status) {
    case 'integrity_failed':
      return { code: 'integrity-failed' };
    case 'unknown':
      return { code: 'payment-unknown' };
    case 'processing':
      return { code: 'request-in-progress' };
    case 'canceled':
    case 'voided':
      return { code: 'payment-canceled' };
    default:
      return { code: 'wrong-state', allowed: legalMoves[intent.status] };
  }
}

/** A second attempt to pay is for the same amount by definition; another one is another payment under a used id. */
function refusalByContent(intent: Intent, asked: Asked): Refusal | undefined {
  const isAttempt = asked.command === 'authorise' || asked.command === 'purchase';
  const sameAmount = asked.amountMinor === undefined || asked.amountMinor === intent.amountMinor;
  const sameCurrency = asked.currency === undefined || asked.currency === intent.currency;
  if (isAttempt && !(sameAmount && sameCurrency)) return { code: 'already-exists' };
  return sameCurrency ? undefined : { code: 'currency-mismatch' };
}

function refusalByExpiry(intent: Intent, command: Command, now: Date): Refusal | undefined {
  const isOver = intent.expiresAt !== undefined && intent.expiresAt <= now;
  return command === 'capture' && isOver ? { code: 'wrong-state', allowed: ['cancel'] } : undefined;
}

function refusalByAmount(intent: Intent, asked: Asked): Refusal | undefined {
  if (asked.command === 'capture') {
    const capturableMinor = capturable(intent.balances);
    return isWithin(asked.amountMinor, capturableMinor) ? undefined : { code: 'amount-exceeds-capturable', capturableMinor };
  }
  if (asked.command === 'refund') {
    const refundableMinor = refundable(intent.balances);
    return isWithin(asked.amountMinor, refundableMinor) ? undefined : { code: 'amount-exceeds-refundable', refundableMinor };
  }
  return asked.command === 'cancel' ? refusalOfCancel(intent) : undefined;
}

/** Nothing is left to void: because it was taken, or because someone is just taking or voiding it. */
function refusalOfCancel({ status, balances }: Intent): Refusal | undefined {
  if (capturable(balances) > 0) return undefined;
  if (balances.capturePending + balances.voidPending > 0) return { code: 'request-in-progress' };
  return balances.captured > 0
    ? { code: 'wrong-state', allowed: legalMoves[status].filter((command) => command !== 'cancel') }
    : undefined;
}

function isWithin(amountMinor: number | undefined, room: number): boolean {
  return room > 0 && (amountMinor ?? room) <= room;
}

/** What whoever stands at the till should do now, in words a screen can act on. */
export type NextAction = 'wait' | 'ask-terminal' | 'safe-to-retry';

/**
 * wait: nobody knows the outcome yet, do not take the money again; poll. ask-terminal: the same, and the terminal's display or its
 * receipt may tell. safe-to-retry: no money moved, a new attempt is safe. Undefined where there is nothing to do.
 */
export function nextAction(intent: Pick<Intent, 'status' | 'method'>): NextAction | undefined {
  if (intent.status === 'unknown' || intent.status === 'processing')
    return intent.method === 'terminal' ? 'ask-terminal' : 'wait';
  if (intent.status === 'declined' || intent.status === 'requires_method') return 'safe-to-retry';
  return undefined;
}
