import { country, type CountryCode } from '@kassa/countries';
import { formatMoney, money, type Currency } from '@kassa/money';
import type { Plan } from './checkout.ts';
import { vatTable, type VatRow } from './pricing.ts';
import type { Line, TenderMethod } from './sale.ts';

/** Where it was sold; what the receipt says of it. */
export interface ReceiptShop {
  id: string;
  gln: string;
  name: string;
  address: string;
  postalCode: string;
  city: string;
  timeZone: string;
  /** Who sells, in law. */
  seller: string;
  /** Their number in the country's register, as the law wants it printed (e.g. bokføringsforskriften § 5-3-12, laki 658/2013 § 4). */
  sellerNumber: string;
}

/** What a neighbour said when a tender was paid. */
export interface Paid {
  tenderId: string;
  /** The issuer's approval. */
  authorisationCode: string | null;
  /** Brand and last four digits of the card. */
  cardLabel: string | null;
}

/** The document of a completed sale, as it was issued. Amounts in minor units of its currency. */
export interface Receipt {
  saleId: string;
  /** Without gaps per register, from 1. */
  number: number;
  registerId: string;
  shop: ReceiptShop;
  country: CountryCode;
  currency: Currency;
  /** RFC 3339, UTC. */
  soldAt: string;
  /** YYYY-MM-DD in the shop's zone. */
  businessDate: string;
  lines: ReceiptLine[];
  vat: VatRow[];
  totalMinor: number;
  roundingMinor: number;
  /** total + rounding: what the tenders less the change come to. */
  dueMinor: number;
  tenders: ReceiptTender[];
  changeMinor: number;
}

export interface ReceiptLine {
  sku: string;
  gtin: string;
  name: string;
  quantity: number;
  serials: string[];
  unitMinor: number;
  discountMinor: number;
  grossMinor: number;
  vatBp: number;
}

export interface ReceiptTender {
  method: TenderMethod;
  /** What was handed over. */
  tenderedMinor: number;
  authorisationCode: string | null;
  cardLabel: string | null;
}

export interface ReceiptFacts {
  number: number;
  plan: Plan;
  lines: readonly Line[];
  paid: readonly Paid[];
  shop: ReceiptShop;
}

/** Draws up the receipt of a checkout whose steps are all done. The same facts give the same document. */
export function issueReceipt({ number, plan, lines, paid, shop }: ReceiptFacts): Receipt {
  const paidBy = new Map(paid.map((tender) => [tender.tenderId, tender]));
  const { id, gln, name: shopName, address, postalCode, city, timeZone, seller, sellerNumber } = shop;
  return {
    saleId: plan.saleId,
    number,
    registerId: plan.actor.registerId,
    shop: { id, gln, name: shopName, address, postalCode, city, timeZone, seller, sellerNumber },
    country: plan.country,
    currency: plan.currency,
    soldAt: plan.soldAt,
    businessDate: plan.businessDate,
    lines: lines.map(({ sku, gtin, name, quantity, serials, unitMinor, discountMinor, grossMinor, vatBp }) => ({
      sku,
      gtin,
      name,
      quantity,
      serials,
      unitMinor,
      discountMinor,
      grossMinor,
      vatBp,
    })),
    vat: vatTable(lines),
    totalMinor: plan.totalMinor,
    roundingMinor: plan.roundingMinor,
    dueMinor: plan.totalMinor + plan.roundingMinor,
    tenders: plan.tenders.map(({ tenderId, method, tenderedMinor }) => ({
      method,
      tenderedMinor,
      authorisationCode: paidBy.get(tenderId)?.authorisationCode ?? null,
      cardLabel: paidBy.get(tenderId)?.cardLabel ?? null,
    })),
    changeMinor: plan.changeMinor,
  };
}

/** Characters a line of a receipt printer holds. */
const width = 42;
const rule = '-'.repeat(width);

