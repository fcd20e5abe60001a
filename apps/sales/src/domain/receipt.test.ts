import { countryCodes, country as countryOf } from '@kassa/countries';
import { expect, test } from 'vitest';
import type { Plan } from './checkout.ts';
import { discounted, priceLine } from './pricing.ts';
import { issueReceipt, renderReceipt, type Receipt } from './receipt.ts';
import type { Line } from './sale.ts';

const shop = {
  id: 'dk-001',
  gln: '9529000000014',
  name: 'Elnord Købmagergade',
  address: 'Købmagergade 40',
  postalCode: '1150',
  city: 'København K',
  timeZone: 'Europe/Copenhagen',
  seller: 'Elnord Danmark A/S',
  sellerNumber: '00 00 00 19',
};

function line(
  name: string,
  unitMinor: number,
  facts: { quantity?: number; serials?: string[]; discountMinor?: number } = {},
): Line {
  const { quantity = 1, serials = [], discountMinor = 0 } = facts;
  const offer = {
    sku: 'E1',
    gtin: '4006381333931',
    name,
    itemGroup: 'test',
    isSerialised: serials.length > 0,
    isActive: true,
    unitMinor,
  };
  const priced = priceLine({ lineId: name, position: 1, item: 'E1', quantity, serials }, offer, 2500);
  if ('refusal' in priced) throw new Error(priced.refusal.detail);
  return discounted([priced.line], discountMinor)[0] ?? priced.line;
}

const tender = { position: 0, capture: 'purchase' as const, instrument: 'pos-1', intentId: 'i', transactionIds: [] };
const plan: Plan = {
  saleId: 's1',
  attempt: 1,
  shopId: 'dk-001',
  country: 'dk',
  currency: 'DKK',
  channel: 'store',
  actor: { subject: 'p1', role: 'cashier', shopId: 'dk-001', registerId: 'dk-001-01' },
  soldAt: '2026-03-02T10:15:30.120Z',
  businessDate: '2026-03-02',
  totalMinor: 1019884,
  roundingMinor: 16,
  changeMinor: 10000,
  reservationId: 'r',
  tenders: [
    { ...tender, tenderId: 't1', method: 'terminal', amountMinor: 1000000, tenderedMinor: 1000000 },
    { ...tender, tenderId: 't2', method: 'cash', amountMinor: 19900, tenderedMinor: 29900 },
  ],
  steps: [],
};
const lines = [
  line('Nordhavn Fjord 7 Pro 256 GB, midnatsblå', 999900, { serials: ['490154203237518'] }),
  line('USB-C-kabel med et navn, der er for langt til én linje på bonen', 7492, { quantity: 3, discountMinor: 2492 }),
];

function issue(facts: Partial<Plan> = {}): Receipt {
  const paid = [{ tenderId: 't1', authorisationCode: '831000', cardLabel: 'Dankort •••• 4321' }];
  return issueReceipt({ number: 42, plan: { ...plan, ...facts }, lines, paid, shop });
}

test('the document holds what was sold, its VAT, how it was paid, and neither steps nor instruments', () => {
  const receipt = issue();
  expect(receipt).toMatchObject({
    number: 42,
    registerId: 'dk-001-01',
    shop,
    businessDate: '2026-03-02',
    totalMinor: 1019884,
    roundingMinor: 16,
    dueMinor: 1019900,
    changeMinor: 10000,
    vat: [{ bp: 2500, grossMinor: 1019884 }],
    tenders: [
      { method: 'terminal', tenderedMinor: 1000000, authorisationCode: '831000', cardLabel: 'Dankort •••• 4321' },
      { method: 'cash', tenderedMinor: 29900, authorisationCode: null, cardLabel: null },
    ],
  });
  expect(JSON.stringify(receipt)).not.toContain('pos-1');
});

test('the print of a Danish receipt', () => {
  expect(renderReceipt(issue(), { isCopy: false })).toBe(`           Elnord Købmagergade
             Købmagergade 40
             1150 København K
            Elnord Danmark A/S
           CVR-nr. 00 00 00 19
            GLN 9529000000014

                Kvittering
Bon nr. 42
Kasse dk-001-01
Dato 2026-03-02 11:15
------------------------------------------
Nordhavn Fjord 7 Pro 256 GB, midnatsblå
  1 stk. x 9 999,00               9 999,00
  Serienr. 490154203237518
USB-C-kabel med et navn, der er for langt
til én linje på bonen
  3 stk. x 74,92                    224,76
  Rabat                             -24,92
------------------------------------------
I alt DKK                        10 198,84
Øreafrunding                          0,16
At betale DKK                    10 199,00

Dankort •••• 4321                10 000,00
  Autorisation 831000
Kontant                             299,00
Byttepenge                          100,00
------------------------------------------
Moms         Netto        Moms      Brutto
25 %      8 159,07    2 039,77   10 198,84
------------------------------------------
             Tak for besøget
`);
});

test('a copy says so, and differs in nothing else', () => {
  const original = renderReceipt(issue(), { isCopy: false });
  const copy = renderReceipt(issue(), { isCopy: true });
  expect(copy).toContain('*** KOPI ***');
  expect(copy.split('\n').filter((row) => !row.includes('KOPI'))).toEqual(original.split('\n'));
});

test.each(countryCodes.map((code) => ({ code })))(
  'in $code it speaks the language of the country and fits the paper',
  ({ code }) => {
    const { currency, receipt: texts, timeZone } = countryOf(code);
    const { shop: place, ...rest } = issue({ country: code, currency });
    const text = renderReceipt({ ...rest, shop: { ...place, timeZone } }, { isCopy: true });
    for (const word of [
      texts.receipt,
      texts.copy,
      texts.receiptNumber,
      texts.total,
      texts.rounding,
      texts.change,
      texts.vat,
      texts.thanks,
    ])
      expect(text).toContain(word);
    expect(text.split('\n').filter((row) => row.length > 42)).toEqual([]);
  },
);

test('the time on it is the shop’s, and the date the business date', () => {
  const text = renderReceipt(issue({ soldAt: '2026-07-01T22:30:00.000Z', businessDate: '2026-07-02' }), { isCopy: false });
  expect(text).toContain('Dato 2026-07-02 00:30');
});
