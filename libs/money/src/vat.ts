import { halfUp, safe, whole } from './rounding.ts';

/**
 * The VAT contained in a price that includes it, at a rate in basis points (2550 is 25.5 %):
 * vat = sign · floor((2·|gross|·bp + (10000 + bp)) / (2·(10000 + bp))), net = gross - vat. Half up on the absolute value, once
 * per line total and never per unit; the VAT of a document is the sum over its lines, so partial returns reconcile.
 * Throws RangeError for a negative rate.
 */
export function vatOf(gross: number, bp: number): { vat: number; net: number } {
  if (bp < 0) throw new RangeError(`${bp} basis points is not a VAT rate`);
  const vat = halfUp(whole(gross) * whole(bp), 10_000 + bp);
  return { vat, net: safe(whole(gross) - whole(vat)) };
}
