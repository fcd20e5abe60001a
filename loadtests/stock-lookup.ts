import { sleep } from 'k6';
import exec from 'k6/execution';
import { Counter, Rate, Trend } from 'k6/metrics';
import type { Options } from 'k6/options';
import { crashAndRecover, outagesDuring, toKill } from './lib/outage.ts';
import { always, thresholdsOf, unlessKilled, type Promised } from './lib/promises.ts';
import { refuse, send } from './lib/requests.ts';
import { shapeOf, usersIn } from './lib/shapes.ts';
import { summaryOf } from './lib/summary.ts';
import { myTill } from './lib/till.ts';

const shape = shapeOf(__ENV, 'average');
const lookups = new Counter('kassa_lookups');
const answered = new Rate('kassa_lookups_answered');
const fresh = new Rate('kassa_lookups_fresh');
const staleness = new Trend('kassa_lookup_staleness_ms', true);

const promises: Promised[] = [
  { metric: 'kassa_lookups', limit: 'count>0', promise: 'lookups are made' },
  { metric: 'kassa_lookups_answered', limit: 'rate==1', promise: 'every lookup gets its numbers' },
  ...unlessKilled([
    {
      metric: 'http_req_duration{name:lookup}',
      limit: 'p(95)<100',
      promise: 'the answer is there before the associate looks up',
    },
    { metric: 'http_req_duration{name:lookup basket}', limit: 'p(95)<250', promise: 'so it is for a whole basket' },
    { metric: 'kassa_lookups_fresh', limit: 'rate==1', promise: 'no answer is degraded while inventory runs' },
    { metric: 'kassa_lookup_staleness_ms', limit: 'p(95)<1500', promise: 'an answer is about as old as the last heartbeat' },
  ]),
  ...always,
];

export const options: Options = {
  scenarios: { associates: usersIn(shape, 'associate'), ...outagesDuring(shape) },
  thresholds: thresholdsOf(promises),
  summaryTrendStats: ['min', 'med', 'p(95)', 'p(99)', 'max'],
};

/** An associate who scans, looks around, and sometimes checks a whole basket. */
export function associate(): void {
  const tag = lookUp(true);
  if (tag.etag !== undefined && Math.random() < 0.3) lookUp(true, tag);
  if (Math.random() < 0.1) lookUpBasket();
  sleep(0.5 + Math.random());
}

export function outage(): void {
  crashAndRecover(exec.vu.iterationInScenario, () => lookUp(false).isGood);
}

interface Looked {
  isGood: boolean;
  path: string;
  etag: string | undefined;
}

/** One item, or again the one whose tag is given: that is answered 304 unless it changed. `mustCount` is false while a service is down. */
function lookUp(mustCount: boolean, again?: Looked): Looked {
  const { shop, cashier } = myTill();
  const item = shop.items[Math.floor(Math.random() * shop.items.length)];
  const path = again?.path ?? `/v1/availability/${Math.random() < 0.5 ? item?.gtin : item?.sku}?nearby=3`;
  const answer = send(cashier, {
    service: 'stock-lookup',
    method: 'GET',
    path,
    name: 'lookup',
    ...(again?.etag ? { ifNoneMatch: again.etag } : {}),
  });
  const isGood = answer.status === 200 || (again !== undefined && answer.status === 304);
  if (mustCount) answered.add(isGood);
  if (!isGood) refuse('lookup', answer);
  else lookups.add(1);
  if (answer.status === 200) {
    fresh.add(answer.body?.['degraded'] === false);
    staleness.add(Number(answer.body?.['stalenessMs']));
  }
  // While inventory is down the answers go on; all is as before once they are fresh again.
  const isRecovered = toKill.length === 0 || answer.body?.['degraded'] !== true;
  return { isGood: isGood && isRecovered, path, etag: answer.etag };
}

function lookUpBasket(): void {
  const { shop, cashier } = myTill();
  const first = Math.floor(Math.random() * shop.items.length);
  const items = Array.from({ length: 20 }, (_, nth) => shop.items[(first + nth) % shop.items.length]?.sku);
  const answer = send(cashier, {
    service: 'stock-lookup',
    method: 'POST',
    path: '/v1/availability:batch',
    name: 'lookup basket',
    body: { items },
  });
  const isGood = answer.status === 200 && (answer.body?.['items'] as unknown[]).length === items.length;
  answered.add(isGood);
  if (isGood) lookups.add(items.length);
  else refuse('lookup basket', answer);
}

export const handleSummary = summaryOf('stock-lookup', shape, promises);
