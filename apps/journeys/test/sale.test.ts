import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { businessDate, cashRounding, country, countryCodes, vatRate } from '@kassa/countries';
import { formatMoney, money, vatOf } from '@kassa/money';
import { eventually } from '@kassa/testing';
import { priceMinor } from './demo.ts';
import { startSystem, type System } from './system.ts';
import { openTill, type Till } from './till.ts';
import { accountOf, agreement } from './witnesses.ts';

let system: System;
let till: Till;

beforeAll(async () => {
  system = await startSystem();
  till = await openTill(system, 'dk-001-01');
});
afterAll(() => system.stop());

const product = (n: number) => system.demo.products[n]!;

test('A till in Copenhagen looks an item up, sells it in two requests, and hands over a receipt with its VAT', async () => {
  const { gtin, sku, name } = product(1);
  const shelf = await till.lookup.get(`/v1/availability/${gtin}`);
  expect(shelf.body).toMatchObject({
    sku,
    name,
    degraded: false,
    here: { shopId: 'dk-001', onHand: 1_000, availableToPromise: 1_000 },
  });
  expect(shelf.body['nearby']).toMatchObject([{ shopId: 'dk-002' }, { shopId: 'dk-003' }, { shopId: 'se-001' }]);

  const opened = await till.open([{ sku, quantity: 2 }]);
  expect(opened).toMatchObject({ state: 'OPEN', totalMinor: 20_390, currency: 'DKK', nextAction: { action: 'take-tender' } });
  const { answer } = await till.complete(opened.id, [{ method: 'terminal', amountMinor: 20_390 }]);

  expect(answer.status).toBe(200);
  expect(answer.body).toMatchObject({
    state: 'COMPLETED',
    receiptNumber: 1,
    vat: [{ bp: 2_500, grossMinor: 20_390, vatMinor: 4_078, netMinor: 16_312 }],
    tenders: [{ method: 'terminal', status: 'SETTLED', cardLabel: expect.any(String) as string }],
    nextAction: { action: 'hand-over' },
  });
  const printed = answer.body['receiptText'];
  for (const text of ['Elnord Købmagergade', 'Bon nr. 1', name, '203,90', 'Moms', '40,78']) expect(printed).toContain(text);
  expect(printed).not.toContain('KOPI');
  expect(await till.reprint(opened.id)).toContain('KOPI');
  await eventually(async () => {
    const { body } = await till.lookup.get(`/v1/availability/${sku}`);
    expect(body['here']).toMatchObject({ onHand: 998, reserved: 0, availableToPromise: 998 });
  }, 1_000);
});

test('A sale is made one step at a time: the card is authorised before the goods are sure, and captured after', async () => {
  const { sales } = till;
  const opened = await till.open([]);
  const added = await sales.post(`/v1/sales/${opened.id}/lines`, { sku: product(2).sku });
  const [line] = added.body['lines'] as { lineId: string }[];
  const changed = await sales.send(
    'PATCH',
    `/v1/sales/${opened.id}/lines/${line!.lineId}`,
    { quantity: 3 },
    { headers: { 'if-match': added.headers.get('etag')! } },
  );
  expect(changed.body).toMatchObject({ totalMinor: 30_885 });
  const tendered = await sales.post(`/v1/sales/${opened.id}/tenders`, {
    method: 'terminal',
    capture: 'authorise',
    amountMinor: 30_885,
  });
  expect(tendered.body).toMatchObject({ state: 'TENDERING', remainingMinor: 0, nextAction: { action: 'complete' } });

  const { answer } = await till.complete(opened.id, []);
  expect(answer.body).toMatchObject({ state: 'COMPLETED', totalMinor: 30_885 });
  const { transactions } = await agreement(system);
  const kinds = transactions.filter(({ reference }) => reference === `sale:${opened.id}`).map(({ kind }) => kind);
  expect(kinds.sort()).toEqual(['AUTHORISE', 'CAPTURE']);
});

test('A customer pays a part by card and the rest in cash; only the cash is rounded and gives change', async () => {
  const opened = await till.open([{ sku: product(3).sku }]);
  const { answer } = await till.complete(opened.id, [
    { method: 'terminal', amountMinor: 5_000 },
    { method: 'cash', amountMinor: 10_000 },
  ]);
  // 103,95 less 50,00 by card leaves 53,95; coins settle 54,00, and 100,00 gives 46,00 back.
  expect(answer.body).toMatchObject({ state: 'COMPLETED', totalMinor: 10_395, roundingMinor: 5, changeMinor: 4_600 });
  const books = await agreement(system);
  expect(accountOf(opened.id, books)).toMatchObject({
    settledMinor: 10_400,
    paidMinor: 10_400,
    chargedMinor: 5_000,
    unitsSold: 1,
    unitsHeld: 0,
  });
});

