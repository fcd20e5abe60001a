import type { Answer } from '@kassa/idempotency';
import { KassaError } from '@kassa/problem';
import { fromRequest, tenderFault, tendersMax, type TenderRequest } from '../domain/checkout.ts';
import { liveTenders, type Sale, type Tender } from '../domain/sale.ts';
import { changeSale, type ChangeDeps, type ChangeInput } from './change-sale.ts';

/**
 * Adds a tender to a sale, whose basket is fixed from the first one on. No money moves before the sale is completed. 201.
 * Errors: sale-empty, tender-not-allowed, overpaid (what is not cash may not exceed what remains), and those of changeSale.
 */
export async function tenderSale(deps: ChangeDeps, input: ChangeInput & { tender: TenderRequest }): Promise<Answer> {
  return changeSale(deps, input, {
    move: 'add-tender',
    status: 201,
    change({ sale, till }) {
      const live = liveTenders(sale);
      if (sale.lines.length === 0) throw new KassaError('sale-empty', { detail: 'Scan an item first.' });
      if (live.length >= tendersMax)
        throw new KassaError('tender-not-allowed', {
          detail: `A sale takes at most ${tendersMax} tenders.`,
          params: { tendersMax },
        });
      if (till === null) throw new KassaError('register-unknown');
      const handed = fromRequest(input.tender, till, deps.newId());
      const fault = tenderFault(handed.method, handed.capture, till);
      if (fault) throw new KassaError('tender-not-allowed', { detail: fault, params: { method: handed.method } });
      refuseTooMuch(sale, live, input.tender);
      return { ...sale, tenders: [...sale.tenders, waiting(handed, sale)] };
    },
  });
}

/** Takes a tender off a sale again; with the last one the basket may be changed again. Errors: not-found, and those of changeSale. */
export async function removeTender(deps: ChangeDeps, input: ChangeInput & { tenderId: string }): Promise<Answer> {
  const others = (sale: Sale) =>
    sale.tenders.filter((tender) => tender.tenderId !== input.tenderId || tender.status !== 'PENDING');
  return changeSale(deps, input, {
    move: (sale) => (liveTenders({ ...sale, tenders: others(sale) }).length === 0 ? 'remove-last-tender' : 'remove-tender'),
    change({ sale }) {
      const tenders = others(sale);
      if (tenders.length === sale.tenders.length)
        throw new KassaError('not-found', { detail: `The sale has no tender ${input.tenderId}.` });
      return { ...sale, tenders };
    },
  });
}

function refuseTooMuch(sale: Sale, live: Tender[], { method, amountMinor }: TenderRequest): void {
  const remainingMinor = sale.totalMinor - live.reduce((sum, tender) => sum + tender.tenderedMinor, 0);
  if (remainingMinor > 0 && (method === 'cash' || amountMinor <= remainingMinor)) return;
  const detail =
    remainingMinor > 0
      ? `${remainingMinor} minor units remain to be paid, and only cash gives change.`
      : 'The tenders cover the sale already.';
  throw new KassaError('overpaid', { detail, params: { remainingMinor, currency: sale.currency } });
}

function waiting({ tenderedMinor, ...handed }: ReturnType<typeof fromRequest>, sale: Sale): Tender {
  return {
    ...handed,
    attempt: sale.attempt + 1,
    position: sale.tenders.length,
    amountMinor: tenderedMinor,
    tenderedMinor,
    intentId: null,
    transactionIds: [],
    status: 'PENDING',
    declineCode: null,
    authorisationCode: null,
    cardLabel: null,
  };
}
