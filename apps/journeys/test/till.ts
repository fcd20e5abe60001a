import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Person } from '@kassa/testing';
import { openApi, type Api, type Reply } from './api.ts';
import type { System } from './system.ts';

export interface Tender {
  method: 'cash' | 'terminal' | 'online';
  amountMinor: number;
  capture?: 'purchase' | 'authorise';
  cardToken?: string;
}

/** A sale as its till sees it; more stands in it than stories ask for. */
export interface Sale {
  id: string;
  state: string;
  version: number;
  totalMinor: number;
  currency: string;
  roundingMinor: number;
  changeMinor: number;
  receiptNumber: number | null;
  /** Why the last checkout was undone. */
  refusal: { cause: string } | null;
  lines: { lineId: string; sku: string; quantity: number; grossMinor: number }[];
  tenders: { tenderId: string; method: string; amountMinor: number; status: string }[];
  nextAction: { action: string; text: string; poll?: { url: string; everyMs: number; forMs: number } };
}

export interface Till {
  registerId: string;
  shopId: string;
  sales: Api;
  lookup: Api;
  /** POST /v1/sales with lines. */
  open(lines: { sku: string; quantity?: number; serials?: string[] }[]): Promise<Sale>;
  /**
   * Completes a sale as a till does that never gives up: the same request under the same key until there is an answer, then asking as
   * nextAction says until the sale has come to rest. Returns the answer and the sale as it rests.
   */
  complete(saleId: string, tenders: Tender[], key?: string): Promise<{ answer: Reply; sale: Sale }>;
  sale(saleId: string): Promise<Sale>;
  /** A copy of the receipt, as a printer takes it. */
  reprint(saleId: string): Promise<string>;
}

/** Someone signs in at a register. */
export async function openTill(system: System, registerId: string, person: Person = {}): Promise<Till> {
  const shopId = registerId.slice(0, registerId.lastIndexOf('-'));
  const token = await system.issuer.token({
    shop: shopId,
    register: registerId,
    sub: `employee-${registerId}`,
    expiresInSeconds: 7_200,
    ...person,
  });
  const sales = openApi(() => system.app('sales').http, token);
  const lookup = openApi(() => system.app('stock-lookup').http, token);

  const sale = async (saleId: string) => (await insist(() => sales.get(`/v1/sales/${saleId}`))).body as unknown as Sale;
  return {
    registerId,
    shopId,
    sales,
    lookup,
    sale,
    async open(lines) {
      const answer = await insistOnWrite(sales, '/v1/sales', { lines });
      if (answer.status !== 201) throw new Error(`POST /v1/sales answered ${answer.status}: ${answer.text}`);
      return answer.body as unknown as Sale;
    },
    async complete(saleId, tenders, key = randomUUID()) {
      const answer = await insistOnWrite(sales, `/v1/sales/${saleId}/complete`, { tenders }, key);
      let now = await sale(saleId);
      const deadline = performance.now() + patienceMs;
      while (now.nextAction.action === 'wait' && performance.now() < deadline) {
        await sleep(now.nextAction.poll?.everyMs ?? 1_000);
        now = await sale(saleId);
      }
      return { answer, sale: now };
    },
    reprint: async (saleId) => (await insist(() => sales.get(`/v1/sales/${saleId}/receipt?format=text`))).text,
  };
}

/** How long a till goes on before a test calls it stuck. */
const patienceMs = 90_000;

function insistOnWrite(api: Api, path: string, body: unknown, key: string = randomUUID()): Promise<Reply> {
  return insist(() => api.post(path, body, { key }));
}

/** Sends again what got no answer, or one that says the same request may help later; waits as long as Retry-After says. */
async function insist(send: () => Promise<Reply>): Promise<Reply> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const reply = await send().catch((error: unknown) => {
      if (performance.now() > deadline) throw error;
      return undefined;
    });
    const isFinal = reply !== undefined && reply.status < 400 ? true : reply?.body['retryable'] === false;
    if (reply && (isFinal || performance.now() > deadline)) return reply;
    await sleep(Number(reply?.headers.get('retry-after') ?? 0.2) * 1_000);
  }
}