test('A declined card gives everything back and leaves the sale open for another one', async () => {
  const opened = await till.open([{ sku: product(4).sku, quantity: 2 }]);
  const refused = await till.complete(opened.id, [
    { method: 'terminal', amountMinor: opened.totalMinor - 15_101 },
    { method: 'terminal', amountMinor: 15_101 },
  ]);
  expect(refused.answer).toMatchObject({
    status: 409,
    body: { code: 'payment-declined', declineCode: 'insufficient-funds', nextAction: { action: 'take-another-tender' } },
  });
  expect(accountOf(opened.id, await agreement(system))).toMatchObject({
    state: 'OPEN',
    paidMinor: 0,
    heldMinor: 0,
    chargedMinor: 0,
    unitsHeld: 0,
  });

  const paid = await till.complete(opened.id, [{ method: 'terminal', amountMinor: opened.totalMinor }]);
  expect(paid.answer.body).toMatchObject({ state: 'COMPLETED' });
  expect(accountOf(opened.id, await agreement(system))).toMatchObject({
    state: 'COMPLETED',
    paidMinor: opened.totalMinor,
    chargedMinor: opened.totalMinor,
    unitsSold: 2,
  });
});

test('A terminal that charges and never answers charges once: the till waits, and payments asks', async () => {
  const opened = await till.open([{ sku: product(5).sku, quantity: 2 }]);
  const { sale } = await till.complete(opened.id, [
    { method: 'terminal', amountMinor: 15_107 },
    { method: 'terminal', amountMinor: opened.totalMinor - 15_107 },
  ]);
  expect(sale.state).toBe('COMPLETED');
  expect(accountOf(opened.id, await agreement(system))).toMatchObject({
    paidMinor: opened.totalMinor,
    chargedMinor: opened.totalMinor,
    unitsSold: 2,
    unitsHeld: 0,
  });
});

test('A terminal that never answers and charged nothing leaves the sale open', async () => {
  const opened = await till.open([{ sku: product(6).sku, quantity: 2 }]);
  const { answer, sale } = await till.complete(opened.id, [
    { method: 'terminal', amountMinor: 15_108 },
    { method: 'terminal', amountMinor: opened.totalMinor - 15_108 },
  ]);
  expect(answer).toMatchObject({ status: 409, body: { code: 'payment-failed' } });
  expect(sale).toMatchObject({ state: 'OPEN', nextAction: { action: 'take-another-tender' } });
  expect(accountOf(opened.id, await agreement(system))).toMatchObject({
    paidMinor: 0,
    heldMinor: 0,
    chargedMinor: 0,
    unitsHeld: 0,
  });
});

test('A phone is sold by its serial number, and its receipt says which', async () => {
  const { sku } = product(0);
  expect(await till.sales.post('/v1/sales', { lines: [{ sku }] })).toMatchObject({
    status: 422,
    body: { code: 'serial-required' },
  });
  const opened = await till.open([{ sku, serials: ['490154203237518'] }]);
  const { answer } = await till.complete(opened.id, [{ method: 'terminal', amountMinor: 10_095 }]);
  expect(answer.body['receiptText']).toContain('490154203237518');
});

describe.each(countryCodes)('in %s', (code) => {
  test('a sale is priced, taxed, rounded and printed by the law of the land', async () => {
    const { currency, receipt, timeZone } = country(code);
    const abroad = await openTill(system, `${code}-001-02`);
    const totalMinor = priceMinor(product(7), code) * 3;
    const { dueMinor, roundingMinor } = cashRounding(code, totalMinor);
    const { bp } = vatRate(code, 'standard', businessDate(new Date(), timeZone));
    const { vat, net } = vatOf(totalMinor, bp);

    const opened = await abroad.open([{ sku: product(7).sku, quantity: 3 }]);
    const { answer } = await abroad.complete(opened.id, [{ method: 'cash', amountMinor: dueMinor + 1_000 }]);
    expect(answer.body).toMatchObject({
      currency,
      totalMinor,
      roundingMinor,
      changeMinor: 1_000,
      vat: [{ bp, grossMinor: totalMinor, vatMinor: vat, netMinor: net }],
    });
    const printed = answer.body['receiptText'];
    for (const text of [receipt.total, formatMoney(money(totalMinor, currency)), receipt.thanks]) expect(printed).toContain(text);
  });
});

test('At the end of the day all books agree', async () => {
  const { sales } = await agreement(system);
  expect(sales.length).toBeGreaterThan(10);
});
