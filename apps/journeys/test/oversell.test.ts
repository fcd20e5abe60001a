import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeDemo } from './demo.ts';
import { startSystem, type System } from './system.ts';
import { openTill, type Till } from './till.ts';
import { agreement } from './witnesses.ts';

const units = 10;

let system: System;
let tills: Till[];

beforeAll(async () => {
  const demo = makeDemo({ registersOfFirstShop: 38, openingStock: units });
  system = await startSystem({ demo });
  const registers = demo.registers.filter(({ shopId }) => shopId === 'dk-001' || shopId === 'dk-002');
  tills = await Promise.all(registers.map(({ id }) => openTill(system, id)));
});
afterAll(() => system.stop());

/** Customers who reach for one unit each, spread over a shop's tills; every other one pays by card. Answers how their sales ended. */
async function crowd(shopId: string, customers: number, sku: string): Promise<string[]> {
  const here = tills.filter((till) => till.shopId === shopId);
  const endings = Array.from({ length: customers }, async (_, n) => {
    const till = here[n % here.length]!;
    const sale = await till.open([{ sku }]);
    const tender =
      n % 2 === 0 ? { method: 'terminal' as const, amountMinor: 10_195 } : { method: 'cash' as const, amountMinor: 10_200 };
    const { sale: ended } = await till.complete(sale.id, [tender]);
    return ended.state === 'COMPLETED' ? 'sold' : `${ended.state} for ${ended.refusal?.cause ?? 'no reason'}`;
  });
  return Promise.all(endings);
}

const count = (endings: string[]) =>
  Object.fromEntries([...Map.groupBy(endings, (ending) => ending)].map(([ending, all]) => [ending, all.length]));

test('Of 200 buyers who reach for the last 10 units of a shop, and 40 in the next shop, exactly 10 each get one and nobody else pays', async () => {
  const { sku } = system.demo.products[1]!;
  const [first, second] = await Promise.all([crowd('dk-001', 200, sku), crowd('dk-002', 40, sku)]);

  expect(count(first)).toEqual({ sold: units, 'OPEN for insufficient-stock': 190 });
  expect(count(second)).toEqual({ sold: units, 'OPEN for insufficient-stock': 30 });
  const { sales } = await agreement(system);
  expect(sales.filter(({ state }) => state === 'COMPLETED')).toHaveLength(2 * units);
  const { body } = await system.api('inventory').get(`/v1/levels/${sku}?shop=dk-001`);
  expect(body).toMatchObject({ levels: [{ onHand: 0, reserved: 0, available: 0 }] });
});
