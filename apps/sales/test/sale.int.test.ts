import { eventually } from '@kassa/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { byCard, cable, openRoom, type Client, type Reply, type Room } from './room.ts';

let room: Room;
let till: Client;
let now = new Date();

beforeAll(async () => {
  room = await openRoom({}, { now: () => now });
  till = await room.as();
});
afterAll(() => room.close());
beforeEach(() => {
  now = new Date('2026-03-02T10:15:30.120Z');
});

const sold = async (client: Client, lines: unknown[], tenders: unknown[]): Promise<Reply> => {
  const opened = await client.post('/v1/sales', { lines });
  expect(opened.status).toBe(201);
  return client.post(`/v1/sales/${opened.body.id}/complete`, { tenders });
};

test('A sale in two requests: a basket, a card, a receipt; and the stock is consumed', async () => {
  const opened = await till.post('/v1/sales', { ...cable, expectedTotalMinor: 14924 });
  expect(opened).toMatchObject({
    status: 201,
    body: { state: 'OPEN', totalMinor: 14924, currency: 'DKK', version: 1, nextAction: { action: 'take-tender' } },
  });
  expect(opened.headers.get('location')).toBe(`/v1/sales/${opened.body.id}`);
  expect(opened.headers.get('etag')).toBe('"1"');

  const completed = await till.post(`/v1/sales/${opened.body.id}/complete`, { ...byCard(14924), expectedTotalMinor: 14924 });
  expect(completed).toMatchObject({
    status: 200,
    body: {
      state: 'COMPLETED',
      businessDate: '2026-03-02',
      nextAction: { action: 'hand-over' },
      vat: [{ bp: 2500, grossMinor: 14924, vatMinor: 2985, netMinor: 11939 }],
      tenders: [
        {
          method: 'terminal',
          status: 'SETTLED',
          amountMinor: 14924,
          authorisationCode: '831000',
          cardLabel: 'Dankort •••• 4321',
        },
      ],
      receipt: { registerId: 'dk-001-01', number: completed.body.receiptNumber, dueMinor: 14924 },
    },
  });
  expect(completed.body.receiptText).toContain(`Bon nr. ${completed.body.receiptNumber}`);
  expect(completed.body.receiptText).not.toContain('KOPI');
  await eventually(async () => {
    const { rows } = await room.db.query('SELECT phase, lease_until FROM checkouts WHERE sale_id = $1', [opened.body.id]);
    expect(rows).toEqual([{ phase: 'ENDED', lease_until: null }]);
  });
  const read = await till.get(`/v1/sales/${opened.body.id}`);
  expect(completed.body).toMatchObject(read.body);
  expect(read.headers.get('etag')).toBe(completed.headers.get('etag'));
});

test('A sale one step at a time: lines come, change and go, a tender is authorised and then captured', async () => {
  const opened = await till.post('/v1/sales', {});
  expect(opened.body).toMatchObject({ lines: [], totalMinor: 0, nextAction: { action: 'add-lines' } });
  const sale = `/v1/sales/${opened.body.id}`;
  await till.post(`${sale}/lines`, { gtin: '4006381333931', quantity: 2 });
  const added = await till.post(`${sale}/lines`, { sku: 'E5' });
  expect(added).toMatchObject({
    status: 201,
    body: { version: 3, totalMinor: 2 * 14924 + 3995, lines: [{ sku: 'E1' }, { sku: 'E5' }] },
  });
  const [first, second] = added.body.lines;
  const changed = await till.patch(`${sale}/lines/${first.lineId}`, { quantity: 1 }, { ifMatch: 3 });
  expect(changed.body).toMatchObject({ version: 4, totalMinor: 14924 + 3995 });
  const removed = await till.delete(`${sale}/lines/${second.lineId}`, { ifMatch: 4 });
  expect(removed.body).toMatchObject({ version: 5, totalMinor: 14924, lines: [{ sku: 'E1', quantity: 1 }] });

  const tendered = await till.post(`${sale}/tenders`, { method: 'terminal', amountMinor: 10000, capture: 'authorise' });
  expect(tendered).toMatchObject({
    status: 201,
    body: { state: 'TENDERING', remainingMinor: 4924, nextAction: { action: 'complete' } },
  });
  expect(await till.post(`${sale}/lines`, { sku: 'E5' })).toMatchObject({
    status: 409,
    body: { code: 'wrong-state', allowed: ['add-tender', 'remove-tender', 'remove-last-tender', 'complete'] },
  });
  room.inventory.calls.length = 0;
  room.payments.calls.length = 0;
  const completed = await till.post(`${sale}/complete`, { tenders: [{ method: 'cash', amountMinor: 5000 }] });
  expect(completed).toMatchObject({ status: 200, body: { roundingMinor: -24, changeMinor: 100 } });
  await eventually(() => expect(room.inventory.calls.map((call) => call.split(' ')[0])).toEqual(['reserve', 'firm', 'consume']));
  expect(room.payments.calls.map((call) => call.split(' ')[0])).toEqual(['authorise', 'capture', 'purchase']);
});

