import type { Answer } from '@kassa/idempotency';
import type { Events } from '../events.ts';
import { changeSale, type ChangeDeps, type ChangeInput } from './change-sale.ts';

/** Gives a sale up that was not tendered; there is nothing to undo. Errors: those of changeSale. */
export async function abandonSale(deps: ChangeDeps & { events: Events }, input: ChangeInput): Promise<Answer> {
  const answer = await changeSale(deps, input, { move: 'abandon', change: ({ sale }) => sale });
  if (answer.status === 200 && answer.headers?.['idempotency-replayed'] === undefined) deps.events.saleAbandoned(input.saleId);
  return answer;
}
