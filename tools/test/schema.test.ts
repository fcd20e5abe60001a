import { execFile } from 'node:child_process';
import { appendFile, cp, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { roomFolder, testDatabase } from '@kassa/testing';
import { expect, test, vi } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
// Prisma alone takes seconds on an idle machine, and many times that where others work on it.
vi.setConfig({ testTimeout: 120_000 });

const rooms = ['sales', 'payments', 'inventory', 'stock-lookup', 'acquirer'];

/** What `prisma migrate diff` says must still be done to make the migrated database what the schema says; undefined where nothing. */
function difference(room: string, databaseUrl: string, schema: string): Promise<string | undefined> {
  const args = ['migrate', 'diff', '--from-config-datasource', '--to-schema', schema, '--exit-code', '--script'];
  const env = { ...process.env, DATABASE_URL: databaseUrl };
  return new Promise((resolve, reject) => {
    execFile(join(root, 'node_modules/.bin/prisma'), args, { cwd: roomFolder(room), env }, (error, stdout, stderr) => {
      if (error === null) resolve(undefined);
      else if (error.code === 2) resolve(stdout);
      else reject(new Error(stderr));
    });
  });
}

test.each(rooms)('The migrations of %s make the schema that its code is generated from', async (room) => {
  const database = await testDatabase(roomFolder(room));
  expect(await difference(room, database.url, 'prisma/schema.prisma')).toBeUndefined();
  await database.drop();
});

test('A column that no migration made is found', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'kassa-schema-'));
  const schema = join(folder, 'schema.prisma');
  await cp(join(roomFolder('acquirer'), 'prisma/schema.prisma'), schema);
  await appendFile(schema, '\nmodel Planted {\n  id Int @id\n}\n');
  const database = await testDatabase(roomFolder('acquirer'));
  expect(await difference('acquirer', database.url, schema)).toContain('CREATE TABLE "Planted"');
  await database.drop();
  await rm(folder, { recursive: true });
});
