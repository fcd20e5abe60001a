import { eventually } from '@kassa/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { byCard, cable, openRoom, type Client, type Room } from './room.ts';

let room: Room;
let till: Client;

beforeAll(async () => {
  room = await openRoom({}, { now: () => new Date('2026-03-02T10:15:30.120Z') });
  till = await room.as();
});
afterAll(() => room.close());

test('A sale in two requests: a basket, a card, a receipt, and the stock is consumed', async () => {
  const opened = await till.post('/v1/sales', { ...cable, expectedTotalMinor: 14924 });
  console.log(opened.status, opened.text);
  const completed = await till.post(`/v1/sales/${opened.body.id}/complete`, byCard(14924));
  console.log(completed.status, completed.text);
  console.log(completed.body.receiptText);
  expect(completed.status).toBe(200);
  await eventually(async () => {
    const { rows } = await room.db.query('SELECT phase FROM checkouts WHERE sale_id = $1', [opened.body.id]);
    expect(rows).toEqual([{ phase: 'ENDED' }]);
  });
  console.log(room.inventory.calls, room.payments.calls);
});
