import { holdsCardNumber } from '@kassa/check-digits';
import { pageOf, pageQuery } from '@kassa/http';
import { z } from 'zod';
import { tendersMax } from './domain/checkout.ts';
import { linesMax } from './domain/pricing.ts';
import { saleStates, tenderMethods } from './domain/sale.ts';

// Amounts are minor units of the document's currency: 1299 is 12,99 DKK, and 1299 ISK.

const minor = (description: string, example = 999900) => z.int().meta({ description, example });
const uuid = (description: string, example = '0195a1c2-7c1e-7d55-9d0a-2f0c6a3b1e11') => z.uuid().meta({ description, example });
const instant = (description: string) => z.iso.datetime().meta({ description, example: '2026-03-02T10:15:30.120Z' });
const text = (description: string, example: string) => z.string().meta({ description, example });

/** Text without control characters and halves of surrogate pairs, which PostgreSQL cannot store and nobody can read. */
const plain = (max: number) =>
  z
    .string()
    .trim()
    .min(1, 'is empty')
    .max(max)
    .regex(/^\P{C}*$/u, 'must not have control characters');

/** What may be a gateway's token, and cannot be a card number. */
const cardToken = z
  .string()
  .regex(/^[A-Za-z][A-Za-z0-9_-]{2,99}$/, 'must be a token of the gateway, which begins with a letter; never send a card number')
  .meta({ description: "the gateway's token of the card; for method online", example: 'tok_approve' });

const serials = z
  .array(
    z
      .string()
      .trim()
      .regex(/^[\x21-\x7e]{1,40}$/, 'must be 1 to 40 visible ASCII characters'),
  )
  .max(999)
  .meta({ description: 'one serial number for each unit, where the product is sold by them', example: ['490154203237518'] });

const quantity = z.int().min(1).max(999).meta({ description: 'whole units, 1 to 999', example: 1 });

const line = {
  gtin: z
    .string()
    .regex(/^(\d{8}|\d{12,14})$/, 'must have 8, 12, 13 or 14 digits')
    .optional()
    .meta({ description: 'what the barcode says; either this or sku', example: '9520001000027' }),
  sku: plain(40).optional().meta({ description: 'either this or gtin', example: 'E100002' }),
  quantity: quantity.default(1),
  serials: serials.default([]),
};
const isOneItem = ({ gtin, sku }: { gtin?: string | undefined; sku?: string | undefined }) =>
  (gtin === undefined) !== (sku === undefined);
const oneItem = { error: 'must have gtin or sku, and not both' };

export const LineBody = z.strictObject(line).refine(isOneItem, oneItem).meta({ id: 'LineBody' });

const expectedTotalMinor = z
  .int()
  .min(0)
  .optional()
  .meta({ description: 'what the till thinks the sale costs; another total is refused with price-changed', example: 129900 });

export const OpenSaleBody = z
  .strictObject({
    id: uuid("the till's own id of the sale, a UUIDv7; absent, the service makes one").optional(),
    lines: z
      .array(LineBody)
      .max(linesMax)
      .default([])
      .meta({ description: `0 to ${linesMax} lines` }),
    expectedTotalMinor,
  })
  .meta({ id: 'OpenSaleBody', example: { lines: [{ gtin: '9520001000027', quantity: 1, serials: ['490154203237518'] }] } });

export const ChangeLineBody = z
  .strictObject({ quantity: quantity.optional(), serials: serials.optional() })
  .refine((body) => body.quantity !== undefined || body.serials !== undefined, 'must change quantity, serials or both')
  .meta({ id: 'ChangeLineBody', example: { quantity: 2 } });

const amountMax = 1_000_000_000_000;

export const TenderBody = z
  .strictObject({
    method: z.enum(tenderMethods).meta({
      description: 'cash; terminal: a card at the register; online: a card by the gateway’s token',
      example: 'terminal',
    }),
    amountMinor: z
      .int()
      .min(0)
      .max(amountMax)
      .meta({ description: 'what is handed over; more than is due for cash only', example: 129900 }),
    capture: z.enum(['purchase', 'authorise']).optional().meta({
      description:
        'authorise holds the money first and captures when the goods are sure; default: purchase, and authorise for online',
    }),
    cardToken: cardToken.optional(),
  })
  .refine((tender) => tender.method === 'cash' || tender.amountMinor > 0, { error: 'must be more than 0', path: ['amountMinor'] })
  .refine((tender) => (tender.method === 'online') === (tender.cardToken !== undefined), {
    error: 'must be given for method online, and only for it',
    path: ['cardToken'],
  })
  .meta({ id: 'TenderBody' });

