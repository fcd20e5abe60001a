import type { Caller } from '@kassa/auth';
import type { Answer, Key } from '@kassa/idempotency';
import type { BeginFollowUp, Movement } from '../store.ts';
import { answerOnce } from './answer-once.ts';
import { askedBy } from './continue-payment.ts';
import { getIntent } from './get-intent.ts';
import type { Deps } from './settle-transaction.ts';

export interface ChangeIntent {
  intentId: string;
  kind: BeginFollowUp['kind'];
  /** Absent: all there is. */
  amountMinor?: number | undefined;
  caller: Caller;
  key: Key;
  answer(movement: Movement): Answer;
}

/** Captures, cancels or refunds a payment the caller may see. Errors: not-found, and those of continuePayment(). */
export async function changeIntent(
  deps: Deps,
  { intentId, kind, amountMinor, caller, key, answer }: ChangeIntent,
): Promise<Answer> {
  await getIntent(deps, { intentId, caller });
  const command: BeginFollowUp = {
    transactionId: deps.newId(),
    intentId,
    kind,
    ...(amountMinor === undefined ? {} : { amountMinor }),
    actor: { subject: caller.subject, role: caller.roles[0] ?? '' },
  };
  const asked = askedBy(command);
  return answerOnce(deps, { key, intentId, asked, answer, begin: () => deps.store.beginFollowUpOnce(command, key) });
}
