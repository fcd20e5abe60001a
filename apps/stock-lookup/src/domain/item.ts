import { gs1CheckDigit, hasGs1CheckDigit } from '@kassa/check-digits';
import { isGtinShaped, toGtin14 } from './gtin.ts';
import type { Product, ReadModel } from './read-model.ts';

export type Sought =
  | { product: Product }
  | { refusal: 'gtin-check-digit'; /** The digit that would be right. */ expected: number }
  | { refusal: 'unknown-item' };

/**
 * The product that a scan or a typed number means. A GTIN that is known comes first, then a SKU: digits may be both. Only what is
 * neither is looked at for a wrong check digit, and only where it could be a GTIN.
 */
export function seekItem(model: ReadModel, item: string): Sought {
  const mayBeGtin = isGtinShaped(item);
  const product = (mayBeGtin ? model.byGtin.get(toGtin14(item)) : undefined) ?? model.products.get(item);
  if (product) return { product };
  if (mayBeGtin && !hasGs1CheckDigit(item)) return { refusal: 'gtin-check-digit', expected: gs1CheckDigit(item.slice(0, -1)) };
  return { refusal: 'unknown-item' };
}
