import { KassaError } from '@kassa/problem';
import { countryFault } from '../domain/country.ts';
import { methodFault } from '../domain/methods.ts';
import type { BeginPayment, Movement } from '../store.ts';
import { conclude, type Deps } from './settle-transaction.ts';

/**
 * Authorises (AUTHORISE), or authorises and captures in one step (PURCHASE); makes the intent where its id is new.
 * Two statements and two commits around the provider's answer: the transaction is written down before the provider hears of it, and its
 * outcome after. Cash is one of each. Repeating the command with its transaction id never takes money again.
 * A decline and an unknown outcome are answers, not errors.
 * Errors: currency-mismatch, tender-not-allowed, already-exists, payment-canceled, wrong-state, payment-unknown, request-in-progress, integrity-failed,
 * idempotency-key-reused.
 */
export async function takePayment(deps: Deps, command: BeginPayment): Promise<Movement> {
  const fault = countryFault(command);
  if (fault !== undefined) throw new KassaError('currency-mismatch', { detail: fault });
  checkMethod(command);
  return conclude(deps, await deps.store.beginPayment(command), askedBy(command));
}

/** Error: tender-not-allowed. */
export function checkMethod({ method, channel, kind }: Pick<BeginPayment, 'method' | 'channel' | 'kind'>): void {
  const fault = methodFault(method, channel, kind === 'AUTHORISE' ? 'authorise' : 'purchase');
  if (fault !== undefined) throw new KassaError('tender-not-allowed', { detail: fault });
}

/** The command as it bears on the intent. */
export function askedBy({ kind, amountMinor, currency }: BeginPayment) {
  return { command: kind === 'AUTHORISE' ? 'authorise' : 'purchase', amountMinor, currency } as const;
}
