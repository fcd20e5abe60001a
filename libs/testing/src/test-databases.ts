import { createHash, randomBytes } from 'node:crypto';
import pg from 'pg';
import { applyMigrations, readMigrations } from './migrations.ts';
import { openPostgresServer, type PostgresServer } from './postgres-server.ts';

/** The databases of one test run, all on one server that is started when the first of them is asked for. */
export interface TestDatabases {
  /** A new database with the schema of `room` (absolute path), or an empty one. Returns its address. */
  create(room: string | undefined): Promise<string>;
  drop(url: string): Promise<void>;
  /** Drops what is left and stops the server. */
  close(): Promise<void>;
}

/**
 * A room's migrations run once, into a template database; each test file gets a copy of its files, which takes some 50 ms.
 * `say` is told once which server the tests run on.
 */
export function testDatabases(env: NodeJS.ProcessEnv, say: (sentence: string) => void): TestDatabases {
  const run = randomBytes(4).toString('hex');
  const databases = new Set<string>();
  const templates = new Map<string, Promise<string>>();
  let opening: Promise<PostgresServer> | undefined;

  const server = () => {
    opening ??= openPostgresServer(env).then((opened) => {
      say(`Tests run on ${opened.description}.`);
      return opened;
    });
    return opening;
  };

  async function make(name: string, template: string): Promise<string> {
    const { url } = await server();
    const like = template === 'template0' ? unicode : 'STRATEGY file_copy';
    await query(url('postgres'), `CREATE DATABASE "${name}" TEMPLATE "${template}" ${like}`);
    databases.add(name);
    return url(name);
  }

  async function migratedTemplate(room: string): Promise<string> {
    const name = `kassa_template_${run}_${createHash('sha256').update(room).digest('hex').slice(0, 8)}`;
    await applyMigrations(await make(name, 'template0'), readMigrations(room));
    return name;
  }

  return {
    async create(room) {
      const name = `kassa_test_${run}_${randomBytes(4).toString('hex')}`;
      if (room === undefined) return make(name, 'template0');
      const template = templates.get(room) ?? migratedTemplate(room);
      templates.set(room, template);
      return make(name, await template);
    },
    async drop(url) {
      const name = new URL(url).pathname.slice(1);
      if (!databases.delete(name)) throw new Error(`${name} is not a database of this test run`);
      await drop((await server()).url('postgres'), name);
    },
    async close() {
      if (!opening) return;
      const opened = await opening;
      for (const name of databases) await drop(opened.url('postgres'), name);
      await opened.stop();
    },
  };
}

/** PostgreSQL waits five seconds for connections that are just being closed; only who stays beyond that is cut off. */
async function drop(url: string, name: string): Promise<void> {
  try {
    await query(url, `DROP DATABASE IF EXISTS "${name}"`);
  } catch (error) {
    if ((error as { code?: string }).code !== '55006') throw error;
    await query(url, `DROP DATABASE IF EXISTS "${name}" WITH (FORCE)`);
  }
}

/** Letter case beyond ASCII, and one order of texts on every machine: the same as the cluster `npm start` makes. */
const unicode = "ENCODING 'UTF8' LOCALE 'C' LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'";

async function query(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
