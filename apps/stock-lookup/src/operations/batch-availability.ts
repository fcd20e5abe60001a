import { seekItem, type Sought } from '../domain/item.ts';
import type { Product, Shop } from '../domain/read-model.ts';
import type { View } from '../store.ts';
import { knownShop } from './find-shops.ts';
import { stockIn, wrongCheckDigit, type ShopAvailability } from './get-availability.ts';
import { stamp, type Deps, type Stamp } from './get-freshness.ts';

export interface FoundItem {
  /** As it was asked for. */
  item: string;
  product: Product;
  here: ShopAvailability;
}

export interface MissedItem {
  item: string;
  code: 'unknown-item' | 'gtin-check-digit';
  detail: string;
}

export interface BatchAvailability extends Stamp {
  /** What was found, in the order in which it was asked for. */
  items: FoundItem[];
  /** What was not, in that order. */
  misses: MissedItem[];
}

/**
 * Stock of many items in one shop, all at one sequence. An item nobody knows, or with a wrong check digit, is listed among the
 * misses; the others are answered. Errors: not-found (shop), unavailable before the first snapshot.
 */
export async function batchAvailability(deps: Deps, query: { items: string[]; shopId: string }): Promise<BatchAvailability> {
  const model = deps.store.model();
  const sought = query.items.map((item) => ({ item, ...seekItem(model, item) }));
  const skus = sought.flatMap((one) => ('product' in one ? [one.product.sku] : []));
  const heard = deps.feed();
  return deps.store.read([...new Set(skus)], (view) => {
    const shop = knownShop(view.model, query.shopId, '/shop');
    const answers = sought.map((one) => answerItem(view, shop, one));
    const items = answers.filter((answer) => 'product' in answer);
    const misses = answers.filter((answer) => 'code' in answer);
    deps.events.lookedUp('found', items.length);
    for (const { code } of misses) deps.events.lookedUp(code);
    return { ...stamp(deps, view, heard), items, misses };
  });
}

function answerItem(view: View, shop: Shop, { item, ...sought }: Sought & { item: string }): FoundItem | MissedItem {
  if ('refusal' in sought && sought.refusal === 'gtin-check-digit') {
    return { item, code: sought.refusal, detail: wrongCheckDigit(item, sought.expected) };
  }
  const found = 'product' in sought ? view.find(sought.product.sku) : undefined;
  if (!found) return { item, code: 'unknown-item', detail: `No product has the GTIN or SKU ${item}.` };
  return { item, product: found.product, here: { shop, distanceM: 0, ...stockIn(view.model, found.shelf, shop) } };
}
