import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '@kassa/testing';
import { caller, levelOf, openRoom, productsCsv, shopsCsv, stockCsv, thirteenDigits, violations, type Room } from './room.ts';

let room: Room;
let operator: ReturnType<typeof caller>;

beforeAll(async () => {
  room = await openRoom({ IMPORT_LEASE_MS: '200' });
  operator = caller(room);
});
afterAll(() => room.close());

const send = (kind: string, body: string | Uint8Array, more: { key?: string; headers?: Record<string, string> } = {}) =>
  operator(`/v1/imports/${kind}`, { method: 'POST', body, headers: { 'content-type': 'text/csv' }, ...more });
const refusalsOf = async (report: { refusals: string }) => (await operator(report.refusals)).body.items;
const nothing = { rows: 0, accepted: 0, unchanged: 0, refused: 0 };
const changes = async () =>
  Number(
    (await room.db.query('SELECT (SELECT count(*) FROM stock_changes) + (SELECT count(*) FROM pending_changes) AS n')).rows[0].n,
  );

describe('a retailer moves in', () => {
  test('with shops, products and opening stock, and a repeated file changes nothing', async () => {
    const shops = shopsCsv(['dk-001', 'dk-002']);
    const products = productsCsv(['E1', 'E2', 'E3']);
    const stock = stockCsv([
      ['dk-001', 'E1', 7],
      ['dk-001', 'E2', 0],
      ['dk-002', 'E1', 3],
    ]);
    for (const [kind, file, rows] of [
      ['shops', shops, 2],
      ['products', products, 3],
      ['opening-stock', stock, 3],
    ] as const) {
      const first = await send(kind, file);
      expect([first.status, first.body]).toEqual([
        201,
        {
          ...nothing,
          importId: expect.any(String),
          rows,
          accepted: rows,
          refusals: `/v1/imports/${first.body.importId}/refusals`,
        },
      ]);
      expect((await operator(`/v1/imports/${first.body.importId}`)).body).toMatchObject({
        kind,
        state: 'DONE',
        rows,
        accepted: rows,
      });
      const before = await changes();
      expect((await send(kind, file)).body).toMatchObject({ ...nothing, rows, unchanged: rows });
      expect(await changes()).toBe(before);
    }
    expect(await levelOf(room, 'E1')).toEqual({ onHand: 7, reserved: 0 });
    expect(await levelOf(room, 'E2')).toEqual({ onHand: 0, reserved: 0 });
    expect((await operator('/v1/shops/dk-001')).body).toMatchObject({
      city: 'København K',
      address: 'Gade 0, st.',
      timeZone: 'Europe/Copenhagen',
    });
    expect((await operator('/v1/products/E1')).body).toMatchObject({
      name: 'Hørebøffer E1, sort',
      gtin: thirteenDigits(0),
      isActive: true,
    });
  });

  test('and sold stock does not come back with the file', async () => {
    await operator('/v1/movements', {
      method: 'POST',
      body: {
        shopId: 'dk-001',
        documentType: 'damage-report',
        documentId: 'd-1',
        lines: [{ type: 'damage', sku: 'E1', quantity: 2 }],
      },
    });
    expect((await send('opening-stock', stockCsv([['dk-001', 'E1', 7]]))).body).toMatchObject({ unchanged: 1 });
    expect(await levelOf(room, 'E1')).toEqual({ onHand: 5, reserved: 0 });
  });

  test('and a product that changed is written once more, and told', async () => {
    const before = await changes();
    expect(
      (await send('products', productsCsv(['E1', 'E2', 'E3']).replace('Hørebøffer E2', 'Høretelefon E2'))).body,
    ).toMatchObject({ accepted: 1, unchanged: 2 });
    expect(await changes()).toBe(before + 1);
    expect((await operator('/v1/products/E2')).headers.get('etag')).toBe('"2"');
  });
});

/** What every import writes, whatever is in its file. */
const written = async () =>
  (
    await room.db.query(`SELECT (SELECT count(*) FROM imports) AS imports, (SELECT count(*) FROM privileged_acts) AS acts,
      (SELECT count(*) FROM idempotency_keys) AS keys`)
  ).rows[0];