test('A tender taken off again lets the basket be changed, and a parked sale is resumed at another register', async () => {
  const opened = await till.post('/v1/sales', cable);
  const sale = `/v1/sales/${opened.body.id}`;
  const tendered = await till.post(`${sale}/tenders`, { method: 'cash', amountMinor: 20000 });
  const [{ tenderId }] = tendered.body.tenders;
  expect(await till.post(`${sale}/park`)).toMatchObject({ status: 409, body: { code: 'wrong-state' } });
  expect(await till.delete(`${sale}/tenders/${tenderId}`, { ifMatch: 2 })).toMatchObject({
    status: 200,
    body: { state: 'OPEN', tenders: [] },
  });
  expect(await till.post(`${sale}/park`)).toMatchObject({
    status: 200,
    body: { state: 'PARKED', nextAction: { action: 'resume' } },
  });
  const other = await room.as({ register: 'dk-001-03', sub: 'employee-3' });
  expect(await other.post(`${sale}/resume`)).toMatchObject({ status: 200, body: { state: 'OPEN', registerId: 'dk-001-03' } });
  expect(await other.post(`${sale}/complete`, byCard(14924))).toMatchObject({
    status: 200,
    body: { receipt: { registerId: 'dk-001-03', number: 1 } },
  });
});

test('An abandoned sale is final', async () => {
  const { body } = await till.post('/v1/sales', cable);
  expect(await till.post(`/v1/sales/${body.id}/abandon`)).toMatchObject({
    status: 200,
    body: { state: 'ABANDONED', nextAction: { action: 'none' } },
  });
  for (const verb of ['park', 'resume', 'abandon'])
    expect((await till.post(`/v1/sales/${body.id}/${verb}`)).body.code).toBe('wrong-state');
});

test('Cash is rounded and gives change; in Oslo to whole kroner', async () => {
  const oslo = await room.as({ shop: 'no-001', sub: 'ansatt-1' });
  const sale = await sold(oslo, [{ sku: 'E1' }], [{ method: 'cash', amountMinor: 30000 }]);
  expect(sale.body).toMatchObject({
    currency: 'NOK',
    totalMinor: 29540,
    roundingMinor: -40,
    changeMinor: 500,
    receipt: { dueMinor: 29500 },
  });
  expect(sale.body.receiptText).toContain('Vekslepenger');
  expect(room.payments.netMinor(sale.body.id)).toBe(29500);
});

test('A split tender: each pays its part, and the receipt names them', async () => {
  const sale = await sold(
    till,
    [{ sku: 'E1', quantity: 2 }],
    [
      { method: 'terminal', amountMinor: 10000 },
      { method: 'online', amountMinor: 10000, cardToken: 'tok_approve' },
      { method: 'cash', amountMinor: 10000 },
    ],
  );
  expect(sale.body).toMatchObject({ totalMinor: 29848, roundingMinor: 2, changeMinor: 150 });
  expect(
    sale.body.tenders.map(({ method, amountMinor, status }: Record<string, unknown>) => [method, amountMinor, status]),
  ).toEqual([
    ['terminal', 10000, 'SETTLED'],
    ['online', 10000, 'SETTLED'],
    ['cash', 9850, 'SETTLED'],
  ]);
  expect(room.payments.netMinor(sale.body.id)).toBe(29850);
  expect(sale.text).not.toContain('tok_approve');
});

