import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
let copy: string;

/** What buf prints, empty where it finds nothing. */
function buf(args: string[], cwd: string): Promise<string> {
  const command = join(root, 'node_modules/.bin/buf');
  return new Promise((resolve, reject) => {
    execFile(command, args, { cwd }, (error, stdout, stderr) =>
      error && stdout === '' ? reject(new Error(stderr)) : resolve(stdout),
    );
  });
}

const breaking = (cwd: string) => buf(['breaking', '--against', join(root, 'libs/contracts/released.binpb')], cwd);

async function change(file: string, from: string, to: string): Promise<void> {
  const path = join(copy, 'libs/contracts/proto', file);
  const text = await readFile(path, 'utf8');
  expect(text).toContain(from);
  await writeFile(path, text.replace(from, to));
}

beforeAll(async () => {
  copy = await mkdtemp(join(tmpdir(), 'kassa-contracts-'));
  await cp(join(root, 'libs/contracts/proto'), join(copy, 'libs/contracts/proto'), { recursive: true });
  await cp(join(root, 'buf.yaml'), join(copy, 'buf.yaml'));
});
afterAll(() => rm(copy, { recursive: true }));

test('The contracts keep their style', async () => {
  expect(await buf(['lint'], root)).toBe('');
});

test('The contracts of the last release still hold', async () => {
  expect(await breaking(root)).toBe('');
});

test('A contract may grow', async () => {
  await change('kassa/sales/v1/sales.proto', 'string sale_id = 1;\n}', 'string sale_id = 1;\n  string reason = 2;\n}');
  expect(await breaking(copy)).toBe('');
});

test('A field that changes its type is a breach', async () => {
  await change('kassa/inventory/v1/inventory.proto', 'int32 on_hand = 3;', 'string on_hand = 3;');
  expect(await breaking(copy)).toContain('"on_hand"');
});

test('A call that is gone is a breach', async () => {
  await change('kassa/inventory/v1/inventory.proto', '  rpc Release(ReleaseRequest) returns (ReleaseResponse);\n', '');
  expect(await breaking(copy)).toContain('RPC "Release" on service "InventoryService" was deleted');
});

test('A message that breaks the style is found', async () => {
  await change('kassa/sales/v1/sales.proto', 'string reason = 2;', 'string Reason = 2;');
  expect(await buf(['lint'], copy)).toContain('lower_snake_case');
});
