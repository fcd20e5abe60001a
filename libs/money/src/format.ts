import { currencies, type Currency } from './currencies.ts';
import { money, type Money } from './money.ts';

/**
 * The amount as Nordic receipts print it: a space between thousands, a decimal comma, all decimals of the currency and no sign or
 * code of it. 129900 DKK is `1 299,00`, 12990 ISK is `12 990`, -50 NOK is `-0,50`. The space is the plain one, which every
 * printer's code page has.
 */
export function formatMoney({ minor, currency }: Money): string {
  const { exponent } = currencies[currency];
  const digits = String(Math.abs(minor)).padStart(exponent + 1, '0');
  const major = digits.slice(0, digits.length - exponent).replace(/\B(?=(\d{3})+$)/g, ' ');
  const decimals = exponent === 0 ? '' : `,${digits.slice(-exponent)}`;
  return `${minor < 0 ? '-' : ''}${major}${decimals}`;
}

/**
 * Reads what formatMoney writes. Spaces (also non-breaking ones) may be left out, decimals may be left out together with the
 * comma. Undefined for anything else: a dot is refused, as 1.299 is a thousand to a Dane and a fraction to a machine.
 */
export function parseMoney<C extends Currency>(text: string, currency: C): Money<C> | undefined {
  const { exponent } = currencies[currency];
  const match = /^(-?)(\d{1,3}(?:[ \u00a0\u202f]\d{3})+|\d+)(?:,(\d+))?$/.exec(text);
  if (!match) return undefined;
  const [, sign = '', major = '', decimals] = match;
  if (decimals !== undefined && (exponent === 0 || decimals.length !== exponent)) return undefined;
  const minor = Number(`${sign}${major.replace(/\D/g, '')}${decimals ?? '0'.repeat(exponent)}`);
  return Number.isSafeInteger(minor) ? money(minor, currency) : undefined;
}
