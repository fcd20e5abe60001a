import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import { eventually } from '@kassa/testing';
import type { Reply } from './api.ts';
import { makeDemo } from './demo.ts';
import type { Operation } from './operations.ts';
import type { System } from './system.ts';
import { openTill, type Sale, type Till } from './till.ts';

/** What addresses name, by service and parameter: things of shop dk-001 where they belong to a shop. */
export type Things = Record<string, Record<string, string>>;

/** Makes one of each thing an address can name. */
export async function makeThings(system: System): Promise<Things> {
  const { sku, gtin } = system.demo.products[1]!;
  const till = await openTill(system, 'dk-001-01', { role: 'supervisor' });
  const sale = await till.open([{ sku }, { sku: system.demo.products[2]!.sku }]);
  const paying = await till.open([{ sku }]);
  const tendered = await till.sales.post(`/v1/sales/${paying.id}/tenders`, { method: 'terminal', amountMinor: 100 });
  const [tender] = tendered.body['tenders'] as { tenderId: string }[];
  const sold = await till.open([{ sku }]);
  await till.complete(sold.id, [{ method: 'terminal', amountMinor: sold.totalMinor }]);

  // A second card is declined, so that the first one is refunded.
  const undone = await till.open([{ sku, quantity: 2 }]);
  await till.complete(undone.id, [
    { method: 'terminal', amountMinor: undone.totalMinor - 15_101 },
    { method: 'terminal', amountMinor: 15_101 },
  ]);

  const operator = system.api('sales');
  const transactions = await system
    .api('payments')
    .all<{ transactionId: string; intentId: string; kind: string }>('/v1/audit/transactions');
  const [transaction] = transactions;
  const refund = transactions.find(({ kind }) => kind === 'REFUND');
  const [reservation] = await system.api('inventory').all<{ reservationId: string }>('/v1/audit/reservations');
  const header = 'country,sku,price_minor,currency,valid_from,valid_to\n';
  const prices = await operator.post('/v1/imports/prices', header, { headers: { 'content-type': 'text/csv' } });
  const products = await system
    .api('inventory')
    .post('/v1/imports/products', system.demo.csv.products, { headers: { 'content-type': 'text/csv' } });
  return {
    'sales /v1/sales/': { id: sale.id, lineId: sale.lines[0]!.lineId },
    'sales /v1/sales/{id}/tenders/': { id: paying.id, tenderId: tender!.tenderId },
    'sales /v1/sales/{id}/receipt': { id: sold.id },
    // Its checkout is over. Whoever needs an open one makes it with stuckCheckout, since none stays open for long.
    'sales /v1/checkouts/': { saleId: undone.id },
    'sales /v1/imports/': { id: String(prices.body['importId']) },
    'inventory /': {
      reservationId: reservation!.reservationId,
      sku,
      shopId: 'dk-001',
      importId: String(products.body['importId']),
    },
    'payments /': {
      intentId: transaction!.intentId,
      transactionId: transaction!.transactionId,
      refundId: refund!.transactionId,
      provider: 'acquirer',
    },
    'stock-lookup /': { item: gtin },
    'acquirer /': { providerKey: randomUUID() },
  };
}

/** A terminal amount that is never answered, and nothing takes place (apps/acquirer/README.md). */
export const nothingTookPlaceMinor = 5_108;

/**
 * Tenders a sale by a terminal that does not answer: its checkout is open for as long as payments waits for that answer, and then until
 * what it took otherwise is given back. Resolves as soon as the checkout is open; `answer` is what the till is told in the end.
 */
export async function stuckCheckout(till: Till, { id, totalMinor }: Sale): Promise<{ answer: Promise<Reply> }> {
  const tenders = [nothingTookPlaceMinor, totalMinor - nothingTookPlaceMinor];
  const body = { tenders: tenders.map((amountMinor) => ({ method: 'terminal', amountMinor })) };
  const answer = till.sales.post(`/v1/sales/${id}/complete`, body);
  // Whoever does not wait for it has ended the system meanwhile, perhaps.
  answer.catch(() => undefined);
  await eventually(async () => expect((await till.sale(id)).state).toBe('COMMITTING'));
  return { answer };
}

/** The operation's address with its parameters filled in; the most exact prefix decides. */
export function pathTo(operation: Operation, things: Things): string {
  const place = `${operation.service} ${operation.path}`;
  const prefix = Object.keys(things)
    .filter((start) => place.startsWith(start))
    .sort((a, b) => b.length - a.length)[0];
  return operation.path.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = things[prefix ?? '']?.[name];
    if (value === undefined) throw new Error(`${operation.name} names {${name}}, of which there is none to try`);
    return encodeURIComponent(value);
  });
}

/** A body the operation takes: its example, with a product that is there. */
export function bodyFor(operation: Operation): unknown {
  const { sku } = makeDemo().products[1]!;
  const bodies: Record<string, unknown> = {
    'sales POST /v1/sales/{id}/lines': { sku },
    'inventory PATCH /v1/products/{sku}': { isActive: true },
  };
  return bodies[operation.name] ?? operation.body;
}
