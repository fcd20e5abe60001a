import type { Method } from './methods.ts';

/** One movement of money, or of the right to it. */
export const kinds = ['AUTHORISE', 'CAPTURE', 'PURCHASE', 'VOID', 'REFUND'] as const;
export type Kind = (typeof kinds)[number];

/**
 * INIT: written down; whether it was sent is not known to anyone but the worker at it.
 * UNKNOWN: sent, and nobody knows yet whether it happened.
 * SUCCEEDED, DECLINED, FAILED (known not to have happened) are final and never change.
 */
export const statuses = ['INIT', 'SUCCEEDED', 'DECLINED', 'FAILED', 'UNKNOWN'] as const;
export type Status = (typeof statuses)[number];
export type FinalStatus = Exclude<Status, 'INIT' | 'UNKNOWN'>;

export interface Transaction {
  id: string;
  intentId: string;
  kind: Kind;
  status: Status;
  amountMinor: number;
  currency: string;
  method: Method;
  channel: 'store' | 'web';
  /** A terminal's id or a card's token; empty for cash. */
  instrument: string;
  /** The authorisation or purchase it belongs to, for the later steps. */
  originalId?: string;
  declineCode?: string;
  authorisationCode?: string;
  cardLabel?: string;
  providerRef?: string;
  /** Why it failed or is not known, in words for an operator. */
  note?: string;
  /** How often a worker took it on to tell the provider. */
  sends: number;
  /** How often the provider was asked about it. */
  attempts: number;
  /** Until then someone is at it. */
  leaseUntil?: Date;
  /** From then on nothing of it can still be on its way to the provider, but for what lies in the network. */
  quietFrom: Date;
  createdAt: Date;
}

export function isFinal(status: Status): status is FinalStatus {
  return status === 'SUCCEEDED' || status === 'DECLINED' || status === 'FAILED';
}

/** What the provider says of an operation, when told to do it or when asked about it. */
export type ProviderAnswer =
  | {
      outcome: 'approved';
      /** Where the provider says what it did; a question needs no kind to be answered. */
      kind?: Kind;
      amountMinor: number;
      currency: string;
      providerRef: string;
      authorisationCode?: string;
      cardLabel?: string;
    }
  | { outcome: 'declined'; kind?: Kind; declineCode: string; providerRef: string }
  /** On record, and not decided yet: a card holder types a PIN. */
  | { outcome: 'pending' }
  /** The provider has no such operation. Only an answer to a question, never to an instruction. */
  | { outcome: 'not-found' }
  /** The provider did nothing under this id, and never will: it was closed there. */
  | { outcome: 'closed' }
  /** Certain not to have reached the provider: no connection was made, or it refused the request as such. */
  | { outcome: 'not-sent'; note: string }
  /** Anything else: no answer in time, a broken connection, a 5xx. It may have happened. */
  | { outcome: 'unclear'; note: string };

/** What is to be written down of an answer. */
export type Verdict =
  | { status: 'SUCCEEDED'; providerRef?: string; authorisationCode?: string; cardLabel?: string }
  | { status: 'DECLINED'; declineCode: string; providerRef?: string }
  | { status: 'FAILED'; note: string }
  | { status: 'UNKNOWN'; note: string }
  /** Approved, but not what was asked for. Nothing completes; a person has to look. */
  | { status: 'INTEGRITY'; note: string; providerRef: string };

/**
 * What the answer to an instruction means.
 * not-sent is the only failure that is known not to have happened, and only of the first attempt: that a second one was not sent says
 * nothing of the first. A 5xx is no proof: a proxy may have said it for a request that arrived.
 */
