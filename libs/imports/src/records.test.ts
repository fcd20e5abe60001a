import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readRecords, type CsvRecord } from './records.ts';

const field = fc.oneof(fc.string({ unit: fc.constantFrom('a', 'ø', ',', '"', '\r', '\n', ' ') }), fc.string());
const lineBreak = fc.constantFrom('\n', '\r\n', '\r');
const needsQuotes = (value: string) => /[",\r\n]/.test(value) || value === '';
const quoted = (value: string) => (needsQuotes(value) ? `"${value.replaceAll('"', '""')}"` : value);

async function* pieces(text: string, length: number) {
  for (let at = 0; at < text.length; at += length) yield await Promise.resolve(text.slice(at, at + length));
}

async function readAll(text: string, length: number): Promise<CsvRecord[]> {
  const records: CsvRecord[] = [];
  for await (const read of readRecords(pieces(text, length))) records.push(...read);
  return records;
}

test('what RFC 4180 writes is read back, wherever the stream is cut', async () => {
  const table = fc.array(fc.tuple(fc.array(field, { minLength: 2, maxLength: 4 }), lineBreak), { maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(table, fc.integer({ min: 1, max: 9 }), async (rows, length) => {
      // A lone CR before a line that begins with LF would be one CRLF; a first field is never bare here, so it cannot be.
      const text = rows
        .map(
          ([fields, end]) =>
            fields.map((value, at) => (at === 0 ? `"${value.replaceAll('"', '""')}"` : quoted(value))).join(',') + end,
        )
        .join('');
      const read = await readAll(text, length);
      expect(read).toEqual(rows.map(([fields], index) => ({ row: index + 1, fields })));
    }),
  );
});

test('text of any kind is read to its end, and no row number is given twice', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.string({ unit: fc.constantFrom('a', ',', '"', '\r', '\n') }),
      fc.integer({ min: 1, max: 5 }),
      async (text, length) => {
        const [whole, cut] = await Promise.all([readAll(text, 1000), readAll(text, length)]);
        expect(cut).toEqual(whole);
        const rows = whole.map(({ row }) => row);
        expect(rows).toEqual([...new Set(rows)].toSorted((a, b) => a - b));
      },
    ),
  );
});
