import type { Product, ReadModel } from './read-model.ts';
import type { Shelf } from './shelf.ts';

/**
 * The sequence of the last change that could show in an answer about these products: theirs, of their stock, or of any shop.
 * Within an epoch the same version is the same answer, but for its age.
 */
export function versionOf(model: ReadModel, found: Iterable<{ product: Product; shelf: Shelf }>): number {
  let version = model.shopsSeq;
  for (const { product, shelf } of found) version = Math.max(version, product.seq, shelf.seq);
  return version;
}
