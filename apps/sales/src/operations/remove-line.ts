import type { Answer } from '@kassa/idempotency';
import { lineOf } from './change-line.ts';
import { changeSale, withLines, type ChangeDeps, type ChangeInput } from './change-sale.ts';

/** Takes a line out of an open sale. Errors: not-found, and those of changeSale. */
export async function removeLine(deps: ChangeDeps, input: ChangeInput & { lineId: string }): Promise<Answer> {
  return changeSale(deps, input, {
    move: 'change-basket',
    change({ sale }) {
      const removed = lineOf(sale, input.lineId);
      return withLines(
        sale,
        sale.lines.filter((line) => line !== removed),
      );
    },
  });
}
