import type { Caller } from '@kassa/auth';
import { KassaError } from '@kassa/problem';
import type { Intent } from '../domain/intent.ts';
import type { Transaction } from '../domain/transaction.ts';
import type { Deps } from './settle-transaction.ts';

/** An intent with all its transactions, oldest first. Error: not-found, also where it is another shop's. */
export async function getIntent(deps: Pick<Deps, 'store'>, input: { intentId: string; caller: Caller }) {
  const found = await deps.store.findIntent(input.intentId);
  if (!found || !maySee(input.caller, found.intent)) throw new KassaError('not-found', { detail: 'There is no such payment.' });
  return found;
}

/** The same for a service, which acts for all shops. Error: not-found. */
export async function getIntentForService(deps: Pick<Deps, 'store'>, intentId: string) {
  const found = await deps.store.findIntent(intentId);
  if (!found) throw new KassaError('not-found', { detail: 'There is no such payment.' });
  return found;
}

/** Intents for a reference that the caller may see, by id, one more than `limit` where there is another page. */
export function listIntents(
  deps: Pick<Deps, 'store'>,
  input: { reference: string; caller: Caller; after?: string; limit: number },
): Promise<Intent[]> {
  const { reference, caller, after, limit } = input;
  const scope = caller.roles.includes('operator')
    ? {}
    : caller.roles.includes('web-shop')
      ? { isWeb: true }
      : { shopId: caller.shopId ?? '' };
  return deps.store.intentsFor({ reference, ...scope, ...(after === undefined ? {} : { after }), limit: limit + 1 });
}

/** A refund by its transaction id. Error: not-found. */
export async function getRefund(
  deps: Pick<Deps, 'store'>,
  input: { refundId: string; caller: Caller },
): Promise<{ intent: Intent; transaction: Transaction }> {
  const found = await deps.store.find(input.refundId);
  if (found?.transaction.kind !== 'REFUND' || !maySee(input.caller, found.intent)) {
    throw new KassaError('not-found', { detail: 'There is no such refund.' });
  }
  return found;
}

/** Operators see all, the web shop the web's, people in a shop their shop's. */
export function maySee(caller: Caller, intent: Intent): boolean {
  if (caller.roles.includes('operator')) return true;
  if (caller.roles.includes('web-shop') && intent.channel === 'web' && intent.shopId === undefined) return true;
  return intent.shopId !== undefined && intent.shopId === caller.shopId;
}
