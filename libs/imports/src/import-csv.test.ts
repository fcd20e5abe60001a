import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { flag, integer, openCsv, text, type NumberedRow, type Outcome, type RefusedRow } from './index.ts';

const schema = z.strictObject({ sku: text(20), name: text(60), quantity: integer(0, 1000) });
type Row = z.output<typeof schema>;

const header = 'sku,name,quantity\n';

/** Imports a file that arrives in pieces of a few bytes, so that every boundary falls somewhere awkward. */
async function importOf(
  file: string | Uint8Array,
  options: { charset?: string; pieceBytes?: number; apply?: (row: NumberedRow<Row>) => Outcome } = {},
) {
  const bytes = typeof file === 'string' ? Buffer.from(file) : Buffer.from(file);
  const applied: NumberedRow<Row>[] = [];
  const refused: RefusedRow[] = [];
  const pieceBytes = options.pieceBytes ?? 3;
  async function* source() {
    for (let at = 0; at < bytes.length; at += pieceBytes) yield await Promise.resolve(bytes.subarray(at, at + pieceBytes));
  }
  const csv = await openCsv(source(), { schema, charset: options.charset });
  const report = await csv.importRows({
    key: (row) => row.sku,
    apply: (rows) => {
      applied.push(...rows);
      return Promise.resolve(rows.map(options.apply ?? (() => 'accepted' as const)));
    },
    refuse: (rows) => {
      refused.push(...rows);
      return Promise.resolve();
    },
  });
  return { report, applied, refused, names: applied.map(({ value }) => value.name) };
}

const utf16 = (content: string, isLittle: boolean) => {
  const bytes = Buffer.from(`\uFEFF${content}`, 'utf16le');
  return isLittle ? bytes : bytes.swap16();
};
const nordic = 'Blåbærgrød ÆØÅ på Þingeyri, smørrebrød äö';
const nordicFile = `sku,name,quantity\r\nA-1,"${nordic}",3\r\n`;

describe('text arrives as it was meant', () => {
  test.each([
    ['UTF-8', Buffer.from(nordicFile), undefined],
    ['UTF-8 with a byte order mark', Buffer.from(`\uFEFF${nordicFile}`), undefined],
    ['UTF-8 with a mark under a wrong charset', Buffer.from(`\uFEFF${nordicFile}`), 'windows-1252'],
    ['UTF-16 little endian', utf16(nordicFile, true), undefined],
    ['UTF-16 big endian', utf16(nordicFile, false), undefined],
    ['Windows-1252', Buffer.from(nordicFile, 'latin1'), 'windows-1252'],
    ['ISO-8859-1', Buffer.from(nordicFile, 'latin1'), 'ISO-8859-1'],
  ])('%s', async (_encoding, file, charset) => {
    const { report, names, refused } = await importOf(file, charset === undefined ? {} : { charset });
    expect({ report, names, refused }).toEqual({
      report: { rows: 1, accepted: 1, unchanged: 0, refused: 0 },
      names: [nordic],
      refused: [],
    });
  });

  test.each([
    ['quotes around commas and doubled quotes', 'A-1,"Kabel, 2 m ""flad""",1', ['Kabel, 2 m "flad"']],
    ['a quote inside a field that does not begin with one', 'A-1,Skærm 27" sort,1', ['Skærm 27" sort']],
    ['a line break inside quotes', 'A-1,"to\r\nlinjer",1', ['to\r\nlinjer']],
    ['CRLF, LF and CR in one file', 'A-1,a,1\r\nA-2,b,1\nA-3,c,1\rA-4,d,1', ['a', 'b', 'c', 'd']],
    ['no line break at the end', 'A-1,a,1\nA-2,b,2', ['a', 'b']],
    ['empty lines', '\n\r\nA-1,a,1\n\n', ['a']],
    ['white space around fields', '  A-1 ,  a ,  1 ', ['a']],
    ['å as two characters becomes one', 'A-1,Ba\u030Al,1', ['B\u00E5l']],
    ['characters outside the basic plane', 'A-1,🎧 høretelefoner,1', ['🎧 høretelefoner']],
  ])('%s', async (_title, rows, names) => {
    const found = await importOf(header + rows);
    expect(found.names).toEqual(names);
    expect(found.refused).toEqual([]);
  });

  test('columns may stand in any order', async () => {
    const { applied } = await importOf('quantity,sku,name\n7,A-1,Kabel\n');
    expect(applied).toEqual([{ row: 2, value: { sku: 'A-1', name: 'Kabel', quantity: 7 } }]);
  });
});