describe('prices and VAT', () => {
  test.each([
    { what: 'the last minute of 2025 in Copenhagen', at: '2025-12-31T22:59:59.999Z', unitMinor: 12900 },
    { what: 'the first of 2026 in Copenhagen, while it is 2025 in UTC', at: '2025-12-31T23:00:00.000Z', unitMinor: 14924 },
  ])('$what: the price of that day', async ({ at, unitMinor }) => {
    now = new Date(at);
    expect((await till.post('/v1/sales', cable)).body.lines).toMatchObject([{ unitMinor }]);
  });

  test('a line keeps its price and takes the business date of the checkout', async () => {
    now = new Date('2025-12-31T22:59:00.000Z');
    const { body } = await till.post('/v1/sales', cable);
    now = new Date('2025-12-31T23:01:00.000Z');
    const changed = await till.patch(`/v1/sales/${body.id}/lines/${body.lines[0].lineId}`, { quantity: 2 }, { ifMatch: 1 });
    expect(changed.body.totalMinor).toBe(25800);
    expect((await till.post(`/v1/sales/${body.id}/complete`, byCard(25800))).body).toMatchObject({
      businessDate: '2026-01-01',
      totalMinor: 25800,
    });
  });

  test.each([
    { what: 'no such item', line: { sku: 'E99' }, status: 422, code: 'unknown-item', pointer: '/lines/0/sku' },
    { what: 'no such barcode', line: { gtin: '9520001009990' }, status: 422, code: 'unknown-item', pointer: '/lines/0/gtin' },
    {
      what: 'a barcode read wrong',
      line: { gtin: '4006381333930' },
      status: 400,
      code: 'gtin-check-digit',
      pointer: '/lines/0/gtin',
    },
    { what: 'not sold any more', line: { sku: 'E3' }, status: 422, code: 'product-inactive', pointer: '/lines/0/sku' },
    { what: 'without a price', line: { sku: 'E4' }, status: 409, code: 'price-missing', pointer: '/lines/0/sku' },
    { what: 'without its serial number', line: { sku: 'E2' }, status: 422, code: 'serial-required', pointer: '/lines/0/serials' },
    {
      what: 'with one serial number for two',
      line: { sku: 'E2', quantity: 2, serials: ['A1'] },
      status: 422,
      code: 'serial-required',
      pointer: '/lines/0/serials',
    },
  ])('$what: $code', async ({ line, status, code, pointer }) => {
    const reply = await till.post('/v1/sales', { lines: [line] });
    expect(reply).toMatchObject({ status, body: { code, errors: [{ pointer }] } });
  });

  test('a unit is in the basket once', async () => {
    const { body } = await till.post('/v1/sales', { lines: [{ sku: 'E2', serials: ['490154203237518'] }] });
    expect(await till.post(`/v1/sales/${body.id}/lines`, { sku: 'E2', serials: ['490154203237518'] })).toMatchObject({
      status: 422,
      body: { code: 'serial-required', serial: '490154203237518' },
    });
  });

  test('a serial number stands on the receipt', async () => {
    const sale = await sold(till, [{ sku: 'E2', serials: ['490154203237518'] }], [{ method: 'terminal', amountMinor: 999900 }]);
    expect(sale.body.receiptText).toContain('Serienr. 490154203237518');
  });

  test('another total than the till expects is refused with both, at both ends', async () => {
    const opened = await till.post('/v1/sales', { ...cable, expectedTotalMinor: 12900 });
    expect(opened).toMatchObject({ status: 409, body: { code: 'price-changed', expectedTotalMinor: 12900, totalMinor: 14924 } });
    const { body } = await till.post('/v1/sales', cable);
    const completed = await till.post(`/v1/sales/${body.id}/complete`, { ...byCard(14924), expectedTotalMinor: 12900 });
    expect(completed).toMatchObject({
      status: 409,
      body: { code: 'price-changed', expectedTotalMinor: 12900, totalMinor: 14924 },
    });
    expect((await till.get(`/v1/sales/${body.id}`)).body.state).toBe('OPEN');
  });

  test('the catalogue follows inventory: a new name is on the next line', async () => {
    room.inventory.change({ sku: 'E5', gtin: '9520001000041', name: 'Batterier AA, 8 stk.' });
    await eventually(async () =>
      expect((await till.post('/v1/sales', { lines: [{ sku: 'E5' }] })).body.lines).toMatchObject([
        { name: 'Batterier AA, 8 stk.' },
      ]),
    );
  });
});

