import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import pg from 'pg';
import { roomFolder, selfSigned, startApp, testDatabase, type TestDatabase } from '@kassa/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';

// A managed PostgreSQL lets nobody in without TLS, and its address says whom to trust: sslmode=verify-full&sslrootcert=…
const prisma = resolve(import.meta.dirname, '../../node_modules/.bin/prisma');
const folder = mkdtempSync(join(tmpdir(), 'kassa-tls-'));
let database: TestDatabase;
let admin: pg.Client;

beforeAll(async () => {
  database = await testDatabase();
  admin = new pg.Client({ connectionString: database.url });
  await admin.connect();
  const { certificate, key } = selfSigned(new URL(database.url).hostname);
  writeFileSync(join(folder, 'authority.crt'), certificate);
  writeFileSync(join(folder, 'stranger.crt'), selfSigned('stranger').certificate);
  await keepOnServer('kassa-tls.crt', certificate);
  await keepOnServer('kassa-tls.key', key);
  for (const setting of [`ssl_cert_file = 'kassa-tls.crt'`, `ssl_key_file = 'kassa-tls.key'`, 'ssl = on'])
    await admin.query(`ALTER SYSTEM SET ${setting}`);
  await admin.query('SELECT pg_reload_conf()');
});
afterAll(async () => {
  for (const setting of ['ssl', 'ssl_cert_file', 'ssl_key_file']) await admin.query(`ALTER SYSTEM RESET ${setting}`);
  await admin.query('SELECT pg_reload_conf()');
  await admin.end();
  await database.drop();
  rmSync(folder, { recursive: true });
});

/** The server writes its own files, so that it owns them and nobody else reads them. */
async function keepOnServer(name: string, content: string): Promise<void> {
  const text = Buffer.from(content).toString('base64');
  await admin.query(`COPY (SELECT '${text}') TO PROGRAM 'umask 077; base64 -d > ${name}'`);
}

const trusting = (authority: string) => `${database.url}?sslmode=verify-full&sslrootcert=${join(folder, authority)}`;

const migrate = (url: string): Promise<{ code: number; said: string }> =>
  new Promise((done) => {
    const options = { cwd: roomFolder('acquirer'), env: { ...process.env, DATABASE_URL: url } };
    execFile(prisma, ['migrate', 'deploy'], options, (error, stdout, stderr) =>
      done({ code: error === null ? 0 : 1, said: stdout + stderr }),
    );
  });

test('A migration does not speak to a server whose certificate the authority of its address did not sign', async () => {
  const { code, said } = await migrate(trusting('stranger.crt'));
  expect(code).toBe(1);
  expect(said).toMatch(/self-signed certificate/);
});

test('With the right authority migrations run and a service works, both over TLS', async () => {
  expect((await migrate(trusting('authority.crt'))).said).toContain('All migrations have been successfully applied');
  const service = await startApp(roomFolder('acquirer'), {
    DATABASE_URL: trusting('authority.crt'),
    API_KEY: 'a-key-of-the-tests',
    WEBHOOK_SECRET: 'a-secret-of-the-tests',
  });
  const { rows } = await admin.query(
    "SELECT DISTINCT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'acquirer'",
  );
  await service.stop();
  expect(rows).toEqual([{ ssl: true }]);
});
