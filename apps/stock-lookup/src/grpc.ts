import type { ServiceImplementation } from 'nice-grpc';
import type { stockLookupDefinition } from '@kassa/contracts/stock-lookup';
import { KassaError } from '@kassa/problem';
import { batchAvailability } from './operations/batch-availability.ts';
import { getAvailability, type ShopAvailability } from './operations/get-availability.ts';
import type { Deps, Stamp } from './operations/get-freshness.ts';

const nearbyMax = 50;
const itemsMax = 200;

/** StockLookupService: the same answers as over HTTP. */
export function implementation(deps: Deps): ServiceImplementation<typeof stockLookupDefinition> {
  return {
    async getAvailability({ item, shopId, nearby }) {
      expect(nearby >= 0 && nearby <= nearbyMax, 'nearby', `must be 0 to ${nearbyMax}`);
      expect(shopId !== '', 'shop_id', 'is missing');
      const found = await getAvailability(deps, { item, from: { shopId }, nearby });
      const { sku, gtin, name } = found.product;
      const here = found.here && { here: wireStock(found.here) };
      return { sku, gtin, name, ...here, nearby: found.nearby.map(wireStock), freshness: wireFreshness(found) };
    },
    async batchGetAvailability({ items, shopId }) {
      expect(items.length > 0 && items.length <= itemsMax, 'items', `must be 1 to ${itemsMax}`);
      expect(shopId !== '', 'shop_id', 'is missing');
      const found = await batchAvailability(deps, { items, shopId });
      return {
        items: found.items.map(({ product: { sku, gtin }, here }) => ({ sku, gtin, here: wireStock(here) })),
        unknown: found.misses.map(({ item }) => item),
        freshness: wireFreshness(found),
      };
    },
  };
}

function expect(isRight: boolean, field: string, detail: string): void {
  if (!isRight)
    throw new KassaError('validation-failed', { detail: `${field} ${detail}.`, errors: [{ pointer: `/${field}`, detail }] });
}

function wireStock({ shop, distanceM, onHand, reserved, availableToPromise }: ShopAvailability) {
  return { shopId: shop.id, shopName: shop.name, distanceM, onHand, reserved, availableToPromise };
}

function wireFreshness({ seq, asOf, stalenessMs, degraded }: Stamp) {
  return { seq: BigInt(seq), asOf: asOf.toISOString(), stalenessMs: BigInt(stalenessMs), isDegraded: degraded };
}
