import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
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
}, 120_000);
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
  data: Record<string, string>;
  spec: {
    bootstrap: { initdb: { postInitSQL: string[] } };
    managed: { roles: { name: string }[] };
    template: { spec: { containers: [Container] } };
  };
}

interface Container {
  env: { name: string; value: string }[];
  readinessProbe: { exec: { command: [string, ...string[]] } };
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
}, 120_000);

// Debian's postgresql-client; the image of a laptop's cluster has its own.
const hasClient = existsSync('/usr/bin/psql');

test.skipIf(!hasClient)(
  "A laptop's PostgreSQL is filled and asked by a user that its image does not know",
  async () => {
    const [container] = object('local/postgres.yaml', 'Deployment', 'postgres').spec.template.spec.containers;
    await admin.query("CREATE ROLE postgres SUPERUSER LOGIN PASSWORD 'admin'");
    const password = join(folder, 'password');
    writeFileSync(password, 'secret');
    const script = object('local/postgres.yaml', 'ConfigMap', 'postgres-databases').data['databases.sh'] ?? '';
    const env = {
      ...Object.fromEntries(container.env.map(({ name, value }) => [name, value])),
      // In the pod psql comes through the socket, and this server has none.
      PATH: '/usr/bin:/bin',
      PGPORT: String(port),
      PGPASSWORD: 'admin',
    };
    const stranger = process.getuid?.() === 0 ? { uid: 10_001, gid: 10_001 } : {};
    const run = (command: string, args: string[], more: object = {}) =>
      spawnSync(command, args, { env: { ...env, ...more }, encoding: 'utf8', ...stranger });

    const filled = run('/bin/sh', ['-ec', script.replace('/etc/kassa/secrets/password', password)], { PGHOST: '127.0.0.1' });
    expect(filled.stderr).toBe('');
    expect(await asRole('acquirer', 'acquirer', 'CREATE TABLE rows (id bigint PRIMARY KEY)')).toBe('done');
    const [command, ...args] = container.readinessProbe.exec.command;
    expect(run(command, args).status).toBe(0);
  },
  120_000,
);