describe('what cannot be completed', () => {
  test.each([
    {
      what: 'too little',
      tenders: [{ method: 'terminal', amountMinor: 14923 }],
      code: 'underpaid',
      params: { dueMinor: 14924, missingMinor: 1 },
    },
    {
      what: 'too much by card',
      tenders: [{ method: 'terminal', amountMinor: 14925 }],
      code: 'overpaid',
      params: { excessMinor: 1 },
    },
    { what: 'nothing', tenders: [], code: 'underpaid', params: { missingMinor: 14924 } },
  ])('$what: $code', async ({ tenders, code, params }) => {
    const { body } = await till.post('/v1/sales', cable);
    expect(await till.post(`/v1/sales/${body.id}/complete`, { tenders })).toMatchObject({
      status: 409,
      body: { code, ...params },
    });
    expect(room.inventory.reservations.size).toBeGreaterThan(0);
    expect((await till.get(`/v1/sales/${body.id}`)).body).toMatchObject({ state: 'OPEN', attempt: 0 });
  });

  test('a card where there is no terminal, and an empty basket', async () => {
    const mobile = await room.as({ register: 'dk-001-02', sub: 'employee-2' });
    const { body } = await mobile.post('/v1/sales', cable);
    expect((await mobile.post(`/v1/sales/${body.id}/complete`, byCard(14924))).body.code).toBe('tender-not-allowed');
    expect((await mobile.post(`/v1/sales/${body.id}/tenders`, { method: 'terminal', amountMinor: 1 })).body.code).toBe(
      'tender-not-allowed',
    );
    const empty = await mobile.post('/v1/sales', {});
    expect((await mobile.post(`/v1/sales/${empty.body.id}/complete`, {})).body.code).toBe('sale-empty');
    expect((await mobile.post(`/v1/sales/${empty.body.id}/tenders`, { method: 'cash', amountMinor: 1 })).body.code).toBe(
      'sale-empty',
    );
  });

  test('a closed shop sells nothing', async () => {
    const closed = await room.as({ shop: 'dk-999', sub: 'employee-9' });
    expect(await closed.post('/v1/sales', cable)).toMatchObject({ status: 409, body: { code: 'shop-closed' } });
  });

  test('tenders beyond the total, and a ninth', async () => {
    const { body } = await till.post('/v1/sales', cable);
    const tenders = `/v1/sales/${body.id}/tenders`;
    expect(await till.post(tenders, { method: 'terminal', amountMinor: 14925 })).toMatchObject({
      status: 409,
      body: { code: 'overpaid', remainingMinor: 14924 },
    });
    for (let n = 0; n < 8; n++) expect((await till.post(tenders, { method: 'cash', amountMinor: 100 })).status).toBe(201);
    expect((await till.post(tenders, { method: 'cash', amountMinor: 100 })).body.code).toBe('tender-not-allowed');
  });
});

