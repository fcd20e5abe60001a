import { country, isCountryCode } from '@kassa/countries';

/** Why a payment cannot be in this currency there, in words for the client; undefined where it can. */
export function countryFault(payment: { country: string; currency: string }): string | undefined {
  if (!isCountryCode(payment.country)) return `Kassa does not sell in ${payment.country}.`;
  const { currency } = country(payment.country);
  return payment.currency === currency ? undefined : `In ${payment.country} one pays in ${currency}, not in ${payment.currency}.`;
}
