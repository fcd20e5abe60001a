import type { Currency } from '@kassa/money';

/** The territories Kassa sells in: ISO 3166-1 alpha-2 codes, in lower case. Greenland and the Faroes tax on their own. */
export const countryCodes = ['dk', 'no', 'se', 'fi', 'is', 'gl', 'fo'] as const;
export type CountryCode = (typeof countryCodes)[number];

/** A calendar day in a shop's own zone, as YYYY-MM-DD; such days compare as text. */
export type LocalDate = string;

/**
 * Kinds of goods by how they are taxed. Consumer electronics are `standard` everywhere. A country has only the codes its law
 * knows; where two codes share a rate today, they have parted before or may part.
 */
export type VatCode = 'standard' | 'food' | 'reduced' | 'low';

/** What is law from `from` until the day before `to`; without `to` until further notice. */
interface InForce {
  readonly from: LocalDate;
  readonly to?: LocalDate;
  /** The law, regulation or authority; it says so where its wording was not verified. */
  readonly source: string;
}

export interface VatRate extends InForce {
  readonly code: VatCode;
  /** Basis points of the net price: 2550 is 25.5 %. */
  readonly bp: number;
}

export interface CashRounding {
  /** The smallest amount cash can settle, in minor units; 1 means cash is exact. */
  readonly stepMinor: number;
  /** Amounts below this many minor units are paid as they are; absent where all are rounded. */
  readonly exactBelowMinor?: number;
  readonly source: string;
}

/**
 * Law on paying cash for one purchase. `must-accept`: a consumer may pay up to and including `amountMinor` in cash. `must-refuse`:
 * cash of `amountMinor` or more may not be taken.
 */
export interface CashRule extends InForce {
  readonly rule: 'must-accept' | 'must-refuse';
  readonly amountMinor: number;
}

/** The words of a receipt, in the language customers of the country expect. */
export interface ReceiptTexts {
  /** Heads of the documents; `copy` marks every print but the first. */
  readonly receipt: string;
  readonly returnReceipt: string;
  readonly copy: string;
  /** What the seller's number in the country's register is called. */
  readonly sellerNumber: string;
  readonly register: string;
  readonly receiptNumber: string;
  readonly date: string;
  /** After a quantity, as in `2 stk.`. */
  readonly pieces: string;
  readonly serialNumber: string;
  readonly discount: string;
  readonly subtotal: string;
  readonly total: string;
  readonly rounding: string;
  readonly toPay: string;
  readonly paidCash: string;
  readonly paidCard: string;
  readonly paidOnline: string;
  readonly authorisation: string;
  readonly change: string;
  readonly refunded: string;
  /** The tax by its local name, and the heads of the table of its rates. */
  readonly vat: string;
  readonly net: string;
  readonly gross: string;
  readonly thanks: string;
}

/** Everything about a territory that a till must know and no code may decide. */
export interface Country {
  readonly code: CountryCode;
  readonly name: string;
  readonly nativeName: string;
  readonly currency: Currency;
  /** IANA zone of the business date of its shops. */
  readonly timeZone: string;
  /** BCP 47 tag for dates and words. */
  readonly locale: string;
  /** For each code without overlap or gap from its first day on. */
  readonly vat: readonly VatRate[];
  readonly cashRounding: CashRounding;
  readonly cashRules: readonly CashRule[];
  readonly receipt: ReceiptTexts;
}
