import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { kindOf } from '../src/import-client.ts';

const folder = mkdtempSync(join(tmpdir(), 'kassa-import-'));
afterAll(() => rmSync(folder, { recursive: true }));

const stock = (lineBreak: string) => ['shop_id,sku,quantity', 'dk-001,E100001,4', ''].join(lineBreak);
test.each([
  ['LF', Buffer.from(stock('\n'))],
  ['CRLF', Buffer.from(stock('\r\n'))],
  ['CR', Buffer.from(stock('\r'))],
  ['a byte order mark', Buffer.from(`\uFEFF${stock('\n')}`)],
  ['UTF-16', Buffer.from(`\uFEFF${stock('\r\n')}`, 'utf16le')],
])('the header tells what a file with %s is', (form, bytes) => {
  const file = join(folder, `${form}.csv`);
  writeFileSync(file, bytes);
  expect(kindOf(file)).toBe('opening-stock');
});
