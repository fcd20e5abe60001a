import { halfUp, safe, whole } from './rounding.ts';

/**
 * Shares `total` out in proportion to `weights`, so that the shares add up to it exactly. Each share is rounded down, and the
 * units left over go to the largest remainders; of equal remainders the lower index comes first. No share exceeds its weight as
 * long as the total does not exceed their sum: a discount never makes a line negative. allocate(-x) = -allocate(x).
 * Throws RangeError for a negative weight, and for a total other than zero over weights that are all zero.
 */
export function allocate(total: number, weights: readonly number[]): number[] {
  const parts = weights.map(whole);
  const sum = parts.reduce((a, b) => a + b, 0n);
  if (parts.some((part) => part < 0n)) throw new RangeError('weights are not negative');
  if (total === 0) return parts.map(() => 0);
  if (sum === 0n) throw new RangeError(`${total} cannot be shared out over weights that are all zero`);

  const magnitude = total < 0 ? -whole(total) : whole(total);
  const shares = parts.map((part) => (magnitude * part) / sum);
  const byRemainder = parts
    .map((part, index) => ({ index, remainder: (magnitude * part) % sum }))
    .sort((a, b) => (a.remainder === b.remainder ? a.index - b.index : a.remainder > b.remainder ? -1 : 1));
  const left = Number(magnitude - shares.reduce((a, b) => a + b, 0n));
  const raised = new Set(byRemainder.slice(0, left).map(({ index }) => index));
  return shares.map((share, index) => {
    const units = raised.has(index) ? share + 1n : share;
    return safe(total < 0 ? -units : units);
  });
}

/**
 * What k of n equal units of a line come to: halfUp(total × k ÷ n). The refund for some of them is the difference of two
 * cumulative amounts, so any sequence of partial returns adds up to what was paid: 100.00 over 3 is 33.33, 33.34, 33.33.
 * The same rule serves the VAT of the line. Throws RangeError unless 0 ≤ k ≤ n and n ≥ 1.
 */
export function cumulative(total: number, k: number, n: number): number {
  if (n < 1 || k < 0 || k > n) throw new RangeError(`${k} of ${n} is not a part of a line`);
  return halfUp(whole(total) * whole(k), n);
}
