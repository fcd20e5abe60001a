import type { Stock } from './availability.ts';

/** The stock of one product in every shop: pairs of on hand and reserved, by the shop's number in the read model. */
export interface Shelf {
  counts: Int32Array;
  /** The last change that touched any of them. */
  seq: number;
}

export function emptyShelf(): Shelf {
  return { counts: new Int32Array(0), seq: 0 };
}

/** A shop that never had the product has none of it. */
export function stockOn(shelf: Shelf, shopNumber: number): Stock {
  return { onHand: shelf.counts[shopNumber * 2] ?? 0, reserved: shelf.counts[shopNumber * 2 + 1] ?? 0 };
}

export function setStock(shelf: Shelf, shopNumber: number, { onHand, reserved }: Stock, seq: number): void {
  const needed = (shopNumber + 1) * 2;
  if (shelf.counts.length < needed) {
    const grown = new Int32Array(needed);
    grown.set(shelf.counts);
    shelf.counts = grown;
  }
  shelf.counts[shopNumber * 2] = onHand;
  shelf.counts[shopNumber * 2 + 1] = reserved;
  shelf.seq = Math.max(shelf.seq, seq);
}

/** Shelves of the products asked for lately: at most `max`, at least the last half of that but one. */
export interface Shelves {
  max: number;
  recent: Map<string, Shelf>;
  older: Map<string, Shelf>;
}

export function noShelves(max: number): Shelves {
  return { max, recent: new Map(), older: new Map() };
}

/** The shelf of a product that is asked for. */
export function takeShelf(shelves: Shelves, sku: string): Shelf | undefined {
  const recent = shelves.recent.get(sku);
  if (recent) return recent;
  const older = shelves.older.get(sku);
  if (older) putShelf(shelves, sku, older);
  return older;
}

/** The shelf of a product, without counting as asked for. */
export function peekShelf(shelves: Shelves, sku: string): Shelf | undefined {
  return shelves.recent.get(sku) ?? shelves.older.get(sku);
}

/**
 * Keeps a shelf. When the recent ones are half of what may be kept they become the older ones, and what was older is forgotten:
 * nearly what a list by last use would keep, without moving anything at each use.
 */
export function putShelf(shelves: Shelves, sku: string, shelf: Shelf): void {
  shelves.recent.set(sku, shelf);
  if (shelves.recent.size < shelves.max / 2) return;
  shelves.older = shelves.recent;
  shelves.recent = new Map();
}
