import { readdirSync } from 'node:fs';
import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import { KassaError } from '@kassa/problem';
import { translate } from './errors.ts';
import { inGroups } from './groups.ts';
import { inSpan, observePool, timed, traced } from './telemetry.ts';

/** A named prepared statement. The name is unique in its service; the text never changes while the process runs. */
export interface Statement {
  name: string;
  text: string;
}

export interface DatabaseOptions {
  /** postgresql://user:password@host:port/database. A function is asked at each new connection, so that a changed password is taken up. */
  url: string | (() => string);
  /** Connections at most, shared by prepared statements and Prisma. */
  poolMax: number;
  /** Statements of `write` that are committed together at most, 16 unless said otherwise; 1: each by itself. */
  groupMax?: number;
  /** Shown in pg_stat_activity. */
  applicationName: string;
  /** Milliseconds after which PostgreSQL ends a statement. */
  statementTimeoutMs?: number;
  /** Told of a connection that broke while idle; the pool replaces it. */
  onError?: (error: Error) => void;
}

export interface Answered<Row> {
  rows: Row[];
  rowCount: number | null;
}

export interface Database {
  pool: pg.Pool;
  /**
   * Runs one prepared statement, which is its own transaction.
   * Throws ExpectationFailed where the statement refused itself (kassa_expect), KassaError unavailable where the database cannot be
   * reached or ends the statement, KassaError write-conflict on deadlock or serialization failure; anything else is a bug.
   */
  query<Row extends object = Record<string, unknown>>(statement: Statement, values: unknown[]): Promise<Answered<Row>>;
  /**
   * As `query`, for a statement that writes: those that come while others are being committed are committed together, all of them or none.
   * Each is answered after the commit. Where one refuses itself or fails, each is run again alone. For statements that lock rows of their own
   * request: two groups that lock the same rows in another order wait until PostgreSQL ends one of them, a second later.
   */
  write<Row extends object = Record<string, unknown>>(statement: Statement, values: unknown[]): Promise<Answered<Row>>;
  /**
   * As `query`, for a read that is done at once: those that come together go over one connection in one piece, and each is its own
   * transaction.
   */
  read<Row extends object = Record<string, unknown>>(statement: Statement, values: unknown[]): Promise<Answered<Row>>;
  /** Groups as `write` makes them, for work that has its own way to do several at once. */
  grouped<Item, Result>(work: (items: readonly Item[]) => Promise<(Result | Error)[]>): (item: Item) => Promise<Result>;
  /** Runs `work` between BEGIN and COMMIT. A deadlock or serialization failure is repeated up to three times. */
  transaction<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T>;
  /** The adapter for a PrismaClient on the same pool. */
  prismaAdapter(): PrismaPg;
  /** Names of the migrations the code was built with and this schema has not finished; empty means current. */
  missingMigrations(migrationsFolder: URL): Promise<string[]>;
  close(): Promise<void>;
}

