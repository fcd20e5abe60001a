import { sleep } from 'k6';
import exec from 'k6/execution';
import { newKey, refuse, send, type Answer } from './requests.ts';
import { registers, shops, type Shop } from './retailer.ts';
import { patienceSeconds } from './shapes.ts';
import { signIn, type SignedIn } from './tokens.ts';

/** A register of its own with a cashier and a stock clerk, each signed in. */
export interface Till {
  registerId: string;
  shop: Shop;
  cashier: SignedIn;
  stockClerk: SignedIn;
}

let mine: Till | undefined;

/** This user's till, opened when it is first asked for. Sales let one session at a time sell at a register, so no two users share one. */
export function myTill(): Till {
  mine ??= openTill();
  return mine;
}

function openTill(): Till {
  const register = registers[exec.vu.idInTest - 1];
  const shop = register && shops[register.shop];
  if (!register || !shop)
    throw new Error(`There are ${registers.length} registers in open shops, and this is user ${exec.vu.idInTest}.`);
  const { registerId } = register;
  const at = { shop: shop.shopId, register: registerId };
  return {
    registerId,
    shop,
    cashier: signIn({ sub: `load-cashier-${registerId}`, roles: 'cashier', ...at }),
    stockClerk: signIn({ sub: `load-clerk-${registerId}`, roles: 'stock-clerk', ...at }),
  };
}

export interface Line {
  sku: string;
  quantity: number;
}

export interface Tender {
  method: 'cash' | 'terminal';
  amountMinor: number;
  capture?: 'authorise';
}

/** What of a sale a till needs to know. */
export interface Sale {
  id: string;
  state: string;
  totalMinor: number;
  receiptNumber: number | null;
  refusal: { cause: string } | null;
}

/** One to three different items of the shop, most often one of each. */
export function someLines({ shop }: Till): Line[] {
  const first = Math.floor(Math.random() * shop.items.length);
  const count = 1 + Math.floor(Math.random() * 3);
  return Array.from({ length: count }, (_, nth) => ({
    sku: shop.items[(first + nth * 7) % shop.items.length]?.sku ?? '',
    quantity: Math.random() < 0.85 ? 1 : 2,
  }));
}

/** Opens a sale with its lines; undefined where that was refused, which fails the run. */
export function openSale(till: Till, lines: Line[]): Sale | undefined {
  const answer = send(till.cashier, {
    service: 'sales',
    method: 'POST',
    path: '/v1/sales',
    name: 'open sale',
    key: newKey(),
    body: { lines },
  });
  return saleOf('open sale', answer, 201);
}

/** The same, one line after the other, as they are scanned. */
export function openSaleStepByStep(till: Till, lines: Line[]): Sale | undefined {
  let sale = openSale(till, []);
  for (const body of lines) {
    if (!sale) return undefined;
    const path = `/v1/sales/${sale.id}/lines`;
    const answer = send(till.cashier, { service: 'sales', method: 'POST', path, name: 'add line', key: newKey(), body });
    sale = saleOf('add line', answer, 201);
  }
  return sale;
}

/**
 * Completes a sale as a till does: asks on where the answer is "not yet", takes another tender where a card was declined, has the shelf
 * filled where it is empty. `tenders` is asked again for each attempt. Returns whether the sale has its receipt.
 */
export function completeSale(till: Till, sale: Sale, lines: Line[], tenders: (attempt: number) => Tender[]): boolean {
  for (let attempt = 1; attempt <= 4; attempt++) {
    const path = `/v1/sales/${sale.id}/complete`;
    const body = { expectedTotalMinor: sale.totalMinor, tenders: tenders(attempt) };
    const answer = send(till.cashier, { service: 'sales', method: 'POST', path, name: 'complete sale', key: newKey(), body });
    const rested = answer.status === 202 ? waitForRest(till, sale.id) : undefined;
    if (answer.status === 200 || rested?.state === 'COMPLETED') return true;
    const cause = rested?.refusal?.cause ?? answer.code;
    if (cause === 'insufficient-stock') receiveGoods(till, lines);
    else if (!mayTryAgain.includes(cause ?? '')) {
      refuse(`complete sale, ${sale.id} ${rested?.state ?? ''}`, answer);
      return false;
    }
  }
  return false;
}

