import { flag, integer, number, text } from '@kassa/imports';
import { country, isCountryCode } from '@kassa/countries';
import { hasGs1CheckDigit, holdsCardNumber } from '@kassa/check-digits';
import { pageOf, pageQuery } from '@kassa/http';
import { z } from 'zod';
import { importKinds, type OpeningStockRow, type ProductRow, type ShopRow } from './domain/import.ts';
import { movementKinds } from './domain/movement.ts';
import { linesMax, quantityMax, ttlMsMax } from './domain/reservation.ts';

const skuPattern = /^[A-Za-z0-9][\w.-]{0,39}$/;
const shopIdPattern = /^[a-z]{2}-\d{3}$/;
/** Printable and short, so that it can stand in an index and a log line. */
const id = (about: string) =>
  z
    .string()
    .regex(/^[\w.:-]{1,80}$/, 'must be 1 to 80 letters, digits or ._:-')
    .meta(about === '' ? {} : { description: about });

const sku = z.string().regex(skuPattern, 'must be a SKU like E100001').meta({ example: 'E100001' });
const shopId = z.string().regex(shopIdPattern, 'must be a shop id like dk-001').meta({ example: 'dk-001' });
const uuid = z.uuid().meta({ example: '0198c0de-7d1e-7c2a-9b0e-0a1b2c3d4e5f' });
const instant = z.iso.datetime({ offset: true }).meta({ example: '2026-03-02T10:15:30.120Z' });
const units = (description: string, example: number) => z.int().meta({ description, example });

// Reservations.

const ReservationLine = z.strictObject({
  sku,
  quantity: z.int().min(1).max(quantityMax).meta({ description: 'whole units', example: 2 }),
});

export const Reservation = z
  .object({
    reservationId: uuid,
    shopId: shopId.optional(),
    state: z
      .enum(['ACTIVE', 'FIRM', 'CONSUMED', 'RELEASED', 'EXPIRED'])
      .meta({ description: 'ACTIVE expires, FIRM does not; the others are ends', example: 'ACTIVE' }),
    reference: z.string().meta({ description: 'what it is for', example: 'sale:0198c0de-7d1e-7c2a-9b0e-0a1b2c3d4e5f' }),
    expiresAt: instant.optional().meta({ description: 'there while ACTIVE' }),
    lines: z.array(z.object({ sku, quantity: units('whole units', 2) })),
  })
  .meta({ id: 'Reservation' });

export const ReserveBody = z.strictObject({
  reservationId: uuid.optional().meta({ description: 'chosen by the caller, unique for ever; one is made where it is absent' }),
  shopId: shopId.optional().meta({ description: "the caller's own where it is absent" }),
  lines: z
    .array(ReservationLine)
    .min(1)
    .max(linesMax)
    .meta({ description: 'all are reserved, or none; a sku stands in one line only' }),
  ttlMs: z
    .int()
    .min(1)
    .max(ttlMsMax)
    .optional()
    .meta({ description: 'milliseconds it lives; 15 minutes where it is absent', example: 900000 }),
  reference: id('what it is for').optional().meta({ example: 'click-and-collect:4711' }),
});
export const ExtendBody = z.strictObject({
  ttlMs: z.int().min(1).max(ttlMsMax).meta({ description: 'milliseconds it lives from now on, at least', example: 900000 }),
});
export const ConsumeBody = z.strictObject({
  documentType: id('kind of the document the SALE movements belong to').meta({ example: 'sale' }),
  documentId: id('its id').meta({ example: '0198c0de-7d1e-7c2a-9b0e-0a1b2c3d4e5f' }),
});
const reason = z
  .string()
  .min(1)
  .max(500)
  .refine((value) => !holdsCardNumber(value), 'must not hold a card number')
  .meta({ description: 'kept with the act', example: 'The database was restored to 10:15.' });
