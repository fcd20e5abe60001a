import { gs1CheckDigit } from '@kassa/check-digits';
import { country, countryCodes, type CountryCode } from '@kassa/countries';

/** A retailer of nine shops and a hundred products, small enough to import in a blink before each file of stories. */
export interface Demo {
  shops: DemoShop[];
  products: DemoProduct[];
  registers: { id: string; shopId: string; kind: 'desktop' | 'mobile' | 'web' }[];
  /** Whole units of every product in every shop at the start. */
  openingStock: number;
  csv: Record<ImportKind, string>;
}

export interface DemoShop {
  id: string;
  country: CountryCode;
  name: string;
  latitude: number;
  longitude: number;
}

export interface DemoProduct {
  sku: string;
  gtin: string;
  name: string;
  isSerialised: boolean;
  /** The shelf price in whole units of any currency; see priceMinor(). */
  price: number;
}

export type ImportKind = 'shops' | 'products' | 'opening-stock' | 'registers' | 'prices';

/** Shop dk-001 with the shops around it, and one shop in each of the other territories. */
const shops: DemoShop[] = [
  { id: 'dk-001', country: 'dk', name: 'Elnord Købmagergade', latitude: 55.6811, longitude: 12.5765 },
  { id: 'dk-002', country: 'dk', name: 'Elnord Østerbro', latitude: 55.7035, longitude: 12.5772 },
  { id: 'dk-003', country: 'dk', name: 'Elnord Århus', latitude: 56.1572, longitude: 10.2107 },
  { id: 'no-001', country: 'no', name: 'Elnord Tromsø', latitude: 69.6489, longitude: 18.9551 },
  { id: 'se-001', country: 'se', name: 'Elnord Göteborg', latitude: 57.7089, longitude: 11.9746 },
  { id: 'fi-001', country: 'fi', name: 'Elnord Hämeenlinna', latitude: 60.9959, longitude: 24.4643 },
  { id: 'is-001', country: 'is', name: 'Elnord Reykjavík', latitude: 64.1445, longitude: -21.922 },
  { id: 'gl-001', country: 'gl', name: 'Elnord Nuuk', latitude: 64.1766, longitude: -51.737 },
  { id: 'fo-001', country: 'fo', name: 'Elnord Tórshavn', latitude: 62.0113, longitude: -6.772 },
];

/** What a product costs in minor units: 1299 is DKK 1,299.95 or ISK 1,299. */
export function priceMinor(product: DemoProduct, code: CountryCode): number {
  return country(code).currency === 'ISK' ? product.price : product.price * 100 + 95;
}

/** `registersOfFirstShop` tills in dk-001, two in every other shop. The first product is a phone, sold by its serial number. */
export function makeDemo({ registersOfFirstShop = 4, openingStock = 1_000 } = {}): Demo {
  const products = Array.from({ length: 100 }, (_, n) => product(n));
  const registers = shops.flatMap(({ id }, n) =>
    Array.from({ length: n === 0 ? registersOfFirstShop : 2 }, (_, r) => ({
      id: `${id}-${String(r + 1).padStart(2, '0')}`,
      shopId: id,
      kind: r === 1 ? ('mobile' as const) : ('desktop' as const),
    })),
  );
  const csv = {
    shops: table(
      'shop_id,gln,name,country,address,postal_code,city,latitude,longitude,time_zone,status,seller,seller_number',
      shops.map((shop, n) => [
        shop.id,
        gs1(`95290000${String(n + 1).padStart(4, '0')}`),
        shop.name,
        shop.country,
        'Hovedgaden 1',
        '1000',
        'Byen',
        shop.latitude,
        shop.longitude,
        country(shop.country).timeZone,
        'open',
        'Elnord',
        '0019',
      ]),
    ),
    products: table(
      'sku,gtin,name,item_group,is_serialised,is_active',
      products.map(({ sku, gtin, name, isSerialised }) => [
        sku,
        gtin,
        name,
        isSerialised ? 'phones' : 'cables',
        isSerialised,
        true,
      ]),
    ),
    'opening-stock': table(
      'shop_id,sku,quantity',
      shops.flatMap((shop) => products.map(({ sku }) => [shop.id, sku, openingStock])),
    ),
    registers: table(
      'register_id,shop_id,name,kind,terminal_id',
      registers.map(({ id, shopId, kind }) => [id, shopId, `Kasse ${id.slice(-2)}`, kind, `pos-${id}`]),
    ),
    prices: table(
      'country,sku,price_minor,currency,valid_from,valid_to',
      countryCodes.flatMap((code) =>
        products.map((item) => [code, item.sku, priceMinor(item, code), country(code).currency, '2024-01-01', '']),
      ),
    ),
  };
  return { shops, products, registers, openingStock, csv };
}

/** Prices end in 95 øre, which no test amount of the card world does. */
function product(n: number): DemoProduct {
  const isSerialised = n === 0;
  return {
    sku: `J${String(n + 1).padStart(6, '0')}`,
    gtin: gs1(`9520009${String(n + 1).padStart(5, '0')}`),
    name: isSerialised ? 'Nordhavn Fjord 9, midnatsblå' : `Ledning nr. ${n}, gul/rød`,
    isSerialised,
    price: 100 + n,
  };
}

/** A GS1 number of 13 digits: twelve and their check digit. */
const gs1 = (twelve: string) => `${twelve}${gs1CheckDigit(twelve)}`;

function table(header: string, rows: (string | number | boolean)[][]): string {
  const cell = (value: string | number | boolean) =>
    /[",]/.test(String(value)) ? `"${String(value).replaceAll('"', '""')}"` : String(value);
  return `${header}\n${rows.map((row) => row.map(cell).join(',')).join('\n')}\n`;
}
