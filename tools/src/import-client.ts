import { randomUUID } from 'node:crypto';
import { createReadStream, openSync, readSync, closeSync, statSync } from 'node:fs';
import { Readable } from 'node:stream';
import { Failure } from './failure.ts';
import type { System } from './system.ts';

/** What can be imported, and which service takes it. In this order, since stock and prices name shops and products. */
export const importKinds = {
  shops: { service: 'inventory', columns: ['shop_id', 'gln'] },
  products: { service: 'inventory', columns: ['sku', 'gtin'] },
  'opening-stock': { service: 'inventory', columns: ['shop_id', 'sku', 'quantity'] },
  registers: { service: 'sales', columns: ['register_id', 'shop_id'] },
  prices: { service: 'sales', columns: ['country', 'sku', 'price_minor'] },
} as const;

export type ImportKind = keyof typeof importKinds;
export const importOrder = Object.keys(importKinds) as ImportKind[];

export interface ImportReport {
  importId: string;
  rows: number;
  accepted: number;
  /** Rows that said what was known already. */
  unchanged: number;
  refused: number;
}

/** Why one row was refused, as the service lists it. */
export interface Refusal {
  row: number;
  column?: string;
  code: string;
  detail: string;
}

/** Which kind of file this is, by the column names in its first line, whatever their order. Throws Failure for any other file. */
export function kindOf(file: string): ImportKind {
  const header = firstLine(file)
    .split(/[,;\t]/)
    .map((name) => name.trim().replace(/^"|"$/g, '').toLowerCase());
  const kind = importOrder.find((candidate) => importKinds[candidate].columns.every((column) => header.includes(column)));
  if (kind) return kind;
  const known = importOrder.map((candidate) => `${candidate} (${importKinds[candidate].columns.join(', ')}, …)`).join('; ');
  throw new Failure(`${file} begins with "${header.join(',').slice(0, 120)}", which is no header row Kassa knows: ${known}.`);
}

/**
 * Streams a file to the service it belongs to and returns its report. `progress` is told the bytes sent so far. Each
 * call is a new import: a file may come back after another one, and rows that change nothing are recognised one by one.
 */
export async function importFile(
  system: System,
  token: string,
  input: { kind: ImportKind; file: string; contentType?: string },
  progress: (bytesSent: number) => void = () => undefined,
): Promise<ImportReport> {
  const service = importKinds[input.kind].service;
  const url = `${system.services[service].http}/v1/imports/${input.kind}`;
  let sent = 0;
  const counted = createReadStream(input.file, { highWaterMark: 256 * 1024 }).map((chunk: Buffer) => {
    progress((sent += chunk.length));
    return chunk;
  });
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': input.contentType ?? 'text/csv',
      'idempotency-key': randomUUID(),
    },
    body: Readable.toWeb(counted),
    duplex: 'half',
  } as RequestInit).catch((error: unknown) => {
    throw new Failure(`${service} broke off the import of ${input.file}: ${reasonOf(error)}. It is safe to repeat.`);
  });
  const body = (await response.json()) as ImportReport & { detail?: string };
  if (!response.ok)
    throw new Failure(`${service} refused ${input.file} with ${response.status}: ${body.detail ?? JSON.stringify(body)}`);
  return body;
}

/** Every refused row of an import, page by page. */
export async function* refusalsOf(system: System, token: string, kind: ImportKind, importId: string): AsyncGenerator<Refusal> {
  const base = `${system.services[importKinds[kind].service].http}/v1/imports/${importId}/refusals?limit=200`;
  for (let cursor: string | null | undefined = ''; cursor !== undefined && cursor !== null;) {
    const page = await fetch(cursor ? `${base}&cursor=${encodeURIComponent(cursor)}` : base, {
      headers: { authorization: `Bearer ${token}` },
    });
    if (!page.ok) throw new Failure(`The refused rows cannot be listed: ${page.status} ${await page.text()}`);
    const { items, next } = (await page.json()) as { items: Refusal[]; next?: string | null };
    yield* items;
    cursor = next;
  }
}

/** Also of a file in UTF-16, which spreadsheets write. */
function firstLine(file: string): string {
  const start = Buffer.alloc(Math.min(4096, statSync(file).size));
  const handle = openSync(file, 'r');
  try {
    readSync(handle, start);
  } finally {
    closeSync(handle);
  }
  const encoding =
    start[0] === 0xff && start[1] === 0xfe ? 'utf-16le' : start[0] === 0xfe && start[1] === 0xff ? 'utf-16be' : 'utf-8';
  return new TextDecoder(encoding).decode(start).split(/\r\n?|\n/)[0] ?? '';
}

const reasonOf = (error: unknown) => String(((error as Error).cause as Error | undefined)?.message ?? (error as Error).message);
