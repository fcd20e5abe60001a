import { KassaError } from '@kassa/problem';
import type { Away, Place } from '../domain/distance.ts';
import { nearestTo, type ReadModel, type Shop } from '../domain/read-model.ts';
import { stamp, type Deps, type Stamp } from './get-freshness.ts';

/** From where: a shop by its id, or a place. */
export type From = { shopId: string } | { near: Place };

export interface ShopsNearby extends Stamp {
  /** The sequence of the last change of any shop. */
  version: number;
  shops: Away<Shop>[];
}

/**
 * Shops around a shop or a place, nearest first, equally far ones by id; without the shop itself and without closed ones.
 * Errors: not-found for a shop nobody knows, unavailable.
 */
export function findShops(
  deps: Deps,
  { from, radiusM, limit }: { from: From; radiusM?: number | undefined; limit: number },
): ShopsNearby {
  const model = deps.store.model();
  const shops = around(model, placeOf(model, from), radiusM).slice(0, limit);
  return { ...stamp(deps, model), version: model.shopsSeq, shops };
}

/** The shop that is meant, or the place. Error: not-found. */
export function placeOf(model: ReadModel, from: From): Shop | Place {
  return 'near' in from ? from.near : knownShop(model, from.shopId, '/query/shop');
}

/** The shop of an id, which the request gave at `pointer`. Error: not-found. */
export function knownShop(model: ReadModel, shopId: string, pointer: string): Shop {
  const shop = model.shops.get(shopId);
  if (shop) return shop;
  const errors = [{ pointer, detail: 'is not a shop we know' }];
  throw new KassaError('not-found', { detail: `There is no shop ${shopId}.`, errors });
}

/** Shops around a place, nearest first, no further away than the radius. */
export function around(model: ReadModel, place: Shop | Place, radiusM: number | undefined): Away<Shop>[] {
  const nearest = nearestTo(model, place);
  return radiusM === undefined ? nearest : nearest.filter(({ distanceM }) => distanceM <= radiusM);
}
