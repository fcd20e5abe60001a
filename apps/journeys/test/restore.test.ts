import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '@kassa/testing';
import { startArchivedPostgres, type ArchivedPostgres } from './archived-postgres.ts';
import { openApi, type Api } from './api.ts';
import { reconcile } from './reconcile.ts';
import { startSystem, type System } from './system.ts';
import { openTill, type Sale, type Tender, type Till } from './till.ts';
import { agreement, readBooks, type Books } from './witnesses.ts';

// One service's database is restored to an earlier point, and the truth is split: the others know what it has lost. Payments and inventory
// are restored as a deployment restores them, a copy of the files and the log replayed to a point in time; inventory and sales also from a
// copy of the database, which keeps the timeline.

let system: System;
let payments: ArchivedPostgres;
let inventory: ArchivedPostgres;
let till: Till;
let web: Api;

beforeAll(async () => {
  [payments, inventory] = [await startArchivedPostgres('payments'), await startArchivedPostgres('inventory')];
  system = await startSystem({ env: { payments: { DATABASE_URL: payments.url }, inventory: { DATABASE_URL: inventory.url } } });
  till = await openTill(system, 'dk-001-01');
  const token = await system.issuer.token({ role: 'web-shop', shop: null, sub: 'web-shop' });
  web = openApi(() => system.app('payments').http, token);
});
afterAll(async () => {
  await system.stop();
  await payments.stop();
  await inventory.stop();
});

const sku = (n: number) => system.demo.products[n]!.sku;

async function sell(n: number, tenders: (totalMinor: number) => Tender[], at: Till = till, quantity = 1): Promise<Sale> {
  const { id, totalMinor } = await at.open([{ sku: sku(n), quantity }]);
  return (await at.complete(id, tenders(totalMinor))).sale;
}
const byCard = (amountMinor: number): Tender[] => [{ method: 'terminal', amountMinor }];
const inCash = (totalMinor: number): Tender[] => [{ method: 'cash', amountMinor: totalMinor + 10_000 }];
const authorised = (amountMinor: number): Tender[] => [{ method: 'terminal', amountMinor, capture: 'authorise' }];
const split = (totalMinor: number): Tender[] => [
  { method: 'terminal', amountMinor: totalMinor - 5_000 },
  { method: 'cash', amountMinor: 5_000 },
];
/** The second card is declined, so the first one is given back. */
const declined = (totalMinor: number): Tender[] => [
  { method: 'terminal', amountMinor: totalMinor - 15_101 },
  { method: 'terminal', amountMinor: 15_101 },
];

async function order(amountMinor: number, captureMode: 'automatic' | 'manual', reference: string): Promise<string> {
  const body = { reference, country: 'dk', amountMinor, currency: 'DKK', captureMode };
  const made = await web.post('/v1/payment-intents', body);
  expect([made.status, made.text]).toEqual([201, made.text]);
  const { id } = made.body as { id: string };
  expect((await web.post(`/v1/payment-intents/${id}/confirm`, { method: 'online', token: 'tok_approve' })).status).toBe(200);
  return id;
}

/** What a movement of money is, wherever it is written down. */
const movements = ({ transactions }: Books) =>
  transactions
    .map(({ transactionId, kind, status, amountMinor, currency, method }) =>
      [transactionId, kind, status, amountMinor, currency, method].join(' '),
    )
    .sort();
/** A copy of a database, on the same server; its owner must be down. */
async function copyDatabase(url: string, from: string, to: string): Promise<void> {
  const elsewhere = new URL(url);
  elsewhere.pathname = '/postgres';
  const client = new pg.Client({ connectionString: elsewhere.href });
  await client.connect();
  await client.query(`DROP DATABASE IF EXISTS "${to}" WITH (FORCE)`);
  await client.query(`CREATE DATABASE "${to}" TEMPLATE "${from}" STRATEGY file_copy`);
  await client.end();
}

