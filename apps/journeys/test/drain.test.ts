import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '@kassa/testing';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startSystem, type ServiceName, type System } from './system.ts';
import { openTill, type Till } from './till.ts';
import { agreement } from './witnesses.ts';

// A deployment ends a process with SIGTERM. It finishes what it accepted: nobody who was being served sees a broken connection.

let system: System;
let tills: Till[];

beforeAll(async () => {
  // Half a second in which /readyz says no and requests are still served, as a load balancer needs it.
  const delayed = { SHUTDOWN_DELAY_MS: '500' };
  system = await startSystem({ env: { sales: delayed, payments: delayed, inventory: delayed, 'stock-lookup': delayed } });
  const registers = system.demo.registers.filter(({ shopId }) => shopId === 'dk-001');
  tills = await Promise.all(registers.map(({ id }) => openTill(system, id)));
});
afterAll(() => system.stop());

const product = () => system.demo.products[1]!;

/** Terminal amounts that end in 5106 are approved a second and a half late (the acquirer's table of test cards). */
async function slowSale(till: Till) {
  const sale = await till.open([{ sku: product().sku, quantity: 2 }]);
  const tenders = [
    { method: 'terminal', amountMinor: 15_106 },
    { method: 'terminal', amountMinor: 20_390 - 15_106 },
  ];
  return till.sales.post(`/v1/sales/${sale.id}/complete`, { tenders });
}

describe.each(['sales', 'payments', 'inventory'] as const)('%s is told to end while customers type their PIN', (name) => {
  afterEach(() => system.restart(name));

  test('every sale under way is answered, and comes to its right end', async () => {
    const underWay = tills.map(slowSale);
    await sleep(700);
    await system.app(name).kill('SIGTERM');
    const answers = await Promise.all(underWay);
    expect(answers.map(({ status }) => status).filter((status) => status !== 200 && status !== 202)).toEqual([]);
  });
});

describe.each(['sales', 'stock-lookup'] as const)('%s is told to end under load', (name) => {
  afterEach(() => system.restart(name));

  test('every request that was sent while it was ready is answered', async () => {
    const answered = { count: 0, failures: [] as string[] };
    let isReady = true;
    const balancer = watchReadiness(name, () => (isReady = false));
    const clients = tills
      .flatMap((till) => [till, till, till, till])
      .map(async (till) => {
        while (isReady)
          await request(name, till).then(
            (status) => void (status < 400 ? answered.count++ : answered.failures.push(String(status))),
            (error: unknown) => void answered.failures.push(String(error)),
          );
      });
    await eventually(() => expect(answered.count + answered.failures.length).toBeGreaterThan(50), 60_000);
    await Promise.all([system.app(name).kill('SIGTERM'), balancer, ...clients]);
    expect(answered.failures).toEqual([]);
  });
});

async function request(name: 'sales' | 'stock-lookup', till: Till): Promise<number> {
  if (name === 'stock-lookup') return (await till.lookup.get(`/v1/availability/${product().sku}`)).status;
  return (await till.sales.post('/v1/sales', { lines: [{ sku: product().sku }] })).status;
}

/** Asks /readyz as a load balancer does, and sends nobody any more after the first no. */
async function watchReadiness(name: ServiceName, onDraining: () => void): Promise<void> {
  for (;;) {
    const answer = await fetch(`${system.app(name).health}/readyz`).catch(() => undefined);
    if (answer?.status !== 200) return onDraining();
    await sleep(50);
  }
}

test('In the end all books agree', async () => {
  await agreement(system);
});
