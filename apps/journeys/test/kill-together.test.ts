import { afterAll, beforeAll, expect, test } from 'vitest';
import pg from 'pg';
import { layStops, type StopAt, type Stops } from './stops.ts';
import { startSystem, type System } from './system.ts';
import { openTill, type Till } from './till.ts';
import { accountOf, agreement } from './witnesses.ts';

// The goods of several sales are consumed in one statement of inventory, and marked in one of sales. kill -9 of either process while that
// statement stands right before its commit, which then happens all the same or is lost: each sale is sold once.

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
let stops: Record<Victim, Stops>;
let inventory: pg.Client;

beforeAll(async () => {
  system = await startSystem({ env: { sales: { CONSUME_GATHER_MS: '1000' } } });
  stops = {
    inventory: await layStops(system.databaseUrl('inventory'), ['reservations']),
    sales: await layStops(system.databaseUrl('sales'), ['checkouts']),
  };
  inventory = new pg.Client({ connectionString: system.databaseUrl('inventory') });
  await inventory.connect();
  const registers = system.demo.registers.filter(({ shopId }) => shopId === 'dk-001').slice(0, several);
  tills = await Promise.all(registers.map(({ id }) => openTill(system, id)));
});
afterAll(async () => {
  await stops.inventory.close();
  await stops.sales.close();
  await inventory.end();
  await system.stop();
});

const cases = (Object.keys(victims) as Victim[]).flatMap((victim) => ends.map((fate) => ({ victim, fate })));

test.each(cases)('$victim is killed while it consumes several sales at once; the database: $fate', async ({ victim, fate }) => {
  const { sku } = system.demo.products[1]!;
  const opened = await Promise.all(tills.map((till) => till.open([{ sku, quantity: 2 }])));
  const stop = await stops[victim].arm(victims[victim](opened[0]!.id));
  const done = await Promise.all(
    opened.map(({ id, totalMinor }, n) => tills[n]!.complete(id, [{ method: 'terminal', amountMinor: totalMinor }])),
  );
  expect(done.map(({ answer }) => answer.status)).toEqual(opened.map(() => 200));
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

  const books = await agreement(system);
  for (const { id, totalMinor } of opened) {
    const money = { receipts: 1, settledMinor: totalMinor, paidMinor: totalMinor, heldMinor: 0, chargedMinor: totalMinor };
    expect(accountOf(id, books)).toEqual({ state: 'COMPLETED', ...money, unitsSold: 2, unitsHeld: 0 });
  }
});

/** How inventory shows that several sales share a statement: it waits at the stop, or it has written several. */
const sharing: Record<Victim, string> = {
  inventory: `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
    AND query LIKE 'SELECT consume_reservations_v1%' AND $1::text[] IS NOT NULL`,
  sales: 'SELECT FROM reservations WHERE reference = ANY ($1::text[]) GROUP BY xmin::text HAVING count(*) > 1',
};