describe('payments is restored to a minute ago', () => {
  let before: Books;
  let strayId: string;
  let dispatched: string;

  beforeAll(async () => {
    dispatched = await order(80_000, 'manual', 'order:10040');
    const returned = await order(25_000, 'automatic', 'order:10041');
    await sell(1, byCard);
    await sell(1, authorised);
    await payments.backUp();
    await sell(2, inCash);
    const aMinuteAgo = await payments.now();

    for (const tenders of [byCard, inCash, split, authorised]) expect((await sell(3, tenders)).state).toBe('COMPLETED');
    expect((await sell(4, declined, till, 5)).refusal).toMatchObject({ cause: 'payment-declined' });
    expect((await web.post(`/v1/payment-intents/${dispatched}/capture`, { amountMinor: 60_000 })).status).toBe(200);
    expect((await web.post(`/v1/payment-intents/${dispatched}/cancel`, {})).status).toBe(200);
    expect((await web.post(`/v1/payment-intents/${returned}/refunds`, { amountMinor: 1_000 })).status).toBe(201);
    const stray = await order(45_500, 'automatic', 'order:10042');
    before = await agreement(system);
    strayId = before.transactions.find(({ intentId }) => intentId === stray)!.transactionId;

    await system.kill('payments');
    await payments.restoreTo(aMinuteAgo);
    await system.restart('payments');
  });

  /** By cash nothing of the acquirer's is moved; of these, what is in its ledger never changes again. */
  const nobodyIsCharged = async () => expect((await readBooks(system)).ledger).toEqual(before.ledger);

  test('the copy has really lost what came after that minute, and nothing that came before', async () => {
    const kept = movements(await readBooks(system));
    expect(kept).toHaveLength(before.transactions.length - 13);
    expect(movements(before)).toEqual(expect.arrayContaining(kept));
  });

  test('what it lost is listed by sale, receipt and amount, and nothing is changed', async () => {
    const { code, lines, output } = await reconcile(system);
    expect(code).toBe(1);
    const listed = lines('+').map((line) => line.replace(/sale [\da-f-]{36}/, 'sale').replace(/payment [\da-f-]{36}/, 'payment'));
    expect(listed).toEqual([
      'payments lacks the purchase of 103,95 DKK (terminal) for sale (receipt dk-001-01/4, 103,95 DKK)',
      'payments lacks the purchase of 104,00 DKK (cash) for sale (receipt dk-001-01/5, 103,95 DKK)',
      'payments lacks the purchase of 53,95 DKK (terminal) for sale (receipt dk-001-01/6, 103,95 DKK)',
      'payments lacks the purchase of 50,00 DKK (cash) for sale (receipt dk-001-01/6, 103,95 DKK)',
      'payments lacks the authorisation of 103,95 DKK (terminal) for sale (receipt dk-001-01/7, 103,95 DKK)',
      'payments lacks the capture of 103,95 DKK (terminal) for sale (receipt dk-001-01/7, 103,95 DKK)',
      'payments lacks the purchase of 373,74 DKK (terminal) for sale (open at register dk-001-01, 524,75 DKK)',
      'payments lacks the purchase of 151,01 DKK (terminal) for sale (open at register dk-001-01, 524,75 DKK)',
      'payments lacks the refund of 373,74 DKK on payment',
      'payments lacks the capture of 600,00 DKK on payment',
      'payments lacks the void of 200,00 DKK on payment',
      'payments lacks the refund of 10,00 DKK on payment',
    ]);
    expect(output).toContain('1 needs a person:\n\n  purchase of 455,00 DKK by card, approved, of no sale we know');
    expect(lines('→')).toEqual([expect.stringContaining(`--adopt ${strayId} --reference order:… --country …`)]);
    expect(movements(await readBooks(system))).toHaveLength(before.transactions.length - 13);
    await nobodyIsCharged();
  });

  test('where the acquirer shows no ledger, what completed sales tell can be mended all the same', async () => {
    const { code, lines } = await reconcile(system, [], { showsLedger: false });
    expect([code, lines('+').length, lines('→')]).toEqual([1, 6, []]);
  });

  test('kill -9 while it mends leaves a part mended, and running it again mends the rest; nobody is charged', async () => {
    // The tenth of twelve waits for a lock, so that the command is killed while one is on its way.
    const lock = new pg.Client({ connectionString: payments.url });
    await lock.connect();
    await lock.query('BEGIN');
    await lock.query('SELECT FROM payment_intents WHERE id = $1 FOR UPDATE', [dispatched]);
    const isWaiting = async () =>
      (await lock.query(`SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'`)).rows.length > 0;
    const killed = await reconcile(system, ['--mend'], { killWhen: isWaiting });
    await lock.end();
    expect([killed.code, killed.lines('✓').length]).toEqual([null, 9]);
    const mended = async () => movements(await readBooks(system)).length - (before.transactions.length - 13);
    await eventually(async () => expect(await mended()).toBe(10));

    const { code, lines } = await reconcile(system, ['--mend']);
    expect(lines('✓')).toHaveLength(2);
    expect([code, lines('✗'), lines('+'), lines('→')]).toEqual([1, [], [], [expect.stringContaining(strayId)]]);
    expect(movements(await readBooks(system))).toHaveLength(before.transactions.length - 1);
    await nobodyIsCharged();
  });

  test('a third time there is nothing more to mend', async () => {
    const { code, lines } = await reconcile(system, ['--mend']);
    expect([code, lines('✓'), lines('+')]).toEqual([1, [], []]);
  });

  test('an order of the web shop is named by a person, and then all books are as they were', async () => {
    const naming = ['--adopt', strayId, '--reference', 'order:10042', '--country', 'dk'];
    const { code, lines, output } = await reconcile(system, ['--mend', ...naming]);
    expect(lines('✓')).toEqual(['payments lacks the purchase of 455,00 DKK for order:10042']);
    expect([code, output]).toEqual([0, expect.stringContaining('Sales, payments, inventory and the acquirer agree.')]);
    expect(movements(await agreement(system))).toEqual(movements(before));
    await nobodyIsCharged();

    const again = await reconcile(system, ['--mend', ...naming]);
    expect([again.code, again.lines('✓')]).toEqual([0, []]);
    const another = await reconcile(system, ['--mend', ...naming.with(3, 'order:10043')]);
    expect([another.code, another.output]).toEqual([1, expect.stringContaining('on record, for order:10042')]);
  });

  test('every act is on record, under the name of whoever ran it', async () => {
    const acts = await system
      .api('payments')
      .all<{ act: string; actor: string; transactionId: string; reason: string }>('/v1/audit/acts');
    expect(acts).toHaveLength(13);
    expect(new Set(acts.map(({ act, actor }) => `${act} by ${actor}`))).toEqual(new Set(['adopt by employee-17']));
    expect(acts.every(({ reason }) => reason.startsWith('npm run reconcile, '))).toBe(true);
  });

  test('selling goes on', async () => {
    expect((await sell(5, split)).state).toBe('COMPLETED');
    await agreement(system);
  });
});