describe('a row that cannot be used is refused by name, and the others are written', () => {
  const product = (more: Partial<Record<string, string>> = {}) =>
    Object.values({
      sku: 'N1',
      gtin: thirteenDigits(900),
      name: 'Ny',
      group: 'audio',
      serialised: 'false',
      active: 'true',
      ...more,
    }).join(',');
  const header = 'sku,gtin,name,item_group,is_serialised,is_active\n';
  test.each([
    ['a wrong check digit', product({ gtin: '9520000009001' }), { column: 'gtin', code: 'invalid-value' }],
    ['a GTIN of another product', product({ gtin: thirteenDigits(0) }), { column: 'gtin', code: 'gtin-taken' }],
    ['a flag that is none', product({ active: 'måske' }), { column: 'is_active', code: 'invalid-value' }],
    ['a sku with a blank', product({ sku: 'N 1' }), { column: 'sku', code: 'invalid-value' }],
    ['no name', product({ name: '' }), { column: 'name', code: 'invalid-value' }],
    ['the sku of an earlier row', product({ sku: 'E1' }), { column: '', code: 'duplicate-row' }],
  ])('products: %s', async (_what, row, refusal) => {
    const { body } = await send(
      'products',
      `${header}E1,${thirteenDigits(0)},"Hørebøffer E1, sort",audio,false,true\n${row}\nE3,${thirteenDigits(2)},"Hørebøffer E3, sort",audio,false,true`,
    );
    expect(body).toMatchObject({ rows: 3, unchanged: 2, refused: 1 });
    expect(await refusalsOf(body)).toMatchObject([{ row: 3, ...refusal }]);
  });

  test('products: whoever claims the GTIN of another is, and not whose it is', async () => {
    const thief = product({ gtin: thirteenDigits(0) });
    const { body } = await send('products', `${header}${thief}\nE1,${thirteenDigits(0)},"Hørebøffer E1, sort",audio,false,true`);
    expect(body).toMatchObject({ rows: 2, unchanged: 1, refused: 1 });
    expect(await refusalsOf(body)).toMatchObject([{ row: 2, column: 'gtin', code: 'gtin-taken' }]);
  });

  test('products: of two new ones with one GTIN the first is taken', async () => {
    const [first, second] = ['N8', 'N9'].map((sku) => product({ sku, gtin: thirteenDigits(908) }));
    const { body } = await send('products', `${header}${first}\n${second}`);
    expect(body).toMatchObject({ rows: 2, accepted: 1, refused: 1 });
    expect(await refusalsOf(body)).toMatchObject([{ row: 3, column: 'gtin', code: 'gtin-taken' }]);
  });

  const shop = (more: Partial<Record<string, string>> = {}) =>
    Object.values({
      id: 'dk-003',
      gln: thirteenDigits(800),
      name: 'Ny',
      country: 'dk',
      address: 'Gade 3',
      postal: '1150',
      city: 'K',
      lat: '55.6',
      lon: '12.5',
      zone: 'Europe/Copenhagen',
      status: 'open',
      seller: 'Elnord Danmark A/S',
      sellerNumber: '00 00 00 19',
      ...more,
    }).join(',');
  test.each([
    [
      'another country than its id',
      shop({ country: 'se', zone: 'Europe/Stockholm' }),
      { column: 'shop_id', code: 'invalid-value' },
    ],
    ['the zone of another country', shop({ zone: 'Europe/Oslo' }), { column: 'time_zone', code: 'invalid-value' }],
    ['a country Kassa does not sell in', shop({ country: 'de' }), { column: 'country', code: 'invalid-value' }],
    ['a seller without a number', shop({ sellerNumber: 'none' }), { column: 'seller_number', code: 'invalid-value' }],
    ['a place off the globe', shop({ lat: '95' }), { column: 'latitude', code: 'invalid-value' }],
    ['a status that is none', shop({ status: 'ajar' }), { column: 'status', code: 'invalid-value' }],
    ['the GLN of another shop', shop({ gln: thirteenDigits(1) }), { column: 'gln', code: 'gln-taken' }],
  ])('shops: %s', async (_what, row, refusal) => {
    const { body } = await send('shops', `${shopsCsv(['dk-001'])}\n${row}`);
    expect(body).toMatchObject({ rows: 2, unchanged: 1, refused: 1 });
    expect(await refusalsOf(body)).toMatchObject([{ row: 3, ...refusal }]);
  });

  test('shops: whoever claims the GLN of another is, and not whose it is', async () => {
    const [columns, rightful] = shopsCsv(['dk-001']).split('\n');
    const { body } = await send('shops', [columns, shop({ gln: thirteenDigits(0) }), rightful].join('\n'));
    expect(body).toMatchObject({ rows: 2, unchanged: 1, refused: 1 });
    expect(await refusalsOf(body)).toMatchObject([{ row: 2, column: 'gln', code: 'gln-taken' }]);
  });

  test.each([
    ['a shop that is none', ['dk-077', 'E1', 1], { column: 'shop_id', code: 'unknown-shop' }],
    ['a product that is none', ['dk-001', 'E77', 1], { column: 'sku', code: 'unknown-item' }],
    ['another quantity than was booked', ['dk-001', 'E1', 8], { column: 'quantity', code: 'already-booked' }],
    ['fewer than none', ['dk-001', 'E3', -1], { column: 'quantity', code: 'invalid-value' }],
  ] as const)('opening stock: %s', async (_what, row, refusal) => {
    const { body } = await send('opening-stock', stockCsv([[row[0], row[1], row[2]]]));
    expect(body).toMatchObject({ rows: 1, refused: 1 });
    expect(await refusalsOf(body)).toMatchObject([{ row: 2, ...refusal }]);
    expect(await violations(room)).toEqual([]);
  });

  test('and of many the list comes in pages', async () => {
    const rows = Array.from({ length: 450 }, (_, n): [string, string, number] => ['dk-001', `none-${n}`, 1]);
    const { body } = await send('opening-stock', stockCsv(rows));
    const seen: number[] = [];
    let next: string | undefined = `${body.refusals}?limit=200`;
    while (next !== undefined) {
      const page: Awaited<ReturnType<typeof operator>> = await operator(next);
      seen.push(...page.body.items.map(({ row }: { row: number }) => row));
      next = /<(.*)>; rel="next"/.exec(page.headers.get('link') ?? '')?.[1];
    }
    expect(seen).toEqual(Array.from({ length: 450 }, (_, n) => n + 2));
  });
});

