import type { Caller, Role } from '@kassa/auth';
import { decodeCursor, toPage, type Answer, type HttpServer } from '@kassa/http';
import type { Key } from '@kassa/idempotency';
import { KassaError } from '@kassa/problem';
import { z } from 'zod';
import { parseDistanceM, parsePlace } from './domain/distance.ts';
import * as schemas from './http-schemas.ts';
import { batchAvailability } from './operations/batch-availability.ts';
import { findProducts } from './operations/find-products.ts';
import { findShops, type From } from './operations/find-shops.ts';
import { getAvailability, type ShopAvailability } from './operations/get-availability.ts';
import { getFreshness, type Deps, type Stamp } from './operations/get-freshness.ts';

const readers = ['cashier', 'supervisor', 'stock-clerk', 'web-shop'] as const;

/** Stock may be seen by everyone who sells, of any shop: that is what a lookup is for. */
export function routes(server: HttpServer<Caller, Key, Role>, deps: Deps): void {
  server.route({
    method: 'GET',
    url: '/v1/availability/:item',
    summary: 'Stock of an item here and nearby',
    description: 'Asks from `shop`, from `near`, or from the shop of the token. All numbers are of one sequence.',
    tags: ['availability'],
    roles: readers,
    params: schemas.AvailabilityPath,
    query: schemas.AvailabilityQuery,
    responses: { 200: schemas.Availability, 304: z.undefined() },
    errors: ['gtin-check-digit', 'not-found'],
    handler: async ({ params, query, caller }) => {
      const from = origin(query, caller);
      const { item } = params;
      const onlyInStock = query.inStock === 'true';
      const found = await getAvailability(deps, { item, from, nearby: query.nearby, radiusM: radiusM(query), onlyInStock });
      const { product, here, nearby } = found;
      return ok(found, tagged(found.version, from), {
        ...product,
        here: here ? wireStock(here) : null,
        nearby: nearby.map(wireStock),
      });
    },
  });
  server.route({
    method: 'POST',
    url: '/v1/availability::batch',
    summary: 'Stock of up to 200 items in one shop',
    description:
      'Reads only: no Idempotency-Key is needed. Items that are not found are listed in `misses`; the others are answered.',
    tags: ['availability'],
    roles: readers,
    isRead: true,
    body: schemas.Batch,
    responses: { 200: schemas.BatchAvailability },
    errors: ['not-found'],
    handler: async ({ body, caller }) => {
      const found = await batchAvailability(deps, { items: body.items, shopId: shopOf(body.shop, caller, '/shop') });
      const items = found.items.map(({ item, product, here }) => ({ item, ...product, here: wireStock(here) }));
      return ok(found, undefined, { items, misses: found.misses });
    },
  });
  server.route({
    method: 'GET',
    url: '/v1/products',
    summary: 'Search products by words, SKU or GTIN',
    tags: ['products'],
    roles: readers,
    query: schemas.ProductsQuery,
    responses: { 200: schemas.Products, 304: z.undefined() },
    errors: ['cursor-invalid'],
    handler: async ({ query: { q, limit, cursor } }) => {
      const found = await findProducts(deps, { text: q, after: decodeCursor(cursor, z.string()), limit });
      return ok(
        found,
        String(found.seq),
        toPage(found.products, limit, ({ searchText }) => searchText),
      );
    },
  });
  server.route({
    method: 'GET',
    url: '/v1/shops/nearby',
    summary: 'Shops around a shop or a place, nearest first',
    tags: ['shops'],
    roles: readers,
    query: schemas.ShopsQuery,
    responses: { 200: schemas.Shops, 304: z.undefined() },
    errors: ['not-found'],
    handler: async ({ query, caller }) => {
      const from = origin(query, caller);
      const found = findShops(deps, { from, radiusM: radiusM(query), limit: query.limit });
      const items = found.shops.map(({ thing: { id: shopId, ...shop }, distanceM }) => ({ shopId, ...shop, distanceM }));
      return ok(found, tagged(found.version, from), { items });
    },
  });
  server.route({
    method: 'GET',
    url: '/v1/freshness',
    summary: 'How fresh the answers of this process are',
    tags: ['operations'],
    roles: [...readers, 'operator'],
    responses: { 200: schemas.Freshness },
    handler: async () => {
      const { connection, ...found } = getFreshness(deps);
      return ok(found, undefined, { connection });
    },
  });
}

/** Where the question is asked from. Error: validation-failed where neither the query nor the token says. */
function origin(query: { shop?: string | undefined; near?: string | undefined }, caller: Caller): From {
  const near = query.near === undefined ? undefined : parsePlace(query.near);
  return near ? { near } : { shopId: shopOf(query.shop, caller, '/query/shop') };
}

function shopOf(named: string | undefined, caller: Caller, pointer: string): string {
  const shopId = named ?? caller.shopId;
  if (shopId !== undefined) return shopId;
  throw new KassaError('validation-failed', {
    detail: 'Say from which shop: the token stands in none.',
    errors: [{ pointer, detail: 'is missing' }],
  });
}

function radiusM({ radius }: { radius?: string | undefined }): number | undefined {
  return radius === undefined ? undefined : parseDistanceM(radius);
}

function wireStock({ shop, distanceM, onHand, reserved, availableToPromise }: ShopAvailability) {
  const { id: shopId, name, country, city, status } = shop;
  return { shopId, name, country, city, status, distanceM, onHand, reserved, availableToPromise };
}

/** What an answer stands for: of one address it is another in each shop, where the token says from which one is asked. */
function tagged(version: number, from: From): string {
  return 'shopId' in from ? `${version}.${from.shopId}` : String(version);
}

/**
 * An answer with its age. The tag is weak (RFC 9110 §8.8.1): what it stands for is the same, while asOf and seq move on with
 * every heartbeat. They are told in headers too, so that a 304 says how fresh it is; a degraded answer has another tag.
 */
function ok({ epoch, seq, asOf, stalenessMs, degraded, formulaVersion }: Stamp, tag: string | undefined, body: object): Answer {
  const told = { asOf: textOf(asOf), epoch, seq, stalenessMs, degraded, formulaVersion };
  return {
    status: 200,
    body: { ...body, ...told },
    headers: {
      age: String(Math.floor(stalenessMs / 1_000)),
      'cache-control': 'private, no-cache',
      'x-kassa-as-of': told.asOf,
      'x-kassa-seq': String(seq),
      'x-kassa-degraded': String(degraded),
      ...(tag === undefined ? {} : { etag: `W/"${epoch}.${tag}${degraded ? '.degraded' : ''}"` }),
    },
  };
}

let lastTold = { at: new Date(0), text: '' };

/** An instant as the API writes it. The same one is told until the feed is heard again. */
function textOf(at: Date): string {
  if (at !== lastTold.at) lastTold = { at, text: at.toISOString() };
  return lastTold.text;
}
