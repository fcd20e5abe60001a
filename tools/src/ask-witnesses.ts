import { setTimeout as sleep } from 'node:timers/promises';
import type {
  LevelsWitness,
  OperationWitness,
  ReservationWitness,
  SaleWitness,
  TransactionWitness,
  Witnesses,
} from '@kassa/testing';
import { Failure } from './failure.ts';
import type { Target } from './target.ts';

/** Asks all services and the acquirer for what they have on record, as an operator; the lists come page by page while they are read. */
export async function askWitnesses(target: Target, token: string, progress: (sentence: string) => void): Promise<Witnesses> {
  const { sales, payments, inventory, acquirer } = target.urls;
  const count = (what: string, read: number) => progress(`${read.toLocaleString('en')} ${what} read`);
  return {
    transactions: pages<TransactionWitness>(`${payments}/v1/audit/transactions`, token, count.bind(null, 'transactions')),
    ledger:
      target.acquirerApiKey === undefined
        ? undefined
        : pages<OperationWitness>(`${acquirer}/v1/ledger`, target.acquirerApiKey, count.bind(null, 'operations of the acquirer')),
    reservations: pages<ReservationWitness>(`${inventory}/v1/audit/reservations`, token, count.bind(null, 'reservations')),
    sales: pages<SaleWitness>(`${sales}/v1/audit/sales`, token, count.bind(null, 'sales')),
    levels: pages<LevelsWitness>(`${inventory}/v1/audit/levels`, token, count.bind(null, 'shops with their levels')),
  };
}

/** Waits until no checkout and no payment is under way, or for as long as that; what is still open then is for the comparison to tell. */
export async function waitUntilSettled(
  target: Target,
  token: string,
  { waitMs, progress }: { waitMs: number; progress: (sentence: string) => void },
): Promise<void> {
  const deadline = performance.now() + waitMs;
  for (;;) {
    const checkouts = await countOf(`${target.urls.sales}/v1/checkouts`, token);
    const transactions = await countOf(`${target.urls.payments}/v1/unknown-payments`, token);
    const left = Math.ceil((deadline - performance.now()) / 1000);
    if ((checkouts === 0 && transactions === 0) || left <= 0) return;
    progress(`${checkouts} checkouts and ${transactions} payments are under way; waiting at most ${left} s for them to settle`);
    await sleep(500);
  }
}

async function countOf(url: string, token: string): Promise<number> {
  let count = 0;
  for await (const _ of pages(url, token)) count++;
  return count;
}

/** All items of a list, page by page. */
async function* pages<T>(url: string, token: string, progress: (read: number) => void = () => undefined): AsyncGenerator<T> {
  let cursor: string | undefined;
  let count = 0;
  do {
    const page: { items: T[]; next?: string } = await read(`${url}?limit=200${cursor ? `&cursor=${cursor}` : ''}`, token);
    yield* page.items;
    progress((count += page.items.length));
    cursor = page.next;
  } while (cursor !== undefined);
}

/** True for what says nothing of the request itself: a service that is restarted, or a limit on how much the edge may ask. */
export const isBusy = (status: number) => status === 429 || status >= 500;

/** One answer. A service that was restarted a moment ago may refuse the first requests. Throws Failure. */
export async function read<T>(url: string, token: string): Promise<T> {
  for (let tries = 1; ; tries++) {
    const request = { headers: { authorization: `Bearer ${token}` }, signal: AbortSignal.timeout(60_000) };
    const response = await fetch(url, request).catch((error: unknown) => error as Error);
    if (response instanceof Response && response.ok) return (await response.json()) as T;
    const answer = response instanceof Response ? `answered ${response.status} ${await response.text()}` : reasonOf(response);
    const mayRepeat = !(response instanceof Response) || isBusy(response.status);
    if (!mayRepeat || tries === 20) throw new Failure(`Not every witness can be asked: ${url} ${answer}.`);
    await sleep(500);
  }
}

const reasonOf = (error: Error) => (error.cause instanceof Error ? error.cause.message : error.message);
