/**
 * True where the last digit is the check digit of those before it: weights 3 and 1 from the right, modulo 10
 * (GS1 General Specifications, 7.9), as GTIN and GLN have it. Anything but digits is false.
 */
export function hasCheckDigit(digits: string): boolean {
  if (!/^\d{2,18}$/.test(digits)) return false;
  const sum = [...digits].toReversed().reduce((total, digit, at) => total + Number(digit) * (at % 2 === 0 ? 1 : 3), 0);
  return sum % 10 === 0;
}

/** True for a GTIN-13 or a GLN: thirteen digits, the last of them right. */
export function isThirteenDigits(digits: string): boolean {
  return digits.length === 13 && hasCheckDigit(digits);
}
