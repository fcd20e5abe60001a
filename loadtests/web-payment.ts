import { sleep } from 'k6';
import exec from 'k6/execution';
import { Counter, Rate } from 'k6/metrics';
import type { Options } from 'k6/options';
import { crashAndRecover, outagesDuring } from './lib/outage.ts';
import { always, thresholdsOf, unlessKilled, type Promised } from './lib/promises.ts';
import { shapeOf, usersIn } from './lib/shapes.ts';
import { summaryOf } from './lib/summary.ts';
import { cancel, capture, confirm, createIntent, refund, type Balances, type Intent } from './lib/web-shop.ts';

const shape = shapeOf(__ENV, 'average');
const payments = new Counter('kassa_payments');
const right = new Rate('kassa_payments_right');

const promises: Promised[] = [
  { metric: 'kassa_payments', limit: 'count>0', promise: 'payments are made' },
  {
    metric: 'kassa_payments_right',
    limit: 'rate==1',
    promise: 'a payment ends with exactly the balances the web shop asked for',
  },
  ...unlessKilled([
    { metric: 'http_req_duration{name:create payment}', limit: 'p(95)<500', promise: 'the checkout page opens at once' },
    { metric: 'http_req_duration{name:capture payment}', limit: 'p(95)<1000', promise: 'dispatch does not wait for money' },
  ]),
  ...always,
];

export const options: Options = {
  scenarios: { customers: usersIn(shape, 'customer'), ...outagesDuring(shape) },
  thresholds: thresholdsOf(promises),
  summaryTrendStats: ['min', 'med', 'p(95)', 'p(99)', 'max'],
};

/** One order on the web, from the card to what is left of the money. */
export function customer(): void {
  pay(stories[pick(stories.map(({ weight }) => weight))] ?? dispatchedInTwoParcels);
  sleep(2 + Math.random() * 4);
}

export function outage(): void {
  crashAndRecover(exec.vu.iterationInScenario, () => pay(dispatchedInTwoParcels));
}

/** Does things with a payment of `totalMinor`, and tells which balances it must have then; undefined where a step failed. */
interface Story {
  weight: number;
  act(intent: Intent, totalMinor: number): [Intent | undefined, Balances];
}

const nothing: Balances = { authorisedMinor: 0, capturedMinor: 0, refundedMinor: 0, voidedMinor: 0 };

/** Each parcel is captured when it leaves; one item comes back. */
const dispatchedInTwoParcels: Story = {
  weight: 0.6,
  act(intent, totalMinor) {
    const firstMinor = Math.floor(totalMinor / 3);
    const refundedMinor = Math.floor(totalMinor / 7);
    let now = confirm(intent, 'tok_approve');
    now = now && capture(now, firstMinor);
    now = now && capture(now, totalMinor - firstMinor);
    now = now && refund(now, refundedMinor);
    return [now, { ...nothing, authorisedMinor: totalMinor, capturedMinor: totalMinor, refundedMinor }];
  },
};

const partlySoldOut: Story = {
  weight: 0.15,
  act(intent, totalMinor) {
    const capturedMinor = Math.floor(totalMinor / 2);
    let now = confirm(intent, 'tok_approve');
    now = now && capture(now, capturedMinor);
    now = now && cancel(now);
    return [now, { ...nothing, authorisedMinor: totalMinor, capturedMinor, voidedMinor: totalMinor - capturedMinor }];
  },
};

const changedTheirMind: Story = {
  weight: 0.1,
  act(intent, totalMinor) {
    let now = confirm(intent, 'tok_event_before_reply');
    now = now && cancel(now);
    return [now, { ...nothing, authorisedMinor: totalMinor, voidedMinor: totalMinor }];
  },
};

const secondCard: Story = {
  weight: 0.1,
  act(intent, totalMinor) {
    let now = confirm(intent, 'tok_decline_insufficient_funds');
    if (now?.status !== 'declined') return [now, nothing];
    now = confirm(now, 'tok_approve');
    now = now && capture(now, totalMinor);
    return [now, { ...nothing, authorisedMinor: totalMinor, capturedMinor: totalMinor }];
  },
};

/** The acquirer takes the money and never says so; payments finds out by asking. */
const noAnswer: Story = {
  weight: 0.05,
  act(intent, totalMinor) {
    let now = confirm(intent, 'tok_timeout_happened');
    now = now && capture(now, totalMinor);
    return [now, { ...nothing, authorisedMinor: totalMinor, capturedMinor: totalMinor }];
  },
};

const stories = [dispatchedInTwoParcels, partlySoldOut, changedTheirMind, secondCard, noAnswer];

function pay(story: Story): boolean {
  let isRight = false;
  try {
    const totalMinor = 10_000 + Math.floor(Math.random() * 1_000_000);
    const intent = createIntent(totalMinor);
    const [end, wanted] = intent ? story.act(intent, totalMinor) : [undefined, nothing];
    const names = Object.keys(wanted) as (keyof Balances)[];
    isRight = end !== undefined && names.every((name) => end[name] === wanted[name]);
    if (end && !isRight) console.error(`payment ${end.id} is ${JSON.stringify(end)} and should be ${JSON.stringify(wanted)}`);
  } finally {
    right.add(isRight);
  }
  if (isRight) payments.add(1);
  return isRight;
}

/** An index, as often as its weight says. */
function pick(weights: number[]): number {
  let rest = Math.random();
  return Math.max(
    0,
    weights.findIndex((weight) => (rest -= weight) < 0),
  );
}

export const handleSummary = summaryOf('web-payment', shape, promises);
