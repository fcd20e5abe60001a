export { currencies, isCurrency, type Currency } from './currencies.ts';
export { CurrencyMismatchError, add, compare, isZero, money, multiply, negate, subtract, sum, type Money } from './money.ts';
export { halfUp, roundToStep } from './rounding.ts';
export { allocate, cumulative } from './shares.ts';
export { vatOf } from './vat.ts';
export { formatMoney, parseMoney } from './format.ts';