describe('text arrives as it was meant', () => {
  const name = 'Blåbærgrød ÆØÅ på Þingeyri, äö 27" ""flad""';
  const file = (sku: string, n: number) =>
    `sku,gtin,name,item_group,is_serialised,is_active\r\n${sku},${thirteenDigits(n)},"${name.replace('27"', '27""')}",audio,0,1\r\n`;
  test.each([
    ['UTF-8', (text: string) => Buffer.from(text), 'text/csv'],
    ['UTF-8 with a mark', (text: string) => Buffer.from(`\uFEFF${text}`), 'text/csv; charset=utf-8'],
    ['UTF-16', (text: string) => Buffer.from(`\uFEFF${text}`, 'utf16le'), 'text/csv'],
    ['Windows-1252', (text: string) => Buffer.from(text, 'latin1'), 'text/csv; charset=windows-1252'],
  ])('%s', async (encoding, encode, type) => {
    const n = 700 + encoding.length;
    const sku = `T${n}`;
    expect((await send('products', encode(file(sku, n)), { headers: { 'content-type': type } })).body).toMatchObject({
      rows: 1,
      accepted: 1,
    });
    expect((await operator(`/v1/products/${sku}`)).body.name).toBe('Blåbærgrød ÆØÅ på Þingeyri, äö 27" "flad"');
  });

  test('Windows text sent as UTF-8 is refused, naming the encoding', async () => {
    const { body } = await send('products', Buffer.from(file('T800', 800), 'latin1'));
    const [refusal] = await refusalsOf(body);
    expect(refusal).toMatchObject({ row: 2, column: 'name', code: 'encoding' });
    expect(refusal.detail).toContain('UTF-8');
  });
});

describe('a file that does not fit is refused whole', () => {
  test.each([
    ['a missing column', 'shop_id,sku\ndk-001,E1', 400, 'validation-failed', 'quantity'],
    ['an unknown column', 'shop_id,sku,quantity,colour\n', 400, 'validation-failed', 'colour'],
    ['semicolons', 'shop_id;sku;quantity\n', 400, 'validation-failed', 'semicolons'],
    ['nothing', '', 400, 'validation-failed', 'empty'],
  ])('%s', async (_what, file, status, code, named) => {
    const key = randomUUID();
    const before = await written();
    const reply = await send('opening-stock', file, { key });
    expect([reply.status, reply.body.code]).toEqual([status, code]);
    expect(reply.body.detail).toContain(named);
    expect(await written()).toEqual(before);
    // The key is free again: the mended file may come under it.
    expect((await send('opening-stock', 'shop_id,sku,quantity\n', { key })).status).toBe(201);
  });

  test('however long it is, over a connection that goes on', async () => {
    const long = `sku,name\n${'x,y\n'.repeat(3_000_000)}`;
    const reply = await send('products', long);
    expect([reply.status, reply.body.code]).toEqual([400, 'validation-failed']);
  });

  test('JSON', async () => {
    const { status, body } = await send('products', '{}', { headers: { 'content-type': 'application/json' } });
    expect([status, body.code]).toEqual([415, 'media-type-unsupported']);
  });

  test('an encoding not read here', async () => {
    const { status, body } = await send('products', 'sku', { headers: { 'content-type': 'text/csv; charset=shift_jis' } });
    expect([status, body.code]).toEqual([415, 'media-type-unsupported']);
  });
});

