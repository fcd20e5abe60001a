import { Topic, type Change, type inventoryDefinition, type Product, type Shop as FeedShop } from '@kassa/contracts/inventory';
import { country, isCountryCode } from '@kassa/countries';
import type { Database, Statement } from '@kassa/database';
import { followFeed, type Batch, type FeedPosition, type FeedState, type Rows, type Stored } from '@kassa/feed';
import type { GrpcClient } from '@kassa/grpc';
import { claimValues, finishCte, finishValues, keyCte, keyExpected, type Answer, type Key } from '@kassa/idempotency';
import {
  integer,
  openCsv,
  text,
  type CsvFile,
  type CsvImport,
  type ImportReport,
  type NumberedRow,
  type Outcome,
  type RefusedRow,
} from '@kassa/imports';
import { z } from 'zod';
import type { Offer } from '../domain/pricing.ts';
import type { Shop } from '../store.ts';

/** Rows of inventory's feed that sales keeps. */
export interface FeedRows {
  products: Omit<Offer, 'unitMinor'>[];
  shops: Shop[];
}

export type ImportKind = 'prices' | 'registers';

/** A file as it arrives. */
export interface ImportFile {
  source: AsyncIterable<Uint8Array>;
  charset: string | undefined;
}

/** A file whose header is as it should be. Whoever opened it closes it. */
export interface OpenFile extends Pick<CsvFile<z.ZodObject>, 'digest' | 'close'> {
  /** Applies its rows, and keeps the refused ones with the import of this id. */
  importRows(id: string): Promise<ImportReport>;
}

export type Catalogue = ReturnType<typeof createCatalogue>;

const positionStatement: Statement = {
  name: 'catalogue_position',
  text: 'SELECT epoch, seq, as_of AS "asOf" FROM feed_position',
};

const productsCte = (
  param: string,
  condition: string,
) => `products_put AS (INSERT INTO products AS o (sku, gtin, name, item_group, is_serialised, is_active)
    SELECT n.* FROM jsonb_to_recordset(${param}::jsonb) AS n (sku text, gtin text, name text, "itemGroup" text, "isSerialised" boolean, "isActive" boolean)
    WHERE ${condition}
    ON CONFLICT (sku) DO UPDATE SET gtin = excluded.gtin, name = excluded.name, item_group = excluded.item_group, is_serialised = excluded.is_serialised,
      is_active = excluded.is_active RETURNING o.sku)`;

const shopsCte = (
  param: string,
  condition: string,
) => `shops_put AS (INSERT INTO shops AS o (id, gln, name, country, address, postal_code, city, time_zone, status, seller,
      seller_number)
    SELECT n.* FROM jsonb_to_recordset(${param}::jsonb) AS n (id text, gln text, name text, country text, address text, "postalCode" text, city text,
      "timeZone" text, status text, seller text, "sellerNumber" text)
    WHERE ${condition}
    ON CONFLICT (id) DO UPDATE SET gln = excluded.gln, name = excluded.name, country = excluded.country, address = excluded.address,
      postal_code = excluded.postal_code, city = excluded.city, time_zone = excluded.time_zone, status = excluded.status,
      seller = excluded.seller, seller_number = excluded.seller_number RETURNING o.id)`;

/** Writes the rows unless another process did, and moves the position. $1 epoch, $2 after, $3 through, $4 as of, $5 products, $6 shops. */
const applyStatement: Statement = {
  name: 'catalogue_apply',
  text: `WITH here AS (SELECT seq FROM feed_position WHERE epoch = $1 AND seq >= $2 FOR UPDATE),
    ${productsCte('$5', '(SELECT seq FROM here) < $3')},
    ${shopsCte('$6', '(SELECT seq FROM here) < $3')},
    moved AS (UPDATE feed_position SET seq = greatest(feed_position.seq, $3), as_of = greatest(as_of, $4) FROM here RETURNING 1)
    SELECT EXISTS (SELECT FROM here) AS "isStored"`,
};

const pricesStatement: Statement = {
  name: 'catalogue_import_prices',
  text: 'SELECT n, outcome, other_from AS "otherFrom", other_to AS "otherTo" FROM import_prices_v1($1)',
};

