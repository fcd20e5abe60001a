import { roundToStep } from '@kassa/money';
import type { CashRule, Country, CountryCode, LocalDate, VatCode, VatRate } from './country.ts';
import { denmark } from './dk.ts';
import { finland } from './fi.ts';
import { faroes } from './fo.ts';
import { greenland } from './gl.ts';
import { iceland } from './is.ts';
import { norway } from './no.ts';
import { sweden } from './se.ts';

const countries: Readonly<Record<CountryCode, Country>> = {
  dk: denmark,
  no: norway,
  se: sweden,
  fi: finland,
  is: iceland,
  gl: greenland,
  fo: faroes,
};

/** Asked for a territory, a rate or a day that the tables do not have. Selling on with a guess would be worse, so it is thrown. */
export class CountryDataError extends RangeError {
  override readonly name = 'CountryDataError';
  readonly code: 'country-unknown' | 'vat-rate-unknown' | 'date-invalid';

  constructor(code: CountryDataError['code'], message: string) {
    super(message);
    this.code = code;
  }
}

export function isCountryCode(code: string): code is CountryCode {
  return Object.hasOwn(countries, code);
}

/** The territory of a code such as `dk`. Throws CountryDataError country-unknown for any other text, also for `DK`. */
export function country(code: string): Country {
  if (!isCountryCode(code)) throw new CountryDataError('country-unknown', `Kassa does not sell in ${JSON.stringify(code)}`);
  return countries[code];
}

/**
 * The rate in force on a day, which is the day of supply in the shop's zone; the law's [from, to). A return does not ask: it
 * copies the rate of its sale. Throws CountryDataError vat-rate-unknown where the country has no such code or had none yet.
 */
export function vatRate(code: CountryCode, vatCode: VatCode, date: LocalDate): VatRate {
  const rate = country(code).vat.find((candidate) => candidate.code === vatCode && isInForce(candidate, date));
  if (!rate) throw new CountryDataError('vat-rate-unknown', `${code} has no VAT rate ${vatCode} on ${date}`);
  return rate;
}

/**
 * What is due when all that remains to pay is paid in cash, and the difference, which stands on the receipt as its own line and
 * never touches VAT. Both in minor units; a refund (negative) mirrors a payment. Not for amounts that are paid otherwise.
 */
export function cashRounding(code: CountryCode, remainingMinor: number): { dueMinor: number; roundingMinor: number } {
  const { stepMinor, exactBelowMinor = 0 } = country(code).cashRounding;
  const dueMinor = roundToStep(remainingMinor, Math.abs(remainingMinor) < exactBelowMinor ? 1 : stepMinor);
  return { dueMinor, roundingMinor: dueMinor - remainingMinor };
}

/** The country's law on paying cash on a day in the shop's zone; empty where none is known. */
export function cashRules(code: CountryCode, date: LocalDate): readonly CashRule[] {
  return country(code).cashRules.filter((rule) => isInForce(rule, date));
}

function isInForce({ from, to }: { readonly from: LocalDate; readonly to?: LocalDate }, date: LocalDate): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(date))
    throw new CountryDataError('date-invalid', `${JSON.stringify(date)} is not a day as YYYY-MM-DD`);
  return from <= date && (to === undefined || date < to);
}
