import type { ShopAudit } from '../domain/shop-audit.ts';
import type { Store } from '../store.ts';

/** A request answers with what it has after so long; one shop more takes milliseconds, or seconds where it sold for years. */
const pageMs = 2_000;

/**
 * Compares the levels of the first shops after `after` with what they are the sum of, each shop from one snapshot: at most `limit`
 * shops, and no further one once two seconds are over. No page is empty but that after the last shop.
 */
export async function auditLevels(
  { store }: { store: Pick<Store, 'auditShopAfter'> },
  { after, limit }: { after: string; limit: number },
): Promise<{ shops: ShopAudit[]; isLast: boolean }> {
  const startedAt = performance.now();
  const shops: ShopAudit[] = [];
  do {
    const shop = await store.auditShopAfter(shops.at(-1)?.shopId ?? after);
    if (shop === undefined) return { shops, isLast: true };
    shops.push(shop);
  } while (shops.length < limit && performance.now() - startedAt < pageMs);
  return { shops, isLast: false };
}
