import type { Idempotency } from '@kassa/idempotency';
import { KassaError } from '@kassa/problem';
import type { Provider } from '../clients.ts';
import { refusalOf, type Asked, type Refusal } from '../domain/intent.ts';
import {
  isFinal,
  isToBeClosed,
  judgeAnswer,
  judgeInquiry,
  maySendAgain,
  type ProviderAnswer,
  type Transaction,
  type Verdict,
} from '../domain/transaction.ts';
import type { Events } from '../events.ts';
import type { Begun, Movement, Store } from '../store.ts';

export interface Deps {
  store: Store;
  provider: Provider;
  idempotency: Idempotency;
  events: Events;
  now(): Date;
  newId(): string;
  sleep(ms: number): Promise<void>;
  settings: {
    /** How long the provider must have had nothing under way before what it does not know is closed there. */
    UNKNOWN_GRACE_MS: number;
    /** How long a repeated command waits for the worker that is at it. */
    REPEAT_WAIT_MS: number;
    /** Questions without a telling answer after which an operator is called. */
    RESOLVE_ATTEMPTS_ALARM: number;
  };
}

type Settled = Movement & { transaction: Transaction };

/**
 * Carries a command that was begun to where it can be answered: tells the provider and writes its answer down, or, for a command that
 * was here before, finds out what became of it. The intent and the transaction come back as they are now.
 * Errors: not-found, idempotency-key-reused, request-in-progress (repeat it), integrity-failed, and the refusals of domain/intent.ts.
 */
export async function conclude(deps: Deps, begun: Begun, asked: Asked): Promise<Movement> {
  switch (begun.verdict) {
    case 'claimed':
      return told(isFinal(begun.transaction.status) ? record(deps, begun) : await instruct(deps, begun.transaction));
    case 'seen':
      return told(await settleSeen(deps, begun));
    case 'canceled':
      return begun;
    case 'refused':
      throw refused(begun, asked);
    case 'missing':
      throw new KassaError('not-found', { detail: 'There is no such payment.' });
    case 'reused':
      throw new KassaError('idempotency-key-reused', { detail: 'This transaction id was used for another command.' });
    case 'not-allowed':
      throw new KassaError('write-conflict', { retryAfterSeconds: 1 });
    default:
      return begun satisfies never;
  }
}

/** Why a command is refused, as an error with what would have been possible. */
export function refused({ intent, now }: Movement, asked: Asked): KassaError {
  const refusal = refusalOf(intent, asked, now);
  // The database refused it a moment ago, and what stood in the way is gone: the same command may go ahead now.
  if (refusal === undefined) return new KassaError('write-conflict', { retryAfterSeconds: 1 });
  const { code, ...params } = refusal;
  return new KassaError(code, { detail: refusalDetails[code], params: { ...params, status: intent.status }, ...waitFor(code) });
}

const refusalDetails: Record<Refusal['code'], string> = {
  'integrity-failed': 'The provider reported another amount than was asked for; an operator has to look at this payment.',
  'payment-unknown': 'Nobody knows yet what became of an earlier step. Do not take the money again; repeat this later.',
  'request-in-progress': 'Another step of this payment is under way. Repeat this later.',
  'payment-canceled': 'This payment was canceled.',
  'wrong-state': 'The payment is in another state; `allowed` names what can be done now.',
  'already-exists': 'There is a payment with this id, for another amount.',
  'currency-mismatch': 'The payment is in another currency.',
  'amount-exceeds-capturable': 'That is more than is authorised and not yet captured.',
  'amount-exceeds-refundable': 'That is more than was captured and not yet refunded.',
};

function waitFor(code: Refusal['code']): { retryAfterSeconds?: number } {
  return code === 'payment-unknown' || code === 'request-in-progress' ? { retryAfterSeconds: 2 } : {};
}

/** A transaction someone is still at has no answer yet; one that broke the provider's integrity gets none from us. */
function told(movement: Settled): Movement {
  if (movement.intent.status === 'integrity_failed') throw refused(movement, { command: 'refund' });
  if (movement.transaction.status !== 'INIT') return movement;
  throw new KassaError('request-in-progress', { detail: 'This command is being worked on. Repeat it.', retryAfterSeconds: 1 });
}

