import { createHash, randomUUID } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';

export interface Migration {
  name: string;
  sql: string;
  /** SHA-256 of the file in hex, as Prisma records it. */
  checksum: string;
}

/** A kept database and the code disagree about a migration that ran before; `name` tells which. */
export class MigrationConflict extends Error {
  readonly migration: string;
  constructor(migration: string, what: string) {
    super(`migration ${migration} ${what}`);
    this.name = 'MigrationConflict';
    this.migration = migration;
  }
}

/** The migrations of a room, oldest first. `room` is the absolute path of its folder; a room without migrations has none. */
export function readMigrations(room: string): Migration[] {
  const folder = join(room, 'prisma/migrations');
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return names
    .map((entry) => entry.name)
    .sort()
    .map((name) => {
      const sql = readFileSync(join(folder, name, 'migration.sql'), 'utf8');
      return { name, sql, checksum: createHash('sha256').update(sql).digest('hex') };
    });
}

/**
 * Brings the schema of `url` up to `migrations` and returns the names that were applied now.
 *
 * It does what `prisma migrate deploy` does, under the same advisory lock and with the same rows in _prisma_migrations, in
 * milliseconds instead of a second; Prisma's own commands take over from either. Deployments run Prisma.
 * Throws MigrationConflict when an applied migration was changed, or Prisma left it halfway; PostgreSQL's own error, with the
 * migration's name in front, when one fails now.
 */
export async function applyMigrations(url: string, migrations: Migration[]): Promise<string[]> {
  const client = new pg.Client({ connectionString: url, application_name: 'kassa-migrate' });
  client.on('error', () => undefined); // A lost connection rejects the statement under way, which tells.
  await client.connect();
  try {
    await client.query(`SELECT pg_advisory_lock(${prismaLock})`);
    await client.query(prismaTable);
    const pending = await pendingMigrations(client, migrations);
    for (const migration of pending) await applyMigration(client, migration);
    return pending.map((migration) => migration.name);
  } finally {
    await client.end();
  }
}

/** The key under which Prisma's schema engine locks a database while it migrates. */
const prismaLock = 72_707_369;

const prismaTable = `CREATE TABLE IF NOT EXISTS _prisma_migrations (
  id varchar(36) PRIMARY KEY NOT NULL,
  checksum varchar(64) NOT NULL,
  finished_at timestamptz,
  migration_name varchar(255) NOT NULL,
  logs text,
  rolled_back_at timestamptz,
  started_at timestamptz NOT NULL DEFAULT now(),
  applied_steps_count integer NOT NULL DEFAULT 0
)`;

async function pendingMigrations(client: pg.Client, migrations: Migration[]): Promise<Migration[]> {
  const { rows } = await client.query<{ migration_name: string; checksum: string; finished_at: Date | null }>(
    'SELECT migration_name, checksum, finished_at FROM _prisma_migrations WHERE rolled_back_at IS NULL ORDER BY started_at',
  );
  const known = new Map(migrations.map((migration) => [migration.name, migration]));
  for (const row of rows) {
    const migration = known.get(row.migration_name);
    // Unknown ones come from newer code; a schema serves the code before it, too.
    if (migration && migration.checksum !== row.checksum)
      throw new MigrationConflict(row.migration_name, 'was changed after it had been applied');
    if (row.finished_at === null) throw new MigrationConflict(row.migration_name, 'failed halfway earlier');
  }
  const applied = new Set(rows.map((row) => row.migration_name));
  return migrations.filter((migration) => !applied.has(migration.name));
}

/** A migration and its row are one transaction: what fails or is cut short leaves nothing, and the next run begins it again. */
async function applyMigration(client: pg.Client, { name, sql, checksum }: Migration): Promise<void> {
  // CREATE INDEX CONCURRENTLY and its like run in no transaction; such a statement stands in a file of its own.
  const isWhole = !/\bCONCURRENTLY\b/i.test(sql);
  try {
    if (isWhole) await client.query('BEGIN');
    await client.query(sql);
    await client.query(
      `INSERT INTO _prisma_migrations (id, checksum, migration_name, finished_at, applied_steps_count)
       VALUES ($1, $2, $3, clock_timestamp(), 1)`,
      [randomUUID(), checksum, name],
    );
    if (isWhole) await client.query('COMMIT');
  } catch (error) {
    (error as Error).message = `migration ${name} failed: ${(error as Error).message}`;
    throw error;
  }
}
