import { z } from 'zod';
import { pageQuery } from '@kassa/http';
import { parseDistanceM, parsePlace } from './domain/distance.ts';

const instant = z.iso.datetime().meta({ example: '2026-03-02T10:15:30.120Z' });
const units = (description: string, example: number) => z.int().meta({ description, example });

/** What every answer says about itself. */
const stamp = {
  asOf: instant.meta({
    description: "up to this instant, on inventory's clock, the answer misses nothing",
    example: '2026-03-02T10:15:30.120Z',
  }),
  epoch: z.string().meta({ description: 'the numbering that seq belongs to', example: '0195a1c2-7c1e-7d55-9d0a-2f0c6a3b1e11' }),
  seq: z.int().meta({ description: "the answer is inventory's state at this sequence", example: 48210 }),
  stalenessMs: z.int().meta({ description: 'milliseconds since inventory was last heard', example: 140 }),
  degraded: z
    .boolean()
    .meta({ description: 'true while inventory is not heard: the answer may miss what happened since asOf', example: false }),
  formulaVersion: z.string().meta({ description: 'atp-1: availableToPromise = max(0, onHand − reserved)', example: 'atp-1' }),
};

const product = {
  sku: z.string().meta({ example: 'E100001' }),
  gtin: z.string().meta({ example: '9520001000010' }),
  name: z.string().meta({ example: 'Nordhavn Fjord 7 Pro 256 GB, midnatsblå' }),
  itemGroup: z.string().meta({ example: 'phones' }),
  isSerialised: z.boolean().meta({ description: 'each unit is sold by its serial number', example: true }),
  isActive: z.boolean().meta({ description: 'false: no longer sold', example: true }),
};

const numbers = {
  onHand: units('units that lie in the shop', 12),
  reserved: units('units held by open reservations', 2),
  availableToPromise: units('what may still be sold', 10),
};

export const Product = z.object(product).meta({ id: 'Product' });

export const ShopStock = z
  .object({
    shopId: z.string().meta({ example: 'dk-001' }),
    name: z.string().meta({ example: 'Elnord Købmagergade' }),
    country: z.string().meta({ example: 'dk' }),
    city: z.string().meta({ example: 'København K' }),
    status: z.enum(['open', 'temporarily-closed', 'closed']).meta({ example: 'open' }),
    distanceM: z.int().meta({ description: 'whole metres as the crow flies; 0 for the shop that asks', example: 0 }),
    ...numbers,
  })
  .meta({ id: 'ShopStock' });

export const Availability = z
  .object({
    ...product,
    here: ShopStock.nullable().meta({ description: 'null where `near` asks from no shop' }),
    nearby: z.array(ShopStock).meta({ description: 'other shops, nearest first; closed ones are left out' }),
    ...stamp,
  })
  .meta({ id: 'Availability' });

export const AvailabilityPath = z.object({
  item: z
    .string()
    .regex(/^[\w.-]{1,40}$/, 'must be a GTIN (8, 12, 13 or 14 digits) or a SKU')
    .meta({ description: 'a GTIN or a SKU', example: '9520001000010' }),
});

const shopId = z.string().regex(/^[a-z]{2}-[a-z0-9-]{1,20}$/, 'must be a shop id like dk-001');
const from = {
  shop: shopId
    .optional()
    .meta({ description: "from this shop; the token's shop where neither shop nor near is given", example: 'dk-001' }),
  near: z
    .string()
    .refine((text) => parsePlace(text) !== undefined, 'must be latitude,longitude in degrees, like 55.6811,12.5765')
    .optional()
    .meta({ description: 'from this place: latitude,longitude in degrees', example: '55.6811,12.5765' }),
  radius: z
    .string()
    .refine((text) => parseDistanceM(text) !== undefined, 'must be a distance with its unit, like 800m or 25km')
    .optional()
    .meta({ description: 'shops no further away than this, with its unit: m or km', example: '25km' }),
};
const oneOrigin = { error: 'must not come together with shop', path: ['near'] };
const hasOneOrigin = (query: { shop?: string | undefined; near?: string | undefined }) =>
  query.shop === undefined || query.near === undefined;

export const AvailabilityQuery = z
  .strictObject({
    ...from,
    nearby: z.coerce
      .number()
      .int()
      .min(0)
      .max(50)
      .default(3)
      .meta({ description: 'how many shops nearby to list, 0 to 50', example: 3 }),
    inStock: z
      .enum(['true', 'false'])
      .default('false')
      .meta({ description: 'true lists only shops nearby that can promise a unit' }),
  })
  .refine(hasOneOrigin, oneOrigin);

export const ShopsQuery = z
  .strictObject({
    ...from,
    limit: z.coerce.number().int().min(1).max(200).default(10).meta({ description: 'shops at most, 1 to 200', example: 10 }),
  })
  .refine(hasOneOrigin, oneOrigin);

export const Shops = z
  .object({
    items: z.array(
      z
        .object({
          shopId: z.string().meta({ example: 'dk-002' }),
          gln: z.string().meta({ example: '9529000000021' }),
          name: z.string().meta({ example: 'Elnord Frederiksberg' }),
          country: z.string().meta({ example: 'dk' }),
          address: z.string().meta({ example: 'Falkoner Allé 21' }),
          postalCode: z.string().meta({ example: '2000' }),
          city: z.string().meta({ example: 'Frederiksberg' }),
          latitude: z.number().meta({ example: 55.6815 }),
          longitude: z.number().meta({ example: 12.5316 }),
          timeZone: z.string().meta({ example: 'Europe/Copenhagen' }),
          status: z.enum(['open', 'temporarily-closed']).meta({ example: 'open' }),
          distanceM: z.int().meta({ example: 2815 }),
        })
        .meta({ id: 'Shop' }),
    ),
    ...stamp,
  })
  .meta({ id: 'Shops' });

export const Batch = z
  .strictObject({
    items: z
      .array(z.string().min(1).max(40))
      .min(1)
      .max(200)
      .meta({ description: 'GTINs and SKUs, 1 to 200', example: ['9520001000010', 'E100002'] }),
    shop: shopId.optional().meta({ description: "in this shop; the token's shop if left out", example: 'dk-001' }),
  })
  .meta({ id: 'Batch' });

export const BatchAvailability = z
  .object({
    items: z.array(z.object({ item: z.string().meta({ description: 'as it was asked for' }), ...product, here: ShopStock })),
    misses: z.array(
      z.object({ item: z.string(), code: z.enum(['unknown-item', 'gtin-check-digit']), detail: z.string() }).meta({ id: 'Miss' }),
    ),
    ...stamp,
  })
  .meta({ id: 'BatchAvailability' });

export const ProductsQuery = z.strictObject({
  q: z.string().trim().min(1).max(100).meta({
    description: 'words of a name, SKU or GTIN, all of which must be found; case and accents do not matter',
    example: 'fjord pro',
  }),
  ...pageQuery,
});

export const Products = z
  .object({
    items: z.array(Product),
    next: z.string().optional().meta({ description: 'cursor of the next page; absent on the last' }),
    ...stamp,
  })
  .meta({ id: 'Products' });

export const Freshness = z
  .object({ connection: z.enum(['connecting', 'snapshotting', 'following', 'lost']).meta({ example: 'following' }), ...stamp })
  .meta({ id: 'Freshness' });
