import { setTimeout as sleep } from 'node:timers/promises';
import { openApi, type Api } from './demo-api.ts';
import { Failure } from './failure.ts';
import type { System } from './system.ts';
import { fetchToken } from './token.ts';

/** As much of a sale as the demo shows; amounts in minor units of its currency. */
export interface Sale {
  id: string;
  state: string;
  currency: string;
  totalMinor: number;
  roundingMinor: number;
  changeMinor: number;
  receiptNumber: number | null;
  vat: { bp: number; vatMinor: number; netMinor: number }[];
  tenders: { method: string; status: string; amountMinor: number; declineCode: string | null; cardLabel: string | null }[];
  nextAction: { action: string; text: string };
}

export interface CompletedSale extends Sale {
  receiptText: string;
}

export interface Tender {
  method: 'cash' | 'terminal';
  amountMinor: number;
}

/** A person who signed in at a register: what they look up, and what they sell. */
export interface Till {
  register: string;
  lookup: Api;
  sales: Api;
  open(lines: { gtin: string; quantity?: number; serials?: string[] }[]): Promise<Sale>;
  /** Completes a sale, and asks until it has come to rest where the payment takes its time. Throws Failure unless it is COMPLETED. */
  complete(sale: Sale, tenders: Tender[]): Promise<CompletedSale>;
}

export async function openTill(system: System, register: string): Promise<Till> {
  const shop = register.slice(0, register.lastIndexOf('-'));
  const token = await fetchToken(system, { roles: ['cashier'], shop, register, subject: `employee-${register}` });
  const lookup = openApi(system.services['stock-lookup'].http, token, shop);
  const sales = openApi(system.services.sales.http, token, shop);
  return {
    register,
    lookup,
    sales,
    open: (lines) => sales.post<Sale>('/v1/sales', { lines }),
    async complete(sale, tenders) {
      let now = await sales.post<Partial<CompletedSale> & Sale>(`/v1/sales/${sale.id}/complete`, { tenders });
      for (let tries = 0; now.nextAction.action === 'wait' && tries < 60; tries++) {
        await sleep(1_000);
        now = await sales.get<Sale>(`/v1/sales/${sale.id}`);
      }
      if (now.state !== 'COMPLETED')
        throw new Failure(`The sale at ${register} should be COMPLETED, and is ${now.state}: ${now.nextAction.text}`);
      const receiptText = now.receiptText ?? (await sales.get<CompletedSale>(`/v1/sales/${sale.id}/receipt`)).receiptText;
      return { ...now, receiptText };
    },
  };
}
