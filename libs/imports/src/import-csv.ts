import { KassaError } from '@kassa/problem';
import type { z } from 'zod';
import { damaged, decodeText } from './decode.ts';
import { readRecords, type CsvRecord } from './records.ts';
import { SeenKeys } from './seen-keys.ts';

/** Why a row was refused. Codes of the file: encoding, control-character, columns, invalid-value, duplicate-row and those of a broken quote. */
export interface Refusal {
  /** The column at fault; empty where it is the row as a whole. */
  column: string;
  code: string;
  /** A sentence for the person who sent the file. */
  detail: string;
}

export interface RefusedRow extends Refusal {
  /** As a spreadsheet numbers it: the header is row 1. */
  row: number;
}

export interface NumberedRow<Row> {
  row: number;
  value: Row;
}

/** What became of a row: written, found to be so already, or refused. */
export type Outcome = 'accepted' | 'unchanged' | Refusal;

export interface CsvForm<Shape extends z.ZodObject> {
  /** The charset of the content type, where it named one. */
  charset?: string | undefined;
  /** One field per column of the file; the header must have exactly these, in any order. Each takes a string. */
  schema: Shape;
}

export interface CsvImport<Shape extends z.ZodObject> {
  /** What names the thing a row is about. A later row with the same key is refused; without it apply must bear both. */
  key?: (row: z.output<Shape>) => string;
  /** Writes at most 500 rows at once and answers for each, in their order. The next batch is not read before it is done. */
  apply: (rows: NumberedRow<z.output<Shape>>[]) => Promise<Outcome[]>;
  /** Takes the refused rows as they come, at most 500 at once. */
  refuse: (rows: RefusedRow[]) => Promise<void>;
}

/** A file whose header is as it should be, open at its first row. */
export interface CsvFile<Shape extends z.ZodObject> {
  /**
   * Imports the rows, once. One that cannot be used is refused with its reason and the rest goes on. What ends the import early:
   * malformed-request for a stream that breaks off, and what apply or refuse throw; batches before that stay applied.
   */
  importRows(options: CsvImport<Shape>): Promise<ImportReport>;
  /** The SHA-256 of all its bytes in hex; what was not read yet is read for it. */
  digest(): Promise<string>;
  /** Lets what is left flow away unread. Harmless where nothing is. */
  close(): Promise<void>;
}

export interface ImportReport {
  /** Rows with something in them, without the header; the sum of the other three. */
  rows: number;
  accepted: number;
  unchanged: number;
  refused: number;
}

const batchRows = 500;

/**
 * Opens a CSV file that arrives as a stream: decodes it and checks its header, so that a file that is not the one asked for is refused
 * before anything is written. Memory stays at a few batches (and 16 to 32 bytes a row where a key is given), since the stream is read no
 * faster than batches are applied. Errors: validation-failed where the header lacks a column, has one too many or cannot be read,
 * media-type-unsupported for a charset not read here, malformed-request for a stream that breaks off.
 */
