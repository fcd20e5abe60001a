import type { Answer } from '@kassa/idempotency';
import { changeSale, type ChangeDeps, type ChangeInput } from './change-sale.ts';

/** Puts an open sale aside. Errors: those of changeSale. */
export async function parkSale(deps: ChangeDeps, input: ChangeInput): Promise<Answer> {
  return changeSale(deps, input, { move: 'park', change: ({ sale }) => sale });
}

/** Takes a parked sale up again, at this register, which may be another one of the shop. Errors: those of changeSale. */
export async function resumeSale(deps: ChangeDeps, input: ChangeInput): Promise<Answer> {
  return changeSale(deps, input, { move: 'resume', change: ({ sale }) => sale });
}
