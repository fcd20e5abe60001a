import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hasGs1CheckDigit } from '@kassa/check-digits';
import { businessDate, country, countryCodes, isCountryCode, vatRate } from '@kassa/countries';
import { parse } from 'csv-parse/sync';
import { describe, expect, onTestFinished, test } from 'vitest';

const folder = join(import.meta.dirname, '../../data');
const files = ['opening-stock.csv', 'prices.csv', 'products.csv', 'registers.csv', 'shops.csv', 'territories.csv'];

type Row = Readonly<Record<string, string>>;
const read = (file: string): Row[] => parse(readFileSync(join(folder, file)), { columns: true });
const column = (rows: readonly Row[], name: string) => rows.map((row) => row[name] ?? '');
const unique = (values: readonly string[]) => new Set(values).size === values.length;
const countBy = (rows: readonly Row[], name: string) => Map.groupBy(rows, (row) => row[name] ?? '');

const hasCheckDigit = (digits: string) => digits.length === 13 && hasGs1CheckDigit(digits);

const territories = read('territories.csv');
const shops = read('shops.csv');
const registers = read('registers.csv');
const products = read('products.csv');
const prices = read('prices.csv');
const stock = read('opening-stock.csv');
const flagship = products[0]?.sku ?? '';

describe('the files', () => {
  test('are what make-data writes, byte for byte', () => {
    const again = mkdtempSync(join(tmpdir(), 'kassa-data-'));
    onTestFinished(() => rmSync(again, { recursive: true }));
    execFileSync(process.execPath, [join(import.meta.dirname, '../src/make-data.ts'), again]);
    expect(readdirSync(again).sort()).toEqual(files);
    expect(files.filter((file) => !readFileSync(join(again, file)).equals(readFileSync(join(folder, file))))).toEqual([]);
  });

  test.each(files)('%s stays below a megabyte', (file) => {
    expect(statSync(join(folder, file)).size).toBeLessThan(1_000_000);
  });

  test('hold what the demo promises', () => {
    const counts = { territories, shops, products, danish: countBy(shops, 'country').get('dk') ?? [] };
    expect(Object.entries(counts).map(([name, rows]) => `${name} ${rows.length}`)).toEqual([
      'territories 7',
      'shops 60',
      'products 2000',
      'danish 40',
    ]);
  });
});

test('territories agree with the countries library', () => {
  const expected = countryCodes.map((code) => {
    const { name, currency, timeZone } = country(code);
    return {
      country: code,
      name,
      currency,
      time_zone: timeZone,
      vat_standard_bp: String(vatRate(code, 'standard', '2026-01-01').bp),
    };
  });
  expect(territories).toEqual(expected);
});

describe('shops', () => {
  test('have valid, unique numbers and ids of their country', () => {
    expect(column(shops, 'gln').filter((gln) => !hasCheckDigit(gln))).toEqual([]);
    expect(unique(column(shops, 'gln'))).toBe(true);
    expect(unique(column(shops, 'shop_id'))).toBe(true);
    expect(shops.filter(({ shop_id, country: code = '' }) => !isCountryCode(code) || !shop_id?.startsWith(`${code}-`))).toEqual(
      [],
    );
  });

  test('live in their zone and lie in the Nordic countries', () => {
    expect(shops.filter((shop) => shop.time_zone !== country(shop.country ?? '').timeZone)).toEqual([]);
    expect(shops.filter(({ latitude, longitude }) => !inTheNorth(Number(latitude), Number(longitude)))).toEqual([]);
  });

  test('are open but for one', () => {
    const statuses = [...countBy(shops, 'status')].map(([status, rows]) => `${rows.length} ${status}`);
    expect(statuses).toEqual(['59 open', '1 temporarily-closed']);
  });

  test('the three nearest to the first are in Copenhagen too', () => {
    const [first, ...others] = shops;
    const near = others.toSorted((a, b) => distance(first, a) - distance(first, b)).slice(0, 3);
    expect(column(near, 'shop_id').sort()).toEqual(['dk-002', 'dk-003', 'dk-004']);
  });
});

describe('registers', () => {
  test('belong to a shop that exists, and have a card terminal each', () => {
    const known = new Set(column(shops, 'shop_id'));
    expect(
      registers.filter(({ shop_id = '', register_id }) => !known.has(shop_id) || !register_id?.startsWith(`${shop_id}-`)),
    ).toEqual([]);
    expect(registers.filter(({ register_id, terminal_id }) => terminal_id !== `pos-${register_id}`)).toEqual([]);
    expect(unique(column(registers, 'register_id'))).toBe(true);
  });

  test('are three to six in a shop, one of them mobile', () => {
    const perShop = [...countBy(registers, 'shop_id').values()];
    expect(perShop).toHaveLength(60);
    expect(perShop.filter((all) => all.length < 3 || all.length > 6 || countBy(all, 'kind').get('mobile')?.length !== 1)).toEqual(
      [],
    );
  });
});

