/**
 * numerator ÷ denominator as a whole number, halves away from zero. Rounding the absolute value makes a return mirror its sale:
 * halfUp(-x) = -halfUp(x). Products are passed as bigint, since øre × basis points may leave the safe integers.
 * Throws RangeError for a denominator that is not positive, for fractions, and for a result that is not a safe integer.
 */
export function halfUp(numerator: bigint | number, denominator: bigint | number): number {
  const dividend = whole(numerator);
  const divisor = whole(denominator);
  if (divisor <= 0n) throw new RangeError(`halfUp divides by a positive number, not by ${divisor}`);
  const magnitude = (2n * (dividend < 0n ? -dividend : dividend) + divisor) / (2n * divisor);
  return safe(dividend < 0n ? -magnitude : magnitude);
}

/**
 * The multiple of `step` nearest to `minor`, halves away from zero. Both in minor units; step 1 changes nothing. Used for cash,
 * whose smallest coin is larger than the minor unit.
 */
export function roundToStep(minor: number, step: number): number {
  return safe(BigInt(halfUp(minor, step)) * whole(step));
}

/** The exact value of a safe integer or bigint. */
export function whole(value: bigint | number): bigint {
  if (typeof value === 'number' && !Number.isSafeInteger(value)) throw new RangeError(`${value} is not a safe integer`);
  return BigInt(value);
}

/** Back to a number, which carries it exactly or not at all. */
export function safe(value: bigint): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw new RangeError(`${value} is not a safe integer`);
  return number;
}
