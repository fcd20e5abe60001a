import {
  compareWitnesses,
  type Comparison,
  type LevelsWitness,
  type OperationWitness,
  type ReservationWitness,
  type SaleWitness,
  type TransactionWitness,
} from '@kassa/testing';
import { askWitnesses } from '../ask-witnesses.ts';
import type { Target } from '../target.ts';

/** What everyone has on record, all of it at hand: 100,000 sales take half a gigabyte. */
export interface Books {
  sales: SaleWitness[];
  transactions: TransactionWitness[];
  reservations: ReservationWitness[];
  levels: LevelsWitness[];
  /** In the order in which it was asked for; undefined where the acquirer does not show its ledger. */
  ledger: OperationWitness[] | undefined;
}

export interface Look {
  books: Books;
  comparison: Comparison;
}

/**
 * Reads all books and compares them. Sales are read last: what the others say of a sale is then never younger than the sale.
 * Throws Failure where one does not answer.
 */
export async function lookAtBooks(target: Target, token: string, progress: (sentence: string) => void): Promise<Look> {
  const asked = await askWitnesses(target, token, progress);
  const levels = await all(asked.levels);
  const transactions = await all(asked.transactions);
  const ledger = asked.ledger && (await all(asked.ledger));
  const reservations = await all(asked.reservations);
  const sales = await all(asked.sales);
  progress('');
  const books = { sales, transactions, reservations, levels, ledger };
  return { books, comparison: await compareWitnesses(books) };
}

async function all<T>(items: Iterable<T> | AsyncIterable<T>): Promise<T[]> {
  const read: T[] = [];
  for await (const item of items) read.push(item);
  return read;
}
