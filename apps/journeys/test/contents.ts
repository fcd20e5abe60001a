import pg from 'pg';

/** Where the feed stands moves on with every heartbeat, whoever asks for what. */
const restless = ['feed_position'];

/** What an empty table holds. */
export const noRows = '0 rows, none';

/** The rows of every table of a database, as a count and a fingerprint of their contents. */
export async function contentsOf(databaseUrl: string): Promise<Record<string, string>> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  const { rows: tables } = await client.query<{ name: string }>(
    `SELECT relname AS name FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> ALL ($1) ORDER BY 1`,
    [restless],
  );
  const contents: Record<string, string> = {};
  for (const { name } of tables) {
    const { rows } = await client.query<{ is: string }>(
      `SELECT count(*) || ' rows, ' || COALESCE(md5(string_agg(row::text, ',' ORDER BY row::text)), 'none') AS is FROM "${name}" AS row`,
    );
    contents[name] = rows[0]!.is;
  }
  await client.end();
  return contents;
}
