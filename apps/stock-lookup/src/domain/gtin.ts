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
