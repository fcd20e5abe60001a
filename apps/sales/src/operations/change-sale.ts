import type { Caller } from '@kassa/auth';
import type { Answer, Idempotency, Key } from '@kassa/idempotency';
import { isKassaError, KassaError } from '@kassa/problem';
import { totalOf } from '../domain/pricing.ts';
import { moveFrom, wrongState, type Line, type Move, type Sale } from '../domain/sale.ts';
import type { Item, LoadedSale, Store } from '../store.ts';
import { atRegister, saleNotFound } from './at-register.ts';
import { saleAnswer } from './get-sale.ts';

export interface ChangeDeps {
  store: Pick<Store, 'loadSale' | 'saveSale'>;
  idempotency: Idempotency;
  now(): Date;
  newId(): string;
}

export interface ChangeInput {
  saleId: string;
  caller: Caller;
  key: Key;
  /** The version the till last read, where the route asks for it. */
  ifMatch?: number | undefined;
}

export interface Change {
  move: Move | ((sale: Sale) => Move);
  /** What is looked up in the catalogue along the way. */
  items?: Item[];
  /** Status of the answer; default 200. */
  status?: number;
  /** The sale as it will be; state, version and register are set for it. May throw a refusal. */
  change(found: LoadedSale): Sale;
}

const writersMax = 3;

/**
 * What every change of a till has in common: load the sale, ask the table of moves, change, save in one statement, answer the sale. Two tills
 * that change one sale at the same moment both succeed, one after the other, unless they named the version they had read.
 * Errors: not-found, wrong-state, precondition-failed, write-conflict, session-superseded, register-unknown, register-required.
 */
export async function changeSale(
  deps: ChangeDeps,
  input: ChangeInput,
  { move, items = [], status = 200, change }: Change,
): Promise<Answer> {
  const by = atRegister(input.caller);
  return deps.idempotency.once(input.key, async () => {
    for (let writers = 1; ; writers++) {
      const found = await deps.store.loadSale(input.saleId, by, items, deps.now());
      if (!found) throw saleNotFound(input.saleId);
      const { sale } = found;
      refuseStale(sale, input.ifMatch);
      const wanted = typeof move === 'string' ? move : move(sale);
      const state = moveFrom(sale.state, wanted);
      if (state === undefined) throw wrongState(sale, wanted);
      const after = { ...change(found), state, version: sale.version + 1, registerId: by.registerId };
      const answer = saleAnswer(after, status);
      try {
        await deps.store.saveSale(sale, after, by, input.key, answer);
        return answer;
      } catch (error) {
        if (writers === writersMax || !isKassaError(error, 'write-conflict')) throw error;
      }
    }
  });
}

function refuseStale({ version }: Sale, ifMatch: number | undefined): void {
  if (ifMatch === undefined || ifMatch === version) return;
  throw new KassaError('precondition-failed', {
    detail: `The sale is at version ${version}, not ${ifMatch}; read it again.`,
    params: { version },
  });
}

/** The sale with another basket; a refusal of an earlier checkout has had its answer with that. */
export function withLines(sale: Sale, lines: Line[]): Sale {
  return { ...sale, lines, totalMinor: totalOf(lines), refusal: null };
}