describe('a row that cannot be used is refused, and the rows around it are not', () => {
  const good = (n: number) => `G-${n},god,${n % 1000}\n`;
  test.each([
    ['bytes that are not UTF-8', Buffer.from('B,K\u00F8benhavn,1\n', 'latin1'), { column: 'name', code: 'encoding' }],
    [
      'a truncated UTF-8 character',
      Buffer.concat([Buffer.from('B,K'), Buffer.from([0xc3]), Buffer.from(',1\n')]),
      { column: 'name', code: 'encoding' },
    ],
    ['NUL', Buffer.from('B,a\0b,1\n'), { column: 'name', code: 'control-character' }],
    ['escape characters', Buffer.from('B,\u001B[31m,1\n'), { column: 'name', code: 'control-character' }],
    ['too few columns', Buffer.from('B,a\n'), { column: '', code: 'columns' }],
    ['too many columns', Buffer.from('B,a,1,2\n'), { column: '', code: 'columns' }],
    ['semicolons by mistake', Buffer.from('B;a;1\n'), { column: '', code: 'columns' }],
    ['an empty field', Buffer.from('B,,1\n'), { column: 'name', code: 'invalid-value' }],
    ['a number with a decimal', Buffer.from('B,a,1.5\n'), { column: 'quantity', code: 'invalid-value' }],
    ['a number in words', Buffer.from('B,a,mange\n'), { column: 'quantity', code: 'invalid-value' }],
    ['a number out of range', Buffer.from('B,a,-1\n'), { column: 'quantity', code: 'invalid-value' }],
    ['text after a closing quote', Buffer.from('B,"a"b,1\n'), { column: '', code: 'quote-misplaced' }],
    ['a quote that is never closed', Buffer.from('B,"a,1\n'), { column: '', code: 'quote-not-closed' }],
    ['a key that an earlier row had', Buffer.from('G-1,igen,1\n'), { column: '', code: 'duplicate-row' }],
  ])('%s', async (_title, bad, refusal) => {
    const file = Buffer.concat([Buffer.from(header + good(1)), bad, Buffer.from(good(2))]);
    const { report, applied, refused } = await importOf(file);
    expect(applied.map(({ row }) => row)).toEqual([2, 4]);
    expect(refused).toEqual([{ row: 3, detail: expect.any(String) as string, ...refusal }]);
    expect(report).toEqual({ rows: 3, accepted: 2, unchanged: 0, refused: 1 });
  });

  test('a file cut off inside quotes loses its last row, and says so', async () => {
    const { applied, refused } = await importOf(`${header}A-1,a,1\nA-2,"afbru`);
    expect(applied.map(({ row }) => row)).toEqual([2]);
    expect(refused).toEqual([
      { row: 3, column: '', code: 'quote-not-closed', detail: 'A quote is opened here and never closed.' },
    ]);
  });

  test('a file cut off inside a character loses its last row, and says so', async () => {
    const { refused } = await importOf(Buffer.from(`${header}A-1,a,1\nA-2,x,2å`).subarray(0, -1));
    expect(refused).toMatchObject([{ row: 3, column: 'quantity', code: 'encoding' }]);
  });

  test('a quote that is never closed costs its own line only, however long the file', async () => {
    const rows = Array.from({ length: 20_000 }, (_, n) => good(n)).join('');
    const { report, refused } = await importOf(`${header}B,"a,1\n${rows}`, { pieceBytes: 65_536 });
    expect(report).toEqual({ rows: 20_001, accepted: 20_000, unchanged: 0, refused: 1 });
    expect(refused).toMatchObject([{ row: 2, code: 'record-too-long' }]);
  });

  test('a line longer than a record may be is refused, and reading goes on behind it', async () => {
    const { refused, applied } = await importOf(`${header}B,${'x'.repeat(200_000)},1\r\n${good(1)}`, { pieceBytes: 1000 });
    expect(refused).toMatchObject([{ row: 2, code: 'record-too-long' }]);
    expect(applied).toMatchObject([{ row: 3 }]);
  });

  test('all faults of a row are named in one refusal', async () => {
    const { refused } = await importOf(`${header},a,x\n`);
    expect(refused).toEqual([
      { row: 2, column: 'sku', code: 'invalid-value', detail: 'sku "" is empty; quantity "x" is not a whole number.' },
    ]);
  });

  test('what apply refuses stands among the refusals, in the order of rows', async () => {
    const apply = ({ row, value }: NumberedRow<Row>): Outcome => {
      if (value.sku === 'A-2') return { column: 'sku', code: 'unknown-item', detail: 'No product has this sku.' };
      return row === 2 ? 'unchanged' : 'accepted';
    };
    const { report, refused } = await importOf(`${header}A-1,a,1\nA-2,b,1\nA-3,c,x\nA-4,d,1\n`, { apply });
    expect(refused.map(({ row, code }) => [row, code])).toEqual([
      [3, 'unknown-item'],
      [4, 'invalid-value'],
    ]);
    expect(report).toEqual({ rows: 4, accepted: 1, unchanged: 1, refused: 2 });
  });
});