/** Tells the provider, and writes down what it says. */
export async function instruct(deps: Deps, transaction: Transaction): Promise<Settled> {
  const answer = await deps.provider.perform(transaction);
  return write(deps, transaction, judgeAnswer(transaction, answer));
}

const lookEveryMs = 100;

/**
 * Brings a command that was here before to its end. A worker that is at it is waited for. Then the provider is asked, whoever holds the
 * lease: a question changes nothing, and after a crash it mostly knows the answer. The instruction is sent again only where
 * maySendAgain() allows it; see there why that cannot charge twice.
 */
async function settleSeen(deps: Deps, seen: Settled): Promise<Settled> {
  return lookInto(deps, await waitForWorker(deps, seen), async (transaction) => {
    const taken = await deps.store.takeOn(transaction);
    return taken && instruct(deps, taken);
  });
}

/**
 * Asks the provider what became of a transaction and writes down what that tells. `sendAgain` is for an instruction the provider does not
 * know and that may be sent once more.
 */
export async function lookInto(
  deps: Deps,
  movement: Settled,
  sendAgain?: (transaction: Transaction) => Promise<Settled | undefined>,
): Promise<Settled> {
  const { transaction, now } = movement;
  if (isFinal(transaction.status) || movement.intent.status === 'integrity_failed') return movement;
  const answer = await ask(deps, transaction);
  if (sendAgain && answer.outcome === 'not-found' && maySendAgain(transaction, now)) {
    return (await sendAgain(transaction)) ?? (await deps.store.find(transaction.id)) ?? movement;
  }
  const verdict = await judge(deps, transaction, answer, now);
  return verdict.status === 'UNKNOWN' ? movement : write(deps, transaction, verdict);
}

async function waitForWorker(deps: Deps, seen: Settled): Promise<Settled> {
  let movement = seen;
  for (let waitedMs = 0; isBeingWorkedOn(movement) && waitedMs < deps.settings.REPEAT_WAIT_MS; waitedMs += lookEveryMs) {
    await deps.sleep(lookEveryMs);
    movement = (await deps.store.find(seen.transaction.id)) ?? movement;
  }
  return movement;
}

function isBeingWorkedOn({ transaction, now }: Settled): boolean {
  return transaction.status === 'INIT' && transaction.leaseUntil !== undefined && transaction.leaseUntil > now;
}

/** Asks the provider what became of a transaction. */
export async function ask(deps: Deps, transaction: Transaction): Promise<ProviderAnswer> {
  const answer = await deps.provider.inquire(transaction);
  deps.events.inquiryAnswered(transaction, answer.outcome);
  return answer;
}

/** What the answer to a question means; a transaction the provider has long not known is closed there, and only then has it failed. */
export async function judge(deps: Deps, transaction: Transaction, answer: ProviderAnswer, now: Date): Promise<Verdict> {
  if (!isToBeClosed(transaction, answer, { now, graceMs: deps.settings.UNKNOWN_GRACE_MS }))
    return judgeInquiry(transaction, answer);
  const closed = await deps.provider.close(transaction);
  deps.events.inquiryAnswered(transaction, closed.outcome);
  return judgeInquiry(transaction, closed);
}

/** Writes a verdict down and tells whoever counts. */
export async function write(deps: Deps, transaction: Transaction, verdict: Verdict): Promise<Settled> {
  const finished = await deps.store.finish(transaction, verdict);
  return tell(deps, finished, verdict);
}

/** Counts what was written down, and raises the alarm where the provider contradicts itself or us. */
export function tell(deps: Deps, finished: Settled & { verdict: string }, verdict: Verdict): Settled {
  if (finished.verdict === 'contradicted' || (finished.verdict === 'recorded' && verdict.status === 'INTEGRITY')) {
    deps.events.integrityFailed(finished.transaction, 'note' in verdict ? verdict.note : `it is ${verdict.status} after all`);
  }
  return finished.verdict === 'recorded' ? record(deps, finished) : finished;
}

function record(deps: Deps, movement: Settled): Settled {
  deps.events.transactionRecorded(movement.transaction);
  return movement;
}
