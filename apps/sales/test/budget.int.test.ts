import { eventually } from '@kassa/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { byCard, openRoom, type Client, type Room } from './room.ts';

/*
 * What sales itself asks of its database and its neighbours for a sale that has nobody to share with. The whole of it is counted in the
 * journeys.
 */

let room: Room;
let till: Client;

beforeAll(async () => {
  room = await openRoom({ CHECKOUT_RESUME_EVERY_MS: '2000', CHECKOUT_LEASE_MS: '30000' });
  till = await room.as({ sub: 'employee-1', sid: 'desk' });
  await room.db.query('CREATE EXTENSION IF NOT EXISTS pg_stat_statements');
});
afterAll(() => room.close());

const sales = 20;

/** A statement that writes is a transaction of its own; one that reads takes no transaction id. */
async function perSale(sell: () => Promise<string>): Promise<{ reads: number; writes: number; calls: number }> {
  await settled(await sell());
  await room.db.query('SELECT pg_stat_statements_reset(0, (SELECT oid FROM pg_database WHERE datname = current_database()))');
  const callsBefore = room.inventory.calls.length + room.payments.calls.length;
  for (let n = 0; n < sales; n++) await settled(await sell());
  const { rows } = await room.db.query<{ calls: string; isWrite: boolean }>(
    `SELECT calls, query ~ '(INSERT INTO|UPDATE|DELETE FROM) [a-z]' AS "isWrite" FROM pg_stat_statements
     WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
       AND query !~* '^\\s*(begin|commit|rollback)' AND query !~ 'pg_stat_statements|feed_position|due AS|SELECT phase FROM'`,
  );
  const count = (isWrite: boolean) =>
    rows.filter((row) => row.isWrite === isWrite).reduce((sum, row) => sum + Number(row.calls), 0) / sales;
  const calls = room.inventory.calls.length + room.payments.calls.length - callsBefore;
  return { reads: count(false), writes: count(true), calls: calls / sales };
}

const settled = (id: string) =>
  eventually(async () => {
    const { rows } = await room.db.query(`SELECT phase FROM checkouts WHERE sale_id = $1`, [id]);
    expect(rows).toEqual([{ phase: 'ENDED' }]);
  });

test('two requests: 2 reads, 4 writes and 3 calls', async () => {
  const used = await perSale(async () => {
    const { body } = await till.post('/v1/sales', { lines: [{ sku: 'E1' }, { sku: 'E5' }] });
    expect((await till.post(`/v1/sales/${body.id}/complete`, byCard(18919))).status).toBe(200);
    return body.id;
  });
  expect(used).toEqual({ reads: 2, writes: 4, calls: 3 });
});

test('one step at a time, authorised and captured: 4 reads, 6 writes and 5 calls', async () => {
  const used = await perSale(async () => {
    const { body } = await till.post('/v1/sales', {});
    await till.post(`/v1/sales/${body.id}/lines`, { sku: 'E1' });
    await till.post(`/v1/sales/${body.id}/lines`, { sku: 'E5' });
    const tenders = [{ method: 'terminal', capture: 'authorise', amountMinor: 18919 }];
    expect((await till.post(`/v1/sales/${body.id}/complete`, { tenders })).status).toBe(200);
    return body.id;
  });
  expect(used).toEqual({ reads: 4, writes: 6, calls: 5 });
});
