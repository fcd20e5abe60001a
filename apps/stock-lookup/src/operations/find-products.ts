import type { Product } from '../domain/read-model.ts';
import { wordsOf } from '../domain/search.ts';
import { stamp, type Deps, type Stamp } from './get-freshness.ts';

export interface ProductsFound extends Stamp {
  /** One more than the limit where there is another page. `searchText` is what the next page begins after. */
  products: (Product & { searchText: string })[];
}

/**
 * Products whose name, SKU or GTIN hold every word of the query, without regard to case and accents, in order of name.
 * Error: unavailable.
 */
export async function findProducts(
  deps: Deps,
  query: { text: string; after?: string | undefined; limit: number },
): Promise<ProductsFound> {
  const heard = deps.feed();
  const { products, ...position } = await deps.store.search(wordsOf(query.text), query.after, query.limit + 1);
  return { ...stamp(deps, position, heard), products };
}