describe('one live session per register', () => {
  test('a later sign-in takes the register over, and the earlier one is told so', async () => {
    const early = await room.as({ register: 'dk-001-03', sub: 'anna', sid: 'a', authTime: 2_000_000_000 });
    const late = await room.as({ register: 'dk-001-03', sub: 'bo', sid: 'b', authTime: 2_000_000_100 });
    const { body } = await early.post('/v1/sales', cable);
    expect((await late.post('/v1/sales', cable)).status).toBe(201);
    for (const reply of [
      await early.post('/v1/sales', cable),
      await early.post(`/v1/sales/${body.id}/lines`, { sku: 'E5' }),
      await early.post(`/v1/sales/${body.id}/complete`, byCard(14924)),
    ]) {
      expect(reply).toMatchObject({ status: 409, body: { code: 'session-superseded' } });
    }
    const renewed = await room.as({ register: 'dk-001-03', sub: 'bo', sid: 'b', authTime: 1_999_999_999 });
    expect((await renewed.post(`/v1/sales/${body.id}/complete`, byCard(14924))).status).toBe(200);
  });

  test('whoever signed in again sends again, under the same key, what was refused until then', async () => {
    const who = { register: 'dk-001-03', sub: 'cleo' };
    const early = await room.as({ ...who, sid: 'c', authTime: 2_000_000_200 });
    await room.as({ ...who, sub: 'bo', sid: 'd', authTime: 2_000_000_300 }).then((late) => late.post('/v1/sales', cable));
    const key = 'key-of-a-till-signed-out';
    expect((await early.post('/v1/sales', cable, { key })).body.code).toBe('session-superseded');
    const again = await room.as({ ...who, sid: 'e', authTime: 2_000_000_400 });
    expect((await again.post('/v1/sales', cable, { key })).status).toBe(201);
  });

  test('a web shop’s register serves many at once', async () => {
    const shop = (sid: string, authTime: number) =>
      room.as({ role: 'web-shop', register: 'dk-001-web', sub: `web-${sid}`, sid, authTime });
    const [one, two] = [await shop('a', 2_000_000_000), await shop('b', 2_000_000_100)];
    expect((await two.post('/v1/sales', cable)).status).toBe(201);
    const sale = await sold(one, cable.lines, [{ method: 'online', amountMinor: 14924, cardToken: 'tok_approve' }]);
    expect(sale.body.receipt.registerId).toBe('dk-001-web');
    expect(room.payments.calls.slice(-2).map((call) => call.split(' ')[0])).toEqual(['authorise', 'capture']);
  });
});