describe('inventory is restored to a minute ago', () => {
  let before: Books;
  const clerk = () => system.api('inventory');
  const delivery = (documentId: string, quantity: number) => ({
    shopId: 'dk-001',
    documentType: 'goods-receipt',
    documentId,
    lines: [{ type: 'receipt', sku: sku(9), quantity }],
  });
  const epoch = async () => (await system.api('stock-lookup').get('/v1/freshness')).body['epoch'];
  const stockOf = async (item: string) => {
    const { body } = await till.lookup.get(`/v1/availability/${item}?shop=dk-001`);
    return (body['here'] as { onHand: number; reserved: number }) ?? null;
  };

  let firstEpoch: unknown;

  beforeAll(async () => {
    await sell(7, byCard);
    await inventory.backUp();
    await sell(7, inCash);
    // Its goods are consumed after the till has its answer.
    await agreement(system);
    firstEpoch = await epoch();
    const aMinuteAgo = await inventory.now();

    expect((await clerk().post('/v1/movements', delivery('ASN-1', 500))).status).toBe(201);
    expect((await sell(8, split)).state).toBe('COMPLETED');
    expect((await sell(8, authorised)).state).toBe('COMPLETED');
    // More than were there before the delivery.
    const big = await till.open([
      { sku: sku(9), quantity: 999 },
      { sku: sku(9), quantity: 100 },
    ]);
    expect((await till.complete(big.id, [{ method: 'terminal', amountMinor: big.totalMinor }])).sale.state).toBe('COMPLETED');
    before = await agreement(system);

    await system.kill('inventory');
    await inventory.restoreTo(aMinuteAgo);
    await system.restart('inventory');
  });

  test('the replayed log has another timeline, so the feed has another epoch, and stock-lookup follows what is there now', async () => {
    await eventually(async () => expect(await epoch()).not.toBe(firstEpoch), 20_000);
    expect([String(firstEpoch).split(':')[1], String(await epoch()).split(':')[1]]).toEqual(['00000001', '00000002']);
    expect(String(await epoch()).split(':')[0]).toBe(String(firstEpoch).split(':')[0]);
    await eventually(async () => expect(await stockOf(sku(8))).toMatchObject({ onHand: 1_000, reserved: 0 }), 20_000);
  });

  test('what it lost is listed and mended; goods that are not there wait for their delivery to be booked again', async () => {
    const list = await reconcile(system);
    expect([list.code, list.lines('+').length, list.lines('→')]).toEqual([1, 3, []]);
    const mended = await reconcile(system, ['--mend']);
    expect([mended.code, mended.lines('✓').length, mended.lines('✗').length]).toEqual([1, 2, 1]);
    expect(mended.output).toContain(`Not enough in stock: ${sku(9)} (1000 of 1099).`);

    expect((await clerk().post('/v1/movements', delivery('ASN-1', 500))).status).toBe(201);
    const { code, lines } = await reconcile(system, ['--mend']);
    expect([code, lines('✓').length, lines('+')]).toEqual([0, 1, []]);
    expect((await reconcile(system, ['--mend'])).lines('✓')).toEqual([]);
  });

  test('then all books are as they were, in stock-lookup, too, and nobody paid twice', async () => {
    const after = await agreement(system);
    const states = ({ reservations }: Books) =>
      reservations.map(({ reservationId, state, reference }) => [reservationId, state, reference]);
    expect(states(after)).toEqual(states(before));
    expect(after.ledger).toEqual(before.ledger);
    await eventually(async () => {
      expect([await stockOf(sku(8)), await stockOf(sku(9))]).toMatchObject([
        { onHand: 998, reserved: 0 },
        { onHand: 401, reserved: 0 },
      ]);
    });
  });

  test('a copy of the database keeps its timeline: the feed gets another epoch from the command that mends', async () => {
    await system.kill('inventory');
    await copyDatabase(inventory.url, 'inventory', 'inventory_copy');
    await system.restart('inventory');
    const sold = await sell(10, byCard);
    expect(sold.state).toBe('COMPLETED');
    await agreement(system);
    await system.kill('inventory');
    await copyDatabase(inventory.url, 'inventory_copy', 'inventory');
    await system.restart('inventory');
    const old = await epoch();

    const { code, lines } = await reconcile(system, ['--mend', '--restored', 'inventory']);
    expect([code, lines('✓').length]).toEqual([0, 2]);
    await eventually(async () => expect(await epoch()).not.toBe(old), 20_000);
    await eventually(async () => expect(await stockOf(sku(10))).toMatchObject({ onHand: 999, reserved: 0 }), 20_000);
    await agreement(system);
  });
});

