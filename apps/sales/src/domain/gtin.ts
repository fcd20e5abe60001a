import { hasGs1CheckDigit } from '@kassa/check-digits';

/**
 * A GTIN of 8, 12, 13 or 14 digits as the 13 that products are kept by, or undefined where its check digit is wrong (GS1 General
 * Specifications §7.9). Shorter ones get leading zeros. A GTIN of 14 digits that does not begin with 0 is a trade unit's, such as a case;
 * it is left as it is, and no product has it.
 */
export function normaliseGtin(digits: string): string | undefined {
  if (!hasGs1CheckDigit(digits)) return undefined;
  const padded = digits.padStart(14, '0');
  return padded.startsWith('0') ? padded.slice(1) : padded;
}
