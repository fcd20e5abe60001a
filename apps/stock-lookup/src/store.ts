import type { PoolClient } from 'pg';
import type { Database } from '@kassa/database';
import type { FeedPosition, Stored } from '@kassa/feed';
import { KassaError } from '@kassa/problem';
import {
  applyRows,
  buildReadModel,
  shopNumber,
  type Level,
  type Product,
  type ReadModel,
  type Rows,
  type Shop,
} from './domain/read-model.ts';
import { searchText } from './domain/search.ts';
import { emptyShelf, putShelf, setStock, takeShelf, type Shelf } from './domain/shelf.ts';

export type StoredPosition = FeedPosition & { asOf: Date };

/** One state of the read model: shops and products of `model`, and the shelves that were asked for, all at `seq`. */
export interface View {
  epoch: string;
  seq: number;
  model: ReadModel;
  find(sku: string): { product: Product; shelf: Shelf } | undefined;
}

export interface SearchPage {
  epoch: string;
  seq: number;
  products: (Product & { searchText: string })[];
}

export interface Store {
  /** The copy in memory. Error: unavailable before the first snapshot. */
  model(): ReadModel;
  isFilled(): boolean;
  /**
   * Hands the products and their shelves to `use`, which must not pause: then all it sees is one state. From memory where all the
   * shelves are there, else by one statement. Error: unavailable.
   */
  read<T>(skus: string[], use: (view: View) => T): Promise<T>;
  /** Products whose name, SKU or GTIN hold every word (folded), in order of searchText, at most `limit` after `after`. */
  search(words: string[], after: string | undefined, limit: number): Promise<SearchPage>;
  /** Where the tables stand; the copy in memory is brought there as well. Undefined before the first snapshot. */
  load(): Promise<StoredPosition | undefined>;
  /** Puts a snapshot in the place of all rows, provided that the position still is `from`. See FollowOptions of @kassa/feed. */
  replace(rows: AsyncIterable<Rows>, to: StoredPosition, from: FeedPosition | undefined): Promise<Stored>;
  /** Stores what the tables have not got of a batch. A row stands once in `rows`, with its last state. */
  apply(batch: { epoch: string; afterSeq: number; throughSeq: number; asOf: Date }, rows: Rows): Promise<Stored>;
}

/** `shelvesMax`: products whose stock is kept in memory; the others are read from the database each time. */
export function createStore(db: Database, shelvesMax: number): Store {
  let model: ReadModel | undefined;
  // Whoever changes the copy in memory together with the tables does it in turn, so that neither overtakes the other.
  let turn: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const mine = turn.then(work);
    turn = mine.catch(() => undefined);
    return mine;
  };

  const reload = async (): Promise<StoredPosition | undefined> => {
    const { rows } = await db.query<PositionRow>(selectPosition, []);
    const position = toPosition(rows[0]);
    if (position && model?.epoch === position.epoch && model.seq === position.seq) return position;
    const loaded = await db.transaction(readAll);
    model = loaded && buildReadModel(loaded.position, loaded, shelvesMax);
    return loaded?.position;
  };

  const filled = (): ReadModel => {
    if (!model) throw notFilled();
    return model;
  };

  return {
    model: filled,
    isFilled: () => model !== undefined,

    async read(skus, use) {
      const fromMemory = viewOfMemory(filled(), skus);
      if (fromMemory) return use(fromMemory);
      const { rows } = await db.query<ShelfRow>(selectShelves, [skus]);
      return use(viewOfRows(filled(), rows) ?? (await db.transaction((client) => readBeside(client, skus))));
    },

    async search(words, after, limit) {
      const patterns = words.map((word) => `%${word.replace(/[\\%_]/g, '\\$&')}%`);
      const { rows } = await db.query<SearchRow>(selectProducts, [patterns, after ?? '', limit]);
      const position = toPosition(rows[0]);
      if (!position) throw notFilled();
      const products = rows.filter((row) => row.sku !== null).map((row) => ({ ...toProduct(row), searchText: row.search_text }));
      return { epoch: position.epoch, seq: position.seq, products };
    },

    load: () => inTurn(reload),

    async replace(rows, to, from) {
      const stored = await replaceAll(db, rows, to, from);
      if (stored === 'stored') await inTurn(reload);
      return stored;
    },

    apply: (batch, rows) =>
      inTurn(async () => {
        const { rows: answer } = await db.query<{ stored: boolean }>(applyFeed, applyValues(batch, rows));
        // The copy in memory stands elsewhere only when another replica took a snapshot just before: load() finds out.
        if (answer[0]?.stored !== true || model?.epoch !== batch.epoch || model.seq < batch.afterSeq) return 'moved';
        applyRows(model, rows, batch.throughSeq);
        return 'stored';
      }),
  };
}

function notFilled(): KassaError {
  return new KassaError('unavailable', { detail: 'Nothing has been read from inventory yet.', retryAfterSeconds: 2 });
}

