import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterAll, describe, expect, test } from 'vitest';
import { eventually, testDatabase } from '../src/index.ts';
import { applyMigrations, MigrationConflict, readMigrations } from '../src/migrations.ts';

const workspace = fileURLToPath(new URL('../../..', import.meta.url));
const room = mkdtempSync(join(workspace, 'node_modules/.kassa-room-'));
afterAll(() => rmSync(room, { recursive: true, force: true }));

function writeMigration(name: string, sql: string): void {
  mkdirSync(join(room, 'prisma/migrations', name), { recursive: true });
  writeFileSync(join(room, 'prisma/migrations', name, 'migration.sql'), sql);
}

writeMigration(
  '20260101000000_create_note',
  'CREATE TABLE note (id bigint PRIMARY KEY, text text NOT NULL);\nINSERT INTO note VALUES (1, $$a;b$$);\n',
);
writeMigration('20260102000000_add_author', 'ALTER TABLE note ADD COLUMN author text;\n');
writeFileSync(join(room, 'prisma/migrations/migration_lock.toml'), 'provider = "postgresql"\n');
writeFileSync(
  join(room, 'prisma/schema.prisma'),
  'datasource db {\n  provider = "postgresql"\n}\nmodel note {\n  id BigInt @id\n  text String\n  author String?\n}\n',
);
writeFileSync(
  join(room, 'prisma.config.ts'),
  `import { prismaConfig } from ${JSON.stringify(join(workspace, 'tools/prisma-config.ts'))};\nexport default prismaConfig(import.meta.dirname);\n`,
);

async function rows(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

function prisma(url: string, ...args: string[]): { status: number | null; text: string } {
  const env = { ...process.env, DATABASE_URL: url };
  const ran = spawnSync(join(workspace, 'node_modules/.bin/prisma'), args, { cwd: room, env, encoding: 'utf8' });
  return { status: ran.status, text: ran.stdout + ran.stderr };
}

describe('a test database', () => {
  test('has the schema of its room, and is nobody else’s', async () => {
    const [one, two] = await Promise.all([testDatabase(room), testDatabase(room)]);
    await rows(one.url, "INSERT INTO note VALUES (2, 'mine', 'me')");
    expect(await rows(one.url, 'SELECT count(*)::int AS notes FROM note')).toEqual([{ notes: 2 }]);
    expect(await rows(two.url, 'SELECT count(*)::int AS notes FROM note')).toEqual([{ notes: 1 }]);
    await one.drop();
    await two.drop();
    await expect(rows(one.url, 'SELECT 1')).rejects.toThrow(/does not exist/);
  });

  test('knows letters beyond ASCII', async () => {
    const { url, drop } = await testDatabase();
    expect(await rows(url, "SELECT lower('ÆØÅÄÖÞÐ') AS text")).toEqual([{ text: 'æøåäöþð' }]);
    await drop();
  });
});

describe('migrations', () => {
  test('leave what Prisma would have left, and Prisma takes over from there', async () => {
    const { url, drop } = await testDatabase(room);
    expect(prisma(url, 'migrate', 'status')).toMatchObject({
      status: 0,
      text: expect.stringContaining('Database schema is up to date'),
    });
    expect(prisma(url, 'migrate', 'deploy')).toMatchObject({ status: 0, text: expect.stringContaining('No pending migrations') });
    const theirs = await testDatabase();
    expect(prisma(theirs.url, 'migrate', 'deploy')).toMatchObject({ status: 0 });
    const columns =
      'SELECT migration_name, checksum, applied_steps_count, logs, rolled_back_at FROM _prisma_migrations ORDER BY started_at';
    expect(await rows(url, columns)).toEqual(await rows(theirs.url, columns));
    expect(await applyMigrations(theirs.url, readMigrations(room))).toEqual([]);
    await drop();
    await theirs.drop();
  });

  test('apply only what is new', async () => {
    const { url, drop } = await testDatabase();
    const [first, second] = readMigrations(room);
    expect(await applyMigrations(url, [first!])).toEqual(['20260101000000_create_note']);
    expect(await applyMigrations(url, [first!, second!])).toEqual(['20260102000000_add_author']);
    await drop();
  });

  test('run once when two start at the same time', async () => {
    const { url, drop } = await testDatabase();
    const applied = await Promise.all([applyMigrations(url, readMigrations(room)), applyMigrations(url, readMigrations(room))]);
    expect(applied.map((names) => names.length).sort()).toEqual([0, 2]);
    await drop();
  });

  test('refuse one that was changed after it had been applied', async () => {
    const { url, drop } = await testDatabase();
    const [first] = readMigrations(room);
    await applyMigrations(url, [first!]);
    const attempt = applyMigrations(url, [{ ...first!, sql: 'SELECT 1', checksum: 'other' }]);
    await expect(attempt).rejects.toThrow(/was changed after it had been applied/);
    await expect(attempt).rejects.toBeInstanceOf(MigrationConflict);
    await drop();
  });

  test('leave alone what newer code brought', async () => {
    const { url, drop } = await testDatabase(room);
    expect(await applyMigrations(url, readMigrations(room).slice(0, 1))).toEqual([]);
    await drop();
  });

  test('say which one failed, leave nothing of it, and do not go on', async () => {
    const { url, drop } = await testDatabase();
    const broken = [{ name: '20260101000000_break', sql: 'CREATE TABLE half (id int); SELECT 1/0;', checksum: 'c' }];
    await expect(applyMigrations(url, broken)).rejects.toThrow(/20260101000000_break failed: division by zero/);
    expect(await rows(url, "SELECT to_regclass('half') AS half")).toEqual([{ half: null }]);
    const mended = [{ ...broken[0]!, sql: 'CREATE TABLE half (id int)', checksum: 'd' }];
    expect(await applyMigrations(url, mended)).toEqual(['20260101000000_break']);
    await drop();
  });

  test('run again from the start when one was cut short', async () => {
    const { url, drop } = await testDatabase();
    const long = (seconds: number) => [
      { name: '20260101000000_long', sql: `CREATE TABLE long (id int); SELECT pg_sleep(${seconds})`, checksum: 'c' },
    ];
    const cutShort = expect(applyMigrations(url, long(3600))).rejects.toThrow(
      /20260101000000_long failed: terminating connection/,
    );
    const kill =
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'";
    await eventually(async () => expect(await rows(url, kill)).toHaveLength(1));
    await cutShort;
    expect(await applyMigrations(url, long(0))).toEqual(['20260101000000_long']);
    await drop();
  });

  test('may make an index without stopping those who write', async () => {
    const { url, drop } = await testDatabase();
    const migrations = ['CREATE TABLE note (id int)', 'CREATE INDEX CONCURRENTLY note_id ON note (id)'].map((sql, n) => ({
      name: `2026010${n}000000_step`,
      sql,
      checksum: String(n),
    }));
    expect(await applyMigrations(url, migrations)).toHaveLength(2);
    await drop();
  });

  test('refuse one that Prisma left halfway', async () => {
    const { url, drop } = await testDatabase(room);
    await rows(url, 'UPDATE _prisma_migrations SET finished_at = NULL');
    await expect(applyMigrations(url, readMigrations(room))).rejects.toThrow(/failed halfway earlier/);
    await drop();
  });
});