/** Nothing was taken, or it was given back. */
const mayTryAgain = ['payment-declined', 'payment-failed', 'payment-canceled', 'reservation-expired'];

/** After 202: asks every second until the checkout has ended one way or the other. Undefined where it has not within the till's patience. */
function waitForRest(till: Till, saleId: string): Sale | undefined {
  const deadline = Date.now() + patienceSeconds * 1000;
  while (Date.now() < deadline) {
    sleep(1);
    const answer = send(till.cashier, { service: 'sales', method: 'GET', path: `/v1/sales/${saleId}`, name: 'ask for sale' });
    const sale = saleOf('ask for sale', answer, 200);
    if (sale && sale.state !== 'COMMITTING' && sale.state !== 'COMPENSATING') return sale;
  }
  return undefined;
}

/** A pallet of each of these items arrives. */
export function receiveGoods(till: Till, lines: Line[]): void {
  const pallets = [...new Set(lines.map(({ sku }) => sku))].map((sku) => ({ type: 'receipt', sku, quantity: 500 }));
  const body = { documentType: 'goods-receipt', documentId: newKey(), lines: pallets };
  const answer = send(till.stockClerk, {
    service: 'inventory',
    method: 'POST',
    path: '/v1/movements',
    name: 'receive goods',
    key: newKey(),
    body,
  });
  if (answer.status !== 201) refuse('receive goods', answer);
}

function saleOf(what: string, answer: Answer, status: number): Sale | undefined {
  if (answer.status === status) return answer.body as unknown as Sale;
  refuse(what, answer);
  return undefined;
}

export type Payment = 'terminal' | 'authorised' | 'cash' | 'split' | 'declined';

/** What is paid how, by weight: mostly cards at the terminal. */
const mix: [Payment, number][] = [
  ['terminal', 0.6],
  ['authorised', 0.08],
  ['cash', 0.17],
  ['split', 0.1],
  ['declined', 0.05],
];

export function somePayment(): Payment {
  let rest = Math.random();
  return mix.find(([, weight]) => (rest -= weight) < 0)?.[0] ?? 'terminal';
}

/** Cash stays below the least amount that a country of ours lets a shop refuse, or makes it. */
const cashMaxMinor = 300_000;

/** The tenders of an attempt to pay `totalMinor`; once refused, all of it goes on another card. */
export function tendersFor(payment: Payment, totalMinor: number, attempt: number): Tender[] {
  const card: Tender = { method: 'terminal', amountMinor: totalMinor };
  if (attempt > 1) return [card];
  switch (payment) {
    case 'terminal':
      return [card];
    case 'authorised':
      return [{ ...card, capture: 'authorise' }];
    case 'cash':
      return totalMinor > cashMaxMinor ? [card] : [{ method: 'cash', amountMinor: inNotes(totalMinor) }];
    case 'split':
      return withCash(totalMinor, Math.max(Math.floor(totalMinor / 20_000) * 10_000, totalMinor - cashMaxMinor));
    case 'declined':
      return withCash(totalMinor, declinedBelow(totalMinor));
    default:
      return payment satisfies never;
  }
}

/** A card pays so much, and cash the rest. Where that is all or nothing, the card pays all. */
function withCash(totalMinor: number, cardMinor: number): Tender[] {
  if (cardMinor <= 0 || cardMinor >= totalMinor || totalMinor - cardMinor > cashMaxMinor)
    return [{ method: 'terminal', amountMinor: totalMinor }];
  return [
    { method: 'terminal', amountMinor: cardMinor },
    { method: 'cash', amountMinor: inNotes(totalMinor - cardMinor) },
  ];
}

/** The customer hands over whole notes, and gets change. */
const inNotes = (amountMinor: number) => Math.ceil(amountMinor / 1_000) * 1_000;

/** The largest amount below the total whose last four digits make the simulated terminal decline it (apps/acquirer/README.md). */
function declinedBelow(totalMinor: number): number {
  const declined = Math.floor(totalMinor / 10_000) * 10_000 + 5_101;
  return declined < totalMinor ? declined : declined - 10_000;
}