/** The view that memory gives, or undefined where a shelf is missing. */
function viewOfMemory(model: ReadModel, skus: string[]): View | undefined {
  const shelves = new Map<string, Shelf>();
  for (const sku of skus) {
    const shelf = takeShelf(model.shelves, sku);
    if (shelf) shelves.set(sku, shelf);
    else if (model.products.has(sku)) return undefined;
  }
  const find = (sku: string) => {
    const [product, shelf] = [model.products.get(sku), shelves.get(sku)];
    return product && shelf && { product, shelf };
  };
  return { epoch: model.epoch, seq: model.seq, model, find };
}

/**
 * The view that the statement gives. It may be ahead of memory, which is brought up after the commit, or behind; that does
 * no harm as long as both have the same shops. Only shelves of memory's own state are kept there.
 */
function viewOfRows(model: ReadModel, rows: ShelfRow[]): View | undefined {
  const position = toPosition(rows[0]);
  if (position?.epoch !== model.epoch || (rows[0]?.shops_seq ?? 0) !== model.shopsSeq) return undefined;
  const shelves = rows.filter((row) => row.sku !== null).map((row) => ({ product: toProduct(row), shelf: toShelf(model, row) }));
  const found = new Map(shelves.map((one) => [one.product.sku, one]));
  if (position.seq === model.seq) for (const [sku, { shelf }] of found) putShelf(model.shelves, sku, shelf);
  return { epoch: position.epoch, seq: position.seq, model, find: (sku) => found.get(sku) };
}

/**
 * The view of the tables alone. It is needed while another replica has stored a change of a shop, or a snapshot, that this
 * one's memory has not got yet.
 */
async function readBeside(client: PoolClient, skus: string[]): Promise<View> {
  await client.query('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY');
  const { rows: shops } = await client.query<ShopRow>(selectShops);
  const { rows } = await client.query<ShelfRow>(selectShelves.text, [skus]);
  const position = toPosition(rows[0]);
  const view = position && viewOfRows(buildReadModel(position, { products: [], shops: shops.map(toShop) }, 0), rows);
  if (!view) throw notFilled();
  return view;
}

function toShelf(model: ReadModel, row: ShelfRow): Shelf {
  const shelf = emptyShelf();
  const { shop_ids: shopIds, on_hand: onHand, reserved, levels_seq: seq } = row;
  shopIds?.forEach((shopId, n) => {
    setStock(shelf, shopNumber(model, shopId), { onHand: onHand?.[n] ?? 0, reserved: reserved?.[n] ?? 0 }, seq ?? 0);
  });
  return shelf;
}

/** Everything but the levels, at one moment. */
async function readAll(
  client: PoolClient,
): Promise<{ position: StoredPosition; products: Product[]; shops: Shop[] } | undefined> {
  await client.query('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY');
  const position = toPosition((await client.query<PositionRow>(selectPosition)).rows[0]);
  if (!position) return undefined;
  const products = await client.query<ProductRow>(selectAllProducts);
  const shops = await client.query<ShopRow>(selectShops);
  return { position, products: products.rows.map(toProduct), shops: shops.rows.map(toShop) };
}

/**
 * The rows are gathered beside the tables first, so that nobody waits for inventory: the position is locked only to swap them.
 * Readers see the old rows until the commit and the new ones after it.
 */
async function replaceAll(
  db: Database,
  rows: AsyncIterable<Rows>,
  to: StoredPosition,
  from: FeedPosition | undefined,
): Promise<Stored> {
  let isRead = false;
  return db.transaction(async (client) => {
    if (isRead) throw new Error('a snapshot can be read only once');
    isRead = true;
    for (const table of tables)
      await client.query(`CREATE TEMPORARY TABLE new_${table} (LIKE ${table} INCLUDING DEFAULTS) ON COMMIT DROP`);
    for await (const { products, shops, levels } of rows) {
      if (products.length > 0) await client.query(insertInto('products'), [JSON.stringify(products.map(fromProduct))]);
      if (shops.length > 0) await client.query(insertInto('shops'), [JSON.stringify(shops.map(fromShop))]);
      if (levels.length > 0) await client.query(insertLevels, levelColumns(levels));
    }
    await client.query('SET LOCAL statement_timeout = 0');
    const here = toPosition((await client.query<PositionRow>(`${selectPosition.text} FOR UPDATE`)).rows[0]);
    if (here?.epoch !== from?.epoch || here?.seq !== from?.seq) return 'moved';
    for (const table of tables) {
      await client.query(`DELETE FROM ${table}`);
      await client.query(`INSERT INTO ${table} SELECT * FROM new_${table}`);
    }
    await client.query('UPDATE feed_position SET epoch = $1, seq = $2, as_of = $3', [to.epoch, to.seq, to.asOf]);
    return 'stored';
  });
}

