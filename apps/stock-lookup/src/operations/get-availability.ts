import { KassaError } from '@kassa/problem';
import { availability, type Availability } from '../domain/availability.ts';
import type { Away } from '../domain/distance.ts';
import { seekItem } from '../domain/item.ts';
import type { Product, ReadModel, Shop } from '../domain/read-model.ts';
import { stockOn, type Shelf } from '../domain/shelf.ts';
import { versionOf } from '../domain/version.ts';
import { around, placeOf, type From } from './find-shops.ts';
import { stamp, type Deps, type Stamp } from './get-freshness.ts';

export interface AvailabilityQuery {
  /** GTIN-8, -12, -13, -14 or SKU. */
  item: string;
  from: From;
  /** How many shops nearby are listed at most. */
  nearby: number;
  radiusM?: number | undefined;
  /** Lists only shops nearby that can promise a unit. */
  onlyInStock?: boolean;
}

export interface ShopAvailability extends Availability {
  shop: Shop;
  distanceM: number;
}

export interface ItemAvailability extends Stamp {
  version: number;
  product: Product;
  /** Absent where the place is no shop. */
  here: ShopAvailability | undefined;
  nearby: ShopAvailability[];
}

/**
 * Stock of an item in a shop and in the shops nearby, all at one sequence. A closed shop is not listed nearby; one that is
 * closed for a time is, and says so. Errors: not-found (item or shop), gtin-check-digit, unavailable before the first snapshot.
 */
export async function getAvailability(deps: Deps, query: AvailabilityQuery): Promise<ItemAvailability> {
  const { sku } = seek(deps, query.item);
  const heard = deps.feed();
  return deps.store.read([sku], (view) => {
    const found = view.find(sku);
    if (!found) throw unknownItem(query.item);
    const place = placeOf(view.model, query.from);
    const here = 'id' in place ? { shop: place, distanceM: 0, ...stockIn(view.model, found.shelf, place) } : undefined;
    const nearby = query.nearby === 0 ? [] : listNearby(view.model, found.shelf, around(view.model, place, query.radiusM), query);
    const version = versionOf(view.model, [found]);
    return { ...stamp(deps, view, heard), version, product: found.product, here, nearby };
  });
}

function seek(deps: Deps, item: string): Product {
  const sought = seekItem(deps.store.model(), item);
  if ('product' in sought) {
    deps.events.lookedUp('found');
    return sought.product;
  }
  deps.events.lookedUp(sought.refusal);
  if (sought.refusal === 'unknown-item') throw unknownItem(item);
  throw new KassaError('gtin-check-digit', {
    detail: wrongCheckDigit(item, sought.expected),
    errors: [{ pointer: '/path/item', detail: `must end in ${sought.expected}` }],
  });
}

function unknownItem(item: string): KassaError {
  return new KassaError('not-found', { detail: `No product has the GTIN or SKU ${item}.` });
}

/** What to tell about a GTIN that was misread or mistyped. */
export function wrongCheckDigit(item: string, expected: number): string {
  return `The last digit of ${item} should be ${expected}: it was misread or mistyped.`;
}

/** A product's numbers in one shop. */
export function stockIn(model: ReadModel, shelf: Shelf, shop: Shop): Availability {
  const number = model.shopNumbers.get(shop.id);
  return availability(number === undefined ? { onHand: 0, reserved: 0 } : stockOn(shelf, number));
}

function listNearby(
  model: ReadModel,
  shelf: Shelf,
  shops: Away<Shop>[],
  { nearby, onlyInStock }: AvailabilityQuery,
): ShopAvailability[] {
  const listed: ShopAvailability[] = [];
  for (const { thing: shop, distanceM } of shops) {
    if (listed.length === nearby) break;
    const stock = stockIn(model, shelf, shop);
    if (onlyInStock !== true || stock.availableToPromise > 0) listed.push({ shop, distanceM, ...stock });
  }
  return listed;
}
