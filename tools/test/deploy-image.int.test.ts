import { execFile, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { eventually, freePort, heapBounds, nodeFlags, testDatabase } from '@kassa/testing';
import pg from 'pg';
import { afterAll, expect, test } from 'vitest';
import { buildImages } from '../src/image.ts';
import { podOf } from '../src/image/containers.ts';
import { sbom } from '../src/image/sbom.ts';
import { Stage, type Staged } from '../src/image/stage.ts';
import { serviceNames } from '../src/services.ts';

const workspace = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');
// Outside the workspace, so that nothing is found that is not in the image.
const root = mkdtempSync(join(tmpdir(), 'kassa-image-test-'));
const openStage = (name: string) => new Stage({ workspace, epoch: 1_700_000_000, root: join(root, name) });
afterAll(() => rmSync(root, { recursive: true }));
const run = promisify(execFile);

/** The address of a database that nobody can reach before `open`. */
async function openedLater(target: URL) {
  const relay = createServer((socket) => {
    const server = connect(Number(target.port), target.hostname);
    for (const end of [socket, server]) end.on('error', () => undefined);
    socket.pipe(server).pipe(socket);
  });
  const url = new URL(target);
  url.host = `127.0.0.1:${await freePort()}`;
  return {
    url: url.href,
    open: () => void relay.listen(Number(url.port), '127.0.0.1'),
    close: () => void relay.close(),
  };
}

const node = ({ shared }: Staged) => join(shared[0]?.folder ?? '', 'usr/local/bin/node');

const stage = openStage('first');

/** Lays out a migration with the packages of Prisma's layer where they stand in a container. */
function openMigration(): Staged {
  const staged = stage.migrate('acquirer');
  symlinkSync(join(staged.shared[1]?.folder ?? '', 'app/node_modules'), join(staged.own.folder, 'app/node_modules'));
  return staged;
}

function startMigration(staged: Staged, address: string) {
  // In a container Node stands where the first line of this program says.
  const app = join(staged.own.folder, 'app');
  const engine = join(app, 'tools/schema-engine.mjs');
  writeFileSync(engine, readFileSync(engine, 'utf8').replace('#!/usr/local/bin/node', `#!${node(staged)}`));
  const env = { DATABASE_URL_FILE: address, HOME: root, PGOPTIONS: '-c lock_timeout=500ms' };
  return run(node(staged), ['migrate.mjs'], { cwd: app, env });
}

test('A base that a tag names is refused, since the tag may be another image tomorrow', async () => {
  const wanted = [{ app: 'acquirer', target: 'run' }] as const;
  await expect(buildImages([...wanted], { base: 'debian:12', tag: 'test' })).rejects.toThrow('debian:12 is no base by digest');
});

test('What an image holds migrates an empty database, and serves, alone', async () => {
  const [migrate, service] = [openMigration(), await stage.run('acquirer')];
  const database = await testDatabase();
  const address = join(root, 'database-url');
  const late = await openedLater(new URL(database.url));
  writeFileSync(address, late.url);
  const migration = startMigration(migrate, address);
  // The database of a new cluster comes up beside its first migration.
  migration.child.stderr?.once('data', () => late.open());
  const { stdout, stderr } = await migration;
  expect(stderr).toMatch(/^The database does not answer yet: /);
  expect(stdout).toContain('All migrations have been successfully applied');

  writeFileSync(address, database.url);
  const [http, health, metrics] = [await freePort(), await freePort(), await freePort()];
  const started = spawn(node(service), ['--import', './dist/telemetry.js', 'dist/main.js'], {
    cwd: join(service.own.folder, 'app'),
    env: {
      NODE_ENV: 'test',
      HTTP_PORT: String(http),
      HEALTH_PORT: String(health),
      METRICS_PORT: String(metrics),
      DATABASE_URL_FILE: address,
      API_KEY: 'a-key-of-the-tests',
      WEBHOOK_SECRET: 'a-secret-of-the-tests',
    },
    stdio: 'inherit',
  });
  try {
    await eventually(async () => expect((await fetch(`http://127.0.0.1:${health}/readyz`)).status).toBe(200), 60_000);
  } finally {
    const ended = new Promise((resolve) => started.once('exit', resolve));
    started.kill('SIGTERM');
    await ended;
    late.close();
    await database.drop();
  }
}, 300_000);

test('A migration that gave up at a lock changed nothing, and its second try succeeds', async () => {
  const migrate = openMigration();
  const next = join(migrate.own.folder, 'app/apps/room/prisma/migrations/20991231000000_add_note');
  mkdirSync(next);
  writeFileSync(join(next, 'migration.sql'), 'CREATE TABLE notes (id bigint); ALTER TABLE busy ADD COLUMN note text;');
  const database = await testDatabase();
  const address = join(root, 'busy-url');
  writeFileSync(address, database.url);
  const till = new pg.Client({ connectionString: database.url });
  await till.connect();
  // In a schema of its own, since Prisma begins in an empty one only.
  await till.query('CREATE SCHEMA elsewhere; CREATE TABLE elsewhere.busy (id bigint)');
  await till.query(`ALTER DATABASE "${new URL(database.url).pathname.slice(1)}" SET search_path = public, elsewhere`);
  await till.query('BEGIN; LOCK TABLE elsewhere.busy');

  const first = await startMigration(migrate, address).catch((error: { stderr: string }) => error);
  expect(first.stderr).toContain('canceling statement due to lock timeout');
  await till.query('COMMIT');
  const second = await startMigration(migrate, address);
  expect(second.stdout).toContain('All migrations have been successfully applied');

  await till.end();
  await database.drop();
}, 300_000);

test('Two builds of the same sources hold the same, and neither shell, nor package manager, nor a foreign engine', async () => {
  const [first, second] = [stage.migrate('acquirer'), openStage('second').migrate('acquirer')];
  expect(second.digest).toBe(first.digest);
  expect(sbom('kassa/acquirer-migrate', '1', second.packages)).toBe(sbom('kassa/acquirer-migrate', '1', first.packages));
  const layers = [...first.shared, first.own];
  const paths = layers.flatMap(({ folder }) => readdirSync(folder, { recursive: true, encoding: 'utf8' }));
  const unwanted =
    /(^|\/)bin\/(sh|bash|npm|npx)$|schema-engine-(debian|linux|darwin)|libquery_engine|(mysql|sqlite|sqlserver)\..*wasm/;
  expect(paths.filter((path) => unwanted.test(path))).toEqual([]);
  expect(first.bytes).toBeLessThan(250 * 2 ** 20);
}, 300_000);

test('The Dockerfile takes its base by argument and ends as nobody in particular', () => {
  const dockerfile = readFileSync(join(workspace, 'deploy/Dockerfile'), 'utf8');
  expect([...dockerfile.matchAll(/^FROM (\S+) AS (\w+)$/gm)].map(([, base, target]) => [base, target])).toEqual([
    ['${BASE}', 'layer'],
    ['${BASE}', 'run'],
    ['${BASE}', 'migrate'],
  ]);
  expect(dockerfile.match(/^USER 10001:10001$/gm)).toHaveLength(2);
  const [service] = [...dockerfile.matchAll(/^ENTRYPOINT (.*)$/gm)].map(([, words = '']) => JSON.parse(words) as string[]);
  expect(service).toEqual(expect.arrayContaining(nodeFlags.filter((flag) => !heapBounds.includes(flag))));
});

test.each(serviceNames)('%s has the heap in its pod that it has in every test, and three quarters of its memory', (app) => {
  const country = { OIDC_ISSUER: 'https://login.kassa.example', ACQUIRER_URL: 'https://acquirer.example' };
  const { env, memoryMiB } = podOf(workspace, app, 'run', 'any', country);
  expect(env['NODE_OPTIONS']).toBe(heapBounds.join(' '));
  expect(heapBounds).toContain(`--max-old-space-size=${memoryMiB * 0.75}`);
});
