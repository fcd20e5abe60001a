import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gs1CheckDigit } from '@kassa/check-digits';
import { country, countryCodes, vatRate, type CountryCode } from '@kassa/countries';
import { halfUp, roundToStep } from '@kassa/money';
import {
  campaigns,
  closedForNow,
  endings,
  flagship,
  largeShops,
  mobileRegister,
  priceLevel,
  ranges,
  shops,
  usualProducts,
  type Range,
} from './demo-retailer.ts';

/**
 * Writes the demo retailer into data/, or into the folder given as argument. The same program always writes the same bytes: chance
 * comes from a seed, money is counted in whole units, and no clock is asked. What the files mean stands in data/README.md.
 */

const folder = process.argv[2] ?? join(import.meta.dirname, '../../data');
const openedOn = '2024-01-01';

interface Product {
  readonly sku: string;
  readonly gtin: string;
  readonly name: string;
  readonly range: Range;
  readonly kr: number;
  readonly isActive: boolean;
}

/** Mulberry32: small, good enough for a shop window, and the same on every machine. Answers a whole number below `limit`. */
function chance(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % limit;
  };
}

/** `count` different ones of `all`. */
function pick<T>(all: readonly T[], count: number, below: (limit: number) => number): T[] {
  const rest = [...all];
  return Array.from({ length: count }, () => rest.splice(below(rest.length), 1)).flat();
}

const withCheckDigit = (twelve: string) => `${twelve}${gs1CheckDigit(twelve)}`;

/** Every combination of a range's words. The price grows with the square of the rank, as price lists do. */
function namesOf(range: Range): { name: string; kr: number }[] {
  const { brands, models, variants, finishes } = range;
  const [from, to] = range.kr;
  const dearest = models.length * variants.length - 1;
  return brands.flatMap((brand) =>
    models.flatMap((model, m) =>
      variants.flatMap((variant, v) => {
        const rank = m * variants.length + v;
        const kr = from + halfUp((to - from) * rank * rank, dearest * dearest);
        return finishes.map((finish) => ({ name: `${brand} ${model} ${variant} ${finish}`, kr }));
      }),
    ),
  );
}

/** The flagship first, then range by range; each maker numbers its own goods under a GS1 company prefix in 952, that of examples. */
function makeProducts(): Product[] {
  const makers = [...new Set(ranges.flatMap(({ brands }) => brands.map(makerOf)))];
  const made = new Map<string, number>();
  const named = ranges.flatMap((range, i) => {
    const all = namesOf(range);
    const first = all.filter(({ name }) => name === flagship);
    const others = all.filter(({ name }) => name !== flagship);
    const chosen = new Set(pick(others, range.count - first.length, chance(100 + i)));
    return [...first, ...others.filter((one) => chosen.has(one))].map((one) => ({ ...one, range }));
  });
  return named.map(({ name, kr, range }, i) => {
    const maker = makerOf(name);
    const number = (made.get(maker) ?? 0) + 1;
    made.set(maker, number);
    const company = `952${String(makers.indexOf(maker) + 1).padStart(4, '0')}`;
    const gtin = withCheckDigit(company + String(number).padStart(5, '0'));
    return { sku: `E${100_001 + i}`, gtin, name, range, kr, isActive: i % 250 !== 249 };
  });
}

function makerOf(name: string): string {
  return name.split(' ')[0] ?? name;
}

/** Who sells in law, and a number of the country's form that no register gives out. */
const sellers: Record<CountryCode, [name: string, number: string]> = {
  dk: ['Elnord Danmark A/S', '00 00 00 19'],
  no: ['Elnord Norge AS', '000 000 019 MVA'],
  se: ['Elnord Sverige AB', '000000-0019'],
  fi: ['Elnord Suomi Oy', '0000001-9'],
  is: ['Elnord á Íslandi ehf.', '00019'],
  gl: ['Elnord Kalaallit Nunaat A/S', '00 00 00 27'],
  fo: ['Elnord Føroyar Sp/f', '000019'],
};

function makeShops() {
  let number = 0;
  return countryCodes.flatMap((code) =>
    shops[code].map(([place, address, postalCode, city, latitude, longitude], i) => {
      number += 1;
      const shopId = `${code}-${String(i + 1).padStart(3, '0')}`;
      const gln = withCheckDigit(`9529000${String(number).padStart(5, '0')}`);
      const status = closedForNow.includes(shopId) ? 'temporarily-closed' : 'open';
      const desks = largeShops[shopId]?.desks ?? 2 + (number % 3);
      return { shopId, code, gln, name: `Elnord ${place}`, address, postalCode, city, latitude, longitude, status, desks };
    }),
  );
}

