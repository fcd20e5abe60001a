import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { importCsv, openRoom, pricesCsv, registersCsv, type Client, type Reply, type Room } from './room.ts';

let room: Room;
let operator: Client;

beforeAll(async () => {
  room = await openRoom();
  operator = await room.as({ role: 'operator', shop: null, sub: 'erp' });
});
afterAll(() => room.close());

const prices = (rows: string) => importCsv(operator, 'prices', `country,sku,price_minor,currency,valid_from,valid_to\n${rows}`);
const refusals = async (reply: Reply) => (await operator.get(reply.body.refusals)).body.items;
const stored = async (sku: string) =>
  (
    await room.db.query(
      'SELECT country, price_minor, valid_from::text, valid_to::text FROM prices WHERE sku = $1 ORDER BY country, valid_from',
      [sku],
    )
  ).rows;

test('a file that is imported again changes nothing', async () => {
  expect((await importCsv(operator, 'prices', pricesCsv)).body).toMatchObject({ rows: 6, accepted: 0, unchanged: 6, refused: 0 });
  expect((await importCsv(operator, 'registers', registersCsv)).body).toMatchObject({
    rows: 7,
    accepted: 0,
    unchanged: 7,
    refused: 0,
  });
});

test('the same key again is answered as the first time, and with another file refused', async () => {
  const csv = 'country,sku,price_minor,currency,valid_from,valid_to\ndk,K1,100,DKK,2026-01-01,\n';
  const send = { key: 'key-of-the-price-file' };
  const first = await importCsv(operator, 'prices', csv, send);
  const again = await importCsv(operator, 'prices', csv, send);
  expect([again.status, again.text, again.headers.get('idempotency-replayed')]).toEqual([200, first.text, 'true']);
  const [kept, still] = [first, again].map(({ headers }) => Date.parse(headers.get('idempotency-expires') ?? ''));
  expect([kept! > Date.now(), still]).toEqual([true, kept]);
  expect(await importCsv(operator, 'prices', csv.replace('100', '200'), send)).toMatchObject({
    status: 422,
    body: { code: 'idempotency-key-reused' },
  });
  expect(await stored('K1')).toMatchObject([{ price_minor: '100' }]);
});

test('a price ends and the next begins, in whatever order the file says it', async () => {
  await prices('dk,P1,100,DKK,2026-01-01,');
  const reply = await prices('dk,P1,90,DKK,2026-03-01,\ndk,P1,100,DKK,2026-01-01,2026-03-01');
  expect(reply.body).toMatchObject({ accepted: 2, refused: 0 });
  expect(await stored('P1')).toEqual([
    { country: 'dk', price_minor: '100', valid_from: '2026-01-01', valid_to: '2026-03-01' },
    { country: 'dk', price_minor: '90', valid_from: '2026-03-01', valid_to: null },
  ]);
});

test.each([
  { what: 'days that overlap with another price', row: 'dk,P2,100,DKK,2026-06-01,', column: 'valid_from', code: 'price-overlap' },
  { what: 'an end before the beginning', row: 'dk,P3,100,DKK,2026-06-01,2026-05-01', column: 'valid_to', code: 'invalid-value' },
  { what: 'an end on the first day', row: 'dk,P3,100,DKK,2026-06-01,2026-06-01', column: 'valid_to', code: 'invalid-value' },
  { what: 'a currency of another country', row: 'dk,P3,100,NOK,2026-06-01,', column: 'currency', code: 'currency-mismatch' },
  { what: 'a country where nothing is sold', row: 'de,P3,100,EUR,2026-06-01,', column: 'country', code: 'invalid-value' },
  { what: 'a price with a decimal point', row: 'dk,P3,99.50,DKK,2026-06-01,', column: 'price_minor', code: 'invalid-value' },
  { what: 'a negative price', row: 'dk,P3,-100,DKK,2026-06-01,', column: 'price_minor', code: 'invalid-value' },
  { what: 'a day that does not exist', row: 'dk,P3,100,DKK,2026-02-30,', column: 'valid_from', code: 'invalid-value' },
  { what: 'a day as Danes write it', row: 'dk,P3,100,DKK,01-06-2026,', column: 'valid_from', code: 'invalid-value' },
  { what: 'a column too few', row: 'dk,P3,100,DKK,2026-06-01', column: '', code: 'columns' },
])('$what: the row is refused with its reason, and the others are applied', async ({ row, column, code }) => {
  await prices('dk,P2,100,DKK,2026-01-01,');
  const good = `dk,G-${Math.abs(hash(row))},100,DKK,2026-01-01,`;
  const reply = await prices(`${row}\n${good}`);
  expect(reply).toMatchObject({ status: 200, body: { rows: 2, accepted: 1, refused: 1 } });
  expect(await refusals(reply)).toMatchObject([{ row: 2, column, code }]);
  expect(await stored('P3')).toEqual([]);
});

const hash = (text: string) => [...text].reduce((sum, char) => (sum * 31 + char.charCodeAt(0)) | 0, 0);

