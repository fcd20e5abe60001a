import pg from 'pg';
import { uuidv7 } from 'uuidv7';

/**
 * What PostgreSQL itself allows: a database with the fewest rows that still are a sale of two lines, and a client that writes them all in
 * one transaction, of prepared statements or of a single one. Nothing else is done: no service, no HTTP, no idempotency key, no
 * reservation, no feed, no receipt document.
 */
export const limitDatabase = 'bench_limit';

const schema = `
CREATE TABLE registers (register_id text PRIMARY KEY, last_receipt bigint NOT NULL);
CREATE TABLE sales (id uuid PRIMARY KEY, shop_id text NOT NULL, register_id text NOT NULL, receipt_number bigint NOT NULL,
  state text NOT NULL, total_minor bigint NOT NULL, currency char(3) NOT NULL, completed_at timestamptz NOT NULL);
CREATE TABLE sale_lines (sale_id uuid NOT NULL, position int NOT NULL, sku text NOT NULL, quantity int NOT NULL,
  unit_minor bigint NOT NULL, vat_bp int NOT NULL, gross_minor bigint NOT NULL, PRIMARY KEY (sale_id, position));
CREATE TABLE tenders (id uuid PRIMARY KEY, sale_id uuid NOT NULL, method text NOT NULL, amount_minor bigint NOT NULL);
CREATE TABLE payments (id uuid PRIMARY KEY, sale_id uuid NOT NULL, status text NOT NULL, amount_minor bigint NOT NULL, currency char(3) NOT NULL);
CREATE TABLE stock_movements (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, shop_id text NOT NULL, sku text NOT NULL,
  delta int NOT NULL, sale_id uuid NOT NULL, occurred_at timestamptz NOT NULL);
CREATE TABLE stock_levels (shop_id text NOT NULL, sku text NOT NULL, on_hand int NOT NULL CHECK (on_hand >= 0), PRIMARY KEY (shop_id, sku));
CREATE TABLE floor (id uuid PRIMARY KEY, note text NOT NULL)`;

/** The rows table by table, as a program writes them; the first answers the number that the second wants as its fourth value. */
const steps = {
  number: 'UPDATE registers SET last_receipt = last_receipt + 1 WHERE register_id = $1 RETURNING last_receipt',
  sale: `INSERT INTO sales VALUES ($1, $2, $3, $4, 'COMPLETED', $5, 'DKK', now())`,
  lines: `INSERT INTO sale_lines SELECT $1, position, sku, 1, unit_minor, 2500, unit_minor
    FROM unnest($2::text[], $3::bigint[]) WITH ORDINALITY AS line (sku, unit_minor, position)`,
  tender: `INSERT INTO tenders VALUES ($1, $2, 'terminal', $3)`,
  payment: `INSERT INTO payments VALUES ($1, $2, 'SUCCEEDED', $3, 'DKK')`,
  movements: `INSERT INTO stock_movements (shop_id, sku, delta, sale_id, occurred_at) SELECT $1, unnest($2::text[]), -1, $3, now()`,
  levels: 'UPDATE stock_levels SET on_hand = on_hand - 1 WHERE shop_id = $1 AND sku = ANY ($2)',
};

/** All of them at once. */
const sale = `
WITH number AS (UPDATE registers SET last_receipt = last_receipt + 1 WHERE register_id = $3 RETURNING last_receipt),
  sold AS (SELECT * FROM unnest($4::text[], $5::bigint[]) WITH ORDINALITY AS line (sku, unit_minor, position)),
  sale AS (INSERT INTO sales SELECT $1::uuid, $2, $3, last_receipt, 'COMPLETED', (SELECT sum(unit_minor) FROM sold), 'DKK', now() FROM number),
  line AS (INSERT INTO sale_lines SELECT $1::uuid, position, sku, 1, unit_minor, 2500, unit_minor FROM sold),
  tender AS (INSERT INTO tenders SELECT $6::uuid, $1::uuid, 'terminal', sum(unit_minor) FROM sold),
  payment AS (INSERT INTO payments SELECT $7::uuid, $1::uuid, 'SUCCEEDED', sum(unit_minor), 'DKK' FROM sold),
  movement AS (INSERT INTO stock_movements (shop_id, sku, delta, sale_id, occurred_at) SELECT $2, sku, -1, $1::uuid, now() FROM sold),
  level AS (UPDATE stock_levels SET on_hand = on_hand - 1 FROM sold WHERE stock_levels.shop_id = $2 AND stock_levels.sku = sold.sku)
SELECT last_receipt FROM number`;

/** Where a sale is made, and of what. */
export interface Counter {
  shopId: string;
  registerId: string;
  skus: string[];
}

/** Makes the database anew. `adminUrl` is a superuser's. Returns its address. */
export async function makeLimitDatabase(adminUrl: string, counters: Counter[]): Promise<string> {
  const url = new URL(adminUrl);
  await once(adminUrl, `CREATE DATABASE ${limitDatabase}`);
  url.pathname = `/${limitDatabase}`;
  await once(url.href, schema);
  await once(url.href, 'INSERT INTO registers SELECT unnest($1::text[]), 0', [counters.map(({ registerId }) => registerId)]);
  for (const { shopId, skus } of counters) {
    await once(url.href, 'INSERT INTO stock_levels SELECT $1, unnest($2::text[]), 1000000 ON CONFLICT DO NOTHING', [
      shopId,
      skus,
    ]);
  }
  await once(url.href, 'VACUUM ANALYZE');
  return url.href;
}

async function once(url: string, text: string, values?: unknown[]): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(text, values);
  await client.end();
}

/** One connection that writes one sale after the other. */
export async function openLimit(url: string): Promise<{
  /** In one transaction of prepared statements, one a table. */
  sell(counter: Counter, skus: string[]): Promise<void>;
  /** In one prepared statement. */
  sellAtOnce(counter: Counter, skus: string[]): Promise<void>;
  close(): Promise<void>;
}> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const step = (name: keyof typeof steps, ...values: unknown[]) => client.query({ name, text: steps[name], values });
  return {
    async sell({ shopId, registerId }, skus) {
      const [id, prices] = [uuidv7(), pricesOf(skus)];
      const total = prices.reduce((sum, price) => sum + price, 0);
      await client.query('BEGIN');
      const { rows } = await step('number', registerId);
      const [row] = rows as { last_receipt: string }[];
      if (!row) throw new Error(`register ${registerId} is missing`);
      await step('sale', id, shopId, registerId, row.last_receipt, total);
      await step('lines', id, skus, prices);
      await step('tender', uuidv7(), id, total);
      await step('payment', uuidv7(), id, total);
      await step('movements', shopId, skus, id);
      await step('levels', shopId, skus);
      await client.query('COMMIT');
    },
    async sellAtOnce({ shopId, registerId }, skus) {
      const { rowCount } = await client.query({
        name: 'sale',
        text: sale,
        values: [uuidv7(), shopId, registerId, skus, pricesOf(skus), uuidv7(), uuidv7()],
      });
      if (rowCount !== 1) throw new Error(`register ${registerId} is missing`);
    },
    close: () => client.end(),
  };
}

const pricesOf = (skus: string[]) => skus.map((_, index) => 9900 + index);