describe('sales is restored to a minute ago', () => {
  test('what it lost is told to a person; a sale it still knows is completed again, and nothing is charged again', async () => {
    const other = await openTill(system, 'dk-002-01');
    const { totalMinor, id: openId } = await other.open([{ sku: sku(11) }]);
    const tenders: Tender[] = [{ method: 'terminal', amountMinor: totalMinor }];
    const name = new URL(system.databaseUrl('sales')).pathname.slice(1);
    await system.kill('sales');
    await copyDatabase(system.databaseUrl('sales'), name, `${name}_copy`);
    await system.restart('sales');
    const first = (await other.complete(openId, tenders)).sale;
    const lost = await sell(11, byCard, other);
    expect([first.receiptNumber, lost.receiptNumber]).toEqual([1, 2]);
    const { ledger } = await agreement(system);
    await system.kill('sales');
    await copyDatabase(system.databaseUrl('sales'), `${name}_copy`, name);
    await system.restart('sales');

    const listed = await reconcile(system, ['--mend']);
    expect([listed.code, listed.lines('✓'), listed.lines('+')]).toEqual([1, [], []]);
    expect(listed.output).toContain(`sale ${lost.id}, which sales does not know`);
    expect(listed.output).toContain(
      `sale ${openId} (open at register dk-002-01, ${(totalMinor / 100).toFixed(2).replace('.', ',')} DKK)`,
    );
    expect(listed.lines('→')).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^Its receipt is on paper only, and its number will be given again\./),
        expect.stringMatching(/^Its customer has paid\. Complete it at its register with the same tenders/),
      ]),
    );

    const again = (await other.complete(openId, tenders)).sale;
    expect([again.state, again.receiptNumber]).toEqual(['COMPLETED', 1]);
    expect((await readBooks(system)).ledger).toEqual(ledger);
    const left = await reconcile(system);
    expect([left.code, left.lines('→').length]).toEqual([1, 1]);
    // The number of the lost receipt is given again: no machine can know it any more, which is why a person is told first.
    expect((await sell(11, inCash, other)).receiptNumber).toBe(lost.receiptNumber);
  });
});