test('a register stays with its shop, and keeps its receipts and its session', async () => {
  const reply = await importCsv(
    operator,
    'registers',
    'register_id,shop_id,name,kind,terminal_id\ndk-001-01,dk-002,Kasse 1,desktop,\ndk-001-03,dk-001,Æøå Kasse,mobile,pos-9\n',
  );
  expect(reply.body).toMatchObject({ accepted: 1, refused: 1 });
  expect(await refusals(reply)).toMatchObject([{ row: 2, column: 'shop_id', code: 'register-moved' }]);
  expect((await room.db.query(`SELECT name, kind, terminal_id FROM registers WHERE id = 'dk-001-03'`)).rows).toEqual([
    { name: 'Æøå Kasse', kind: 'mobile', terminal_id: 'pos-9' },
  ]);
});

/** What every import writes, whatever is in its file. */
const written = async () =>
  (await room.db.query('SELECT (SELECT count(*) FROM imports) AS imports, (SELECT count(*) FROM idempotency_keys) AS keys'))
    .rows[0];

describe('a file that cannot be read', () => {
  test.each([
    { what: 'empty', csv: '' },
    { what: 'without a column', csv: 'country,sku\n' },
    { what: 'with one too many', csv: 'country,sku,price_minor,currency,valid_from,valid_to,discount\n' },
    { what: 'separated by semicolons', csv: 'country;sku;price_minor;currency;valid_from;valid_to\n' },
  ])('$what: refused as a whole, and may be sent again, mended, with the same key', async ({ what, csv }) => {
    const send = { key: `key-of-a-file-${what.replaceAll(' ', '-')}` };
    const before = await written();
    expect(await importCsv(operator, 'prices', csv, send)).toMatchObject({ status: 400, body: { code: 'validation-failed' } });
    expect(await written()).toEqual(before);
    expect((await importCsv(operator, 'prices', pricesCsv, send)).body).toMatchObject({ rows: 6 });
  });

  test('in an encoding nobody reads', async () => {
    const reply = await importCsv(operator, 'prices', pricesCsv, { headers: { 'content-type': 'text/csv; charset=ebcdic' } });
    expect(reply).toMatchObject({ status: 415, body: { code: 'media-type-unsupported' } });
  });

  test('in Windows-1252, said so', async () => {
    const csv = Buffer.from('register_id,shop_id,name,kind,terminal_id\r\ndk-001-03,dk-001,K\xe6lder,desktop,\r\n', 'latin1');
    await importCsv(operator, 'registers', csv, { headers: { 'content-type': 'text/csv; charset=windows-1252' } });
    expect((await room.db.query(`SELECT name FROM registers WHERE id = 'dk-001-03'`)).rows).toEqual([{ name: 'Kælder' }]);
  });
});

test('an import whose process died is taken up when its lease has run out, and not before', async () => {
  const csv = 'country,sku,price_minor,currency,valid_from,valid_to\ndk,D1,100,DKK,2026-01-01,\n';
  const send = { key: 'key-of-a-broken-import' };
  const { body } = await importCsv(operator, 'prices', csv, send);
  // As a process leaves it that dies before the end: begun, its key claimed, someone's for a while.
  await room.db.query(`UPDATE idempotency_keys SET status = NULL, answer = NULL WHERE subject = $1`, [body.importId]);
  await room.db.query(
    `UPDATE imports SET finished_at = NULL, digest = NULL, lease_until = now() + interval '1 hour' WHERE id = $1`,
    [body.importId],
  );
  expect(await importCsv(operator, 'prices', csv, send)).toMatchObject({ status: 409, body: { code: 'request-in-progress' } });
  await room.db.query(`UPDATE imports SET lease_until = now() - interval '1 second' WHERE id = $1`, [body.importId]);
  expect(await importCsv(operator, 'prices', csv, send)).toMatchObject({
    status: 200,
    body: { importId: body.importId, rows: 1, unchanged: 1 },
  });
});

test('refused rows are listed in pages', async () => {
  const reply = await prices(Array.from({ length: 1_200 }, (_, n) => `dk,N${n},x,DKK,2026-01-01,`).join('\n'));
  expect(reply.body).toMatchObject({ rows: 1_200, refused: 1_200 });
  const rows: number[] = [];
  for (let path: string | undefined = `${reply.body.refusals}?limit=200`; path;) {
    const page: Reply = await operator.get(path);
    rows.push(...page.body.items.map(({ row }: { row: number }) => row));
    path = /<(.*)>/.exec(page.headers.get('link') ?? '')?.[1];
  }
  expect(rows).toEqual(Array.from({ length: 1_200 }, (_, n) => n + 2));
  expect((await operator.get('/v1/imports/0195a1c2-7c1e-7d55-9d0a-2f0c6a3b1e11/refusals')).status).toBe(404);
});

test('20,000 rows of several countries, and then all of them again', async () => {
  const rows = Array.from(
    { length: 20_000 },
    (_, n) => `${['dk', 'gl', 'fo'][n % 3]},L${Math.floor(n / 3)},${n + 1},DKK,2026-01-01,`,
  ).join('\n');
  expect((await prices(rows)).body).toMatchObject({ rows: 20_000, accepted: 20_000 });
  expect((await prices(rows)).body).toMatchObject({ rows: 20_000, unchanged: 20_000 });
}, 120_000);