export const CompleteBody = z
  .strictObject({
    tenders: z.array(TenderBody).max(tendersMax).default([]).meta({ description: 'beside those the sale has already' }),
    expectedTotalMinor,
  })
  .meta({ id: 'CompleteBody', example: { tenders: [{ method: 'terminal', amountMinor: 129900 }], expectedTotalMinor: 129900 } });

/** Why an operator did it. What looks like a card number must not get into the books by mistake. */
const reason = plain(500).refine((text) => !holdsCardNumber(text), 'must not hold a card number');

export const ResumeBody = z
  .strictObject({ reason: reason.min(3).meta({ example: 'The terminal is back; try again now.' }) })
  .meta({ id: 'ResumeBody' });

export const ResolveBody = z
  .strictObject({
    action: z
      .enum(['abort', 'finish'])
      .meta({ description: 'abort: take everything back; finish: what is left was done by hand', example: 'abort' }),
    reason: reason.meta({ description: 'kept with the act', example: 'The customer left; the terminal was replaced.' }),
  })
  .meta({ id: 'ResolveBody' });

export const SalePath = z.object({ id: uuid('the sale') });
export const LinePath = SalePath.extend({ lineId: uuid('the line') });
export const TenderPath = SalePath.extend({ tenderId: uuid('the tender') });
export const CheckoutPath = z.object({ saleId: uuid('the sale') });
export const ImportPath = z.object({ id: uuid('the import') });

export const SalesQuery = z.strictObject({
  ...pageQuery,
  state: z.enum(saleStates).optional().meta({ example: 'PARKED' }),
  register: plain(40).optional().meta({ description: 'only of this register', example: 'dk-001-01' }),
  receiptNumber: z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER).optional().meta({ example: 42 }),
});
export const ReceiptQuery = z.strictObject({
  format: z.enum(['json', 'text']).default('json').meta({ description: 'text: as a printer takes it, 42 characters wide' }),
  copy: z.literal('true').optional().meta({ description: 'may be said; a receipt that is asked for is always a copy' }),
});
export const CheckoutsQuery = z.strictObject({
  ...pageQuery,
  state: z
    .enum(['open', 'stuck'])
    .default('open')
    .meta({ description: 'stuck: open longer than an operator should let it be', example: 'stuck' }),
});
export const PageQuery = z.strictObject(pageQuery);

const VatRow = z
  .object({
    bp: z.int().meta({ description: 'the rate in basis points', example: 2500 }),
    grossMinor: minor('VAT included'),
    vatMinor: minor('the sum of the lines’ VAT', 199980),
    netMinor: minor('without VAT', 799920),
  })
  .meta({ id: 'VatRow' });

const Line = z
  .object({
    lineId: uuid('the line'),
    sku: text('our number', 'E100002'),
    gtin: text('13 digits', '9520001000027'),
    name: text('as it is printed', 'Nordhavn Fjord 4 256 GB, sort'),
    itemGroup: text('the family', 'phones'),
    isSerialised: z.boolean().meta({ description: 'each unit is sold by its serial number' }),
    quantity,
    serials,
    unitMinor: minor('the shelf price when the line was added'),
    discountMinor: minor('taken off the line', 0),
    vatBp: z.int().meta({ description: 'the VAT rate in basis points', example: 2500 }),
    grossMinor: minor('quantity × unit − discount'),
    vatMinor: minor('contained in gross, rounded once per line', 199980),
    netMinor: minor('gross − VAT', 799920),
  })
  .meta({ id: 'Line' });

const Tender = z
  .object({
    tenderId: uuid('the tender'),
    attempt: z.int().meta({ description: 'the checkout it belongs to, from 1', example: 1 }),
    method: z.enum(tenderMethods),
    capture: z.enum(['purchase', 'authorise']),
    amountMinor: minor('what it pays of the sale'),
    tenderedMinor: minor('what was handed over'),
    status: z.enum(['PENDING', 'SETTLED', 'DECLINED', 'RETURNED']).meta({ description: 'RETURNED: nothing of it was kept' }),
    declineCode: z.string().nullable().meta({ description: 'what the issuer said', example: 'insufficient-funds' }),
    authorisationCode: z.string().nullable().meta({ description: 'the issuer’s approval', example: '831000' }),
    cardLabel: z.string().nullable().meta({ description: 'brand and last four digits', example: 'Dankort •••• 4321' }),
  })
  .meta({ id: 'Tender' });

