import type { Answer } from '@kassa/idempotency';
import { KassaError } from '@kassa/problem';
import { changeLine as repriced } from '../domain/pricing.ts';
import type { Line, Sale } from '../domain/sale.ts';
import { changeSale, withLines, type ChangeDeps, type ChangeInput } from './change-sale.ts';
import { refuseSerialSoldTwice } from './open-sale.ts';

/** Gives a line another quantity or other serial numbers, at the price it has. Errors: not-found, serial-required, and those of changeSale. */
export async function changeLine(
  deps: ChangeDeps,
  input: ChangeInput & { lineId: string; quantity?: number | undefined; serials?: string[] | undefined },
): Promise<Answer> {
  return changeSale(deps, input, {
    move: 'change-basket',
    change({ sale }) {
      const priced = repriced(lineOf(sale, input.lineId), input);
      if ('refusal' in priced) {
        const { code, detail, params } = priced.refusal;
        throw new KassaError(code, { detail, params, errors: [{ pointer: '/serials', detail }] });
      }
      const lines = sale.lines.map((line) => (line.lineId === input.lineId ? priced.line : line));
      refuseSerialSoldTwice(lines);
      return withLines(sale, lines);
    },
  });
}

/** Error: not-found. */
export function lineOf(sale: Sale, lineId: string): Line {
  const line = sale.lines.find((candidate) => candidate.lineId === lineId);
  if (!line) throw new KassaError('not-found', { detail: `The sale has no line ${lineId}.` });
  return line;
}
