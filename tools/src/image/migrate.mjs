// Starts Prisma with the database address from the mounted file, for the image's target `migrate`.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';

const here = import.meta.dirname;
// Well below the Job's own deadline.
const waitMs = 180_000;

const file = process.env['DATABASE_URL_FILE'];
const url = process.env['DATABASE_URL'] ?? (file && readFileSync(file, 'utf8').trim());
if (!url) {
  console.error('DATABASE_URL_FILE names no file with the address of the database.');
  process.exit(1);
}
await untilItAnswers(url);
const { status } = spawnSync(process.execPath, [join(here, 'node_modules/prisma/build/index.js'), 'migrate', 'deploy'], {
  cwd: join(here, 'apps/room'),
  stdio: 'inherit',
  env: { ...process.env, DATABASE_URL: url },
});
process.exit(status ?? 1);

/**
 * The Job has two tries, which are over in seconds. A database that is being made, a standby that takes over and a packet filter that has
 * not heard of this pod yet take longer. What a server refuses, and what lasts, is left to Prisma to say.
 */
async function untilItAnswers(connectionString) {
  const giveUpAt = Date.now() + waitMs;
  for (let isSaid = false; ; isSaid = true) {
    const client = new pg.Client({ connectionString, connectionTimeoutMillis: 5_000 });
    client.on('error', () => undefined);
    try {
      await client.connect();
      await allowAnotherTry(client);
      return await client.end();
    } catch (error) {
      const isRefusal = error.severity !== undefined && !error.code.startsWith('57P');
      if (isRefusal || Date.now() > giveUpAt) return;
      if (!isSaid) console.error(`The database does not answer yet: ${error.message || error.code}`);
    }
    await pause(1_000);
  }
}

/**
 * Prisma does nothing more where a migration failed, until a person has said what became of it. A migration is one statement to the server,
 * so that of a failed one nothing is left, and it may be tried again. One that runs in another Job holds Prisma's lock.
 */
async function allowAnotherTry(client) {
  const { rows } = await client.query(
    "SELECT to_regclass('_prisma_migrations') IS NOT NULL AND pg_try_advisory_lock(72707369) AS may",
  );
  if (!rows[0].may) return;
  await client.query('UPDATE _prisma_migrations SET rolled_back_at = now() WHERE finished_at IS NULL AND rolled_back_at IS NULL');
}
