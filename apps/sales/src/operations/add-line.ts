import { KassaError } from '@kassa/problem';
import type { Answer } from '@kassa/idempotency';
import { linesMax } from '../domain/pricing.ts';
import { changeSale, withLines, type ChangeDeps, type ChangeInput } from './change-sale.ts';
import { newLine, refuseSerialSoldTwice, vatBpOn, type LineRequest } from './open-sale.ts';

/**
 * Adds a line to an open sale, at today's price in the shop. 201.
 * Errors: unknown-item, product-inactive, price-missing, serial-required, sale-full, and those of changeSale.
 */
export async function addLine(deps: ChangeDeps, input: ChangeInput & { line: LineRequest }): Promise<Answer> {
  return changeSale(deps, input, {
    move: 'change-basket',
    items: [input.line],
    status: 201,
    change({ sale, shop, offers }) {
      if (sale.lines.length >= linesMax)
        throw new KassaError('sale-full', { detail: `A sale has at most ${linesMax} lines.`, params: { linesMax } });
      const position = Math.max(0, ...sale.lines.map((line) => line.position)) + 1;
      const line = newLine(input.line, offers[0] ?? undefined, {
        lineId: deps.newId(),
        position,
        pointer: '',
        vatBp: vatBpOn(shop, deps.now()),
      });
      const lines = [...sale.lines, line];
      refuseSerialSoldTwice(lines);
      return withLines(sale, lines);
    },
  });
}