/** A register stays with its shop, since its receipt numbers do. */
const registersStatement: Statement = {
  name: 'catalogue_import_registers',
  text: `WITH incoming AS (SELECT * FROM jsonb_to_recordset($1::jsonb) AS i (n integer, id text, "shopId" text, name text, kind text, "terminalId" text)),
    put AS (INSERT INTO registers AS o (id, shop_id, name, kind, terminal_id) SELECT id, "shopId", name, kind, "terminalId" FROM incoming
      ON CONFLICT (id) DO UPDATE SET name = excluded.name, kind = excluded.kind, terminal_id = excluded.terminal_id
        WHERE o.shop_id = excluded.shop_id
          AND (o.name, o.kind, o.terminal_id) IS DISTINCT FROM (excluded.name, excluded.kind, excluded.terminal_id)
      RETURNING o.id)
    SELECT i.n, CASE WHEN EXISTS (SELECT FROM put WHERE put.id = i.id) THEN 'accepted' WHEN r.shop_id <> i."shopId" THEN 'moved' ELSE 'unchanged' END AS outcome,
      r.shop_id AS "otherShop"
    FROM incoming i LEFT JOIN registers r ON r.id = i.id`,
};

const beginImportStatement: Statement = {
  name: 'catalogue_begin_import',
  text: `WITH ${keyCte(1)},
    import AS (INSERT INTO imports (id, kind, lease_until) VALUES ($7, $8, now() + $9 * interval '1 millisecond') ON CONFLICT (id) DO NOTHING RETURNING id)
    SELECT ${keyExpected}, (SELECT id FROM import)`,
};

const takeImportStatement: Statement = {
  name: 'catalogue_take_import',
  text: `UPDATE imports SET lease_until = now() + $2 * interval '1 millisecond' WHERE id = $1 AND finished_at IS NULL AND lease_until < now() RETURNING id`,
};

const leaseImportStatement: Statement = {
  name: 'catalogue_lease_import',
  text: `UPDATE imports SET lease_until = now() + $2 * interval '1 millisecond' WHERE id = $1 AND finished_at IS NULL`,
};

const refuseRowsStatement: Statement = {
  name: 'catalogue_refuse_rows',
  text: `INSERT INTO import_refusals (import_id, row, "column", code, detail)
    SELECT $1, r.* FROM jsonb_to_recordset($2::jsonb) AS r (row integer, "column" text, code text, detail text)
    ON CONFLICT (import_id, row) DO UPDATE SET "column" = excluded."column", code = excluded.code, detail = excluded.detail`,
};

const endImportStatement: Statement = {
  name: 'catalogue_end_import',
  text: `WITH import AS (UPDATE imports SET rows = $5, accepted = $6, unchanged = $7, refused = $8, digest = $9, lease_until = NULL, finished_at = now()
      WHERE id = $4 RETURNING id),
    ${finishCte(1)} SELECT (SELECT id FROM import)`,
};

const digestStatement: Statement = { name: 'catalogue_digest', text: 'SELECT digest FROM imports WHERE id = $1' };

