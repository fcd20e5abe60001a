import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import type { Counter } from './bench-limit.ts';

const skusMax = 120;

/** One register in each of the first shops of the demo retailer, with what the shop has most of and sells without a serial number. */
export function countersOf(workspace: string, count: number): Counter[] {
  const read = (name: string) =>
    parse(readFileSync(join(workspace, 'data', `${name}.csv`)), { columns: true, bom: true }) as Record<string, string>[];
  const plain = new Set(
    read('products')
      .filter((row) => row['is_serialised'] === 'false' && row['is_active'] === 'true')
      .map((row) => row['sku']),
  );
  const stock = Map.groupBy(
    read('opening-stock').filter((row) => plain.has(row['sku'])),
    (row) => row['shop_id'],
  );
  return read('shops')
    .filter((row) => row['status'] === 'open')
    .slice(0, count)
    .map(({ shop_id: shopId = '' }) => ({
      shopId,
      registerId: `${shopId}-01`,
      skus: (stock.get(shopId) ?? [])
        .sort((a, b) => Number(b['quantity']) - Number(a['quantity']))
        .slice(0, skusMax)
        .map(({ sku = '' }) => sku),
    }));
}
