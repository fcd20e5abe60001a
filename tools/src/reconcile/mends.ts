import type { OperationWitness, SaleWitness, StockWitness, TenderWitness } from '@kassa/testing';
import type { ServiceName } from '../services.ts';
import type { Books } from './books.ts';
import { amountWords, kindWord, saleWords } from './words.ts';

/** One thing that can be put right without moving money or goods, as one request of an operator. */
export interface Mend {
  /** What is missing where, in one sentence. */
  words: string;
  /** Ids of what it puts right: whatever differs and names one of them is explained by it. */
  ids: string[];
  service: ServiceName;
  path: string;
  body: object;
}

/**
 * What can be mended, in the order in which it must be. Every mend has the ids that the lost record had, so that doing it twice is doing it
 * once. Money: a completed sale tells what its customer paid, the acquirer's ledger what moved on cards; payments asks the acquirer before
 * it writes anything down, and never tells it to do anything. Stock: a completed sale took its lines off the shelf; what is held for a sale
 * that came to nothing is let go. Sales that are still under way are left alone: their checkouts go on by themselves.
 */
export function mendsOf(books: Books, reason: string): Mend[] {
  return [...paymentMends(books, reason), ...soldMends(books, reason), ...heldMends(books)];
}

/** Whether both put the same right, however the books stood when they were thought of. */
export function isSame(one: Mend, other: Mend): boolean {
  return one.path === other.path && one.ids[0] === other.ids[0];
}

/** A step of a checkout that took money, or was to. */
interface Paying {
  sale: SaleWitness;
  tender: TenderWitness;
  transactionId: string;
  kind: string;
}

function paymentMends({ sales, transactions, ledger }: Books, reason: string): Mend[] {
  const mends: Mend[] = [];
  const intents = new Map(transactions.map(({ transactionId, intentId }) => [transactionId, intentId]));
  const add = (transactionId: string, intentId: string, mend: Mend) => {
    intents.set(transactionId, intentId);
    mends.push(mend);
  };
  const paying = new Map(sales.filter(isAtRest).flatMap(stepsOf));
  const byKey = ledger && new Map(ledger.map((operation) => [operation.providerKey, operation]));

  for (const [id, step] of paying) {
    const { sale, tender } = step;
    if (!tender.intentId || intents.has(id) || sale.state !== 'COMPLETED' || tender.status !== 'SETTLED') continue;
    const isKnownToOthers = tender.method === 'cash' || byKey === undefined || isTheSame(byKey.get(id), step);
    if (isKnownToOthers) add(id, tender.intentId, adoption(step, tender.intentId, reason));
  }
  for (const operation of ledger ?? []) {
    const { providerKey: id, originalKey, status } = operation;
    if (intents.has(id) || status === 'pending') continue;
    const step = paying.get(id);
    const intentOfStep = step && isTheSame(operation, step) ? step.tender.intentId : undefined;
    const intentOfOriginal = originalKey === undefined ? undefined : intents.get(originalKey);
    if (step && intentOfStep) add(id, intentOfStep, adoption(step, intentOfStep, reason));
    else if (intentOfOriginal) add(id, intentOfOriginal, followUp(operation, intentOfOriginal, reason));
  }
  return mends;
}

function isAtRest({ state }: SaleWitness): boolean {
  return state !== 'COMMITTING' && state !== 'COMPENSATING';
}

/** Cash and cards are purchased in one step, or authorised and captured in two. */
function stepsOf(sale: SaleWitness): [string, Paying][] {
  return sale.tenders.flatMap((tender) => {
    const kinds = tender.transactionIds.length === 2 ? ['AUTHORISE', 'CAPTURE'] : ['PURCHASE'];
    return tender.transactionIds.map((transactionId, n): [string, Paying] => {
      return [transactionId, { sale, tender, transactionId, kind: kinds[n] ?? 'PURCHASE' }];
    });
  });
}

function isTheSame(operation: OperationWitness | undefined, { sale, tender, kind }: Paying): boolean {
  if (operation === undefined || operation.status === 'pending') return false;
  const isOfStep = operation.kind.toUpperCase() === kind && operation.currency === sale.currency;
  return isOfStep && operation.amountMinor === tender.amountMinor;
}