export const RecoverBody = z
  .strictObject({
    reservationId: uuid,
    shopId,
    lines: z.array(ReservationLine).min(1).max(linesMax),
    reference: id('what it was for').meta({ example: 'sale:0198c0de-7d1e-7c2a-9b0e-0a1b2c3d4e5f' }),
    ...ConsumeBody.shape,
    reason,
  })
  .meta({ id: 'RecoverReservation' });
export const RenewEpochBody = z.strictObject({ reason }).meta({ id: 'RenewEpoch' });
export const FeedEpoch = z.object({ epoch: uuid }).meta({ id: 'FeedEpoch' });
export const ReservationPath = z.object({ reservationId: uuid });
export const ReservationsPage = pageOf(Reservation).meta({ id: 'Reservations' });
export const ReservationPosition = z.uuid();
export const PageQuery = z.strictObject(pageQuery);

// Stock.

const documentType = id('kind of document').regex(/^[a-z][a-z0-9-]{0,39}$/, 'must be a word like goods-receipt');
const Movement = z.object({
  movementId: z.int().meta({ example: 4711 }),
  sku,
  type: z.enum(['opening', 'receipt', 'sale', 'return', 'adjust', 'found', 'damage']).meta({ example: 'receipt' }),
  delta: units('added to the stock on hand', 12),
  lineKey: z.string().meta({ example: '' }),
  occurredAt: instant,
});

export const MovementsBody = z.strictObject({
  shopId: shopId.optional().meta({ description: "the caller's own where it is absent" }),
  documentType: documentType.meta({ example: 'goods-receipt' }),
  documentId: id('booked once, however often it is sent').meta({ example: 'ASN-2026-000123' }),
  lines: z
    .array(
      z.strictObject({
        type: z.enum(movementKinds as [(typeof movementKinds)[number]]).meta({ example: 'receipt' }),
        sku,
        quantity: z
          .int()
          .min(-quantityMax)
          .max(quantityMax)
          .meta({ description: 'whole units, more than 0; of an adjust the difference with its sign', example: 12 }),
        expectedOnHand: z
          .int()
          .min(0)
          .max(2_147_483_647)
          .optional()
          .meta({ description: 'the stock on hand that was seen; refused where it is another by now', example: 3 }),
        lineKey: id('').optional().meta({ description: 'tells apart two lines about one product', example: 'pallet-2' }),
      }),
    )
    .min(1)
    .max(500)
    .meta({ description: 'all are booked, or none' }),
});
export const StockDocument = z
  .object({
    shopId,
    documentType: z.string(),
    documentId: z.string(),
    movements: z.array(
      Movement.extend({ onHand: units('after the whole document', 15), reserved: units('held by open reservations', 2) }),
    ),
  })
  .meta({ id: 'StockDocument' });

export const MovementsQuery = z.strictObject({
  ...pageQuery,
  sku,
  shop: shopId.optional().meta({ description: "the caller's own where it is absent" }),
});
export const MovementsPage = pageOf(
  Movement.extend({ shopId, documentType: z.string(), documentId: z.string(), subject: z.string() }),
).meta({ id: 'Movements' });
export const NumberPosition = z.int();

export const SkuPath = z.object({ sku });
export const LevelsQuery = z.strictObject({
  shop: shopId.optional().meta({ description: "the caller's own, or all for a caller of none, where it is absent" }),
});
export const Levels = z
  .object({
    sku,
    levels: z.array(
      z.object({
        shopId,
        sku,
        onHand: units('units in the shop', 12),
        reserved: units('units held by open reservations', 2),
        available: units('onHand − reserved', 10),
        changedAt: instant,
      }),
    ),
  })
  .meta({ id: 'Levels' });

// Master data.

export const Product = z
  .object({
    sku,
    gtin: z.string().meta({ description: 'GTIN-13', example: '9520001000010' }),
    name: z.string().meta({ example: 'Nordhavn Fjord 7 Pro 256 GB, midnatsblå' }),
    itemGroup: z.string().meta({ example: 'phones' }),
    isSerialised: z.boolean().meta({ description: 'each unit is sold by its serial number', example: true }),
    isActive: z.boolean().meta({ description: 'false: no longer sold', example: true }),
    changedAt: instant,
  })
  .meta({ id: 'Product' });
