import { hasLuhnCheckDigit } from './check-digits.ts';

const uuid = /[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}/gi;
const digitGroups = /\d+(?:[ -]\d+)*/g;

/**
 * True where a text holds what looks like a payment card number: 13 to 19 digits, bare or in groups, that pass the Luhn check
 * (ISO/IEC 7812-1). Ids of our own (UUIDs) are not looked into: one in some ten thousand would look like a card.
 */
export function holdsCardNumber(text: string): boolean {
  return [...text.replace(uuid, '#').matchAll(digitGroups)].some(([run]) => runHoldsCardNumber(run.split(/[ -]/)));
}

/** Any neighbouring groups may be the number: "4111 1111 1111 1111 12-28" has an expiry date behind it. */
function runHoldsCardNumber(groups: string[]): boolean {
  return groups.some((_, from) =>
    groups.slice(from).some((_, length) => isCardNumber(groups.slice(from, from + length + 1).join(''))),
  );
}

function isCardNumber(digits: string): boolean {
  return digits.length >= 13 && digits.length <= 19 && hasLuhnCheckDigit(digits);
}
