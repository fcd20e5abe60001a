/** The digit to put behind these: weights 3 and 1 from the right, modulo 10 (GS1 General Specifications §7.9). Takes digits only. */
export function gs1CheckDigit(digits: string): number {
  return toTen(digits, triple);
}

/** True where the last digit is the GS1 check digit of those before it. Anything but two digits or more is false. */
export function hasGs1CheckDigit(digits: string): boolean {
  return isChecked(digits, triple);
}

/** The digit to put behind these: every second from the right doubled, its digits added up, modulo 10 (ISO/IEC 7812-1, Annex B). Takes digits only. */
export function luhnCheckDigit(digits: string): number {
  return toTen(digits, double);
}

/** True where the last digit is the Luhn check digit of those before it. Anything but two digits or more is false. */
export function hasLuhnCheckDigit(digits: string): boolean {
  return isChecked(digits, double);
}

type Weigh = (digit: number) => number;
const triple: Weigh = (digit) => digit * 3;
const double: Weigh = (digit) => (digit > 4 ? digit * 2 - 9 : digit * 2);

function isChecked(digits: string, weigh: Weigh): boolean {
  return /^\d{2,}$/.test(digits) && toTen(digits.slice(0, -1), weigh) === Number(digits.at(-1));
}

/** What the weighted sum lacks to a multiple of ten: the last digit is weighed, the one before it is not, and so on. */
function toTen(digits: string, weigh: Weigh): number {
  let sum = 0;
  for (let place = 1; place <= digits.length; place++) {
    const digit = Number(digits[digits.length - place]);
    sum += place % 2 === 1 ? weigh(digit) : digit;
  }
  return (10 - (sum % 10)) % 10;
}