export const ProductsQuery = z.strictObject({
  ...pageQuery,
  q: z.string().min(1).max(80).optional().meta({ description: 'part of a name, or a whole SKU or GTIN', example: 'fjord' }),
});
export const ProductsPage = pageOf(Product).meta({ id: 'Products' });
export const ChangeProductBody = z
  .strictObject({
    name: z.string().trim().min(1).max(200).optional().meta({ example: 'Nordhavn Fjord 7 Pro 256 GB, midnatsblå' }),
    isActive: z.boolean().optional().meta({ example: false }),
  })
  .refine((body) => Object.keys(body).length > 0, 'must change something');

export const Shop = z
  .object({
    shopId,
    gln: z.string().meta({ description: 'Global Location Number', example: '9529000000014' }),
    name: z.string().meta({ example: 'Elnord Købmagergade' }),
    country: z.string().meta({ description: 'ISO 3166-1 alpha-2, lower case', example: 'dk' }),
    address: z.string().meta({ example: 'Købmagergade 40' }),
    postalCode: z.string().meta({ example: '1150' }),
    city: z.string().meta({ example: 'København K' }),
    latitude: z.number().meta({ example: 55.6811 }),
    longitude: z.number().meta({ example: 12.5765 }),
    timeZone: z.string().meta({ example: 'Europe/Copenhagen' }),
    status: z.string().meta({ description: 'open, temporarily-closed or closed', example: 'open' }),
    seller: z.string().meta({ description: 'who sells there in law', example: 'Elnord Danmark A/S' }),
    sellerNumber: z
      .string()
      .meta({ description: 'their number in the country’s register, as a receipt prints it', example: '00 00 00 19' }),
  })
  .meta({ id: 'Shop' });
export const ShopsPage = pageOf(Shop).meta({ id: 'Shops' });
export const ShopPath = z.object({ shopId });
export const TextPosition = z.string();

// Audit.

export const LevelsAudit = pageOf(
  z.object({
    shopId,
    checkedLevels: units('levels of the shop compared with what they are the sum of', 500),
    violations: z
      .array(
        z.object({
          shopId,
          sku,
          problem: z
            .enum(['on-hand-is-not-the-sum-of-movements', 'reserved-is-not-the-sum-of-reservations', 'negative'])
            .meta({ example: 'on-hand-is-not-the-sum-of-movements' }),
          onHand: units('of the level', 3),
          reserved: units('of the level', 0),
          movements: units('sum of the movements', 2),
          reservations: units('sum of the open reservations', 0),
        }),
      )
      .meta({ description: 'at most 1,000 are named' }),
  }),
).meta({ id: 'LevelsAudit' });
export const PrivilegedActs = pageOf(
  z.object({
    actId: z.int().meta({ example: 12 }),
    act: z.string().meta({ example: 'change-product' }),
    target: z.string().meta({ example: 'product:E100001' }),
    detail: z.record(z.string(), z.unknown()).meta({ example: { isActive: false } }),
    subject: z.string().meta({ description: "the token's subject", example: 'employee-1' }),
    role: z.string().meta({ example: 'operator' }),
    actedAt: instant,
  }),
).meta({ id: 'PrivilegedActs' });

// Imports.

export const ImportReport = z
  .object({
    importId: uuid,
    rows: units('rows with something in them; the sum of the other three', 2000),
    accepted: units('rows that were written', 1990),
    unchanged: units('rows that said what was known already', 8),
    refused: units('rows that could not be used', 2),
    refusals: z.string().meta({
      description: 'where the refused rows are listed',
      example: '/v1/imports/0198c0de-7d1e-7c2a-9b0e-0a1b2c3d4e5f/refusals',
    }),
  })
  .meta({ id: 'ImportReport' });
