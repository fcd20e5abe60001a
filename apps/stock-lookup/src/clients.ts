import { inventoryDefinition, type Change, type Level, type Product, type Shop } from '@kassa/contracts/inventory';
import { followFeed, type FeedState, type Rows as FeedRows } from '@kassa/feed';
import { createClient, type GrpcClientOptions } from '@kassa/grpc';
import type * as model from './domain/read-model.ts';
import type { Store } from './store.ts';

/** Inventory as stock-lookup sees it: a feed that fills the store. */
export interface Inventory {
  /** Follows until the signal is raised; resolves when the write under way has ended. */
  follow(store: Store, onState: (state: FeedState) => void, signal: AbortSignal): Promise<void>;
  close(): void;
}

export function createInventory(options: Omit<GrpcClientOptions, 'deadlineMs'>): Inventory {
  const { client, close } = createClient(inventoryDefinition, { ...options, deadlineMs: 5_000 });
  return {
    follow: (store, onState, signal) =>
      followFeed({
        client,
        topics: [],
        load: () => store.load(),
        replace: (rows, to, from) => store.replace(snapshotRows(rows, to.seq), to, from),
        apply: ({ changes, ...batch }) => store.apply(batch, lastStates(changes)),
        onState,
        signal,
      }),
    close,
  };
}

async function* snapshotRows(messages: AsyncIterable<FeedRows>, seq: number): AsyncGenerator<model.Rows> {
  for await (const { products, shops, levels } of messages) {
    yield {
      products: products.map((product) => toProduct(product, seq)),
      shops: shops.map((shop) => toShop(shop, seq)),
      levels: levels.map((level) => toLevel(level, seq)),
    };
  }
}

/** The rows a batch changes, each once, as its last change left it. */
function lastStates(changes: Change[]): model.Rows {
  const products = new Map<string, model.Product>();
  const shops = new Map<string, model.Shop>();
  const levels = new Map<string, model.Level>();
  for (const { seq, entity } of changes) {
    if (entity.case === 'product') products.set(entity.value.sku, toProduct(entity.value, Number(seq)));
    if (entity.case === 'shop') shops.set(entity.value.id, toShop(entity.value, Number(seq)));
    if (entity.case === 'level') levels.set(`${entity.value.shopId} ${entity.value.sku}`, toLevel(entity.value, Number(seq)));
  }
  return { products: bySeq(products), shops: bySeq(shops), levels: bySeq(levels) };
}

/** A GTIN may go from one product to another within a batch: the later change must come later. */
function bySeq<Row extends { seq: number }>(rows: Map<string, Row>): Row[] {
  return [...rows.values()].sort((a, b) => a.seq - b.seq);
}

function toProduct({ sku, gtin, name, itemGroup, isSerialised, isActive }: Product, seq: number): model.Product {
  return { sku, gtin, name, itemGroup, isSerialised, isActive, seq };
}

function toShop(shop: Shop, seq: number): model.Shop {
  const { id, gln, name, country, address, postalCode, city, latitude, longitude, timeZone } = shop;
  return { id, gln, name, country, address, postalCode, city, latitude, longitude, timeZone, status: toStatus(shop.status), seq };
}

/** A status of a newer inventory is taken as closed: better a shop too few offered than one too many. */
function toStatus(status: string): model.ShopStatus {
  return status === 'open' || status === 'temporarily-closed' ? status : 'closed';
}

function toLevel({ shopId, sku, onHand, reserved }: Level, seq: number): model.Level {
  return { shopId, sku, onHand, reserved, seq };
}
