import type { Caller } from '@kassa/auth';
import type { Answer, Key } from '@kassa/idempotency';
import { KassaError } from '@kassa/problem';
import type { Method } from '../domain/methods.ts';
import type { BeginPayment, Movement } from '../store.ts';
import { answerOnce } from './answer-once.ts';
import { getIntent } from './get-intent.ts';
import type { Deps } from './settle-transaction.ts';
import { askedBy, checkMethod } from './take-payment.ts';

export interface ConfirmIntent {
  intentId: string;
  method: Method;
  /** The card's token, for a card on the web. */
  token?: string | undefined;
  caller: Caller;
  key: Key;
  answer(movement: Movement): Answer;
}

/**
 * Tries to pay an intent: authorises it where its capture is manual, takes the money at once where it is automatic. At a till the card
 * is read by the terminal of the caller's own register.
 * Errors: not-found, tender-not-allowed, register-required, validation-failed, and those of takePayment().
 */
export async function confirmIntent(deps: Deps, input: ConfirmIntent): Promise<Answer> {
  const { intent } = await getIntent(deps, input);
  const { id: intentId, amountMinor, currency, reference, country, channel, shopId } = intent;
  const command: BeginPayment = {
    transactionId: deps.newId(),
    intentId,
    kind: intent.captureMode === 'manual' ? 'AUTHORISE' : 'PURCHASE',
    amountMinor,
    currency,
    reference,
    country,
    channel,
    ...(shopId === undefined ? {} : { shopId }),
    method: input.method,
    instrument: instrumentOf(input),
    actor: { subject: input.caller.subject, role: input.caller.roles[0] ?? '' },
  };
  const { key, answer } = input;
  return answerOnce(deps, {
    key,
    intentId,
    asked: askedBy(command),
    answer,
    async begin() {
      checkMethod(command);
      return deps.store.beginPaymentOnce(command, key);
    },
  });
}

function instrumentOf({ method, token, caller }: ConfirmIntent): string {
  if (method === 'cash') return '';
  if (method === 'terminal') {
    if (caller.registerId === undefined)
      throw new KassaError('register-required', { detail: 'A terminal belongs to a register.' });
    return `pos-${caller.registerId}`;
  }
  if (token === undefined)
    throw new KassaError('validation-failed', { errors: [{ pointer: '/token', detail: 'is needed for online' }] });
  return token;
}