export async function openCsv<Shape extends z.ZodObject>(
  source: AsyncIterable<Uint8Array>,
  { schema, charset }: CsvForm<Shape>,
): Promise<CsvFile<Shape>> {
  const { encoding, chunks, digest } = await decodeText(source, charset);
  const records = readRecords(chunks);
  const close = async () => void (await chunks.return(undefined));
  try {
    const { header, rest } = await readFirst(records);
    const columns = readHeader(header, Object.keys(schema.shape), encoding);
    return {
      importRows: (options) =>
        importRows(rest, rowCheck({ schema, key: options.key, columns, encoding }), options).finally(close),
      async digest() {
        while ((await chunks.next()).done !== true);
        return digest();
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function importRows<Shape extends z.ZodObject>(
  records: AsyncIterable<Iterable<CsvRecord>>,
  check: (record: CsvRecord) => { value: z.output<Shape> } | Refusal,
  { apply, refuse }: CsvImport<Shape>,
): Promise<ImportReport> {
  const report: ImportReport = { rows: 0, accepted: 0, unchanged: 0, refused: 0 };
  let valid: NumberedRow<z.output<Shape>>[] = [];
  let refused: RefusedRow[] = [];

  const flush = async () => {
    const outcomes = valid.length === 0 ? [] : await apply(valid);
    if (outcomes.length !== valid.length) throw new Error(`apply answered for ${outcomes.length} of ${valid.length} rows`);
    outcomes.forEach((outcome, index) => {
      if (typeof outcome === 'string') report[outcome] += 1;
      else refused.push({ row: valid[index]?.row ?? 0, ...outcome });
    });
    refused.sort((a, b) => a.row - b.row);
    if (refused.length > 0) await refuse(refused);
    report.refused += refused.length;
    report.rows = report.accepted + report.unchanged + report.refused;
    valid = [];
    refused = [];
  };

  for await (const some of records) {
    for (const record of some) {
      const result = check(record);
      if ('code' in result) refused.push({ row: record.row, ...result });
      else valid.push({ row: record.row, value: result.value });
      if (valid.length + refused.length === batchRows) await flush();
    }
  }
  await flush();
  return report;
}

/** The first record, and the ones behind it. Throws validation-failed where there is none. */
async function readFirst(
  records: AsyncGenerator<Iterable<CsvRecord>>,
): Promise<{ header: CsvRecord; rest: AsyncIterable<Iterable<CsvRecord>> }> {
  for (let next = await records.next(); next.done !== true; next = await records.next()) {
    const together = next.value[Symbol.iterator]();
    const first = together.next();
    if (first.done !== true) return { header: first.value, rest: restOf(together, records) };
  }
  throw new KassaError('validation-failed', { detail: 'The file is empty; its first row must name the columns.' });
}

async function* restOf(together: Iterator<CsvRecord>, records: AsyncGenerator<Iterable<CsvRecord>>) {
  yield { [Symbol.iterator]: () => together };
  yield* records;
}

/** The columns in the file's order. Throws validation-failed, naming each column that is missing, unknown or there twice. */
function readHeader(record: CsvRecord, expected: string[], encoding: string): string[] {
  const columns = record.fields.map((field) => field.trim());
  const refuse = (detail: string, faulty: string[] = []) => {
    const errors = faulty.map((column) => ({ pointer: `/header/${column.slice(0, 60)}`, detail }));
    return new KassaError('validation-failed', { detail, ...(errors.length === 0 ? {} : { errors }) });
  };
  if (record.fault !== undefined) throw refuse(`The header row cannot be read: ${record.fault.detail}`);
  if (columns.some((column) => column.includes(damaged))) throw refuse(`The header row is not ${encoding} text.`);
  if (columns.some((column) => column.includes('\0'))) {
    throw refuse(`The header row has NUL characters as ${encoding}; is it UTF-16 without a byte order mark?`);
  }
  for (const [separator, name] of [
    [';', 'semicolons'],
    ['\t', 'tabs'],
    ['|', 'bars'],
  ] as const) {
    if (columns.length === 1 && columns[0]?.includes(separator))
      throw refuse(`The columns are separated by ${name}; separate them by commas.`);
  }
  const missing = expected.filter((column) => !columns.includes(column));
  if (missing.length > 0) throw refuse(`The header row lacks ${missing.join(', ')}.`, missing);
  const unknown = columns.filter((column) => !expected.includes(column));
  if (unknown.length > 0)
    throw refuse(`The header row has ${unknown.map(quoted).join(', ')}, which this import does not know.`, unknown);
  const twice = columns.filter((column, index) => columns.indexOf(column) !== index);
  if (twice.length > 0) throw refuse(`The header row has ${twice.join(', ')} twice.`, twice);
  return columns;
}

function rowCheck<Shape extends z.ZodObject>({
  schema,
  key,
  columns,
  encoding,
}: {
  schema: Shape;
  key: CsvImport<Shape>['key'];
  columns: string[];
  encoding: string;
}) {
  const seen = new SeenKeys();
  return (record: CsvRecord): { value: z.output<Shape> } | Refusal => {
    const { fields } = record;
    if (record.fault !== undefined) return { column: '', ...record.fault };
    if (fields.length !== columns.length) {
      return { column: '', code: 'columns', detail: `The row has ${fields.length} columns, the header ${columns.length}.` };
    }
    const bad = unreadable(fields, encoding);
    if (bad !== undefined) return { column: columns[bad.index] ?? '', code: bad.code, detail: bad.detail };
    const row: Record<string, string> = {};
    columns.forEach((column, index) => (row[column] = fields[index] ?? ''));
    const parsed = schema.safeParse(row);
    if (!parsed.success) return invalid(parsed.error.issues, row);
    const earlier = key === undefined ? undefined : seen.firstRowOf(key(parsed.data), record.row);
    if (earlier === undefined) return { value: parsed.data };
    return { column: '', code: 'duplicate-row', detail: `Row ${earlier} is about the same thing; the file must say it once.` };
  };
}

/** Control characters but tab and line breaks; PostgreSQL cannot store NUL, and the others are nobody's text. */
// eslint-disable-next-line no-control-regex -- control characters are what it looks for
const control = /[\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F-\u009F]/;

function unreadable(fields: string[], encoding: string): { index: number; code: string; detail: string } | undefined {
  const index = fields.findIndex((field) => field.includes(damaged) || control.test(field));
  const field = fields[index];
  if (field === undefined) return undefined;
  if (field.includes(damaged)) {
    const hint =
      encoding === 'UTF-8' ? '; a file from an older Windows program may need content-type: text/csv; charset=windows-1252' : '';
    return { index, code: 'encoding', detail: `The text is not ${encoding}, or was damaged before it came here${hint}.` };
  }
  const code = (control.exec(field)?.[0].codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
  return { index, code: 'control-character', detail: `The text has the control character U+${code}.` };
}

/** All faults of a row in one refusal, under its first faulty column. */
function invalid(issues: z.core.$ZodIssue[], row: Record<string, string>): Refusal {
  const faults = issues.map(({ path, message }) => ({ column: String(path[0] ?? ''), message }));
  const detail = faults
    .map(({ column, message }) => (column === '' ? message : `${column} ${quoted(row[column] ?? '')} ${message}`))
    .join('; ');
  return { column: faults[0]?.column ?? '', code: 'invalid-value', detail: `${detail}.` };
}

function quoted(value: string): string {
  return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
}
