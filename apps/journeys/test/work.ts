import pg from 'pg';

/** What a database was asked to do while it was watched. */
export interface Work {
  statements: { text: string; calls: number }[];
  /** Transactions that took an id, by the tables they wrote to. */
  transactions: { tables: string[]; count: number }[];
}

export interface Watch {
  /** The work of each database since the watch began. */
  end(): Promise<Map<string, Work>>;
}

/**
 * Watches databases of one server, and counts exactly. Statements come from pg_stat_statements, those that only open and close a
 * transaction left out. Transactions come from the write-ahead log: each id that ended there, with the tables its records touched, which
 * also tells whose database it was, as ids are the whole server's.
 * The watcher's own statements run in another database of the server.
 */
export async function watchWork(databaseUrls: Record<string, string>): Promise<Watch> {
  const [anyUrl] = Object.values(databaseUrls);
  const elsewhere = new URL(anyUrl ?? '');
  elsewhere.pathname = '/postgres';
  const client = new pg.Client({ connectionString: elsewhere.href });
  await client.connect();
  await client.query('CREATE EXTENSION IF NOT EXISTS pg_stat_statements');
  await client.query('CREATE EXTENSION IF NOT EXISTS pg_walinspect');
  const tables = new Map<string, Map<string, string>>();
  const oids = new Map<string, string>();
  for (const [name, url] of Object.entries(databaseUrls)) {
    const { oid, files } = await filesOf(url);
    oids.set(oid, name);
    tables.set(oid, files);
  }
  // A checkpoint of the server would throw the log away that is to be read; this slot keeps it, and goes with the connection.
  await client.query("SELECT pg_create_physical_replication_slot('watch_' || pg_backend_pid(), true, true)");
  const start = await position(client);
  await client.query('SELECT pg_stat_statements_reset()');

  return {
    async end() {
      const statements = await client.query<{ dbid: string; query: string; calls: string }>(
        `SELECT dbid::text, query, calls FROM pg_stat_statements
         WHERE dbid::text = ANY ($1) AND query !~* '^\\s*(begin|commit|rollback|start transaction|savepoint|release)\\M'`,
        [[...oids.keys()]],
      );
      const transactions = await endedTransactions(client, start, tables);
      await client.end();
      return new Map(
        [...oids].map(([oid, name]) => [
          name,
          {
            statements: statements.rows
              .filter((row) => row.dbid === oid)
              .map((row) => ({ text: row.query.replace(/\s+/g, ' '), calls: Number(row.calls) })),
            transactions: grouped(
              transactions.filter((transaction) => transaction.database === oid).map((transaction) => transaction.tables),
            ),
          },
        ]),
      );
    },
  };
}

/** The database's oid, and which table each file of it belongs to; an index, and the place of long values, count as their table. */
async function filesOf(url: string): Promise<{ oid: string; files: Map<string, string> }> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query<{ oid: string; file: string; name: string }>(
    `SELECT (SELECT oid::text FROM pg_database WHERE datname = current_database()) AS oid,
       pg_relation_filenode(c.oid)::text AS file, COALESCE(long.relname, t.relname, c.relname) AS name
     FROM pg_class c LEFT JOIN pg_index i ON i.indexrelid = c.oid LEFT JOIN pg_class t ON t.oid = i.indrelid
       LEFT JOIN pg_class long ON long.reltoastrelid = COALESCE(t.oid, c.oid)
     WHERE pg_relation_filenode(c.oid) IS NOT NULL AND c.relkind <> 'S' AND c.relnamespace <> 'pg_catalog'::regnamespace`,
  );
  await client.end();
  return { oid: rows[0]?.oid ?? '', files: new Map(rows.map((row) => [row.file, row.name])) };
}

async function position(client: pg.Client): Promise<string> {
  const { rows } = await client.query<{ lsn: string }>('SELECT pg_current_wal_insert_lsn()::text AS lsn');
  return rows[0]?.lsn ?? '';
}

interface Ended {
  database: string;
  tables: string[];
}

async function endedTransactions(client: pg.Client, start: string, tables: Map<string, Map<string, string>>): Promise<Ended[]> {
  const end = await position(client);
  // What is not written out yet cannot be read back; a checkpoint writes it.
  await client.query('CHECKPOINT');
  const { rows } = await client.query<{ xid: string; type: string; block_ref: string | null }>(
    `SELECT xid::text, CASE WHEN resource_manager = 'Transaction' THEN split_part(record_type, ' ', 1) ELSE '' END AS type, block_ref
     FROM pg_get_wal_records_info($1, $2) WHERE xid::text <> '0'`,
    [start, end],
  );
  const ended = new Set<string>();
  const touched = new Map<string, { database: string; tables: Set<string> }>();
  for (const { xid, type, block_ref: block } of rows) {
    if (type === 'COMMIT' || type === 'ABORT') ended.add(xid);
    for (const [, database = '', file = ''] of block?.matchAll(/rel \d+\/(\d+)\/(\d+)/g) ?? []) {
      const seen = touched.get(xid) ?? { database, tables: new Set() };
      touched.set(xid, seen);
      const table = tables.get(database)?.get(file);
      if (table !== undefined) seen.tables.add(table);
    }
  }
  return [...ended].flatMap((xid) => {
    const seen = touched.get(xid);
    // One that touched no table of ours was the server's own, keeping its statistics.
    return seen && seen.tables.size > 0 ? [{ database: seen.database, tables: [...seen.tables].sort() }] : [];
  });
}

function grouped(rows: string[][]): Work['transactions'] {
  const counts = new Map<string, number>();
  for (const row of rows) counts.set(row.join(' '), (counts.get(row.join(' ')) ?? 0) + 1);
  return [...counts].map(([names, count]) => ({ tables: names.split(' '), count })).sort((a, b) => b.count - a.count);
}