const tables = ['products', 'shops', 'levels'] as const;
const columns = {
  products: 'sku, gtin, name, item_group, is_serialised, is_active, search_text, seq',
  shops: 'id, gln, name, country, address, postal_code, city, latitude, longitude, time_zone, status, seq',
};
const insertInto = (table: 'products' | 'shops') =>
  `INSERT INTO new_${table} (${columns[table]}) SELECT ${columns[table]} FROM jsonb_populate_recordset(NULL::${table}, $1)`;
const insertLevels = `INSERT INTO new_levels (sku, shop_id, on_hand, reserved, seq)
  SELECT * FROM unnest($1::text[], $2::text[], $3::integer[], $4::integer[], $5::bigint[])`;

const selectAllProducts = 'SELECT sku, gtin, name, item_group, is_serialised, is_active, seq FROM products ORDER BY seq';
const selectShops = `SELECT ${columns.shops} FROM shops`;
const selectPosition = { name: 'select_position_v1', text: 'SELECT epoch, seq, as_of FROM feed_position' };
const applyFeed = { name: 'apply_feed_v1', text: 'SELECT apply_feed_v1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) AS stored' };
const selectShelves = {
  name: 'select_shelves_v1',
  text: `SELECT f.epoch, f.seq, f.as_of, (SELECT max(seq) FROM shops) AS shops_seq,
      p.sku, p.gtin, p.name, p.item_group, p.is_serialised, p.is_active, p.seq AS product_seq,
      l.shop_ids, l.on_hand, l.reserved, l.levels_seq
    FROM feed_position f
    LEFT JOIN products p ON p.sku = ANY($1)
    LEFT JOIN LATERAL (
      SELECT array_agg(shop_id) AS shop_ids, array_agg(on_hand) AS on_hand, array_agg(reserved) AS reserved,
        max(seq) AS levels_seq
      FROM levels WHERE levels.sku = p.sku
    ) l ON true`,
};
const selectProducts = {
  name: 'select_products_v1',
  text: `SELECT f.epoch, f.seq, f.as_of, p.*
    FROM feed_position f
    LEFT JOIN LATERAL (
      SELECT sku, gtin, name, item_group, is_serialised, is_active, search_text, seq AS product_seq FROM products
      WHERE search_text LIKE ALL ($1::text[]) AND search_text > $2 ORDER BY search_text LIMIT $3
    ) p ON true
    ORDER BY p.search_text`,
};

interface PositionRow {
  epoch: string | null;
  seq: number;
  as_of: Date | null;
}
interface ProductRow {
  sku: string;
  gtin: string;
  name: string;
  item_group: string;
  is_serialised: boolean;
  is_active: boolean;
  seq: number;
}
type ProductBeside = Omit<ProductRow, 'seq'> & { product_seq: number };
type SearchRow = PositionRow & ProductBeside & { search_text: string };
type ShelfRow = PositionRow &
  ProductBeside & {
    shops_seq: number | null;
    shop_ids: string[] | null;
    on_hand: number[] | null;
    reserved: number[] | null;
    levels_seq: number | null;
  };
type ShopRow = Omit<Shop, 'postalCode' | 'timeZone'> & { postal_code: string; time_zone: string };

function toPosition(row: PositionRow | undefined): StoredPosition | undefined {
  return row?.epoch && row.as_of ? { epoch: row.epoch, seq: row.seq, asOf: row.as_of } : undefined;
}

function toProduct(row: ProductRow | ProductBeside): Product {
  const { sku, gtin, name } = row;
  const seq = 'product_seq' in row ? row.product_seq : row.seq;
  return { sku, gtin, name, itemGroup: row.item_group, isSerialised: row.is_serialised, isActive: row.is_active, seq };
}

function fromProduct({ sku, gtin, name, itemGroup, isSerialised, isActive, seq }: Product): object {
  const search_text = searchText({ sku, gtin, name });
  return { sku, gtin, name, item_group: itemGroup, is_serialised: isSerialised, is_active: isActive, search_text, seq };
}

function toShop({ postal_code: postalCode, time_zone: timeZone, ...row }: ShopRow): Shop {
  return { ...row, postalCode, timeZone };
}

function fromShop({ postalCode, timeZone, ...shop }: Shop): object {
  return { ...shop, postal_code: postalCode, time_zone: timeZone };
}

function levelColumns(levels: Level[]): unknown[] {
  const column = <Name extends keyof Level>(name: Name) => levels.map((level) => level[name]);
  return [column('sku'), column('shopId'), column('onHand'), column('reserved'), column('seq')];
}

function applyValues(batch: { epoch: string; afterSeq: number; throughSeq: number; asOf: Date }, rows: Rows): unknown[] {
  const products = JSON.stringify(rows.products.map(fromProduct));
  const shops = JSON.stringify(rows.shops.map(fromShop));
  return [batch.epoch, batch.afterSeq, batch.throughSeq, batch.asOf, products, shops, ...levelColumns(rows.levels)];
}
