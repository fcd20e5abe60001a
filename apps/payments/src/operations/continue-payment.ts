import type { Asked } from '../domain/intent.ts';
import type { BeginFollowUp, Movement } from '../store.ts';
import { conclude, type Deps } from './settle-transaction.ts';

/**
 * Captures (CAPTURE), voids what is authorised and not captured (VOID), or gives captured money back (REFUND).
 * The amount counts against the limits from the moment it is written down, so captures never exceed the authorisation and refunds never
 * the captures, however many come at once. A VOID of an intent never seen records it as canceled: an attempt to pay that comes later is
 * refused. Two statements and two commits; repeating it with its transaction id never moves money again.
 * Errors: not-found, wrong-state, currency-mismatch, amount-exceeds-capturable, amount-exceeds-refundable, payment-canceled,
 * payment-unknown, request-in-progress, integrity-failed, idempotency-key-reused.
 */
export async function continuePayment(deps: Deps, command: BeginFollowUp): Promise<Movement> {
  return conclude(deps, await deps.store.beginFollowUp(command), askedBy(command));
}

const commandOf = { CAPTURE: 'capture', VOID: 'cancel', REFUND: 'refund' } as const;

/** The command as it bears on the intent. */
export function askedBy({ kind, amountMinor, currency }: BeginFollowUp): Asked {
  return {
    command: commandOf[kind],
    ...(amountMinor === undefined ? {} : { amountMinor }),
    ...(currency === undefined ? {} : { currency }),
  };
}
