/**
 * The currencies Kassa trades in, by ISO 4217 code. `exponent` is the number of decimal digits of the major unit: 1 NOK is 100
 * minor units, 1 ISK is 1. DKK serves Denmark, Greenland and the Faroe Islands; the Faroese króna is DKK.
 */
export const currencies = {
  NOK: { exponent: 2 },
  SEK: { exponent: 2 },
  DKK: { exponent: 2 },
  EUR: { exponent: 2 },
  ISK: { exponent: 0 },
} as const;

export type Currency = keyof typeof currencies;

/** True for a code of the table above; `nok` and unknown codes are not currencies. */
export function isCurrency(code: string): code is Currency {
  return Object.hasOwn(currencies, code);
}