const NextAction = z
  .object({
    action: z.enum([
      'add-lines',
      'take-tender',
      'take-another-tender',
      'change-basket',
      'complete',
      'resume',
      'wait',
      'hand-over',
      'none',
    ]),
    text: text('a sentence to show', 'Scan on, or complete the sale with its tenders.'),
    poll: z
      .object({
        url: text('where to ask', '/v1/sales/0195a1c2-7c1e-7d55-9d0a-2f0c6a3b1e11'),
        everyMs: z.int().meta({ example: 1000 }),
        forMs: z.int().meta({ example: 300000 }),
      })
      .optional()
      .meta({ description: 'with the action wait' }),
  })
  .meta({ id: 'NextAction', description: 'what the till should do now' });

const Refusal = z
  .object({
    cause: text('an error code, or operator-abort', 'payment-declined'),
    detail: text('a sentence to show', 'There is not enough money on the card.'),
    tenderId: uuid('the tender at fault').optional(),
    declineCode: z.string().optional().meta({ example: 'insufficient-funds' }),
    lines: z
      .array(z.object({ sku: z.string(), requested: z.int(), available: z.int() }))
      .optional()
      .meta({ description: 'what is short' }),
  })
  .meta({ id: 'Refusal', description: 'why the last checkout was undone' });

const sale = {
  id: uuid('the sale'),
  shopId: text('the shop', 'dk-001'),
  registerId: text('where it is worked on, or was completed', 'dk-001-01'),
  country: text('lower case', 'dk'),
  currency: text('ISO 4217', 'DKK'),
  state: z.enum(saleStates),
  version: z.int().meta({ description: 'also the ETag', example: 3 }),
  attempt: z.int().meta({ description: 'checkouts begun so far', example: 0 }),
  totalMinor: minor('the sum of the lines'),
  roundingMinor: minor('cash rounding, signed; what is due is total + rounding', 0),
  changeMinor: minor('cash given back', 0),
  remainingMinor: minor('what the tenders so far leave to be paid'),
  businessDate: z.string().nullable().meta({ description: 'in the shop’s zone, when the checkout began', example: '2026-03-02' }),
  refusal: Refusal.nullable(),
  receiptNumber: z.int().nullable().meta({ description: 'without gaps per register', example: 42 }),
  openedAt: instant('when it was opened'),
  completedAt: z.iso.datetime().nullable(),
  lines: z.array(Line),
  tenders: z.array(Tender),
  vat: z.array(VatRow),
  nextAction: NextAction,
};

export const Sale = z.object(sale).meta({ id: 'Sale' });

const Receipt = z
  .object({
    saleId: uuid('the sale'),
    number: z.int().meta({ description: 'without gaps per register', example: 42 }),
    registerId: text('the register', 'dk-001-01'),
    shop: z.object({
      id: text('the shop', 'dk-001'),
      gln: text('Global Location Number', '9529000000014'),
      name: text('as it is printed', 'Elnord Købmagergade'),
      address: text('street', 'Købmagergade 40'),
      postalCode: text('postal code', '1150'),
      city: text('city', 'København K'),
      timeZone: text('IANA name', 'Europe/Copenhagen'),
      seller: text('who sells, in law', 'Elnord Danmark A/S'),
      sellerNumber: text('their number in the country’s register', '00 00 00 19'),
    }),
    country: text('lower case', 'dk'),
    currency: text('ISO 4217', 'DKK'),
    soldAt: instant('when the basket was frozen'),
    businessDate: text('its date in the shop’s zone', '2026-03-02'),
    lines: z.array(
      z.object({
        sku: z.string(),
        gtin: z.string(),
        name: z.string(),
        quantity: z.int(),
        serials: z.array(z.string()),
        unitMinor: z.int(),
        discountMinor: z.int(),
        grossMinor: z.int(),
        vatBp: z.int(),
      }),
    ),
    vat: z.array(VatRow),
    totalMinor: minor('the sum of the lines'),
    roundingMinor: minor('cash rounding, signed', 0),
    dueMinor: minor('total + rounding'),
    tenders: z.array(
      z.object({
        method: z.enum(tenderMethods),
        tenderedMinor: minor('what was handed over'),
        authorisationCode: z.string().nullable(),
        cardLabel: z.string().nullable(),
      }),
    ),
    changeMinor: minor('cash given back', 0),
  })
  .meta({ id: 'Receipt', description: 'the document of a completed sale, as it was issued' });

const receiptText = text('the receipt as a printer takes it, in the language of the country', 'Elnord Købmagergade\n…');

