/** A GTIN as GTIN-14, the one form in which two of them can be compared (GS1 General Specifications §3.3.2). */
export type Gtin14 = string;

const lengths = new Set([8, 12, 13, 14]);

/** True for 8, 12, 13 or 14 digits: what may be a GTIN. */
export function isGtinShaped(text: string): boolean {
  return lengths.has(text.length) && /^\d+$/.test(text);
}

/**
 * The GTIN-14 of a GTIN-8, -12, -13 or -14, with zeros in front. A case of ten has another first digit and is another product.
 * Takes only what isGtinShaped; the check digit is not looked at.
 */
export function toGtin14(gtin: string): Gtin14 {
  return gtin.padStart(14, '0');
}

/** The digit the last one should be: the weights 3 and 1 alternate from the right (GS1 General Specifications §7.9). */
export function checkDigitOf(gtin: string): number {
  const digits = [...gtin.slice(0, -1)].reverse();
  const sum = digits.reduce((total, digit, place) => total + Number(digit) * (place % 2 === 0 ? 3 : 1), 0);
  return (10 - (sum % 10)) % 10;
}

export function hasRightCheckDigit(gtin: string): boolean {
  return Number(gtin.at(-1)) === checkDigitOf(gtin);
}
