export {
  countryCodes,
  type CashRounding,
  type CashRule,
  type Country,
  type CountryCode,
  type LocalDate,
  type ReceiptTexts,
  type VatCode,
  type VatRate,
} from './country.ts';
export { CountryDataError, cashRounding, cashRules, country, isCountryCode, vatRate } from './countries.ts';
export { businessDate } from './business-date.ts';
