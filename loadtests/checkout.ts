import { sleep } from 'k6';
import exec from 'k6/execution';
import { Counter, Rate, Trend } from 'k6/metrics';
import type { Options } from 'k6/options';
import { crashAndRecover, outagesDuring } from './lib/outage.ts';
import { always, thresholdsOf, unlessKilled, type Promised } from './lib/promises.ts';
import { shapeOf, usersIn } from './lib/shapes.ts';
import { summaryOf } from './lib/summary.ts';
import { completeSale, myTill, openSale, openSaleStepByStep, someLines, somePayment, tendersFor } from './lib/till.ts';

const shape = shapeOf(__ENV, 'average');
const completed = new Rate('kassa_sales_completed');
const sales = new Counter('kassa_sales');
const duration = new Trend('kassa_sale_ms', true);

const promises: Promised[] = [
  { metric: 'kassa_sales', limit: 'count>0', promise: 'sales are made' },
  { metric: 'kassa_sales_completed', limit: 'rate==1', promise: 'every sale a till begins gets its receipt' },
  ...unlessKilled([
    {
      metric: 'kassa_sale_ms',
      limit: 'p(95)<3000',
      promise: 'nobody waits long at the till, from the first line to the receipt',
    },
    { metric: 'http_req_duration{name:open sale}', limit: 'p(95)<750', promise: 'the basket is priced at once' },
    { metric: 'http_req_duration{name:complete sale}', limit: 'p(95)<1500', promise: 'paying takes no longer than a card' },
  ]),
  ...always,
];

export const options: Options = {
  scenarios: { tills: usersIn(shape, 'till'), ...outagesDuring(shape) },
  thresholds: thresholdsOf(promises),
  summaryTrendStats: ['min', 'med', 'p(95)', 'p(99)', 'max'],
};

/** One customer at this user's till, and the pause before the next. */
export function till(): void {
  sell();
  sleep(4 + Math.random() * 4);
}

/** The user who kills services: its own till must sell again soon after. */
export function outage(): void {
  crashAndRecover(exec.vu.iterationInScenario, sell);
}

function sell(): boolean {
  const began = Date.now();
  let isCompleted = false;
  try {
    const till = myTill();
    const lines = someLines(till);
    const payment = somePayment();
    const sale = Math.random() < 0.2 ? openSaleStepByStep(till, lines) : openSale(till, lines);
    if (sale) isCompleted = completeSale(till, sale, lines, (attempt) => tendersFor(payment, sale.totalMinor, attempt));
  } finally {
    completed.add(isCompleted);
  }
  if (!isCompleted) return false;
  sales.add(1);
  duration.add(Date.now() - began);
  return true;
}

export const handleSummary = summaryOf('checkout', shape, promises);