describe('receipts and lists', () => {
  test('whoever asks for the receipt gets a copy, as JSON or as text', async () => {
    const sale = await sold(till, cable.lines, [{ method: 'cash', amountMinor: 14900 }]);
    const copy = await till.get(`/v1/sales/${sale.body.id}/receipt?copy=true`);
    expect(copy).toMatchObject({ status: 200, body: { isCopy: true, receipt: sale.body.receipt } });
    const text = await till.get(`/v1/sales/${sale.body.id}/receipt?format=text`);
    expect(text.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    expect(text.text).toBe(copy.body.receiptText);
    expect(text.text).toContain('*** KOPI ***');
  });

  test('before it is completed a sale has no receipt', async () => {
    const { body } = await till.post('/v1/sales', cable);
    expect(await till.get(`/v1/sales/${body.id}/receipt`)).toMatchObject({ status: 409, body: { code: 'wrong-state' } });
  });

  test('the shop’s sales, newest first, in pages, by state and by number', async () => {
    const other = await room.as({ shop: 'dk-002', sub: 'employee-22' });
    const ids: string[] = [];
    for (let n = 0; n < 5; n++) {
      now = new Date(Date.parse('2026-04-01T10:00:00Z') + n);
      ids.unshift((await other.post('/v1/sales', cable)).body.id);
    }
    const seen: string[] = [];
    let path: string | undefined = '/v1/sales?limit=2';
    while (path) {
      const reply: Reply = await other.get(path);
      seen.push(...reply.body.items.map(({ id }: { id: string }) => id));
      const next: string | null = reply.headers.get('link');
      path = next ? /<(.*)>/.exec(next)?.[1] : undefined;
    }
    expect(seen).toEqual(ids);
    await other.post(`/v1/sales/${ids[0]}/park`);
    const done = await other.post(`/v1/sales/${ids[1]}/complete`, byCard(14924));
    expect((await other.get('/v1/sales?state=PARKED')).body.items).toMatchObject([{ id: ids[0] }]);
    expect((await other.get(`/v1/sales?receiptNumber=${done.body.receiptNumber}&register=dk-002-01`)).body.items).toMatchObject([
      { id: ids[1], state: 'COMPLETED' },
    ]);
    expect((await other.get('/v1/sales?cursor=nonsense')).body.code).toBe('cursor-invalid');
  });

  test('an unchanged sale is not sent again', async () => {
    const { body } = await till.post('/v1/sales', cable);
    expect((await till.request('GET', `/v1/sales/${body.id}`, { headers: { 'if-none-match': '"1"' } })).status).toBe(304);
  });
});

describe('two tills at one sale', () => {
  test('a stale version is refused, and none at all as well', async () => {
    const { body } = await till.post('/v1/sales', cable);
    const line = `/v1/sales/${body.id}/lines/${body.lines[0].lineId}`;
    await till.post(`/v1/sales/${body.id}/lines`, { sku: 'E5' });
    expect(await till.patch(line, { quantity: 2 }, { ifMatch: 1 })).toMatchObject({
      status: 412,
      body: { code: 'precondition-failed' },
    });
    expect(await till.patch(line, { quantity: 2 })).toMatchObject({ status: 428, body: { code: 'precondition-required' } });
    expect((await till.patch(line, { quantity: 2 }, { ifMatch: 2 })).status).toBe(200);
  });

  test('lines scanned at the same moment are all there', async () => {
    const { body } = await till.post('/v1/sales', {});
    const replies = await Promise.all([1, 2, 3].map(() => till.post(`/v1/sales/${body.id}/lines`, { sku: 'E5' })));
    expect(replies.map(({ status }) => status)).toEqual([201, 201, 201]);
    expect((await till.get(`/v1/sales/${body.id}`)).body).toMatchObject({ version: 4, totalMinor: 3 * 3995 });
  });

  test('a line too many', async () => {
    const lines = Array.from({ length: 200 }, () => ({ sku: 'E5' }));
    const { body } = await till.post('/v1/sales', { lines });
    expect(body.totalMinor).toBe(200 * 3995);
    expect((await till.post(`/v1/sales/${body.id}/lines`, { sku: 'E5' })).body.code).toBe('sale-full');
  });
});

describe('a completed sale is evidence', () => {
  test.each([
    ['its total', 'UPDATE sales SET total_minor = 1 WHERE id = $1'],
    ['its receipt', `UPDATE sales SET receipt = '{}' WHERE id = $1`],
    ['its state', `UPDATE sales SET state = 'OPEN' WHERE id = $1`],
    ['the sale', 'DELETE FROM sales WHERE id = $1'],
    [
      'a line',
      'UPDATE sale_lines SET quantity = 2, gross_minor = 2 * gross_minor, net_minor = 2 * gross_minor - vat_minor WHERE sale_id = $1',
    ],
    ['all lines', 'DELETE FROM sale_lines WHERE sale_id = $1'],
    [
      'a line more',
      `INSERT INTO sale_lines SELECT sale_id, gen_random_uuid(), 2, sku, gtin, name, item_group, is_serialised, quantity, serials, unit_minor, discount_minor, vat_bp, gross_minor, vat_minor, net_minor FROM sale_lines WHERE sale_id = $1`,
    ],
    ['a tender', 'UPDATE sale_tenders SET amount_minor = 1 WHERE sale_id = $1'],
    ['all tenders', 'DELETE FROM sale_tenders WHERE sale_id = $1'],
  ])('%s cannot be changed by anyone', async (_what, sql) => {
    const sale = await sold(till, cable.lines, [{ method: 'terminal', amountMinor: 14924 }]);
    await expect(room.db.query(sql, [sale.body.id])).rejects.toThrow(/never changed/);
  });
});