function adoption({ sale, tender, transactionId, kind }: Paying, intentId: string, reason: string): Mend {
  const { currency, country, channel, shopId } = sale;
  const { method, amountMinor, terminalId } = tender;
  const beginning = {
    ...{ method, reference: `sale:${sale.saleId}`, country, channel: channel ?? 'store', shopId },
    ...(terminalId ? { terminalId } : {}),
  };
  return {
    words: `payments lacks the ${kindWord(kind)} of ${amountWords(amountMinor, currency)} (${method}) for ${saleWords(sale)}`,
    ids: [transactionId, intentId],
    service: 'payments',
    path: '/v1/adopted-transactions',
    body: { transactionId, intentId, kind, amountMinor, currency, reason, ...(kind === 'CAPTURE' ? {} : beginning) },
  };
}

function followUp({ providerKey, kind, amountMinor, currency }: OperationWitness, intentId: string, reason: string): Mend {
  return {
    words: `payments lacks the ${kindWord(kind)} of ${amountWords(amountMinor, currency)} on payment ${intentId}`,
    ids: [providerKey, intentId],
    service: 'payments',
    path: '/v1/adopted-transactions',
    body: { transactionId: providerKey, intentId, kind: kind.toUpperCase(), amountMinor, currency, reason },
  };
}

/** Goods that left the shop and still stand on the shelf of the books. Inventory refuses where they are not even there. */
function soldMends({ sales, reservations }: Books, reason: string): Mend[] {
  const states = new Map(reservations.map(({ reservationId, state }) => [reservationId, state]));
  return sales.flatMap((sale): Mend[] => {
    const { reservationId, shopId, saleId } = sale;
    if (sale.state !== 'COMPLETED' || !reservationId) return [];
    const state = states.get(reservationId) ?? 'unknown';
    if (state === 'CONSUMED' || state === 'RELEASED') return [];
    return [
      {
        words: `inventory still has the goods of ${saleWords(sale)} on the shelf (its reservation is ${state})`,
        ids: [reservationId],
        service: 'inventory',
        path: '/v1/recovered-reservations',
        body: {
          ...{ reservationId, shopId, lines: quantitiesOf(sale.lines), reference: `sale:${saleId}` },
          ...{ documentType: 'sale', documentId: saleId, reason },
        },
      },
    ];
  });
}

function quantitiesOf(lines: readonly StockWitness[]): StockWitness[] {
  const quantities = new Map<string, number>();
  for (const { sku, quantity } of lines) quantities.set(sku, (quantities.get(sku) ?? 0) + quantity);
  return [...quantities].map(([sku, quantity]) => ({ sku, quantity }));
}

/**
 * Goods held for a sale that came to nothing. Only where that is certain: sales knows the sale, it is at rest, another reservation or none
 * is its own, and payments keeps none of its customer's money. A sale whose completion was lost looks the same but for the money.
 */
function heldMends({ sales, reservations, transactions }: Books): Mend[] {
  const byReference = new Map(sales.map((sale) => [`sale:${sale.saleId}`, sale]));
  const paid = new Map<string, number>();
  for (const { reference, kind, status, amountMinor } of transactions) {
    const sign = { PURCHASE: 1, CAPTURE: 1, REFUND: -1 }[kind] ?? 0;
    if (status === 'SUCCEEDED') paid.set(reference, (paid.get(reference) ?? 0) + sign * amountMinor);
  }
  return reservations.flatMap(({ reservationId, reference, state }): Mend[] => {
    const sale = byReference.get(reference);
    if (!sale || (state !== 'ACTIVE' && state !== 'FIRM') || !isAtRest(sale)) return [];
    const isTaken = sale.state === 'COMPLETED' && sale.reservationId === reservationId;
    const isPaid = sale.state !== 'COMPLETED' && (paid.get(reference) ?? 0) !== 0;
    if (isTaken || isPaid) return [];
    return [
      {
        words: `inventory still holds goods for ${saleWords(sale)}, which came to nothing`,
        ids: [reservationId],
        service: 'inventory',
        path: `/v1/reservations/${reservationId}/release`,
        body: {},
      },
    ];
  });
}