describe('payments is restored while a checkout is being undone', () => {
  const first = 15_301;

  test('what it has forgotten was not given back: it is written down, a person is told, and nothing is charged again', async () => {
    const other = await openTill(system, 'dk-003-01');
    await system.kill('payments');
    await copyDatabase(payments.url, 'payments', 'payments_copy');
    await system.restart('payments');
    // The second card is declined, and the acquirer refuses to give the first one's money back.
    const { id, totalMinor } = await other.open([{ sku: sku(4), quantity: 5 }]);
    const rest = totalMinor - first - 15_101;
    const ended = other.complete(
      id,
      [first, 15_101, rest].map((amountMinor) => ({ method: 'terminal', amountMinor })),
    );
    const refused = async () =>
      (await readBooks(system)).ledger.filter((one) => one.kind === 'refund' && one.amountMinor === first);
    await eventually(async () => expect(await refused()).not.toEqual([]), 30_000);
    await system.kill('payments');
    await copyDatabase(payments.url, 'payments_copy', 'payments');
    await system.restart('payments');
    expect((await ended).sale.state).toBe('OPEN');
    const { ledger } = await readBooks(system);

    const { code, lines, output } = await reconcile(system, ['--mend']);
    expect([code, lines('✗'), lines('+')]).toEqual([1, [], []]);
    expect(lines('✓')).toEqual([
      expect.stringMatching(/^payments lacks the purchase of 153,01 DKK/),
      expect.stringMatching(/^payments lacks the purchase of 151,01 DKK/),
      ...(await refused()).map(() => expect.stringMatching(/^payments lacks the refund of 153,01 DKK/)),
    ]);
    const [, intentId] = /intent (\S+)\) of OPEN sale .* is RETURNED, and payments keeps 15301/.exec(output) ?? [];
    expect(lines('→')).toContainEqual(expect.stringMatching(/^A supervisor of its shop gives the money back/));
    expect((await readBooks(system)).ledger).toEqual(ledger);

    const supervisor = await system.issuer.token({ role: 'supervisor', shop: 'dk-003', sub: 'employee-3' });
    const desk = openApi(() => system.app('payments').http, supervisor);
    for (const amountMinor of [301, 15_000])
      expect((await desk.post(`/v1/payment-intents/${intentId}/refunds`, { amountMinor })).status).toBe(201);
    const after = await reconcile(system, ['--mend']);
    expect([after.lines('✗'), after.lines('+'), after.output.includes(id)]).toEqual([[], [], false]);
  });
});
