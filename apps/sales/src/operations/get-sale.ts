import type { Caller } from '@kassa/auth';
import type { Answer } from '@kassa/idempotency';
import { vatTable } from '../domain/pricing.ts';
import { liveTenders, nextAction, type Sale } from '../domain/sale.ts';
import type { Store } from '../store.ts';
import { saleNotFound, shopOf } from './at-register.ts';

/** Answers a sale of the caller's shop; operators see all shops. Errors: not-found, register-required. */
export async function getSale(
  { store }: { store: Pick<Store, 'loadSale'> },
  { saleId, caller }: { saleId: string; caller: Caller },
): Promise<Answer> {
  const found = await store.loadSale(saleId, { shopId: shopOf(caller), registerId: null });
  if (!found) throw saleNotFound(saleId);
  return saleAnswer(found.sale);
}

/** The sale for a neighbour, of whatever shop. Error: not-found. */
export async function findSale({ store }: { store: Pick<Store, 'loadSale'> }, saleId: string): Promise<Sale> {
  const found = await store.loadSale(saleId, { shopId: null, registerId: null });
  if (!found) throw saleNotFound(saleId);
  return found.sale;
}

/** A sale as an answer, with its version as ETag. */
export function saleAnswer(sale: Sale, status = 200): Answer {
  return { status, body: saleBody(sale), headers: { etag: `"${sale.version}"` } };
}

/** A sale as tills see it. The instruments of its tenders stay inside. */
export function saleBody(sale: Sale) {
  const { lines, tenders, ...rest } = sale;
  const handedMinor = liveTenders(sale).reduce((sum, tender) => sum + tender.tenderedMinor, 0);
  const isOpen = sale.state === 'OPEN' || sale.state === 'PARKED' || sale.state === 'TENDERING';
  return {
    ...rest,
    /** What the tenders so far leave to be paid, before cash rounding. */
    remainingMinor: isOpen ? Math.max(0, sale.totalMinor - handedMinor) : 0,
    vat: vatTable(lines),
    lines: lines.map(({ position: _position, ...line }) => line),
    tenders: tenders.map(
      ({
        tenderId,
        attempt,
        method,
        capture,
        amountMinor,
        tenderedMinor,
        status,
        declineCode,
        authorisationCode,
        cardLabel,
      }) => ({
        tenderId,
        attempt,
        method,
        capture,
        amountMinor,
        tenderedMinor,
        status,
        declineCode,
        authorisationCode,
        cardLabel,
      }),
    ),
    nextAction: nextAction(sale),
  };
}