export const ImportPath = z.object({ importId: uuid });
export const ImportStatus = z
  .object({
    importId: uuid,
    kind: z.enum(importKinds),
    state: z.enum(['RUNNING', 'DONE', 'FAILED']).meta({ description: 'counts are there once it is DONE', example: 'DONE' }),
    rows: units('', 2000),
    accepted: units('', 1990),
    unchanged: units('', 8),
    refused: units('', 2),
    startedAt: instant,
    endedAt: instant.optional(),
  })
  .meta({ id: 'ImportStatus' });
export const RefusalsPage = pageOf(
  z.object({
    row: units('as a spreadsheet numbers it: the header is row 1', 17),
    column: z.string().meta({ description: 'empty where it is the row as a whole', example: 'gtin' }),
    code: z.string().meta({ example: 'gtin-taken' }),
    detail: z.string().meta({ example: 'Another product has this GTIN; a barcode leads to one product.' }),
  }),
).meta({ id: 'Refusals' });

/** A field of thirteen digits with its check digit, without which a mistyped code would be taken for another's. */
const thirteenDigits = text(13).refine(
  (value) => value.length === 13 && hasGs1CheckDigit(value),
  'is not thirteen digits of which the last is their check digit',
);
const skuField = text(40).refine((value) => skuPattern.test(value), 'is not letters, digits and ._- only');
const shopIdField = text(6).refine((value) => shopIdPattern.test(value), 'is not a shop id like dk-001');

/** A file as it comes in: its columns, each with what it may hold; what names a row; and the row as inventory knows it. */
export interface FileKind<Shape extends z.ZodObject, Row> {
  schema: Shape;
  key: (row: z.output<Shape>) => string;
  toRow: (row: z.output<Shape>) => Row;
}
const fileKind = <Shape extends z.ZodObject, Row>(kind: FileKind<Shape, Row>): FileKind<Shape, Row> => kind;

export const productsFile = fileKind({
  schema: z.strictObject({
    sku: skuField,
    gtin: thirteenDigits,
    name: text(200),
    item_group: text(40),
    is_serialised: flag(),
    is_active: flag(),
  }),
  key: (row) => row.sku,
  toRow: ({ item_group: itemGroup, is_serialised: isSerialised, is_active: isActive, ...row }): ProductRow => ({
    ...row,
    itemGroup,
    isSerialised,
    isActive,
  }),
});

export const shopsFile = fileKind({
  schema: z
    .strictObject({
      shop_id: shopIdField,
      gln: thirteenDigits,
      name: text(100),
      country: text(2).refine(isCountryCode, 'is not a country Kassa sells in'),
      address: text(200),
      postal_code: text(12),
      city: text(100),
      latitude: number(-90, 90),
      longitude: number(-180, 180),
      time_zone: text(40),
      status: text(20).refine(
        (value) => ['open', 'temporarily-closed', 'closed'].includes(value),
        'is none of open, temporarily-closed and closed',
      ),
      seller: text(100),
      seller_number: text(20).refine((value) => /\d/.test(value), 'holds no digit'),
    })
    .refine((row) => row.shop_id.startsWith(`${row.country}-`), { path: ['shop_id'], message: 'does not begin with its country' })
    .refine((row) => !isCountryCode(row.country) || country(row.country).timeZone === row.time_zone, {
      path: ['time_zone'],
      message: 'is not the zone of its country',
    }),
  key: (row) => row.shop_id,
  toRow: ({ shop_id, postal_code: postalCode, time_zone: timeZone, seller_number: sellerNumber, ...row }): ShopRow => ({
    ...row,
    shopId: shop_id,
    postalCode,
    timeZone,
    sellerNumber,
  }),
});

export const openingStockFile = fileKind({
  schema: z.strictObject({ shop_id: shopIdField, sku: skuField, quantity: integer(0, 1_000_000) }),
  key: (row) => `${row.shop_id} ${row.sku}`,
  toRow: ({ shop_id, ...row }): OpeningStockRow => ({ ...row, shopId: shop_id }),
});
