import {
  appendFileSync,
  chownSync,
  cpSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  chmodSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { freePort, roomFolder } from '@kassa/testing';
import { PostgresFailed, startEmbeddedPostgres, type EmbeddedPostgres } from '@kassa/testing/embedded-postgres';
import { applyMigrations, readMigrations } from '@kassa/testing/migrations';
import type { ServiceName } from './system.ts';

/** The database of one service on a server of its own that keeps its log, as a deployment's does. */
export interface ArchivedPostgres {
  url: string;
  /** Copies the running server's files, to restore from. */
  backUp(): Promise<void>;
  /** The server's own time, as a point to restore to. */
  now(): Promise<string>;
  /** Loses the server, and brings it back at the same address as it was at that point: the copy, and the log replayed up to there. */
  restoreTo(point: string): Promise<void>;
  stop(): Promise<void>;
}

const password = 'kassa';

/** Starts a server with an archive of its log, and the service's schema in it. */
export async function startArchivedPostgres(name: ServiceName): Promise<ArchivedPostgres> {
  const home = mkdtempSync(join(tmpdir(), `kassa-archived-${name}-`));
  chmodSync(home, 0o711);
  const [archive, copy] = [join(home, 'archive'), join(home, 'copy')];
  let folder = join(home, 'first');
  const port = await freePort();
  const start = () => startEmbeddedPostgres({ folder, port, password, isDurable: true, logFile: join(home, 'postgres.log') });

  await (await start()).stop();
  mkdirSync(archive);
  own(archive, folder);
  configure(folder, {
    archive_mode: 'on',
    archive_command: `cp "%p" "${archive}/%f"`,
    restore_command: `cp "${archive}/%f" "%p"`,
  });
  let server: EmbeddedPostgres = await start();
  await sql(server.url('postgres'), `CREATE DATABASE ${name}`);
  await applyMigrations(server.url(name), readMigrations(roomFolder(name)));

  return {
    url: server.url(name),
    async backUp() {
      const client = new pg.Client({ connectionString: server.url('postgres') });
      await client.connect();
      await client.query(`SELECT pg_backup_start('journey', true)`);
      cpSync(folder, copy, { recursive: true, filter: (path) => !path.endsWith('postmaster.pid') });
      const { rows } = await client.query<{ label: string }>('SELECT labelfile AS label FROM pg_backup_stop(true)');
      await client.end();
      writeFileSync(join(copy, 'backup_label'), rows[0]!.label);
      own(copy, folder);
    },
    now: async () => (await sql<{ now: string }>(server.url('postgres'), 'SELECT clock_timestamp()::text AS now'))[0]!.now,
    async restoreTo(point) {
      // What a lost server had not archived yet is lost with it. This one archives its last segment before it ends.
      await sql(server.url('postgres'), 'SELECT pg_switch_wal()');
      await server.stop();
      folder = `${folder}-restored`;
      cpSync(copy, folder, { recursive: true });
      configure(folder, { recovery_target_time: point, recovery_target_action: 'promote' });
      writeFileSync(join(folder, 'recovery.signal'), '');
      own(folder, copy);
      server = await start().catch((error: unknown) => {
        throw error instanceof PostgresFailed ? new Error(`${error.message}: ${error.log}`) : error;
      });
    },
    async stop() {
      await server.stop('immediate');
      rmSync(home, { recursive: true, force: true });
    },
  };
}

function configure(folder: string, settings: Record<string, string>): void {
  const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value}'\n`);
  appendFileSync(join(folder, 'postgresql.conf'), lines.join(''));
}

/** Root's copies go to the user the server runs as; its folder is closed to everyone else. */
function own(path: string, like: string): void {
  const { uid, gid, mode } = lstatSync(like);
  chmodSync(path, mode & 0o700);
  if (process.getuid?.() !== 0) return;
  chownSync(path, uid, gid);
  for (const entry of readdirSync(path, { recursive: true, encoding: 'utf8' })) chownSync(join(path, entry), uid, gid);
}

async function sql<Row extends object>(url: string, text: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Row>(text)).rows;
  } finally {
    await client.end();
  }
}