export const CompletedSale = z.object({ ...sale, receipt: Receipt, receiptText }).meta({ id: 'CompletedSale' });
export const ReceiptCopy = z.object({ isCopy: z.literal(true), receipt: Receipt, receiptText }).meta({ id: 'ReceiptCopy' });

export const Sales = pageOf(
  z
    .object({
      id: uuid('the sale'),
      shopId: z.string(),
      registerId: z.string(),
      state: z.enum(saleStates),
      receiptNumber: z.int().nullable(),
      totalMinor: z.int(),
      currency: z.string(),
      businessDate: z.string().nullable(),
      openedAt: z.iso.datetime(),
      completedAt: z.iso.datetime().nullable(),
    })
    .meta({ id: 'SaleSummary' }),
);

export const ImportReport = z
  .object({
    importId: uuid('the import'),
    rows: z.int().meta({ description: 'the sum of the other three', example: 2000 }),
    accepted: z.int().meta({ example: 1990 }),
    unchanged: z.int().meta({ example: 8 }),
    refused: z.int().meta({ example: 2 }),
    refusals: text('where the refused rows are listed', '/v1/imports/0195a1c2-7c1e-7d55-9d0a-2f0c6a3b1e11/refusals'),
  })
  .meta({ id: 'ImportReport' });

export const RefusedRows = pageOf(
  z
    .object({
      row: z.int().meta({ description: 'as a spreadsheet numbers it: the header is row 1', example: 17 }),
      column: text('empty where it is the row as a whole', 'valid_from'),
      code: text('why', 'price-overlap'),
      detail: text('a sentence', 'Its days overlap with the price valid from 2024-01-01 to further notice; end that one first.'),
    })
    .meta({ id: 'RefusedRow' }),
);

export const Checkouts = pageOf(
  z
    .object({
      saleId: uuid('the sale'),
      shopId: z.string(),
      registerId: z.string(),
      attempt: z.int(),
      phase: z
        .enum(['COMMITTING', 'COMPENSATING', 'CONSUMING', 'ENDED'])
        .meta({ description: 'CONSUMING: completed, and the stock is still to be booked' }),
      refusal: Refusal.nullable(),
      tries: z.int().meta({ description: 'how often it was put off' }),
      problem: z.string().nullable().meta({ description: 'why the last time, as an error code', example: 'payment-unknown' }),
      startedAt: instant('when the basket was frozen'),
      dueAt: instant('when it is looked at next, at the latest'),
    })
    .meta({ id: 'Checkout' }),
);

export const ActTaken = z
  .object({
    actId: uuid('the act, see GET /v1/audit/acts'),
    act: z.enum(['resume', 'abort', 'finish']),
    saleId: uuid('the sale'),
    attempt: z.int(),
    phaseBefore: z.enum(['COMMITTING', 'COMPENSATING', 'CONSUMING', 'ENDED']),
  })
  .meta({ id: 'ActTaken' });

export const Acts = pageOf(
  z
    .object({
      id: uuid('the act'),
      doneAt: instant('when'),
      subject: text('who, as an opaque id', 'operator-7'),
      act: text('resume, abort or finish', 'abort'),
      saleId: uuid('the sale'),
      attempt: z.int(),
      reason: z.string(),
      facts: z.record(z.string(), z.unknown()).meta({ description: 'what stood in the checkout before' }),
    })
    .meta({ id: 'Act' }),
);

export const AuditedSales = pageOf(
  z
    .object({
      saleId: uuid('the sale'),
      shopId: z.string(),
      registerId: z.string(),
      state: z.enum(saleStates),
      receiptNumber: z.int().nullable(),
      country: z.string(),
      channel: z.enum(['store', 'web']).nullable(),
      totalMinor: z.int(),
      currency: z.string(),
      roundingMinor: z.int(),
      reservationId: z.uuid().nullable(),
      tenders: z.array(
        z.object({
          tenderId: z.uuid(),
          method: z.enum(tenderMethods),
          amountMinor: minor('what it pays of the sale, which is what payments moves'),
          intentId: z.uuid().nullable(),
          transactionIds: z.array(z.uuid()),
          terminalId: z.string().nullable(),
          status: z.enum(['PENDING', 'SETTLED', 'DECLINED', 'RETURNED']),
        }),
      ),
      lines: z.array(z.object({ sku: z.string(), quantity: z.int() })),
    })
    .meta({ id: 'AuditedSale' }),
);

/** Sort keys inside cursors. */
// PostgreSQL knows no year 0.
export const byInstant = z.tuple([z.iso.datetime().regex(/^[1-9]/), z.uuid()]);
export const byId = z.uuid();
export const byRow = z.int().min(0);
