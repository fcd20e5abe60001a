import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { postgresMajor, PostgresFailed, startEmbeddedPostgres } from '@kassa/testing/embedded-postgres';
import { Failure } from './failure.ts';
import type { Secrets } from './secrets.ts';
import { perService, serviceNames, services, type ServiceName } from './services.ts';

export interface Postgres {
  /** Of the server itself; undefined for one that is not ours. */
  pid: number | undefined;
  version: string;
  /** Address of the database `postgres`, as superuser. */
  adminUrl: string;
  /** Address of each service's database, as the service's own role. */
  urls: Record<ServiceName, string>;
  /** Settles when our own server has ended; never for another one. */
  exited: Promise<void>;
  stop(): Promise<void>;
}

/** Starts the server kept in the data folder. Throws Failure with what to do when its files are damaged or of another major version. */
export async function startOwnPostgres(folder: string, port: number, secrets: Secrets, isEphemeral: boolean): Promise<Postgres> {
  const data = join(folder, 'postgres');
  checkVersion(data);
  const isKept = existsSync(data);
  try {
    const server = await startEmbeddedPostgres({
      folder: data,
      port,
      password: secrets.postgres,
      isDurable: !isEphemeral,
      logFile: join(folder, 'logs/postgres.log'),
      ...(isEphemeral ? { removeAfterwards: folder } : {}),
    });
    const adminUrl = server.url('postgres');
    const { version, urls } = await prepareDatabases(adminUrl, '', secrets).catch(async (error: unknown) => {
      await server.stop();
      throw error;
    });
    const stop = () => server.stop(isEphemeral ? 'immediate' : 'fast');
    return { pid: server.pid, version, adminUrl, urls, exited: server.exited, stop };
  } catch (error) {
    const words = error instanceof PostgresFailed ? error.log : String(error);
    if (isKept && !notDamage.test(words)) throw damaged(folder, words);
    if (error instanceof PostgresFailed) throw new Failure(`${error.message}.`, words);
    throw error;
  }
}

/** What may keep a server from starting on sound data. */
const notDamage = /could not bind|No space left|could not map|could not create shared memory|Permission denied/;

/** PostgreSQL's words for files that are missing or not what they should be: classes 58 and XX of its error codes. */
export const isDamage = (error: unknown): boolean => /^(58P01|58030|XX00[0-2])$/.test((error as { code?: string }).code ?? '');

export const damaged = (folder: string, words: string): Failure =>
  new Failure(`The data in ${folder} is damaged and PostgreSQL cannot use it; npm start -- --reset makes it anew.`, words);

/**
 * Makes databases and roles on a server that is not ours, each named kassa_… so that nobody else's is touched. One npm start at a time
 * uses it, whatever its data folder: a second one would change the first one's passwords, or drop its databases.
 */
export async function useExternalPostgres(adminUrl: string, secrets: Secrets, mustReset: boolean): Promise<Postgres> {
  const where = new URL(adminUrl).host;
  const holder = adminClient(adminUrl);
  try {
    await holder.connect();
    const { rows } = await holder.query<{ isOurs: boolean }>(`SELECT pg_try_advisory_lock(hashtext('kassa-start')) AS "isOurs"`);
    if (!rows[0]?.isOurs)
      throw new Failure(
        `Another npm start uses the PostgreSQL at ${where} (KASSA_DATABASE_URL); end that one, or name another server.`,
      );
    if (mustReset) await dropDatabases(adminUrl);
    const { version, urls } = await prepareDatabases(adminUrl, 'kassa_', secrets);
    return { pid: undefined, version, adminUrl, urls, exited: new Promise(() => undefined), stop: () => holder.end() };
  } catch (error) {
    await holder.end().catch(() => undefined);
    if (error instanceof Failure) throw error;
    throw new Failure(
      `PostgreSQL at ${where} (KASSA_DATABASE_URL) cannot be used: ${(error as Error).message || String(error)}.`,
    );
  }
}

function checkVersion(data: string): void {
  if (!existsSync(data)) return;
  const file = join(data, 'PG_VERSION');
  const version = existsSync(file) ? readFileSync(file, 'utf8').trim() : '';
  if (version === postgresMajor) return;
  if (version === '' && readdirSync(data).length === 0) return;
  if (version === '')
    throw new Failure(`${data} is damaged: it is not a PostgreSQL data folder any more; npm start -- --reset makes it anew.`);
  throw new Failure(
    `${data} was written by PostgreSQL ${version}, and this is PostgreSQL ${postgresMajor}; npm start -- --reset makes it anew.`,
  );
}

/** One database per service, owned by a role of its own; no other role may even connect to it. */
async function prepareDatabases(adminUrl: string, prefix: string, secrets: Secrets) {
  const client = adminClient(adminUrl);
  await client.connect();
  try {
    const roles = await namesOf(client, 'SELECT rolname AS name FROM pg_roles');
    const databases = await namesOf(client, 'SELECT datname AS name FROM pg_database');
    for (const service of serviceNames) {
      const name = prefix + services[service].database;
      const quoted = client.escapeIdentifier(name);
      const password = client.escapeLiteral(secrets.databases[service]);
      // On a server that is not ours a role may be left from another data folder, with another password.
      if (!roles.has(name)) await client.query(`CREATE ROLE ${quoted} LOGIN PASSWORD ${password}`);
      else if (prefix) await client.query(`ALTER ROLE ${quoted} LOGIN PASSWORD ${password}`);
      if (databases.has(name)) continue;
      if (prefix) await client.query(`GRANT ${quoted} TO CURRENT_USER`);
      await client.query(`CREATE DATABASE ${quoted} OWNER ${quoted} TEMPLATE template0 ${unicode}`);
      await client.query(`REVOKE ALL ON DATABASE ${quoted} FROM PUBLIC`);
    }
    if (!prefix) await client.query('CREATE EXTENSION IF NOT EXISTS pg_stat_statements');
    const version = await client.query<{ version: string }>("SELECT current_setting('server_version') AS version");
    const urls = perService((name) => {
      const url = new URL(adminUrl);
      url.username = prefix + services[name].database;
      url.password = secrets.databases[name];
      url.pathname = `/${prefix}${services[name].database}`;
      return url.href;
    });
    return { version: version.rows[0]?.version ?? '', urls };
  } finally {
    await client.end();
  }
}

function adminClient(adminUrl: string): pg.Client {
  const client = new pg.Client({ connectionString: adminUrl, application_name: 'kassa-start', connectionTimeoutMillis: 10_000 });
  client.on('error', () => undefined); // A lost connection rejects the statement under way, which tells.
  return client;
}

async function namesOf(client: pg.Client, sql: string): Promise<Set<string>> {
  const { rows } = await client.query<{ name: string }>(sql);
  return new Set(rows.map((row) => row.name));
}

/** Letter case beyond ASCII, and one order of texts on every machine (PostgreSQL 17 and later). */
const unicode = "ENCODING 'UTF8' LOCALE 'C' LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'";

async function dropDatabases(adminUrl: string): Promise<void> {
  const client = adminClient(adminUrl);
  await client.connect();
  try {
    for (const name of serviceNames) {
      const database = client.escapeIdentifier(`kassa_${services[name].database}`);
      await client.query(`DROP DATABASE IF EXISTS ${database} WITH (FORCE)`);
      await client.query(`DROP ROLE IF EXISTS ${database}`);
    }
  } finally {
    await client.end();
  }
}