/** The receipt as a printer takes it, in the language of its country. Every print but the first is a copy and says so. */
export function renderReceipt(receipt: Receipt, { isCopy }: { isCopy: boolean }): string {
  const { shop, currency, dueMinor, roundingMinor } = receipt;
  const texts = country(receipt.country).receipt;
  const amount = (minor: number) => formatMoney(money(minor, currency));
  const isRounded = roundingMinor !== 0;
  const rows = [
    ...[shop.name, shop.address, `${shop.postalCode} ${shop.city}`].flatMap(centred),
    ...[shop.seller, `${texts.sellerNumber} ${shop.sellerNumber}`, `GLN ${shop.gln}`].flatMap(centred),
    '',
    ...(isCopy ? centred(`*** ${texts.copy} ***`) : []),
    ...centred(texts.receipt),
    `${texts.receiptNumber} ${receipt.number}`,
    `${texts.register} ${receipt.registerId}`,
    `${texts.date} ${receipt.businessDate} ${localTime(receipt.soldAt, shop.timeZone)}`,
    rule,
    ...receipt.lines.flatMap((line) => [
      ...wrapped(line.name),
      ...pair(`  ${line.quantity} ${texts.pieces} x ${amount(line.unitMinor)}`, amount(line.grossMinor + line.discountMinor)),
      ...(line.discountMinor === 0 ? [] : pair(`  ${texts.discount}`, amount(-line.discountMinor))),
      ...line.serials.flatMap((serial) => wrapped(`  ${texts.serialNumber} ${serial}`)),
    ]),
    rule,
    ...pair(`${texts.total} ${currency}`, amount(receipt.totalMinor)),
    ...(isRounded
      ? [...pair(texts.rounding, amount(roundingMinor)), ...pair(`${texts.toPay} ${currency}`, amount(dueMinor))]
      : []),
    '',
    ...receipt.tenders.flatMap(({ method, tenderedMinor, cardLabel, authorisationCode }) => [
      ...pair(cardLabel ?? methodText(method, texts), amount(tenderedMinor)),
      ...(authorisationCode === null ? [] : [`  ${texts.authorisation} ${authorisationCode}`]),
    ]),
    ...(receipt.changeMinor === 0 ? [] : pair(texts.change, amount(receipt.changeMinor))),
    rule,
    columns(texts.vat, texts.net, texts.vat, texts.gross),
    ...receipt.vat.map((row) => columns(percent(row.bp), amount(row.netMinor), amount(row.vatMinor), amount(row.grossMinor))),
    rule,
    ...centred(texts.thanks),
  ];
  return `${rows.map((row) => row.trimEnd()).join('\n')}\n`;
}

function methodText(method: TenderMethod, texts: ReturnType<typeof country>['receipt']): string {
  switch (method) {
    case 'cash':
      return texts.paidCash;
    case 'terminal':
      return texts.paidCard;
    case 'online':
      return texts.paidOnline;
    default:
      return method satisfies never;
  }
}

/** 2550 basis points are `25,5 %`. */
function percent(bp: number): string {
  return `${String(bp / 100).replace('.', ',')} %`;
}

/** The wall clock of the shop, HH:MM. Formats are kept: making one costs a hundred times what using it does. */
function localTime(instant: string, timeZone: string): string {
  const format = clocks.get(timeZone) ?? new Intl.DateTimeFormat('en-GB', { ...clock, timeZone });
  clocks.set(timeZone, format);
  return format.format(new Date(instant));
}

const clock = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' } as const;
const clocks = new Map<string, Intl.DateTimeFormat>();

/** Text on the left, an amount on the right; on two lines where they do not fit on one. */
function pair(left: string, right: string): string[] {
  const room = width - left.length - right.length;
  return room > 0 ? [left + ' '.repeat(room) + right] : [...wrapped(left), right.padStart(width)];
}

function columns(...cells: [string, string, string, string]): string {
  return cells.map((cell, n) => (n === 0 ? cell.padEnd(6) : cell.padStart(12))).join('');
}

function centred(text: string): string[] {
  return wrapped(text).map((row) => ' '.repeat(Math.floor((width - row.length) / 2)) + row);
}

/** Breaks between words; a word longer than a line is cut. The indent of the first row is kept for the others. */
function wrapped(text: string): string[] {
  const indent = /^ */.exec(text)?.[0] ?? '';
  const rows: string[] = [];
  let row = indent;
  for (const word of text.trim().split(/\s+/)) {
    for (let rest = word; rest !== '';) {
      const room = width - row.length - (row === indent ? 0 : 1);
      if (rest.length <= room) {
        row += (row === indent ? '' : ' ') + rest;
        rest = '';
      } else if (row === indent) {
        rows.push(row + rest.slice(0, room));
        rest = rest.slice(room);
      } else {
        rows.push(row);
        row = indent;
      }
    }
  }
  return row === indent ? rows : [...rows, row];
}
