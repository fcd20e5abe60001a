import { byDistance, type Away, type Place } from './distance.ts';
import { isGtinShaped, toGtin14, type Gtin14 } from './gtin.ts';
import { noShelves, peekShelf, setStock, type Shelf, type Shelves } from './shelf.ts';

/** Every row carries the sequence of the change that made it what it is. */
export interface Product {
  sku: string;
  gtin: string;
  name: string;
  itemGroup: string;
  isSerialised: boolean;
  isActive: boolean;
  seq: number;
}

export type ShopStatus = 'open' | 'temporarily-closed' | 'closed';

export interface Shop extends Place {
  id: string;
  gln: string;
  name: string;
  /** ISO 3166-1 alpha-2, lower case. */
  country: string;
  address: string;
  postalCode: string;
  city: string;
  /** IANA name. */
  timeZone: string;
  status: ShopStatus;
  seq: number;
}

export interface Level {
  shopId: string;
  sku: string;
  onHand: number;
  reserved: number;
  seq: number;
}

/** New states of rows; a row stands in it once. */
export interface Rows {
  products: Product[];
  shops: Shop[];
  levels: Level[];
}

/**
 * The copy in memory, whole at one sequence: all products and shops, and the shelves that were asked for. What it does not
 * hold is in the database. It is only ever changed in one go, so whoever reads it without pausing reads one state.
 */
export interface ReadModel {
  epoch: string;
  seq: number;
  products: Map<string, Product>;
  byGtin: Map<Gtin14, Product>;
  shops: Map<string, Shop>;
  /** The last change that touched any shop. */
  shopsSeq: number;
  shelves: Shelves;
  /** Where a shop's counts stand on every shelf; given once and kept, also for a shop whose row has not come yet. */
  shopNumbers: Map<string, number>;
  /** Computed when first asked for, forgotten when a shop changes: the other shops by distance. */
  nearest: Map<string, Away<Shop>[]>;
}

/** A model of these rows, without a shelf. `products` come in the order of their seq. */
export function buildReadModel(at: { epoch: string; seq: number }, rows: Omit<Rows, 'levels'>, shelvesMax: number): ReadModel {
  const model: ReadModel = {
    epoch: at.epoch,
    seq: at.seq,
    products: new Map(),
    byGtin: new Map(),
    shops: new Map(),
    shopsSeq: 0,
    shelves: noShelves(shelvesMax),
    shopNumbers: new Map(),
    nearest: new Map(),
  };
  changeRows(model, { ...rows, levels: [] });
  return model;
}

/** Brings the model to `throughSeq`. Rows it has already seen, by their seq, change nothing. */
export function applyRows(model: ReadModel, rows: Rows, throughSeq: number): void {
  if (throughSeq <= model.seq) return;
  const isNews = (row: { seq: number }) => row.seq > model.seq;
  changeRows(model, {
    products: rows.products.filter(isNews),
    shops: rows.shops.filter(isNews),
    levels: rows.levels.filter(isNews),
  });
  model.seq = throughSeq;
}

function changeRows(model: ReadModel, { products, shops, levels }: Rows): void {
  for (const product of products) changeProduct(model, product);
  for (const shop of shops) {
    model.shops.set(shop.id, shop);
    model.shopsSeq = Math.max(model.shopsSeq, shop.seq);
  }
  for (const level of levels) {
    const shelf = peekShelf(model.shelves, level.sku);
    if (shelf) putLevel(model, shelf, level);
  }
  if (shops.length > 0) model.nearest.clear();
}

function changeProduct(model: ReadModel, product: Product): void {
  const before = model.products.get(product.sku);
  // Its old GTIN may have gone to another product meanwhile; that one keeps it.
  if (before && model.byGtin.get(toGtin14(before.gtin)) === before) model.byGtin.delete(toGtin14(before.gtin));
  model.products.set(product.sku, product);
  if (isGtinShaped(product.gtin)) model.byGtin.set(toGtin14(product.gtin), product);
}

/** Puts a level on the shelf of its product. */
export function putLevel(model: ReadModel, shelf: Shelf, level: Level): void {
  setStock(shelf, shopNumber(model, level.shopId), level, level.seq);
}

/** A shop's number on the shelves of this model. */
export function shopNumber(model: ReadModel, shopId: string): number {
  const known = model.shopNumbers.get(shopId);
  if (known !== undefined) return known;
  const next = model.shopNumbers.size;
  model.shopNumbers.set(shopId, next);
  return next;
}

/** Shops that sell or will sell again, nearest first; without the one that asks. A closed shop is not offered. */
export function nearestTo(model: ReadModel, from: Shop | Place): Away<Shop>[] {
  if (!('id' in from)) return byDistance(from, offered(model));
  const known = model.nearest.get(from.id);
  if (known) return known;
  const others = byDistance(
    from,
    offered(model).filter((shop) => shop.id !== from.id),
  );
  model.nearest.set(from.id, others);
  return others;
}

function offered(model: ReadModel): Shop[] {
  return [...model.shops.values()].filter((shop) => shop.status !== 'closed');
}
