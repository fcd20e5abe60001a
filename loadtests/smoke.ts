import { sleep } from 'k6';
import { Counter, Rate } from 'k6/metrics';
import type { Options } from 'k6/options';
import { crashAndRecover, outagesDuring } from './lib/outage.ts';
import { always, thresholdsOf, unlessKilled, type Promised } from './lib/promises.ts';
import { newKey, send, type Answer, type Request } from './lib/requests.ts';
import { shapeOf, usersIn } from './lib/shapes.ts';
import { summaryOf } from './lib/summary.ts';
import {
  completeSale,
  myTill,
  openSale,
  openSaleStepByStep,
  someLines,
  tendersFor,
  type Payment,
  type Till,
} from './lib/till.ts';
import { capture, confirm, createIntent, refund } from './lib/web-shop.ts';
import exec from 'k6/execution';

const shape = shapeOf(__ENV, 'smoke');
const rounds = new Counter('kassa_rounds');
const works = new Rate('kassa_works');

const promises: Promised[] = [
  { metric: 'kassa_rounds', limit: 'count>0', promise: 'something is done at all' },
  { metric: 'kassa_works{what:lookup}', limit: 'rate==1', promise: 'an item is found, here and nearby' },
  {
    metric: 'kassa_works{what:sale}',
    limit: 'rate==1',
    promise: 'a sale is paid, in each way, in two requests and step by step',
  },
  { metric: 'kassa_works{what:receipt}', limit: 'rate==1', promise: 'its receipt is printed again, and says copy' },
  {
    metric: 'kassa_works{what:web payment}',
    limit: 'rate==1',
    promise: 'a web payment is authorised, captured and refunded in part',
  },
  { metric: 'kassa_works{what:refusal}', limit: 'rate==1', promise: 'what must be refused is, with a problem document' },
  ...unlessKilled([{ metric: 'http_req_duration', limit: 'p(95)<1000', promise: 'nobody waits' }]),
  ...always,
];

export const options: Options = {
  scenarios: { everyone: usersIn(shape, 'round'), ...outagesDuring(shape) },
  thresholds: thresholdsOf(promises),
  summaryTrendStats: ['min', 'med', 'p(95)', 'p(99)', 'max'],
};

const payments: Payment[] = ['terminal', 'authorised', 'cash', 'split', 'declined'];

/** A little of everything. */
export function round(): void {
  const till = myTill();
  tell('lookup', lookUp(till));
  for (const payment of payments) tell('sale', sell(till, payment));
  tell('web payment', payOnTheWeb());
  tell('refusal', refusals(till).every(Boolean));
  rounds.add(1);
  sleep(1);
}

export function outage(): void {
  crashAndRecover(exec.vu.iterationInScenario, () => sell(myTill(), 'split'));
}

function tell(what: string, isGood: boolean): boolean {
  works.add(isGood, { what });
  return isGood;
}

function lookUp({ cashier, shop }: Till): boolean {
  const item = shop.items[Math.floor(Math.random() * shop.items.length)];
  const path = `/v1/availability/${item?.gtin}?nearby=3`;
  const { status, body } = send(cashier, { service: 'stock-lookup', method: 'GET', path, name: 'lookup' });
  return status === 200 && body?.['sku'] === item?.sku && Array.isArray(body?.['nearby']);
}

function sell(till: Till, payment: Payment): boolean {
  const lines = someLines(till);
  const sale = payment === 'authorised' ? openSaleStepByStep(till, lines) : openSale(till, lines);
  const isPaid =
    sale !== undefined && completeSale(till, sale, lines, (attempt) => tendersFor(payment, sale.totalMinor, attempt));
  if (isPaid) tell('receipt', reprint(till, sale.id));
  return isPaid;
}

function reprint({ cashier }: Till, saleId: string): boolean {
  const request: Request = { service: 'sales', method: 'GET', path: `/v1/sales/${saleId}/receipt`, name: 'reprint' };
  const { status, body } = send(cashier, request);
  return status === 200 && body?.['isCopy'] === true;
}

function payOnTheWeb(): boolean {
  const intent = createIntent(129_900);
  const authorised = intent && confirm(intent, 'tok_approve');
  const captured = authorised && capture(authorised, 129_900);
  const refunded = captured && refund(captured, 29_900);
  return refunded?.status === 'partially_refunded' && refunded.capturedMinor - refunded.refundedMinor === 100_000;
}

/** Requests that change nothing, each with the code it must be answered with. */
function refusals({ cashier }: Till): boolean[] {
  const opening: Request = { service: 'sales', method: 'POST', path: '/v1/sales', name: 'refused' };
  const sale = { lines: [{ sku: 'E100001', quantity: 1 }] };
  const isRefused = ({ status, code }: Answer, wanted: [number, string]) => status === wanted[0] && code === wanted[1];
  return [
    isRefused(
      send(() => ({ authorization: 'Bearer nobody' }), { ...opening, key: newKey(), body: sale }),
      [401, 'unauthenticated'],
    ),
    isRefused(send(cashier, { ...opening, body: sale }), [400, 'idempotency-key-missing']),
    isRefused(send(cashier, { ...opening, key: newKey(), body: { ...sale, discount: 100 } }), [400, 'validation-failed']),
    isRefused(send(cashier, { ...opening, key: newKey(), body: { lines: [{ sku: 'NO-SUCH', quantity: 1 }] } }), [
      422,
      'unknown-item',
    ]),
    isRefused(send(cashier, { service: 'sales', method: 'GET', path: `/v1/sales/${newKey()}`, name: 'refused' }), [
      404,
      'not-found',
    ]),
  ];
}

export const handleSummary = summaryOf('smoke', shape, promises);
