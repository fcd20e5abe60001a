import {
  compareWitnesses,
  eventually,
  type LevelsWitness,
  type OperationWitness,
  type ReservationWitness,
  type SaleWitness,
  type TransactionWitness,
} from '@kassa/testing';
import type { System } from './system.ts';

/** The books of everyone who keeps some, read through their own APIs. */
export interface Books {
  sales: SaleWitness[];
  transactions: TransactionWitness[];
  reservations: ReservationWitness[];
  levels: LevelsWitness[];
  ledger: OperationWitness[];
}

export async function readBooks(system: System): Promise<Books> {
  const inventory = system.api('inventory');
  return {
    sales: await system.api('sales').all<SaleWitness>('/v1/audit/sales'),
    transactions: await system.api('payments').all<TransactionWitness>('/v1/audit/transactions'),
    reservations: await inventory.all<ReservationWitness>('/v1/audit/reservations'),
    levels: await inventory.all<LevelsWitness>('/v1/audit/levels'),
    ledger: await system.api('acquirer').all<OperationWitness>('/v1/ledger'),
  };
}

/** Reading all books costs the services more than a sale does. */
const allBooksMs = 250;

/** Waits until nothing is under way any more and all witnesses agree; throws what they disagree about. Returns their books. */
export function agreement(system: System, timeoutMs = 20_000): Promise<Books> {
  return eventually(
    async () => {
      const books = await readBooks(system);
      const { violations } = await compareWitnesses(books);
      if (violations.length > 0) throw new Error(violations.map(({ law, text }) => `${law}: ${text}`).join('\n'));
      return books;
    },
    timeoutMs,
    allBooksMs,
  );
}

/** What became of one sale, each number from the books of whoever keeps them. */
export interface Account {
  state: string;
  /** Sales: receipts with a number. */
  receipts: number;
  /** Sales: what its settled tenders pay. */
  settledMinor: number;
  /** Payments: what was taken and not given back, cash included. */
  paidMinor: number;
  /** Payments: what is held on cards and neither taken nor let go. */
  heldMinor: number;
  /** The acquirer: what was taken from cards and not given back. */
  chargedMinor: number;
  /** Inventory: units that left the shelf, and units held for it. */
  unitsSold: number;
  unitsHeld: number;
}

export function accountOf(saleId: string, books: Books): Account {
  const sale = books.sales.find((row) => row.saleId === saleId);
  if (!sale) throw new Error(`sales does not know sale ${saleId}`);
  const transactions = books.transactions.filter(
    ({ reference, status }) => reference === `sale:${saleId}` && status === 'SUCCEEDED',
  );
  const own = new Set(
    books.transactions.filter(({ reference }) => reference === `sale:${saleId}`).map((row) => row.transactionId),
  );
  const operations = books.ledger.filter(({ providerKey, status }) => own.has(providerKey) && status === 'approved');
  const reservations = books.reservations.filter(({ reference }) => reference === `sale:${saleId}`);
  const moved = (rows: { kind: string; amountMinor: number }[], kind: string) =>
    sum(rows.filter((row) => row.kind.toUpperCase() === kind).map((row) => row.amountMinor));
  const units = (...states: string[]) =>
    sum(reservations.filter(({ state }) => states.includes(state)).flatMap(({ lines }) => lines.map(({ quantity }) => quantity)));
  const taken = (rows: { kind: string; amountMinor: number }[]) =>
    moved(rows, 'PURCHASE') + moved(rows, 'CAPTURE') - moved(rows, 'REFUND');
  return {
    state: sale.state,
    receipts: sale.receiptNumber ? 1 : 0,
    settledMinor: sum(sale.tenders.filter(({ status }) => status === 'SETTLED').map(({ amountMinor }) => amountMinor)),
    paidMinor: taken(transactions),
    heldMinor: moved(transactions, 'AUTHORISE') - moved(transactions, 'CAPTURE') - moved(transactions, 'VOID'),
    chargedMinor: taken(operations),
    unitsSold: units('CONSUMED'),
    unitsHeld: units('ACTIVE', 'FIRM'),
  };
}

const sum = (numbers: number[]) => numbers.reduce((total, number) => total + number, 0);
