export { gs1CheckDigit, hasGs1CheckDigit, hasLuhnCheckDigit, luhnCheckDigit } from './check-digits.ts';
export { holdsCardNumber } from './card-number.ts';
