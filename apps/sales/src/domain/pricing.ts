import { allocate, vatOf } from '@kassa/money';
import type { Line } from './sale.ts';

/** Lines a sale holds at most. */
export const linesMax = 200;

/** What the catalogue says of an item, in one shop on one business date. */
export interface Offer {
  sku: string;
  gtin: string;
  name: string;
  itemGroup: string;
  isSerialised: boolean;
  isActive: boolean;
  /** Shelf price including VAT in minor units; null where the product has none that day. */
  unitMinor: number | null;
}

export interface WantedLine {
  lineId: string;
  position: number;
  /** The GTIN or SKU as it was asked for. */
  item: string;
  quantity: number;
  serials: string[];
}

/** In order of precedence: the first that holds is the answer. */
export type PricingRefusal = {
  code: 'unknown-item' | 'product-inactive' | 'price-missing' | 'serial-required';
  detail: string;
  params: Record<string, unknown>;
};

export type Priced = { line: Line } | { refusal: PricingRefusal };

/** Prices and taxes one line from the catalogue; `vatBp` is the rate of the business date. */
export function priceLine(wanted: WantedLine, offer: Offer | undefined, vatBp: number): Priced {
  const { item, lineId, position, quantity, serials } = wanted;
  if (!offer) return refuse('unknown-item', `No product has the GTIN or SKU ${item}.`, { item });
  const { unitMinor, isActive, ...product } = offer;
  const params = { sku: offer.sku };
  if (!isActive) return refuse('product-inactive', `${offer.sku} is no longer sold.`, params);
  if (unitMinor === null) return refuse('price-missing', `${offer.sku} has no price in this country today.`, params);
  return withAmounts({ ...product, lineId, position, quantity, serials, unitMinor, discountMinor: 0, vatBp });
}

/** The line with another quantity or other serial numbers; its unit price stays what it was when the line was added. */
export function changeLine(line: Line, change: { quantity?: number | undefined; serials?: string[] | undefined }): Priced {
  return withAmounts({ ...line, quantity: change.quantity ?? line.quantity, serials: change.serials ?? line.serials });
}

type Unpriced = Omit<Line, 'grossMinor' | 'vatMinor' | 'netMinor'>;

function withAmounts(line: Unpriced): Priced {
  const fault = serialFault(line);
  if (fault) return refuse('serial-required', fault, { sku: line.sku, quantity: line.quantity, serials: line.serials.length });
  return { line: taxed(line, line.vatBp) };
}

/** VAT is rounded once, on the line's total. */
function taxed(line: Unpriced, vatBp: number): Line {
  const grossMinor = line.quantity * line.unitMinor - line.discountMinor;
  const { vat, net } = vatOf(grossMinor, vatBp);
  return { ...line, vatBp, grossMinor, vatMinor: vat, netMinor: net };
}

/** A product sold by its serial number names one for each unit; any other may. None stands twice. */
function serialFault({ sku, isSerialised, quantity, serials }: Unpriced): string | undefined {
  const isNeeded = isSerialised || serials.length > 0;
  if (isNeeded && serials.length !== quantity) {
    return `${sku} needs one serial number for each of its ${quantity} units; ${serials.length} were given.`;
  }
  return new Set(serials).size < serials.length ? `A serial number of ${sku} stands twice.` : undefined;
}

/** A serial number that two lines of the same product name, or undefined: one unit is sold once. */
export function serialSoldTwice(lines: readonly Line[]): { sku: string; serial: string } | undefined {
  const seen = new Set<string>();
  for (const { sku, serials } of lines) {
    for (const serial of serials) {
      if (seen.has(`${sku} ${serial}`)) return { sku, serial };
      seen.add(`${sku} ${serial}`);
    }
  }
  return undefined;
}

/**
 * The lines at the rate of the tax point, which is the business date of the checkout: a sale that was parked over a change of rates is
 * taxed by the new one. The price includes VAT and stays; only its split changes.
 */
export function taxOn(lines: readonly Line[], vatBp: number): Line[] {
  return lines.map((line) => (line.vatBp === vatBp ? line : taxed(line, vatBp)));
}

/** Shares a discount on the basket out over its lines by their gross, to the last minor unit; no line becomes negative. */
export function discounted(lines: readonly Line[], discountMinor: number): Line[] {
  const shares = allocate(
    discountMinor,
    lines.map((line) => line.grossMinor),
  );
  return lines.map((line, n) => taxed({ ...line, discountMinor: line.discountMinor + (shares[n] ?? 0) }, line.vatBp));
}

export function totalOf(lines: readonly Line[]): number {
  return lines.reduce((total, line) => total + line.grossMinor, 0);
}

export interface VatRow {
  bp: number;
  grossMinor: number;
  vatMinor: number;
  netMinor: number;
}

/** The document's VAT: for each rate the sum over its lines, highest rate first. It is never computed anew from a total. */
export function vatTable(lines: readonly Line[]): VatRow[] {
  const rows = new Map<number, VatRow>();
  for (const { vatBp: bp, grossMinor, vatMinor, netMinor } of lines) {
    const row = rows.get(bp) ?? { bp, grossMinor: 0, vatMinor: 0, netMinor: 0 };
    rows.set(bp, {
      bp,
      grossMinor: row.grossMinor + grossMinor,
      vatMinor: row.vatMinor + vatMinor,
      netMinor: row.netMinor + netMinor,
    });
  }
  return [...rows.values()].sort((a, b) => b.bp - a.bp);
}

function refuse(code: PricingRefusal['code'], detail: string, params: Record<string, unknown>): { refusal: PricingRefusal } {
  return { refusal: { code, detail, params } };
}
