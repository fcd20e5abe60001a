import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import pg from 'pg';
import { layStops, type Stop, type StopAt, type Stops } from './stops.ts';
import { startSystem, type System } from './system.ts';
import { openTill, type Sale, type Till } from './till.ts';
import { accountOf, agreement } from './witnesses.ts';

// The goods of several sales are consumed in one statement of inventory, and marked in one of sales; steps of several that come at once share
// a transaction. kill -9 of the process while that stands right before its commit, which then happens all the same or is lost: each sale
// is sold once.

const several = 4;
const ends = ['commit', 'lose'] as const;
const victims = {
  inventory: (saleId: string): StopAt => ({
    table: 'reservations',
    on: 'UPDATE',
    row: { reference: `sale:${saleId}`, state: 'CONSUMED' },
  }),
  sales: (saleId: string): StopAt => ({ table: 'checkouts', on: 'UPDATE', row: { sale_id: saleId, phase: 'ENDED' } }),
};
type Victim = keyof typeof victims;

let system: System;
let tills: Till[];
let stops: Record<Victim | 'payments', Stops>;
let inventory: pg.Client;

beforeAll(async () => {
  // The acquirer is given longer than any step is held up: what payments calls failed must not be what a test keeps from being recorded.
  const patient = { PROVIDER_TIMEOUT_MS: '60000', TERMINAL_TIMEOUT_MS: '60000' };
  system = await startSystem({ env: { sales: { CONSUME_GATHER_MS: '1000' }, payments: patient } });
  stops = {
    inventory: await layStops(system.databaseUrl('inventory'), ['reservations']),
    sales: await layStops(system.databaseUrl('sales'), ['checkouts', 'sales']),
    payments: await layStops(system.databaseUrl('payments'), ['payment_intents']),
  };
  inventory = new pg.Client({ connectionString: system.databaseUrl('inventory') });
  await inventory.connect();
  const registers = system.demo.registers.filter(({ shopId }) => shopId === 'dk-001').slice(0, several);
  tills = await Promise.all(registers.map(({ id }) => openTill(system, id)));
});
afterAll(async () => {
  for (const stop of Object.values(stops)) await stop.close();
  await inventory.end();
  await system.stop();
});

const cases = (Object.keys(victims) as Victim[]).flatMap((victim) => ends.map((fate) => ({ victim, fate })));

test.each(cases)('$victim is killed while it consumes several sales at once; the database: $fate', async ({ victim, fate }) => {
  const { sku } = system.demo.products[1]!;
  const opened = await Promise.all(tills.map((till) => till.open([{ sku, quantity: 2 }])));
  const stop = await stops[victim].arm(victims[victim](opened[0]!.id));
  await completeAll(opened);
  try {
    await stop.reached();
    const { rowCount } = await inventory.query(sharing[victim], [opened.map(({ id }) => `sale:${id}`)]);
    expect(rowCount).toBeGreaterThan(0);
    await system.kill(victim);
    if (fate === 'lose') await stop.lose();
  } finally {
    await stop.commit();
  }
  await system.restart(victim);
  await expectSoldOnce(opened);
});

/**
 * Each step that several sales take in one transaction: whose it is, and the row it writes. Where the process is gone, PostgreSQL commits the
 * whole or none of it, as it notices.
 */
const steps = {
  freeze: {
    victim: 'sales',
    at: (id: string): StopAt => ({ table: 'sales', on: 'UPDATE', row: { id, state: 'COMMITTING' } }),
  },
  finish: {
    victim: 'sales',
    at: (id: string): StopAt => ({ table: 'sales', on: 'UPDATE', row: { id, state: 'COMPLETED' } }),
  },
  reserve: {
    victim: 'inventory',
    at: (id: string): StopAt => ({ table: 'reservations', on: 'INSERT', row: { reference: `sale:${id}` } }),
  },
  'begin of a payment': {
    victim: 'payments',
    at: (id: string): StopAt => ({ table: 'payment_intents', on: 'INSERT', row: { reference: `sale:${id}` } }),
  },
  'end of a payment': {
    victim: 'payments',
    at: (id: string): StopAt => ({
      table: 'payment_intents',
      on: 'UPDATE',
      row: { reference: `sale:${id}`, status: 'captured' },
    }),
  },
} as const;

const stepCases = Object.entries(steps).flatMap(([name, step]) => ends.map((fate) => ({ name, ...step, fate })));

test.each(stepCases)(
  '$victim is killed at the $name of several sales at once; the database: $fate',
  async ({ victim, at, fate }) => {
    const open = () => Promise.all(tills.map((till, n) => till.open([{ sku: system.demo.products[n + 1]!.sku, quantity: 2 }])));
    await expectSoldOnce(await completeAll(await open())); // Who has just been started takes steps too slowly for others to gather.
    const opened = await open();
    const held: Stop[] = [];
    for (const { id } of opened) held.push(await stops[victim].arm(at(id)));
    // While the first one waits, the others gather; they go together when it is not waited for any longer, and one of them comes to its stop.
    const completing = [completeAll(opened.slice(0, 1))];
    try {
      await held[0]!.reached();
      completing.push(completeAll(opened.slice(1), 1));
      await Promise.any(held.slice(1).map((stop) => stop.reached()));
      await setTimeout(200);
      const waiting = (await Promise.all(held.map(isReached))).filter(Boolean);
      expect(waiting.length).toBeLessThan(several);
      await system.kill(victim);
      if (fate === 'lose') for (const stop of held) if (await isReached(stop)) await stop.lose();
    } finally {
      for (const stop of held) await stop.commit();
    }
    await system.restart(victim);
    await Promise.all(completing);
    await expectSoldOnce(opened);
  },
);

const isReached = (stop: Stop): Promise<boolean> =>
  stop.reached(0).then(
    () => true,
    () => false,
  );

/** Pays by card for sales that stand at the tills, the first of them at `firstTill`, and waits until they have come to rest. */
async function completeAll(sales: Sale[], firstTill = 0): Promise<Sale[]> {
  const pay = ({ id, totalMinor }: Sale, n: number) =>
    tills[firstTill + n]!.complete(id, [{ method: 'terminal', amountMinor: totalMinor }]);
  expect((await Promise.all(sales.map(pay))).map(({ sale }) => sale.state)).toEqual(sales.map(() => 'COMPLETED'));
  return sales;
}

async function expectSoldOnce(sales: Sale[]): Promise<void> {
  const books = await agreement(system);
  for (const { id, totalMinor } of sales) {
    const money = { receipts: 1, settledMinor: totalMinor, paidMinor: totalMinor, heldMinor: 0, chargedMinor: totalMinor };
    expect(accountOf(id, books)).toEqual({ state: 'COMPLETED', ...money, unitsSold: 2, unitsHeld: 0 });
  }
}

/** How inventory shows that several sales share a statement: it waits at the stop, or it has written several. */
const sharing: Record<Victim, string> = {
  inventory: `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
    AND query LIKE 'SELECT consume_reservations_v1%' AND $1::text[] IS NOT NULL`,
  sales: 'SELECT FROM reservations WHERE reference = ANY ($1::text[]) GROUP BY xmin::text HAVING count(*) > 1',
};