describe('an import is done once per key', () => {
  test('and the same answer comes again, without reading the file', async () => {
    const key = randomUUID();
    const first = await send('opening-stock', stockCsv([['dk-002', 'E2', 4]]), { key });
    const again = await send('opening-stock', stockCsv([['dk-002', 'E2', 4]]), { key });
    expect(again.body).toEqual(first.body);
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    expect(again.headers.get('location')).toBe(first.headers.get('location'));
  });

  test('and another file under its key is refused, and changes nothing', async () => {
    const key = randomUUID();
    await send('opening-stock', stockCsv([['dk-002', 'E2', 4]]), { key });
    const before = await written();
    const reply = await send('opening-stock', stockCsv([['dk-002', 'E2', 5]]), { key });
    expect([reply.status, reply.body.code]).toEqual([422, 'idempotency-key-reused']);
    expect(await written()).toEqual(before);
  });

  test('an import whose client went away keeps what was written, and is begun anew', async () => {
    const key = randomUUID();
    const token = await room.issuer.token({ role: 'operator', shop: null });
    const rows = productsCsv(
      Array.from({ length: 1500 }, (_, n) => `W${n}`),
      2_000,
    ).split('\n');
    const before = await changes();
    const gone = new AbortController();
    async function* half() {
      yield Buffer.from(`${rows.slice(0, 1201).join('\n')}\n`);
      await eventually(async () => expect(await changes()).toBe(before + 1000));
      gone.abort();
      yield Buffer.from('W');
    }
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'text/csv', 'idempotency-key': key };
    const cut = fetch(`${room.http}/v1/imports/products`, {
      method: 'POST',
      headers,
      body: half(),
      duplex: 'half',
      signal: gone.signal,
    } as unknown as RequestInit);
    await expect(cut).rejects.toThrow();
    // Until the server has noticed that the first client is gone, it works on that and answers request-in-progress.
    await eventually(async () =>
      expect((await send('products', rows.join('\n'), { key })).body).toMatchObject({
        rows: 1500,
        accepted: 500,
        unchanged: 1000,
        refused: 0,
      }),
    );
  });

  test('an import whose process died is taken over when its lease is over', async () => {
    const key = randomUUID();
    const file = stockCsv([['dk-002', 'E3', 4]]);
    const first = await send('opening-stock', file, { key });
    // As the process left it: the key claimed and not answered, the import running.
    const lease = (until: string) =>
      room.db.query(`UPDATE imports SET state = 'RUNNING', ended_at = NULL, leased_until = now() ${until} WHERE id = $1`, [
        first.body.importId,
      ]);
    await lease(`+ interval '1 hour'`);
    await room.db.query(
      `UPDATE idempotency_keys SET status = NULL, answer = NULL, subject = $1 WHERE answer LIKE '%' || $1 || '%'`,
      [first.body.importId],
    );
    expect((await send('opening-stock', file, { key })).body.code).toBe('request-in-progress');
    await lease(`- interval '1 second'`);
    const reply = await send('opening-stock', file, { key });
    expect([reply.status, reply.body]).toMatchObject([201, { importId: first.body.importId, rows: 1, unchanged: 1 }]);
  });
});

test('the demo retailer is in, and every level is what its movements say', { timeout: 60_000 }, async () => {
  const fresh = await openRoom();
  const data = (name: string) => readFileSync(new URL(`../../../data/${name}.csv`, import.meta.url));
  for (const kind of ['shops', 'products', 'opening-stock']) {
    const { status, body } = await caller(fresh)(`/v1/imports/${kind}`, {
      method: 'POST',
      body: data(kind),
      headers: { 'content-type': 'text/csv' },
    });
    expect([status, body.refused, body.unchanged]).toEqual([201, 0, 0]);
  }
  expect(await violations(fresh)).toEqual([]);
  await fresh.close();
});
