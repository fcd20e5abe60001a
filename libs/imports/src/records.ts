/** One record of a CSV file: its fields, or why it could not be read. */
export interface CsvRecord {
  /** As a spreadsheet numbers it: the first record is row 1, and empty lines count. */
  row: number;
  fields: string[];
  fault?: { code: 'quote-misplaced' | 'quote-not-closed' | 'record-too-long'; detail: string };
}

/** Characters one record may have; a quote that is never closed is noticed after that many. */
const recordLengthMax = 65_536;

/**
 * Reads CSV by RFC 4180: comma, double quotes, line breaks inside quotes; a line ends in CRLF, LF or CR, also mixed in one file.
 * A quote inside a field that does not begin with one is taken as it is (27" screen). Empty lines are left out.
 * It resynchronises: of a record that cannot be read only its first line is lost, and reading goes on at the next one. That is why
 * it is not a library: csv-parse 7 reads on inside the broken quotes, and an unclosed quote costs it the rest of the file.
 * The records of a chunk come as one lazy sequence, to be read to its end: awaiting each of them would cost more than reading it.
 */
export async function* readRecords(chunks: AsyncIterable<string>): AsyncGenerator<Iterable<CsvRecord>> {
  let text = '';
  let row = 0;
  let isSkippingLine = false;

  function* drain(isEnd: boolean): Generator<CsvRecord> {
    let at = 0;
    while (at < text.length) {
      if (isSkippingLine) {
        const next = lineAfter(text, at, isEnd);
        isSkippingLine = next === undefined;
        at = next ?? (text.endsWith('\r') ? text.length - 1 : text.length);
        if (isSkippingLine) break;
        continue;
      }
      const read = readWithin(text, at, isEnd);
      if (read === undefined) break;
      row += 1;
      if ('fault' in read) {
        yield { row, fields: [], fault: read.fault };
        isSkippingLine = true;
      } else {
        at = read.next;
        if (read.fields.length > 1 || read.fields[0] !== '') yield { row, fields: read.fields };
      }
    }
    text = text.slice(at);
  }

  for await (const chunk of chunks) {
    text += chunk;
    yield drain(false);
  }
  yield drain(true);
}

type Faulty = { fault: NonNullable<CsvRecord['fault']> };
type Read = { fields: string[]; next: number } | Faulty;

const tooLong: Faulty = {
  fault: { code: 'record-too-long', detail: `The row is longer than ${recordLengthMax} characters; is a quote not closed?` },
};
const notClosed: Faulty = { fault: { code: 'quote-not-closed', detail: 'A quote is opened here and never closed.' } };
const misplaced: Faulty = {
  fault: { code: 'quote-misplaced', detail: 'Text follows a closing quote; a quote inside a quoted field is written twice.' },
};

/** The record that begins at start, within the limit of length, or undefined where its end is not in the text yet. */
function readWithin(text: string, start: number, isEnd: boolean): Read | undefined {
  const read = readRecord(text, start, isEnd);
  if (read !== undefined && 'fault' in read) return read;
  return (read?.next ?? text.length) - start > recordLengthMax ? tooLong : read;
}

function readRecord(text: string, start: number, isEnd: boolean): Read | undefined {
  const fields: string[] = [];
  for (let at = start; ; at += 1) {
    if (text[at] === '"') {
      const field = readQuoted(text, at, isEnd);
      if (field === undefined || 'fault' in field) return field;
      fields.push(field.value);
      at = field.end;
    } else {
      const end = endOfPlain(text, at);
      fields.push(text.slice(at, end));
      at = end;
    }
    if (at === text.length) return isEnd ? { fields, next: at } : undefined;
    if (text[at] === ',') continue;
    if (text[at] === '\n') return { fields, next: at + 1 };
    if (text[at] !== '\r') return misplaced;
    if (at + 1 === text.length && !isEnd) return undefined;
    return { fields, next: text[at + 1] === '\n' ? at + 2 : at + 1 };
  }
}

function readQuoted(text: string, start: number, isEnd: boolean): { value: string; end: number } | Faulty | undefined {
  let value = '';
  for (let from = start + 1; ;) {
    const quote = text.indexOf('"', from);
    if (quote === -1) return isEnd ? notClosed : undefined;
    value += text.slice(from, quote);
    if (quote + 1 === text.length && !isEnd) return undefined;
    if (text[quote + 1] !== '"') return { value, end: quote + 1 };
    value += '"';
    from = quote + 2;
  }
}

const plain = /[^,\r\n]*/y;

function endOfPlain(text: string, start: number): number {
  plain.lastIndex = start;
  plain.exec(text);
  return plain.lastIndex;
}

/** Where the line after this one begins, or undefined where this one has no end yet. */
function lineAfter(text: string, start: number, isEnd: boolean): number | undefined {
  const lineBreak = /\r\n?|\n/g;
  lineBreak.lastIndex = start;
  const found = lineBreak.exec(text);
  if (found === null) return undefined;
  return !isEnd && found[0] === '\r' && lineBreak.lastIndex === text.length ? undefined : lineBreak.lastIndex;
}