describe('a file that is not the one asked for is refused whole, and nothing is applied', () => {
  test.each([
    ['nothing in it', '', 'The file is empty; its first row must name the columns.'],
    ['a missing column', 'sku,name\nA-1,a\n', 'The header row lacks quantity.'],
    ['an unknown column', 'sku,name,quantity,colour\n', 'The header row has "colour", which this import does not know.'],
    ['a column twice', 'sku,name,quantity,sku\n', 'The header row has sku twice.'],
    ['semicolons', 'sku;name;quantity\nA-1;a;1\n', 'The columns are separated by semicolons; separate them by commas.'],
    ['tabs', 'sku\tname\tquantity\n', 'The columns are separated by tabs; separate them by commas.'],
    [
      'UTF-16 without a mark',
      Buffer.from(header, 'utf16le'),
      'The header row has NUL characters as UTF-8; is it UTF-16 without a byte order mark?',
    ],
    ['bytes that are not text', Buffer.from([0x89, 0x50, 0x4e, 0x47, 0xff, 0x0a]), 'The header row is not UTF-8 text.'],
    [
      'a quote never closed in the header',
      '"sku,name',
      'The header row cannot be read: A quote is opened here and never closed.',
    ],
  ])('%s', async (_title, file, detail) => {
    await expect(importOf(file)).rejects.toMatchObject({ code: 'validation-failed', facts: { detail } });
  });

  test.each(['utf-7', 'shift_jis', 'x'])('charset %s', async (charset) => {
    await expect(importOf(header, { charset })).rejects.toMatchObject({ code: 'media-type-unsupported' });
  });
});

test('batches of 500 are applied one after the other, and the stream waits for them', async () => {
  const log: string[] = [];
  async function* source() {
    yield Buffer.from(header);
    for (let n = 0; n < 1200; n += 1) {
      if (n % 300 === 0) log.push(`read ${n}`);
      yield await Promise.resolve(Buffer.from(`A-${n},a,1\n`));
    }
  }
  const csv = await openCsv(source(), { schema });
  await csv.importRows({
    apply: async (rows) => {
      log.push(`apply ${rows.length}`);
      await new Promise((resolve) => setImmediate(resolve));
      log.push('applied');
      return rows.map(() => 'accepted' as const);
    },
    refuse: () => Promise.resolve(),
  });
  expect(log).toEqual([
    'read 0',
    'read 300',
    'apply 500',
    'applied',
    'read 600',
    'read 900',
    'apply 500',
    'applied',
    'apply 200',
    'applied',
  ]);
});

test('a stream that breaks off fails the import', async () => {
  async function* source() {
    yield await Promise.resolve(Buffer.from(`${header}A-1,a,1\n`));
    throw new Error('the client went away');
  }
  const nothing = { apply: () => Promise.resolve([]), refuse: () => Promise.resolve() };
  const csv = await openCsv(source(), { schema });
  await expect(csv.importRows(nothing)).rejects.toMatchObject({
    code: 'malformed-request',
    facts: { cause: { message: 'the client went away' } },
  });
});

test('a stream of no more use flows away and is not cut, so that its sender hears the answer', async () => {
  const source = Readable.from(
    ['sku,colour\n', ...Array.from({ length: 100 }, () => 'A-1,red\n')].map((line) => Buffer.from(line)),
  );
  const isOver = new Promise((resolve) => source.once('end', () => resolve('all of it was sent')));
  await expect(openCsv(source, { schema })).rejects.toMatchObject({ code: 'validation-failed' });
  expect(await isOver).toBe('all of it was sent');
});

test('a file that is closed at its first row flows away, too', async () => {
  const source = Readable.from([Buffer.from(header), Buffer.alloc(300_000, 'A-1,a,1\n')]);
  const isOver = new Promise((resolve) => source.once('end', () => resolve('all of it was sent')));
  const csv = await openCsv(source, { schema });
  await csv.close();
  await csv.close();
  expect(await isOver).toBe('all of it was sent');
});

describe('the digest is that of all bytes', () => {
  const file = Buffer.concat([
    Buffer.from('\uFEFF'),
    Buffer.from(header),
    Buffer.from('A-1,Bl\xe5,1\n'.repeat(50_000), 'latin1'),
  ]);
  const pieces = () => Readable.from([file.subarray(0, 7), file.subarray(7, 90_000), file.subarray(90_000)]);
  const digest = createHash('sha256').update(file).digest('hex');

  test('where the rows were imported', async () => {
    const csv = await openCsv(pieces(), { schema });
    await csv.importRows({ apply: (rows) => Promise.resolve(rows.map(() => 'unchanged')), refuse: () => Promise.resolve() });
    expect(await csv.digest()).toBe(digest);
  });

  test('where they were not', async () => {
    expect(await (await openCsv(pieces(), { schema })).digest()).toBe(digest);
  });
});

test.each([
  ['true', true],
  ['FALSE', false],
  ['1', true],
  ['0', false],
])('%s is a flag', (value, expected) => {
  expect(flag().parse(value)).toBe(expected);
});
