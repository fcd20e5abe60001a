import type { Answer, Key } from '@kassa/idempotency';
import { KassaError } from '@kassa/problem';
import { isFinal, maySendAgain, type Transaction, type Verdict } from '../domain/transaction.ts';
import type { Act, Movement } from '../store.ts';
import { ask, instruct, judge, lookInto, tell, write, type Deps } from './settle-transaction.ts';

const atOnce = 20;

/**
 * Asks the provider about transactions whose outcome is due to be asked for, and writes down what it knows; answers how many there were.
 * One statement claims them, for as long as the wait until the next question, so any number of replicas may run this. Money is never
 * moved from here: an instruction the provider does not know is closed there once its grace is over, and only a void, which lets money
 * go, is sent again.
 */
export async function resolveDue(deps: Deps): Promise<number> {
  const due = await deps.store.claimDue(atOnce);
  await Promise.all(due.map(({ transaction, now }) => resolve(deps, transaction, now)));
  return due.length;
}

async function resolve(deps: Deps, transaction: Transaction, now: Date): Promise<void> {
  const answer = await ask(deps, transaction);
  if (answer.outcome === 'not-found' && transaction.kind === 'VOID' && maySendAgain(transaction, now)) {
    const taken = await deps.store.takeOn(transaction);
    if (taken) await instruct(deps, taken);
    return;
  }
  const verdict = await judge(deps, transaction, answer, now);
  if (verdict.status !== 'UNKNOWN') await write(deps, transaction, verdict);
  else if (transaction.attempts === deps.settings.RESOLVE_ATTEMPTS_ALARM) deps.events.transactionStuck(transaction);
}

/** Voids what is left of authorisations that ran out of time; answers how many there were. */
export async function expireAuthorisations(deps: Deps): Promise<number> {
  const begun = await deps.store.expireAuthorisations(atOnce);
  await Promise.all(begun.map(({ transaction }) => instruct(deps, transaction)));
  return begun.length;
}

export interface ByHand {
  transactionId: string;
  /** The operator's subject. */
  actor: string;
  traceId: string;
  key: Key;
  answer(movement: Movement): Answer;
}

/**
 * Asks the provider now, on an operator's word; the act is on the audit log before the question. Nothing is sent again: no one stands at
 * the till any more. A transaction whose outcome is known is answered as it is.
 * Errors: not-found.
 */
export function resumeUnknown(deps: Deps, { transactionId, actor, traceId, key, answer }: ByHand): Promise<Answer> {
  const settle = async () => {
    const given = answer(await lookInto(deps, await load(deps, transactionId)));
    if (given.status !== 202) await deps.store.recordAnswer(key, given);
    return given;
  };
  return deps.idempotency.once(
    key,
    async () => {
      await load(deps, transactionId);
      await deps.store.noteAct({ act: 'resume', transactionId, actor, traceId }, key);
      deps.events.operatorActed('resume', transactionId, actor);
      return settle();
    },
    settle,
  );
}

export interface ResolveByHand extends ByHand {
  outcome: 'succeeded' | 'failed';
  reason: string;
  /** What it rests on: a statement of the acquirer, a receipt. */
  evidence: string;
}

/**
 * Settles a transaction by an operator's word, where the provider cannot be asked or contradicts itself. Act, outcome and balances are one
 * statement. A transaction whose outcome is known keeps it; the operator may only confirm it, which takes a failed integrity's mark away.
 * What is to be failed is closed at the provider first, so that it cannot happen afterwards.
 * Errors: not-found; wrong-state where the outcome is known, here or at the provider; request-in-progress while a worker or the provider
 * is at it.
 */
export function resolveByHand(deps: Deps, input: ResolveByHand): Promise<Answer> {
  const { transactionId, actor, traceId, key, outcome, reason, evidence } = input;
  const verdict: Verdict =
    outcome === 'succeeded' ? { status: 'SUCCEEDED' } : { status: 'FAILED', note: 'settled by an operator' };
  const done = async (movement: Movement) => {
    const given = input.answer(movement);
    await deps.store.recordAnswer(key, given);
    return given;
  };
  return deps.idempotency.once(
    key,
    async () => {
      const { transaction, intent, now } = await load(deps, transactionId);
      if (transaction.leaseUntil !== undefined && transaction.leaseUntil > now) {
        throw new KassaError('request-in-progress', { detail: 'A worker is at this transaction.', retryAfterSeconds: 5 });
      }
      const isToConfirm = intent.status === 'integrity_failed' && transaction.status === verdict.status;
      if (isFinal(transaction.status) && !isToConfirm) {
        throw new KassaError('wrong-state', {
          detail: 'The outcome of this transaction is known.',
          params: { transactionStatus: transaction.status },
        });
      }
      if (outcome === 'failed' && intent.status !== 'integrity_failed') await closeThere(deps, transaction);
      const act: Act = { act: 'resolve', transactionId, actor, outcome, reason, evidence, traceId };
      const finished = await deps.store.finishByHand(transaction, verdict, act, key);
      deps.events.operatorActed('resolve', transactionId, actor);
      return done(tell(deps, finished, verdict));
    },
    async () => done(await load(deps, transactionId)),
  );
}

/**
 * Closes what the operator says did not happen. A provider that says it did, or that is still at it, knows better than any statement; one
 * that gives no answer leaves it to the operator. Errors: wrong-state, request-in-progress.
 */
async function closeThere(deps: Deps, transaction: Transaction): Promise<void> {
  const answer = await deps.provider.close(transaction);
  deps.events.inquiryAnswered(transaction, answer.outcome);
  if (answer.outcome === 'approved') {
    throw new KassaError('wrong-state', {
      detail: 'The provider says that it took place: resume this payment, and that is written down.',
      params: { transactionStatus: transaction.status, provider: answer.outcome },
    });
  }
  if (answer.outcome === 'pending') {
    throw new KassaError('request-in-progress', { detail: 'The provider has not decided yet.', retryAfterSeconds: 5 });
  }
}

async function load(deps: Deps, transactionId: string): Promise<Movement & { transaction: Transaction }> {
  const found = await deps.store.find(transactionId);
  if (!found) throw new KassaError('not-found', { detail: 'There is no such transaction.' });
  return found;
}