describe('products', () => {
  test('have valid, unique GTIN-13 in the prefix for examples, and SKUs nobody takes for a GTIN', () => {
    expect(column(products, 'gtin').filter((gtin) => !hasCheckDigit(gtin) || !gtin.startsWith('952'))).toEqual([]);
    expect(column(products, 'sku').filter((sku) => !/^E\d{6}$/.test(sku))).toEqual([]);
    expect(['gtin', 'sku', 'name'].filter((name) => !unique(column(products, name)))).toEqual([]);
  });

  test('phones and laptops, and only they, are sold by serial number', () => {
    const serialised = countBy(countBy(products, 'is_serialised').get('true') ?? [], 'item_group');
    expect([...serialised.keys()]).toEqual(['phones', 'laptops']);
    expect(
      products.filter((product) => /phones|laptops/.test(product.item_group ?? '') && product.is_serialised !== 'true'),
    ).toEqual([]);
  });

  test('have names with every letter of the North, with quotes and with commas', () => {
    const names = column(products, 'name').join('');
    expect([...'æøåÆØÅäöðþ",'].filter((character) => !names.includes(character))).toEqual([]);
  });
});

describe('prices', () => {
  const byProduct = Map.groupBy(prices, (row) => `${row.country} ${row.sku}`);

  test('exist for every product in every territory, in its currency', () => {
    expect(byProduct.size).toBe(7 * 2000);
    expect(
      prices.filter((row) => row.currency !== country(row.country ?? '').currency || !/^[1-9]\d*$/.test(row.price_minor ?? '')),
    ).toEqual([]);
  });

  test('neither overlap nor leave a gap from the first day on, and hold until further notice', () => {
    const broken = [...byProduct.values()].filter((rows) => {
      const begins = column(rows, 'valid_from');
      const ends = column(rows, 'valid_to');
      return (
        begins[0] !== '2024-01-01' ||
        [...begins.slice(1), ''].some((next, i) => ends[i] !== next || (next !== '' && next <= (begins[i] ?? '')))
      );
    });
    expect(broken).toEqual([]);
  });

  test('are one and only one today', () => {
    const today = (code: string) => businessDate(new Date(), country(code).timeZone);
    const valid = prices.filter(
      ({ country: code = '', valid_from = '', valid_to = '' }) =>
        valid_from <= today(code) && (valid_to === '' || today(code) < valid_to),
    );
    expect(valid).toHaveLength(7 * 2000);
  });

  test('are lowered by a few hundred campaigns', () => {
    const campaigns = [...byProduct.values()].flatMap((rows) =>
      rows.filter((_, i) => i % 2 === 1).map((row) => ({ row, usual: rows[0] })),
    );
    expect(campaigns.length).toBeGreaterThan(300);
    expect(campaigns.filter(({ row, usual }) => Number(row.price_minor) >= Number(usual?.price_minor))).toEqual([]);
  });
});

describe('opening stock', () => {
  const byShop = countBy(stock, 'shop_id');

  test('is of known, active products in known shops, each pair once, in whole units', () => {
    const active = new Set(column(countBy(products, 'is_active').get('true') ?? [], 'sku'));
    const known = new Set(column(shops, 'shop_id'));
    expect(stock.filter(({ sku = '', shop_id = '' }) => !active.has(sku) || !known.has(shop_id))).toEqual([]);
    expect(stock.filter(({ quantity }) => !/^[1-9]\d*$/.test(quantity ?? ''))).toEqual([]);
    expect(unique(stock.map(({ shop_id, sku }) => `${shop_id} ${sku}`))).toBe(true);
  });

  test('fills every shop with at least 300 products, the Danish ones best, and the flagship everywhere', () => {
    const sizes = [...byShop].map(([shopId, rows]) => ({
      shopId,
      size: rows.length,
      hasFlagship: column(rows, 'sku').includes(flagship),
    }));
    const isDanish = ({ shopId }: { shopId: string }) => shopId.startsWith('dk-');
    expect(sizes).toHaveLength(60);
    expect(sizes.filter(({ size, hasFlagship }) => size < 300 || !hasFlagship)).toEqual([]);
    expect(Math.min(...sizes.filter(isDanish).map(({ size }) => size))).toBeGreaterThan(
      Math.max(...sizes.filter((shop) => !isDanish(shop)).map(({ size }) => size)),
    );
  });
});

function inTheNorth(latitude: number, longitude: number): boolean {
  return latitude > 54 && latitude < 72 && longitude > -55 && longitude < 32;
}

/** Kilometres along a great circle. */
function distance(a: Row | undefined, b: Row): number {
  const [lat1 = 0, lon1 = 0, lat2 = 0, lon2 = 0] = [a?.latitude, a?.longitude, b.latitude, b.longitude].map(
    (degrees) => (Number(degrees) * Math.PI) / 180,
  );
  return 6371 * Math.acos(Math.sin(lat1) * Math.sin(lat2) + Math.cos(lat1) * Math.cos(lat2) * Math.cos(lon1 - lon2));
}
