import type { Country } from './country.ts';

const vatAct = 'Arvonlisäverolaki 1501/1993';

export const finland: Country = {
  code: 'fi',
  name: 'Finland',
  nativeName: 'Suomi',
  currency: 'EUR',
  timeZone: 'Europe/Helsinki',
  locale: 'fi-FI',
  vat: [
    { code: 'standard', bp: 2400, from: '2013-01-01', to: '2024-09-01', source: `${vatAct} 84 §` },
    { code: 'standard', bp: 2550, from: '2024-09-01', source: `${vatAct} 84 § as amended for deliveries from 1 September 2024` },
    { code: 'food', bp: 1400, from: '2013-01-01', to: '2026-01-01', source: `${vatAct} 85 §` },
    { code: 'food', bp: 1350, from: '2026-01-01', source: `${vatAct} 85 § as amended for deliveries from 1 January 2026` },
    {
      code: 'reduced',
      bp: 1400,
      from: '2013-01-01',
      to: '2026-01-01',
      source: `${vatAct} 85 §; which goods it covers changed in 2025`,
    },
    { code: 'reduced', bp: 1350, from: '2026-01-01', source: `${vatAct} 85 § as amended for deliveries from 1 January 2026` },
    { code: 'low', bp: 1000, from: '2013-01-01', source: `${vatAct} 85 a § (newspapers, periodicals); wording not verified` },
  ],
  cashRounding: {
    stepMinor: 5,
    exactBelowMinor: 3,
    source:
      'Laki euromääräisten maksujen pyöristämisestä 890/2000 1 §: to the nearest 5 cent; payments of 1 and 2 cent are not rounded',
  },
  cashRules: [
    {
      rule: 'must-refuse',
      amountMinor: 1_000_001,
      from: '2027-07-10',
      source: 'Regulation (EU) 2024/1624 art. 80: cash only up to an amount of EUR 10 000',
    },
  ],
  receipt: {
    receipt: 'Kuitti',
    returnReceipt: 'Hyvityskuitti',
    copy: 'KOPIO',
    sellerNumber: 'Y-tunnus',
    register: 'Kassa',
    receiptNumber: 'Kuitti nro',
    date: 'Päiväys',
    pieces: 'kpl',
    serialNumber: 'Sarjanumero',
    discount: 'Alennus',
    subtotal: 'Välisumma',
    total: 'Yhteensä',
    rounding: 'Pyöristys',
    toPay: 'Maksettava',
    paidCash: 'Käteinen',
    paidCard: 'Kortti',
    paidOnline: 'Maksettu verkossa',
    authorisation: 'Varmennus',
    change: 'Vaihtoraha',
    refunded: 'Palautettu',
    vat: 'ALV',
    net: 'Veroton',
    gross: 'Verollinen',
    thanks: 'Kiitos käynnistä',
  },
};