/** The price on the shelf: the level of the country, then the ending people are used to. */
function shelfPrice(code: CountryCode, kr: number, percent: number): number {
  const exact = halfUp(kr * percent * priceLevel[code], code === 'is' ? 1_000_000 : 10_000);
  const major = code === 'is' ? exact : exact / 100;
  const { step, less } = endings[code].find(({ below }) => major < below) ?? { step: 1, less: 0 };
  return Math.max(step, roundToStep(exact, step)) - less;
}

/** Every 33rd product has one or two campaign weeks, the same in all countries; the shelf price is split around them. */
function pricesOf(code: CountryCode, product: Product, i: number): unknown[][] {
  const weeks = i % 2 === 0 ? [i % 7, (i + 3) % 7] : [i % 7];
  const windows = i % 33 === 5 && product.kr >= 200 ? campaigns.filter((_, week) => weeks.includes(week)) : [];
  const row = (minor: number, from: string, to: string) => [code, product.sku, minor, country(code).currency, from, to];
  const usual = shelfPrice(code, product.kr, 100);
  const lowered = shelfPrice(code, product.kr, 70 + 5 * (i % 4));
  const begins = [openedOn, ...windows.map(([, end]) => end)];
  return [
    ...windows.flatMap(([begin, end], w) => [row(usual, begins[w] ?? begin, begin), row(lowered, begin, end)]),
    row(usual, begins.at(-1) ?? openedOn, ''),
  ];
}

function stockOf(shopId: string, code: CountryCode, products: readonly Product[], seed: number): unknown[][] {
  const below = chance(seed);
  const sold = products.filter(({ isActive }) => isActive);
  /** The first product of each group is in every shop, so that a basket can be filled anywhere. */
  const everywhere = new Set(ranges.map(({ group }) => sold.find(({ range }) => range.group === group)));
  const others = sold.filter((product) => !everywhere.has(product));
  const chosen = new Set(pick(others, (largeShops[shopId]?.products ?? usualProducts[code]) - everywhere.size, below));
  return sold
    .filter((product) => everywhere.has(product) || chosen.has(product))
    .map(({ sku, name, range: { stock } }) => {
      const [fewest, most] = name === flagship ? [120, 240] : stock;
      return [shopId, sku, fewest + below(most - fewest + 1)];
    });
}

function write(file: string, header: string, rows: readonly unknown[][]): void {
  const cell = (value: unknown) => (/[",\r\n]/.test(String(value)) ? `"${String(value).replaceAll('"', '""')}"` : String(value));
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, file), `${[header, ...rows.map((row) => row.map(cell).join(','))].join('\n')}\n`);
  process.stdout.write(`${file}: ${rows.length} rows\n`);
}

const opened = makeShops();
const products = makeProducts();

write(
  'territories.csv',
  'country,name,currency,time_zone,vat_standard_bp',
  countryCodes.map((code) => {
    const { name, currency, timeZone } = country(code);
    return [code, name, currency, timeZone, vatRate(code, 'standard', '2026-01-01').bp];
  }),
);
write(
  'shops.csv',
  'shop_id,gln,name,country,address,postal_code,city,latitude,longitude,time_zone,status,seller,seller_number',
  opened.map((shop) => [
    ...[shop.shopId, shop.gln, shop.name, shop.code, shop.address, shop.postalCode, shop.city, shop.latitude, shop.longitude],
    ...[country(shop.code).timeZone, shop.status, ...sellers[shop.code]],
  ]),
);
write(
  'registers.csv',
  'register_id,shop_id,name,kind,terminal_id',
  opened.flatMap(({ shopId, code, desks }) =>
    Array.from({ length: desks + 1 }, (_, i) => {
      const registerId = `${shopId}-${String(i + 1).padStart(2, '0')}`;
      const [kind, word] = i === desks ? ['mobile', mobileRegister[code]] : ['desktop', country(code).receipt.register];
      return [registerId, shopId, `${word} ${i + 1}`, kind, `pos-${registerId}`];
    }),
  ),
);
write(
  'products.csv',
  'sku,gtin,name,item_group,is_serialised,is_active',
  products.map(({ sku, gtin, name, range, isActive }) => [sku, gtin, name, range.group, range.isSerialised === true, isActive]),
);
write(
  'prices.csv',
  'country,sku,price_minor,currency,valid_from,valid_to',
  countryCodes.flatMap((code) => products.flatMap((product, i) => pricesOf(code, product, i))),
);
write(
  'opening-stock.csv',
  'shop_id,sku,quantity',
  opened.flatMap(({ shopId, code }, i) => stockOf(shopId, code, products, 1_000 + i)),
);
