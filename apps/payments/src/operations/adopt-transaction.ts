import type { Answer, Key } from '@kassa/idempotency';
import { KassaError } from '@kassa/problem';
import { countryFault } from '../domain/country.ts';
import type { Channel } from '../domain/intent.ts';
import { instantMethods, type Method } from '../domain/methods.ts';
import { judgeLost, type Verdict } from '../domain/transaction.ts';
import type { Act, BeginFollowUp, BeginPayment, Movement } from '../store.ts';
import { answerOnce } from './answer-once.ts';
import { askedBy as askedByFollowUp } from './continue-payment.ts';
import { getIntentForService } from './get-intent.ts';
import { resumeUnknown } from './resolve-unknown.ts';
import type { Deps } from './settle-transaction.ts';
import { askedBy, checkMethod } from './take-payment.ts';

interface Lost {
  transactionId: string;
  intentId: string;
  amountMinor: number;
  currency: string;
  /** Why it is believed to have taken place. */
  reason: string;
}
interface LostPayment extends Lost {
  kind: 'PURCHASE' | 'AUTHORISE';
  method: Method;
  reference: string;
  country: string;
  channel: Channel;
  shopId?: string | undefined;
  terminalId?: string | undefined;
}
interface LostFollowUp extends Lost {
  kind: 'CAPTURE' | 'VOID' | 'REFUND';
}

export interface AdoptTransaction {
  said: LostPayment | LostFollowUp;
  /** The operator's subject. */
  actor: string;
  traceId: string;
  key: Key;
  answer(movement: Movement): Answer;
}

/**
 * Writes down a movement that took place before this database was restored to an earlier point, under the ids it had. The provider is
 * asked before anything is written, and never told to do anything: what it does not know did not happen. Of cash only whoever took it
 * knows, so it is taken on the operator's word. A transaction that is on record is answered as it is; where its outcome is open, the
 * provider is asked. Act and balances are one statement. A checkout that was being undone may have canceled the payment meanwhile, as one
 * nobody had heard of: that mark gives way, since the provider has just said that the payment took place.
 * Errors: payment-failed where the provider has no such operation; already-exists where it has another one under this id, or the payment
 * is another; payment-unknown where it gives no answer; not-found for a later step of a payment that is not on record; and those of a
 * payment's rules.
 */
export async function adoptTransaction(deps: Deps, { said, actor, traceId, key, answer }: AdoptTransaction): Promise<Answer> {
  const { transactionId, intentId, reason } = said;
  if (await deps.store.find(transactionId)) return resumeUnknown(deps, { transactionId, actor, traceId, key, answer });
  const command = commandOf(said, actor);
  const asked = 'reference' in command ? askedBy(command) : askedByFollowUp(command);
  return answerOnce(deps, {
    key,
    intentId,
    asked,
    answer,
    async begin() {
      const { verdict, evidence } = await outcomeOf(deps, said);
      if (isPayment(said)) await deps.store.forgetCancelMark(intentId);
      const act: Act = { act: 'adopt', transactionId, actor, outcome: verdict.status, reason, evidence, traceId };
      const begun = await deps.store.adopt(command, verdict, act, key);
      deps.events.operatorActed('adopt', transactionId, actor);
      return begun;
    },
  });
}

/** The token of a card is not known any more: later steps name the original to the provider, which knows the card. */
const tokenLost = 'adopted';

function commandOf(said: LostPayment | LostFollowUp, operator: string): BeginPayment | BeginFollowUp {
  const { transactionId, intentId, amountMinor, currency } = said;
  const facts = { transactionId, intentId, amountMinor, currency, actor: { subject: operator, role: 'operator' } };
  if (!isPayment(said)) return { ...facts, kind: said.kind };
  const { kind, method, reference, country, channel, shopId, terminalId } = said;
  const fault = countryFault({ country, currency });
  if (fault !== undefined) throw new KassaError('currency-mismatch', { detail: fault });
  checkMethod(said);
  const instrument = method === 'cash' ? '' : (terminalId ?? tokenLost);
  return { ...facts, kind, method, reference, country, channel, instrument, ...(shopId === undefined ? {} : { shopId }) };
}

/** How it ended, and who says so. */
async function outcomeOf(deps: Deps, said: LostPayment | LostFollowUp): Promise<{ verdict: Verdict; evidence: string }> {
  const method = isPayment(said) ? said.method : (await getIntentForService(deps, said.intentId)).intent.method;
  if (method !== undefined && instantMethods.includes(method)) {
    return { verdict: { status: 'SUCCEEDED' }, evidence: `${method}, by the operator's word` };
  }
  const verdict = judgeLost(said, await deps.provider.inquire({ id: said.transactionId }));
  if (!('refused' in verdict)) return { verdict, evidence: `${deps.provider.name} has it on record` };
  switch (verdict.refused) {
    case 'unknown-there':
      throw new KassaError('payment-failed', {
        detail: 'The provider has no such operation, so it did not happen. Nothing was written.',
      });
    case 'another':
      throw new KassaError('already-exists', {
        detail: 'The provider has another operation under this id. Nothing was written.',
      });
    case 'no-answer':
      throw new KassaError('payment-unknown', {
        detail: 'The provider does not say what became of it. Ask again.',
        retryAfterSeconds: 5,
      });
    default:
      return verdict.refused satisfies never;
  }
}

function isPayment(said: LostPayment | LostFollowUp): said is LostPayment {
  return said.kind === 'PURCHASE' || said.kind === 'AUTHORISE';
}
