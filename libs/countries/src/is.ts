import type { Country } from './country.ts';

const vatAct = 'Lög nr. 50/1988 um virðisaukaskatt 14. gr.';

export const iceland: Country = {
  code: 'is',
  name: 'Iceland',
  nativeName: 'Ísland',
  currency: 'ISK',
  timeZone: 'Atlantic/Reykjavik',
  locale: 'is-IS',
  vat: [
    { code: 'standard', bp: 2400, from: '2015-01-01', source: `${vatAct} (1)` },
    { code: 'food', bp: 1100, from: '2015-01-01', source: `${vatAct} (2) 8.` },
    { code: 'reduced', bp: 1100, from: '2015-01-01', source: `${vatAct} (2): lodging, books and others` },
  ],
  cashRounding: {
    stepMinor: 1,
    source: 'Reglugerð nr. 674/2002 1. gr.: totals are in whole krónur since 2003-10-01, as ISK is here',
  },
  cashRules: [],
  receipt: {
    receipt: 'Kvittun',
    returnReceipt: 'Skilakvittun',
    copy: 'AFRIT',
    sellerNumber: 'VSK-nr.',
    register: 'Kassi',
    receiptNumber: 'Kvittun nr.',
    date: 'Dagsetning',
    pieces: 'stk.',
    serialNumber: 'Raðnúmer',
    discount: 'Afsláttur',
    subtotal: 'Millisamtala',
    total: 'Samtals',
    rounding: 'Sléttun',
    toPay: 'Til greiðslu',
    paidCash: 'Reiðufé',
    paidCard: 'Kort',
    paidOnline: 'Greitt á vefnum',
    authorisation: 'Heimild',
    change: 'Til baka',
    refunded: 'Endurgreitt',
    vat: 'VSK',
    net: 'Án VSK',
    gross: 'Með VSK',
    thanks: 'Takk fyrir viðskiptin',
  },
};
