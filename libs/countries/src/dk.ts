import type { CashRounding, Country, ReceiptTexts } from './country.ts';

/** Danish coins serve Greenland and the Faroes too; whether the order does is said there. */
export const danishCashRounding: CashRounding = {
  stepMinor: 50,
  source: 'BEK nr. 928 af 19/09/2008 § 2: to the nearest 50 øre; that 25 øre goes up is practice, the order is silent',
};

export const danishReceipt: ReceiptTexts = {
  receipt: 'Kvittering',
  returnReceipt: 'Returkvittering',
  copy: 'KOPI',
  sellerNumber: 'CVR-nr.',
  register: 'Kasse',
  receiptNumber: 'Bon nr.',
  date: 'Dato',
  pieces: 'stk.',
  serialNumber: 'Serienr.',
  discount: 'Rabat',
  subtotal: 'Subtotal',
  total: 'I alt',
  rounding: 'Øreafrunding',
  toPay: 'At betale',
  paidCash: 'Kontant',
  paidCard: 'Kort',
  paidOnline: 'Betalt online',
  authorisation: 'Autorisation',
  change: 'Byttepenge',
  refunded: 'Tilbagebetalt',
  vat: 'Moms',
  net: 'Netto',
  gross: 'Brutto',
  thanks: 'Tak for besøget',
};

/** Betalingsloven § 81, the duty to take cash from 06 to 22, depends on the hour and not on the amount, and is no rule here. */
export const denmark: Country = {
  code: 'dk',
  name: 'Denmark',
  nativeName: 'Danmark',
  currency: 'DKK',
  timeZone: 'Europe/Copenhagen',
  locale: 'da-DK',
  vat: [{ code: 'standard', bp: 2500, from: '1992-01-01', source: 'Momsloven § 33' }],
  cashRounding: danishCashRounding,
  cashRules: [
    {
      rule: 'must-refuse',
      amountMinor: 1_500_000,
      from: '2024-03-01',
      source: 'Hvidvaskloven § 5 as amended by L 94 (2023-24), which does not extend to Greenland and the Faroes',
    },
  ],
  receipt: danishReceipt,
};
