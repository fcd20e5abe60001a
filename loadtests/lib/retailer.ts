import { SharedArray } from 'k6/data';

/** A shop of the demo retailer as a load test sees it. */
export interface Shop {
  shopId: string;
  country: string;
  registerIds: string[];
  /** What it has most of, and sells without a serial number. */
  items: { sku: string; gtin: string }[];
}

export interface Register {
  registerId: string;
  shop: number;
}

const itemsMax = 120;

/** The open shops, read once for all users. */
export const shops = new SharedArray<Shop>('shops', () => {
  const products = new Map(
    rowsOf('products')
      .filter((row) => row['is_serialised'] === 'false' && row['is_active'] === 'true')
      .map((row) => [row['sku'], row['gtin'] ?? '']),
  );
  const stock = byShop(rowsOf('opening-stock').filter((row) => products.has(row['sku'])));
  const registers = byShop(rowsOf('registers'));
  return rowsOf('shops')
    .filter((row) => row['status'] === 'open' && registers.has(row['shop_id']))
    .map((row) => ({
      shopId: row['shop_id'] ?? '',
      country: row['country'] ?? '',
      registerIds: (registers.get(row['shop_id']) ?? []).map((register) => register['register_id'] ?? ''),
      items: (stock.get(row['shop_id']) ?? [])
        .sort((a, b) => Number(b['quantity']) - Number(a['quantity']))
        .slice(0, itemsMax)
        .map(({ sku }) => ({ sku: sku ?? '', gtin: products.get(sku) ?? '' })),
    }));
});

/** All registers of open shops, the first of each shop first: a few tills are then as far apart as many. */
export const registers = new SharedArray<Register>('registers', () => {
  const most = Math.max(...shops.map((shop) => shop.registerIds.length));
  return Array.from({ length: most }).flatMap((_, nth) =>
    shops.flatMap((shop, index) => {
      const registerId = shop.registerIds[nth];
      return registerId === undefined ? [] : [{ registerId, shop: index }];
    }),
  );
});

type Row = Record<string, string | undefined>;

function byShop(rows: Row[]): Map<string | undefined, Row[]> {
  const groups = new Map<string | undefined, Row[]>();
  for (const row of rows) {
    const group = groups.get(row['shop_id']);
    if (group) group.push(row);
    else groups.set(row['shop_id'], [row]);
  }
  return groups;
}

function rowsOf(name: string): Row[] {
  const [header = '', ...lines] = open(import.meta.resolve(`../../data/${name}.csv`))
    .trimEnd()
    .split(/\r?\n/);
  const names = cells(header);
  return lines.map((line) => {
    const values = cells(line);
    return Object.fromEntries(names.map((column, index) => [column, values[index]]));
  });
}

/** RFC 4180 within one line, which is all our own files need. */
function cells(line: string): string[] {
  return [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(
    (match) => match[1]?.replaceAll('""', '"') ?? match[2] ?? '',
  );
}
