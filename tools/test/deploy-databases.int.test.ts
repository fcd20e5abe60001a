import { chmodSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import pg from 'pg';
import { parseAllDocuments } from 'yaml';
import { freePort } from '@kassa/testing';
import { startEmbeddedPostgres, type EmbeddedPostgres } from '@kassa/testing/embedded-postgres';
import { afterEach, beforeEach, expect, test } from 'vitest';

// What the manifests tell a PostgreSQL to do when it is made, done by a real one.

const deploy = resolve(import.meta.dirname, '../../deploy');
let folder: string;
let server: EmbeddedPostgres;
let port: number;
let admin: pg.Client;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'kassa-databases-'));
  chmodSync(folder, 0o711);
  port = await freePort();
  const logFile = join(folder, 'log');
  const options = { folder: join(folder, 'data'), port, password: 'kassa', isDurable: false, logFile };
  server = await startEmbeddedPostgres({ ...options, removeAfterwards: folder });
  admin = new pg.Client({ connectionString: server.url('postgres') });
  await admin.connect();
}, 60_000);
afterEach(async () => {
  await admin.end();
  await server.stop('immediate');
});

/** One object of a file. */
const object = (file: string, kind: string, name: string) =>
  parseAllDocuments(readFileSync(join(deploy, file), 'utf8'))
    .map((document) => document.toJS() as Data)
    .find((one) => one.kind === kind && one.metadata.name === name)!;

interface Data {
  kind: string;
  metadata: { name: string };
  spec: {
    bootstrap: { initdb: { postInitSQL: string[] } };
    managed: { roles: { name: string }[] };
  };
}

async function asRole(role: string, database: string, statement: string): Promise<string> {
  const client = new pg.Client({ host: '127.0.0.1', port, user: role, password: 'secret', database });
  await client.connect();
  const said = await client.query(statement).then(
    () => 'done',
    (error: unknown) => String(error),
  );
  await client.end();
  return said;
}

test("On the franchises' shared PostgreSQL each service may make its tables, and none in another's database", async () => {
  const { bootstrap, managed } = object('components/shared-postgres/database.yaml', 'Cluster', 'kassa-db').spec;
  for (const statement of bootstrap.initdb.postInitSQL) await admin.query(statement);
  // As the operator does it with managed roles: it makes those that are missing and changes the others.
  for (const { name } of managed.roles) {
    await admin.query(`CREATE ROLE ${name}`).catch(() => undefined);
    await admin.query(`ALTER ROLE ${name} LOGIN PASSWORD 'secret'`);
  }

  const table = 'CREATE TABLE rows (id bigint PRIMARY KEY)';
  expect({
    payments: await asRole('payments', 'payments', table),
    inventory: await asRole('inventory', 'inventory', table),
    stockLookup: await asRole('stock_lookup', 'stock_lookup', table),
    stranger: await asRole('inventory', 'payments', 'CREATE TABLE spied (id bigint)'),
    reader: await asRole('inventory', 'payments', 'SELECT * FROM rows'),
  }).toEqual({
    payments: 'done',
    inventory: 'done',
    stockLookup: 'done',
    stranger: 'error: permission denied for schema public',
    reader: 'error: permission denied for table rows',
  });
});