/** The catalogue a till sells from: our copies of inventory's products and shops, and the prices and registers the retailer imports. */
export function createCatalogue(db: Database, { leaseMs }: { leaseMs: number }) {
  async function openFile<Shape extends z.ZodObject>(
    { source, charset }: ImportFile,
    schema: Shape,
    { key, apply }: Required<Pick<CsvImport<Shape>, 'key' | 'apply'>>,
  ): Promise<OpenFile> {
    const { importRows, digest, close } = await openCsv(source, { charset, schema });
    return {
      digest,
      close,
      importRows(id) {
        let renewAtMs = Date.now() + leaseMs / 3;
        const renew = async () => {
          if (Date.now() < renewAtMs) return;
          renewAtMs = Date.now() + leaseMs / 3;
          await db.query(leaseImportStatement, [id, leaseMs]);
        };
        return importRows({
          key,
          apply: (rows) => renew().then(() => apply(rows)),
          refuse: async (rows: RefusedRow[]) => {
            await renew();
            await db.query(refuseRowsStatement, [id, JSON.stringify(rows)]);
          },
        });
      },
    };
  }

  return {
    async position(): Promise<(FeedPosition & { asOf: Date }) | undefined> {
      return (await db.query<FeedPosition & { asOf: Date }>(positionStatement, [])).rows[0];
    },

    /** See FollowOptions.replace of @kassa/feed. Tills go on reading the rows of before until all of the new ones are there. */
    replace(rows: AsyncIterable<FeedRows>, to: FeedPosition & { asOf: Date }, from: FeedPosition | undefined): Promise<Stored> {
      let isRead = false;
      return db.transaction(async (client) => {
        // A transaction that is repeated would find the rows gone by, and put nothing in their place.
        if (isRead) throw new Error('a snapshot can be read only once');
        isRead = true;
        await client.query('LOCK TABLE feed_position IN EXCLUSIVE MODE');
        const { rows: stored } = await client.query<FeedPosition>('SELECT epoch, seq FROM feed_position');
        if (stored[0]?.epoch !== from?.epoch || stored[0]?.seq !== from?.seq) return 'moved';
        await client.query('DELETE FROM products');
        await client.query('DELETE FROM shops');
        for await (const { products, shops } of rows) {
          const text = `WITH ${productsCte('$1', 'true')}, ${shopsCte('$2', 'true')} SELECT 1`;
          await client.query({ name: 'catalogue_replace', text, values: [JSON.stringify(products), JSON.stringify(shops)] });
        }
        await client.query('DELETE FROM feed_position');
        await client.query('INSERT INTO feed_position (epoch, seq, as_of) VALUES ($1, $2, $3)', [to.epoch, to.seq, to.asOf]);
        return 'stored';
      });
    },

    /** See FollowOptions.apply of @kassa/feed. */
    async apply({ epoch, afterSeq, throughSeq, asOf }: Omit<Batch, 'changes'>, { products, shops }: FeedRows): Promise<Stored> {
      const values = [epoch, afterSeq, throughSeq, asOf, JSON.stringify(products), JSON.stringify(shops)];
      const { rows } = await db.query<{ isStored: boolean }>(applyStatement, values);
      return rows[0]?.isStored === true ? 'stored' : 'moved';
    },

    /** Errors: validation-failed (the header), media-type-unsupported (the charset), malformed-request. */
    openFile(kind: ImportKind, file: ImportFile): Promise<OpenFile> {
      if (kind === 'registers')
        return openFile(file, registerRow, { key: (row) => row.register_id, apply: (rows) => applyRegisters(db, rows) });
      const key = ({ country: code, sku, valid_from }: PriceRow) => `${code} ${sku} ${valid_from}`;
      return openFile(file, priceRow, { key, apply: (rows) => applyPrices(db, rows) });
    },

    /** Notes that an import begins, claims its key, and holds it for this process. */
    async beginImport(id: string, kind: ImportKind, key: Key): Promise<void> {
      await db.query(beginImportStatement, [...claimValues(key, id), id, kind, leaseMs]);
    },

    /** True where an import that was begun and not ended is now ours: whoever read it has died. */
    async takeImport(id: string): Promise<boolean> {
      return (await db.query(takeImportStatement, [id, leaseMs])).rows.length > 0;
    },

    /** Lets go of an import that broke off, so that it may be sent again at once. */
    async dropImport(id: string): Promise<void> {
      await db.query(leaseImportStatement, [id, 0]);
    },

    async endImport(id: string, report: ImportReport, digest: string, key: Key, answer: Answer): Promise<void> {
      const { rows, accepted, unchanged, refused } = report;
      await db.query(endImportStatement, [...finishValues(key.scope, answer), id, rows, accepted, unchanged, refused, digest]);
    },

    /** True where the file with this digest is the one that was imported under this id. */
    async isSameFile(id: string, digest: string): Promise<boolean> {
      return (await db.query<{ digest: string | null }>(digestStatement, [id])).rows[0]?.digest === digest;
    },
  };
}

const day = z
  .string()
  .trim()
  .regex(/^\d{4}-\d{2}-\d{2}$/, 'is not a day such as 2026-03-01')
  .refine((value) => new Date(`${value}T00:00:00Z`).toJSON()?.startsWith(value) === true, 'is not a day of the calendar');

/** One row of prices.csv. */
const priceRow = z.object({
  country: text(2).refine(isCountryCode, 'is not a country Kassa sells in, such as dk'),
  sku: text(40),
  price_minor: integer(0, 1_000_000_000_000),
  currency: text(3),
  valid_from: day,
  valid_to: z
    .string()
    .trim()
    .transform((value) => (value === '' ? null : value))
    .pipe(day.nullable()),
});
type PriceRow = z.output<typeof priceRow>;

/** One row of registers.csv. */
const registerRow = z.object({
  register_id: text(40).pipe(z.string().regex(/^[a-z0-9-]+$/, 'is not an id such as dk-001-01')),
  shop_id: text(40).pipe(z.string().regex(/^[a-z0-9-]+$/, 'is not an id such as dk-001')),
  name: text(80),
  kind: text(10).pipe(z.enum(['desktop', 'mobile', 'web'], 'is not desktop, mobile or web')),
  terminal_id: z
    .string()
    .trim()
    .max(60, 'is longer than 60 characters')
    .transform((value) => (value === '' ? null : value)),
});
type RegisterRow = z.output<typeof registerRow>;

