import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cashRounding } from '@kassa/countries';
import { eventually } from '@kassa/testing';
import { stopTables, stories, type Checkout, type Story } from './checkout-steps.ts';
import { makeDemo, type DemoProduct } from './demo.ts';
import { layStops, type Stops } from './stops.ts';
import { services, startSystem, type ServiceName, type System } from './system.ts';
import { openTill, type Till } from './till.ts';
import { accountOf, agreement, type Account } from './witnesses.ts';

// kill -9 of each process while every persisted step of a checkout stands right before its commit. Each step has a sale of its own, which
// stands there; so one kill meets all steps at once. The statements that wait when their process dies either commit all the same or are
// lost, as the network between a process and its database decides.

const cases = stories.flatMap((story) => story.steps.map((step) => ({ story, step, title: `${story.title}, at ${step.title}` })));
type Case = (typeof cases)[number];

/** A place of its own for each case: its till, its terminal and its product. */
interface Place {
  till: Till;
  product: DemoProduct;
}

let system: System;
const stops = new Map<ServiceName, Stops>();
const places = new Map<Case, Place>();
const unitsSold = new Map<string, number>();

beforeAll(async () => {
  const demo = makeDemo({ registersOfFirstShop: cases.length });
  // Where several sales share a statement or a transaction, only the first of them would come to its stop; kill-together.test.ts has those.
  const alone = { DATABASE_POOL_MAX: '36', DATABASE_GROUP_MAX: '1' };
  // The acquirer is given longer than any step is held up: what payments calls failed must not be what a test keeps from being recorded.
  const patient = { PROVIDER_TIMEOUT_MS: '60000', TERMINAL_TIMEOUT_MS: '60000' };
  system = await startSystem({
    demo,
    env: {
      sales: { ...alone, CONSUME_GATHER_MS: '0' },
      inventory: alone,
      payments: { ...alone, ...patient },
      acquirer: { ...alone, DATABASE_POOL_MAX: '20' },
    },
  });
  for (const name of services) stops.set(name, await layStops(system.databaseUrl(name), stopTables[name]));
  const registers = demo.registers.filter(({ shopId }) => shopId === 'dk-001');
  for (const [n, item] of cases.entries()) {
    places.set(item, { till: await openTill(system, registers[n]!.id), product: demo.products[n + 1]! });
  }
});
afterAll(async () => {
  for (const stop of stops.values()) await stop.close();
  await system.stop();
});

/** What became of each case in one round. */
interface Ending {
  account: Account;
  /** What is answered to the till when it sends its request once more. */
  repeated: number;
  totalMinor: number;
}

async function round(victim: ServiceName, fate: 'commit' | 'lose', chosen: readonly Case[]): Promise<Map<Case, Ending>> {
  const begun = await Promise.all(chosen.map(begin));
  try {
    for (const { stop } of begun) await stop.reached();
    await system.kill(victim);
    await Promise.all(begun.map(({ item, stop }) => (item.step.in === victim && fate === 'lose' ? stop.lose() : undefined)));
  } finally {
    await Promise.all(begun.map(({ stop }) => stop.commit()));
  }
  await system.restart(victim);

  const rested = await Promise.all(begun.map(async (one) => ({ ...one, sale: (await one.completing).sale })));
  const books = await agreement(system);
  const repeated = await Promise.all(begun.map(({ repeat }) => repeat()));
  for (const { sale, item } of rested) {
    const { sku } = placeOf(item).product;
    unitsSold.set(sku, (unitsSold.get(sku) ?? 0) + accountOf(sale.id, books).unitsSold);
  }
  return new Map(
    rested.map(({ item, sale }, n) => [
      item,
      { account: accountOf(sale.id, books), repeated: repeated[n]!.answer.status, totalMinor: sale.totalMinor },
    ]),
  );
}

/** Sends a checkout on its way to its stop. */
async function begin(item: Case) {
  const { till, product } = placeOf(item);
  const sale = await till.open([{ sku: product.sku, quantity: 2 }]);
  const checkout: Checkout = { saleId: sale.id, terminalId: `pos-${till.registerId}`, sku: product.sku, shopId: till.shopId };
  const stop = await stops.get(item.step.in)!.arm(item.step.at(checkout));
  const key = crypto.randomUUID();
  const repeat = () => till.complete(sale.id, item.story.tenders(sale.totalMinor), key);
  return { item, stop, repeat, completing: repeat() };
}

const placeOf = (item: Case): Place => places.get(item)!;

const nothing: Account = {
  state: 'OPEN',
  receipts: 0,
  settledMinor: 0,
  paidMinor: 0,
  heldMinor: 0,
  chargedMinor: 0,
  unitsSold: 0,
  unitsHeld: 0,
};

function sold(story: Story, totalMinor: number): Account {
  const isCash = story.title === 'cash';
  const dueMinor = isCash ? cashRounding('dk', totalMinor).dueMinor : totalMinor;
  const chargedMinor = isCash ? 0 : totalMinor;
  return { ...nothing, state: 'COMPLETED', receipts: 1, settledMinor: dueMinor, paidMinor: dueMinor, chargedMinor, unitsSold: 2 };
}

/**
 * How a case may end, and what the till's repeated request is answered. A service that dies changes nothing about the end; where the card
 * world dies before it heard of a payment, the payment has failed, and the sale is open for another one.
 */
function endsOf({ story }: Case, victim: ServiceName, totalMinor: number): Omit<Ending, 'totalMinor'>[] {
  const undone = { account: nothing, repeated: 409 };
  if (story.ends === 'undone') return [undone];
  const done = { account: sold(story, totalMinor), repeated: 200 };
  return victim === 'acquirer' ? [done, undone] : [done];
}

function proveRound(victim: ServiceName, fate: 'commit' | 'lose', chosen: readonly Case[]): void {
  let endings: Map<Case, Ending>;
  beforeAll(async () => {
    endings = await round(victim, fate, chosen);
  });

  test.each(chosen)('$title', (item) => {
    const { totalMinor, ...ending } = endings.get(item)!;
    expect(endsOf(item, victim, totalMinor)).toContainEqual(ending);
  });

  test('stock-lookup ends with the stock that inventory has', async () => {
    for (const { till, product } of chosen.map(placeOf)) {
      await eventually(async () => {
        const { body } = await till.lookup.get(`/v1/availability/${product.sku}`);
        expect(body['here']).toMatchObject({ onHand: system.demo.openingStock - (unitsSold.get(product.sku) ?? 0), reserved: 0 });
      });
    }
  });
}

describe.each(services)('%s is killed while each step waits to commit, and the step commits', (victim) => {
  proveRound(victim, 'commit', cases);
});

describe.each(services)('%s is killed at each of its own steps, and the step is lost', (victim) => {
  proveRound(
    victim,
    'lose',
    cases.filter(({ step }) => step.in === victim),
  );
});