export function judgeAnswer(
  transaction: Pick<Transaction, 'amountMinor' | 'currency' | 'sends'>,
  answer: ProviderAnswer,
): Verdict {
  switch (answer.outcome) {
    case 'approved':
      return judgeApproval(transaction, answer);
    case 'declined':
      return { status: 'DECLINED', declineCode: answer.declineCode, providerRef: answer.providerRef };
    case 'not-sent':
      return { status: transaction.sends === 1 ? 'FAILED' : 'UNKNOWN', note: answer.note };
    case 'pending':
      return { status: 'UNKNOWN', note: 'the provider has not decided yet' };
    case 'not-found':
      return { status: 'UNKNOWN', note: 'the provider does not know it' };
    case 'closed':
      return { status: 'FAILED', note: 'the provider never saw it in time, and will refuse it' };
    case 'unclear':
      return { status: 'UNKNOWN', note: answer.note };
    default:
      return answer satisfies never;
  }
}

/** What the answer to a question means. A question that failed tells nothing about the operation. */
export function judgeInquiry(
  transaction: Pick<Transaction, 'amountMinor' | 'currency' | 'sends'>,
  answer: ProviderAnswer,
): Verdict {
  if (answer.outcome === 'not-sent') return { status: 'UNKNOWN', note: answer.note };
  return judgeAnswer(transaction, answer);
}

/**
 * Whether a transaction the provider does not know is to be closed there, so that it is known not to have happened: "not found" says only
 * that the instruction has not arrived yet. Not before everything we ever sent has been quiet for the grace, since one that is late by
 * seconds may still go through.
 */
export function isToBeClosed(
  transaction: Pick<Transaction, 'quietFrom'>,
  answer: ProviderAnswer,
  time: { now: Date; graceMs: number },
): boolean {
  return answer.outcome === 'not-found' && time.now.getTime() >= transaction.quietFrom.getTime() + time.graceMs;
}

/**
 * What the provider's answer says of a movement that our books have lost, and that someone says took place: how it ended, or why it may
 * not be written down. Only what the provider has on record, as just that, is.
 */
export function judgeLost(
  said: Pick<Transaction, 'kind' | 'amountMinor' | 'currency'>,
  answer: ProviderAnswer,
): Extract<Verdict, { status: 'SUCCEEDED' | 'DECLINED' | 'FAILED' }> | { refused: 'unknown-there' | 'another' | 'no-answer' } {
  if (answer.outcome === 'not-found') return { refused: 'unknown-there' };
  if (answer.outcome === 'closed') return { status: 'FAILED', note: 'the provider has it as closed' };
  if (answer.outcome !== 'approved' && answer.outcome !== 'declined') return { refused: 'no-answer' };
  if (answer.kind !== undefined && answer.kind !== said.kind) return { refused: 'another' };
  const verdict = judgeAnswer({ ...said, sends: 1 }, answer);
  return verdict.status === 'UNKNOWN' || verdict.status === 'INTEGRITY' ? { refused: 'another' } : verdict;
}

function judgeApproval(
  asked: Pick<Transaction, 'amountMinor' | 'currency'>,
  { outcome: _, kind: _kind, amountMinor, currency, ...facts }: Extract<ProviderAnswer, { outcome: 'approved' }>,
): Verdict {
  if (amountMinor === asked.amountMinor && currency === asked.currency) return { status: 'SUCCEEDED', ...facts };
  const note = `asked for ${asked.amountMinor} ${asked.currency}, the provider reports ${amountMinor} ${currency}`;
  return { status: 'INTEGRITY', note, providerRef: facts.providerRef };
}

/**
 * Whether an instruction the provider says it does not know may be sent to it again, under the same key. A provider does one operation
 * per key, so a second one cannot charge twice even when the first is still on its way.
 * INIT with its lease over: the worker died before it could write down an answer, and the one who asked for the money asks again.
 * UNKNOWN is never sent again: whoever waited for it has been told that nobody knows, and may have gone.
 */
export function maySendAgain(transaction: Pick<Transaction, 'status' | 'leaseUntil'>, now: Date): boolean {
  return transaction.status === 'INIT' && (transaction.leaseUntil === undefined || transaction.leaseUntil <= now);
}

const firstRetryMs = 1_000;
const lastRetryMs = 60_000;

/** Milliseconds until the provider is asked again, after so many questions: 1 s, doubling, at most a minute. */
export function retryDelayMs(attempts: number): number {
  return Math.min(firstRetryMs * 2 ** Math.min(attempts, 10), lastRetryMs);
}
