import type { Violation } from '@kassa/testing';
import type { Books } from './books.ts';
import type { Mend } from './mends.ts';
import { amountWords, kindWord, saleWords } from './words.ts';

/** What a person has to decide: everything that differs about one thing, and what can be done. */
export interface Leftover {
  /** What it is about. */
  about: string;
  facts: string[];
  advice: string;
}

const uuid = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;

/** What differs and no mend puts right, by sale where it is about one. */
export function leftoversOf(violations: readonly Violation[], mends: readonly Mend[], books: Books): Leftover[] {
  const mended = new Set(mends.flatMap(({ ids }) => ids));
  const sales = new Map(books.sales.map((sale) => [sale.saleId, sale]));
  const references = new Map(books.transactions.map(({ transactionId, reference }) => [transactionId, reference]));
  for (const { intentId, reference } of books.transactions) references.set(intentId, reference);
  for (const { reservationId, reference } of books.reservations) references.set(reservationId, reference);
  // What a checkout was to pay with before it was undone: completed again, the sale has other ids, and would be charged again.
  const undone = new Set<string>();
  for (const { saleId, tenders } of books.sales) {
    for (const { intentId, transactionIds, status } of tenders) {
      for (const id of transactionIds) references.set(id, `sale:${saleId}`);
      if (status !== 'RETURNED' && status !== 'DECLINED') continue;
      for (const id of [intentId, ...transactionIds]) if (id) undone.add(id);
    }
  }
  const operations = new Map((books.ledger ?? []).map((operation) => [operation.providerKey, operation]));
  const leftovers = new Map<string, Leftover>();

  for (const violation of violations) {
    if (violation.law === 'nothing-given-back') continue;
    const ids = violation.text.match(uuid) ?? [];
    if (ids.some((id) => mended.has(id))) continue;
    const saleId =
      ids.find((id) => sales.has(id)) ??
      ids
        .map((id) => references.get(id))
        .find((reference) => reference?.startsWith('sale:'))
        ?.slice('sale:'.length);
    const sale = saleId === undefined ? undefined : sales.get(saleId);
    const operation = ids.map((id) => operations.get(id)).find((found) => found !== undefined);
    const isLostSale = saleId !== undefined && sale === undefined;
    const isStray = saleId === undefined && violation.law === 'acquirer-agrees' && operation !== undefined;
    const about = sale
      ? saleWords(sale)
      : isLostSale
        ? `sale ${saleId}, which sales does not know`
        : isStray
          ? `${kindWord(operation.kind)} of ${amountWords(operation.amountMinor, operation.currency)} by card, ${operation.status}, of no sale we know`
          : (ids[0] ?? violation.text);
    const advice = isLostSale
      ? adviceOn.lostSale
      : isStray && operation.originalKey === undefined
        ? adviceOn.stray(operation.providerKey)
        : sale && sale.state !== 'COMPLETED' && violation.law === 'money-returned' && !ids.some((id) => undone.has(id))
          ? adviceOn.unfinished
          : adviceOn.law[violation.law];
    const leftover = leftovers.get(about) ?? { about, facts: [], advice };
    leftover.facts.push(violation.text);
    leftovers.set(about, leftover);
  }
  return [...leftovers.values()];
}

const adviceOn = {
  lostSale:
    'Its receipt is on paper only, and its number will be given again. Before that register sells on, read "Sales was restored" in docs/runbooks/restore-a-database.md.',
  stray: (key: string) =>
    `An order of the web shop, by its time and amount. Name it: npm run reconcile -- --mend --adopt ${key} --reference order:… --country …`,
  unfinished:
    'Its customer has paid. Complete it at its register with the same tenders: they have the same ids, and nothing is charged again. Or a supervisor of its shop gives the money back in payments.',
  law: {
    'all-settled': 'It goes on by itself. Where it does not: GET /v1/checkouts in sales, GET /v1/unknown-payments in payments.',
    'tenders-paid':
      'Ask the acquirer for this card movement; what he confirms is written down by POST /v1/adopted-transactions in payments.',
    'tenders-add-up': 'No restore does this. Keep all databases as they are and call the developers.',
    'money-returned':
      'A supervisor of its shop gives the money back, if the customer has not had it: POST /v1/payment-intents/{intentId}/refunds in payments.',
    'stock-consumed':
      'Count the goods. Where a delivery was lost with the database, book it again in inventory, and run this once more.',
    'stock-released': 'Where the goods are in the shop: POST /v1/reservations/{reservationId}/release in inventory.',
    'receipts-gapless': 'Numbers were lost or given twice. Read "Sales was restored" in docs/runbooks/restore-a-database.md.',
    'acquirer-agrees': 'Ask the acquirer for this operation. Nothing of it is repeated or taken back before a person has looked.',
    'levels-add-up': 'No restore does this. Keep the database of inventory as it is and call the developers.',
  },
} as const;
