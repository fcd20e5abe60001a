import type { Country } from './country.ts';
import { danishCashRounding } from './dk.ts';

/** The Faroese króna is DKK by value and in law; only its notes differ. The receipt was not proof-read by a native speaker. */
export const faroes: Country = {
  code: 'fo',
  name: 'Faroe Islands',
  nativeName: 'Føroyar',
  currency: 'DKK',
  timeZone: 'Atlantic/Faroe',
  locale: 'fo-FO',
  vat: [
    {
      code: 'standard',
      bp: 2500,
      from: '1993-01-01',
      source:
        'Løgtingslóg nr. 136 frá 8. september 1992 um meirvirðisgjald; rate by taks.fo, paragraph and first day not verified',
    },
  ],
  cashRounding: {
    ...danishCashRounding,
    source: 'Inferred from the coins in use, which are the Danish ones; not verified that BEK nr. 928 af 19/09/2008 extends here',
  },
  cashRules: [],
  receipt: {
    receipt: 'Kvittan',
    returnReceipt: 'Kvittan fyri afturlatna vøru',
    copy: 'AVRIT',
    sellerNumber: 'V-tal',
    register: 'Kassi',
    receiptNumber: 'Kvittan nr.',
    date: 'Dagfesting',
    pieces: 'stk.',
    serialNumber: 'Raðnummar',
    discount: 'Avsláttur',
    subtotal: 'Millumupphædd',
    total: 'Íalt',
    rounding: 'Avrunding',
    toPay: 'At gjalda',
    paidCash: 'Reiður peningur',
    paidCard: 'Kort',
    paidOnline: 'Goldið á netinum',
    authorisation: 'Heimild',
    change: 'Afturpengar',
    refunded: 'Afturgoldið',
    vat: 'MVG',
    net: 'Uttan MVG',
    gross: 'Við MVG',
    thanks: 'Takk fyri vitjanina',
  },
};