/** Opens the pool. Nothing is connected yet: a service starts without its database and says in /readyz what it waits for. */
export function openDatabase(options: DatabaseOptions): Database {
  const { url } = options;
  class Client extends pg.Client {
    constructor(config?: pg.ClientConfig) {
      super({ ...config, connectionString: typeof url === 'string' ? url : url(), pipeline: true });
    }
  }
  const pool = traced(
    new pg.Pool({
      Client,
      max: options.poolMax,
      application_name: options.applicationName,
      statement_timeout: options.statementTimeoutMs ?? 10_000,
      idle_in_transaction_session_timeout: 30_000,
      connectionTimeoutMillis: 5_000,
      // A new connection prepares every statement anew: the first till after a quiet minute should not have to wait for that.
      idleTimeoutMillis: 600_000,
      keepAlive: true,
      keepAliveInitialDelayMillis: 60_000,
      // Statements that take arrays look cheaper each time their values are known, and PostgreSQL would plan them anew at every call.
      options: '-c plan_cache_mode=force_generic_plan',
      types: { getTypeParser: typeParser as typeof pg.types.getTypeParser },
    }),
  );
  pool.on('error', (error) => options.onError?.(error));
  // A pool that ends lets go of its connections before they are closed; one that breaks then has nobody left to be told.
  pool.on('connect', (client) => client.on('error', () => undefined));
  const stopGauges = observePool(pool);

  async function query(statement: Statement, values: unknown[]) {
    try {
      return await pool.query({ name: statement.name, text: statement.text, values });
    } catch (error) {
      throw translate(error);
    }
  }

  const grouped: Database['grouped'] = (work) => inGroups(work, { most: options.groupMax ?? 16, patienceMs: 50 });
  /** Runs statements in groups by `send`, each as a caller sees one. */
  function inGroup(send: (pool: pg.Pool, statements: readonly Query[]) => Promise<(pg.QueryResult | Error)[]>) {
    const one = grouped((statements: readonly Query[]) => send(pool, statements));
    return async (statement: Statement, values: unknown[]) => {
      try {
        return await timed(statement.name, statement.text, () => one({ ...statement, values }));
      } catch (error) {
        throw translate(error);
      }
    };
  }

  return {
    pool,
    query: query as Database['query'],
    write: inGroup(commitTogether) as Database['write'],
    read: inGroup(sendTogether) as Database['read'],
    grouped,
    transaction: (work) => inSpan('transaction', 'BEGIN … COMMIT', () => runTransaction(pool, work, 3)),
    prismaAdapter: () => new PrismaPg(pool),
    async missingMigrations(folder) {
      const wanted = readdirSync(folder, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map((entry) => entry.name);
      const done = await finishedMigrations(pool);
      return wanted.filter((name) => !done.has(name)).sort();
    },
    async close() {
      stopGauges();
      await pool.end();
    },
  };
}

type Query = Statement & { values: unknown[] };

/** Sends statements over one connection without waiting in between. Answers what became of each, in their order. */
async function sendTogether(
  pool: pg.Pool,
  statements: readonly (Query | { text: string })[],
): Promise<(pg.QueryResult | Error)[]> {
  const client = await pool.connect();
  const settled = await Promise.allSettled(statements.map((statement) => client.query(statement)));
  const results = settled.map((one) => (one.status === 'fulfilled' ? one.value : (one.reason as Error)));
  // A connection whose statement failed otherwise may be broken, or hold a plan of a schema that is gone: it is not handed out again.
  client.release(results.find((result) => result instanceof Error && !isRefusal(result)) as Error | undefined);
  return results;
}

/** The same in one transaction; a single statement is its own. */
async function commitTogether(pool: pg.Pool, writes: readonly Query[]): Promise<(pg.QueryResult | Error)[]> {
  if (writes.length === 1) return sendTogether(pool, writes);
  const results = await sendTogether(pool, [{ text: 'BEGIN' }, ...writes, { text: 'COMMIT' }]);
  const commit = results.at(-1);
  if (commit === undefined || commit instanceof Error) return writes.map(() => commit ?? new Error('no commit was sent'));
  // PostgreSQL answers the COMMIT of a failed transaction with ROLLBACK. Whose fault it was shows when each is alone.
  if (commit.command !== 'ROLLBACK') return results.slice(1, -1);
  const alone = (write: Query) => sendTogether(pool, [write]).catch((error: Error) => [error]);
  return (await Promise.all(writes.map(alone))).flat();
}

/** The statement refused itself, or was not run since another one of its transaction had; the connection is as good as before. */
const isRefusal = (error: Error): boolean => /^(KA001|25P02)$/.test((error as { code?: string }).code ?? '');

async function runTransaction<T>(pool: pg.Pool, work: (client: pg.PoolClient) => Promise<T>, attempts: number): Promise<T> {
  const client = await pool.connect().catch((error: unknown) => {
    throw translate(error);
  });
  let broken: Error | undefined;
  try {
    await client.query('BEGIN');
    const result = await work(client);
    await client.query('COMMIT');
    return result;
  } catch (error) {
    await client.query('ROLLBACK').catch((rollbackError: Error) => {
      // The connection is gone, and the transaction with it: the pool must not hand this client out again.
      broken = rollbackError;
    });
    const translated = translate(error);
    if (attempts > 1 && translated instanceof KassaError && translated.code === 'write-conflict') {
      return await runTransaction(pool, work, attempts - 1);
    }
    throw translated;
  } finally {
    client.release(broken);
  }
}

async function finishedMigrations(pool: pg.Pool): Promise<Set<string>> {
  try {
    const { rows } = await pool.query<{ migration_name: string }>(
      'SELECT migration_name FROM _prisma_migrations WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL',
    );
    return new Set(rows.map((row) => row.migration_name));
  } catch (error) {
    if ((error as { code?: string }).code === '42P01') return new Set();
    throw translate(error);
  }
}

/** Integers of 8 bytes as safe numbers, dates as they are written (a business date has no zone); all else as pg does it. */
function typeParser(oid: number, format?: 'text' | 'binary'): (value: string) => unknown {
  if (oid === pg.types.builtins.INT8) return safeInteger;
  if (oid === pg.types.builtins.DATE) return (value) => value;
  return pg.types.getTypeParser(oid, format as 'text') as (value: string) => unknown;
}

function safeInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError(`${text} is beyond a safe integer`);
  return value;
}
