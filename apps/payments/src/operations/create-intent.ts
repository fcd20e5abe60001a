import type { Caller } from '@kassa/auth';
import type { Answer, Key } from '@kassa/idempotency';
import { KassaError } from '@kassa/problem';
import { countryFault } from '../domain/country.ts';
import { fold, intentStatus, type Intent } from '../domain/intent.ts';
import type { Deps } from './settle-transaction.ts';

export interface CreateIntent {
  reference: string;
  country: string;
  captureMode: Intent['captureMode'];
  amountMinor: number;
  currency: string;
  caller: Caller;
  key: Key;
  /** The answer for the intent as it is made. */
  answer(intent: Intent): Answer;
}

/**
 * Says what is to be paid; nobody has tried to pay it yet. A web shop's intent belongs to the web, one made at a till to its shop.
 * Errors: currency-mismatch where the country has another currency; forbidden for a person without a shop.
 */
export function createIntent(deps: Deps, input: CreateIntent): Promise<Answer> {
  const { caller, key } = input;
  const intent = newIntent(deps, input);
  return deps.idempotency.once(key, async () => {
    const fault = countryFault(intent);
    if (fault !== undefined) throw new KassaError('currency-mismatch', { detail: fault });
    const answer = input.answer(intent);
    await deps.store.createIntent(intent, { subject: caller.subject, role: caller.roles[0] ?? '' }, key, answer);
    return answer;
  });
}

function newIntent(deps: Deps, { reference, country, captureMode, amountMinor, currency, caller }: CreateIntent): Intent {
  const marks = { unknownCount: 0, declinedCount: 0, isCanceled: false, isExpired: false, hasIntegrityFailed: false };
  const { balances } = fold([]);
  const isWeb = caller.roles.includes('web-shop');
  if (!isWeb && caller.shopId === undefined) throw new KassaError('forbidden', { detail: 'This token belongs to no shop.' });
  return {
    id: deps.newId(),
    reference,
    country,
    channel: isWeb ? 'web' : 'store',
    ...(isWeb || caller.shopId === undefined ? {} : { shopId: caller.shopId }),
    captureMode,
    amountMinor,
    currency,
    balances,
    marks,
    status: intentStatus(balances, marks),
    version: 1,
    createdAt: deps.now(),
  };
}
