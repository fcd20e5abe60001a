import { isCurrency, type Currency } from './currencies.ts';

/** An amount: whole minor units (øre, cent; ISK has none) of one currency. `minor` is always a safe integer and never -0. */
export interface Money<C extends Currency = Currency> {
  readonly minor: number;
  readonly currency: C;
}

/** Two amounts of different currencies met. Always a bug of the caller: a document has one currency. */
export class CurrencyMismatchError extends TypeError {
  override readonly name = 'CurrencyMismatchError';
}

/** Throws RangeError unless `minor` is a safe integer and `currency` a known one; so a Money that exists is a sound one. */
export function money<C extends Currency>(minor: number, currency: C): Money<C> {
  if (!Number.isSafeInteger(minor)) throw new RangeError(`${minor} is not a whole, exactly representable number of minor units`);
  if (!isCurrency(currency)) throw new RangeError(`${String(currency)} is not a currency Kassa trades in`);
  return { minor: minor + 0, currency };
}

/** Different currencies are a type error where the types know them, and a CurrencyMismatchError where they do not. */
export function add<C extends Currency>(a: Money<C>, b: Money<NoInfer<C>>): Money<C> {
  return money(a.minor + sameCurrency(a, b).minor, a.currency);
}

export function subtract<C extends Currency>(a: Money<C>, b: Money<NoInfer<C>>): Money<C> {
  return money(a.minor - sameCurrency(a, b).minor, a.currency);
}

/** `times` is a whole number, such as a quantity; shares of an amount are taken with allocate or cumulative. */
export function multiply<C extends Currency>(a: Money<C>, times: number): Money<C> {
  if (!Number.isSafeInteger(times)) throw new RangeError(`money is multiplied by whole numbers only, not by ${times}`);
  return money(a.minor * times, a.currency);
}

export function negate<C extends Currency>(a: Money<C>): Money<C> {
  return money(-a.minor, a.currency);
}

/** Negative when a is less than b, 0 when equal, positive when more: fit for Array.sort. */
export function compare<C extends Currency>(a: Money<C>, b: Money<NoInfer<C>>): -1 | 0 | 1 {
  const difference = a.minor - sameCurrency(a, b).minor;
  return difference < 0 ? -1 : difference > 0 ? 1 : 0;
}

/** The currency is named, so that the sum of nothing is zero of something. */
export function sum<C extends Currency>(amounts: readonly Money<NoInfer<C>>[], currency: C): Money<C> {
  return amounts.reduce<Money<C>>((total, amount) => add<C>(total, amount), money(0, currency));
}

export function isZero(a: Money): boolean {
  return a.minor === 0;
}

function sameCurrency(a: Money, b: Money): Money {
  if (a.currency !== b.currency) throw new CurrencyMismatchError(`${a.currency} and ${b.currency} do not mix`);
  return b;
}