async function applyPrices(db: Database, rows: NumberedRow<PriceRow>[]): Promise<Outcome[]> {
  const outcomes = rows.map(({ value }) => priceFault(value));
  const sound = rows.flatMap(({ value }, n) => (outcomes[n] === undefined ? [{ n, ...value }] : []));
  const { rows: said } = await db.query<{ n: number; outcome: string; otherFrom: string; otherTo: string | null }>(
    pricesStatement,
    [JSON.stringify(sound)],
  );
  for (const { n, outcome, otherFrom, otherTo } of said) {
    const detail = `Its days overlap with the price valid from ${otherFrom} to ${otherTo ?? 'further notice'}; end that one first.`;
    outcomes[n] =
      outcome === 'overlap' ? { column: 'valid_from', code: 'price-overlap', detail } : (outcome as 'accepted' | 'unchanged');
  }
  return outcomes as Outcome[];
}

function priceFault({ country: code, currency, valid_from, valid_to }: PriceRow): Outcome | undefined {
  const expected = country(code).currency;
  if (currency !== expected)
    return { column: 'currency', code: 'currency-mismatch', detail: `Prices of ${code} are in ${expected}, not in ${currency}.` };
  if (valid_to !== null && valid_to <= valid_from) {
    return {
      column: 'valid_to',
      code: 'invalid-value',
      detail: `valid_to ${valid_to} is not after valid_from ${valid_from}; it is the first day without the price.`,
    };
  }
  return undefined;
}

async function applyRegisters(db: Database, rows: NumberedRow<RegisterRow>[]): Promise<Outcome[]> {
  const incoming = rows.map(({ value }, n) => ({
    n,
    id: value.register_id,
    shopId: value.shop_id,
    name: value.name,
    kind: value.kind,
    terminalId: value.terminal_id,
  }));
  // Tills move their counters meanwhile, several in one transaction; whoever stands in the other's way is repeated.
  const values = [JSON.stringify(incoming)];
  const { rows: said } = await db.transaction((client) =>
    client.query<{ n: number; outcome: string; otherShop: string }>({ ...registersStatement, values }),
  );
  const outcomes: Outcome[] = [];
  for (const { n, outcome, otherShop } of said) {
    const detail = `The register belongs to ${otherShop}, where its receipt numbers are; give the new place a register of its own.`;
    outcomes[n] =
      outcome === 'moved' ? { column: 'shop_id', code: 'register-moved', detail } : (outcome as 'accepted' | 'unchanged');
  }
  return outcomes;
}

/** Follows products and shops into our own copies until the signal is raised. */
export function followCatalogue(
  client: GrpcClient<typeof inventoryDefinition>,
  catalogue: Catalogue,
  onState: (state: FeedState) => void,
  signal: AbortSignal,
): Promise<void> {
  return followFeed({
    client,
    topics: [Topic.PRODUCT, Topic.SHOP],
    load: () => catalogue.position(),
    replace: (rows, to, from) => catalogue.replace(snapshotRows(rows), to, from),
    apply: ({ changes, ...batch }) => catalogue.apply(batch, lastStates(changes)),
    onState,
    signal,
  });
}

async function* snapshotRows(messages: AsyncIterable<Rows>): AsyncGenerator<FeedRows> {
  for await (const { products, shops } of messages) yield { products: products.map(toProduct), shops: shops.map(toShop) };
}

/** The rows a batch changes, each once, as its last change left it. */
function lastStates(changes: Change[]): FeedRows {
  const products = new Map<string, FeedRows['products'][number]>();
  const shops = new Map<string, FeedRows['shops'][number]>();
  for (const { entity } of changes) {
    if (entity.case === 'product') products.set(entity.value.sku, toProduct(entity.value));
    if (entity.case === 'shop') shops.set(entity.value.id, toShop(entity.value));
  }
  return { products: [...products.values()], shops: [...shops.values()] };
}

function toProduct({ sku, gtin, name, itemGroup, isSerialised, isActive }: Product): FeedRows['products'][number] {
  return { sku, gtin, name, itemGroup, isSerialised, isActive };
}

function toShop({
  id,
  gln,
  name,
  country,
  address,
  postalCode,
  city,
  timeZone,
  status,
  seller,
  sellerNumber,
}: FeedShop): FeedRows['shops'][number] {
  return { id, gln, name, country, address, postalCode, city, timeZone, status, seller, sellerNumber };
}
