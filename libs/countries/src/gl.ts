import type { Country } from './country.ts';
import { danishCashRounding, danishReceipt } from './dk.ts';

/**
 * Greenland levies no VAT: the standard rate is zero, so that its sales are taxed by the same code. Receipts are in Danish, the
 * second language of trade there, until Greenlandic texts are written by someone who speaks it.
 */
export const greenland: Country = {
  code: 'gl',
  name: 'Greenland',
  nativeName: 'Kalaallit Nunaat',
  currency: 'DKK',
  timeZone: 'America/Nuuk',
  locale: 'da-GL',
  vat: [
    {
      code: 'standard',
      bp: 0,
      from: '1979-05-01',
      source:
        'No VAT law among the acts of Inatsisartut (norden.org, Innovasjon Norge); an absence, so not verified in law. From: home rule',
    },
  ],
  cashRounding: { ...danishCashRounding, source: `${danishCashRounding.source}; published as in force on nalunaarutit.gl` },
  cashRules: [],
  receipt: danishReceipt,
};
