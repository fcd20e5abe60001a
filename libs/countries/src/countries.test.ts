import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { businessDate } from './business-date.ts';
import { cashRounding, cashRules, country, isCountryCode, vatRate } from './countries.ts';
import { countryCodes, type CountryCode } from './country.ts';

describe('country', () => {
  test.each([
    ['dk', 'Danmark', 'DKK', 'Europe/Copenhagen'],
    ['no', 'Norge', 'NOK', 'Europe/Oslo'],
    ['se', 'Sverige', 'SEK', 'Europe/Stockholm'],
    ['fi', 'Suomi', 'EUR', 'Europe/Helsinki'],
    ['is', 'Ísland', 'ISK', 'Atlantic/Reykjavik'],
    ['gl', 'Kalaallit Nunaat', 'DKK', 'America/Nuuk'],
    ['fo', 'Føroyar', 'DKK', 'Atlantic/Faroe'],
  ])('%s is %s, pays in %s and lives in %s', (code, nativeName, currency, timeZone) => {
    expect(country(code)).toMatchObject({ code, nativeName, currency, timeZone });
  });

  test.each(['DK', 'de', '', 'constructor'])('%j is not one', (code) => {
    expect(isCountryCode(code)).toBe(false);
    expect(() => country(code)).toThrow(expect.objectContaining({ name: 'CountryDataError', code: 'country-unknown' }));
  });

  test.each(countryCodes)('%s has a zone and a locale the runtime knows, and a word for everything', (code) => {
    const { timeZone, locale, receipt } = country(code);
    expect(businessDate(new Date('2026-06-01T12:00:00Z'), timeZone)).toBe('2026-06-01');
    expect(Intl.DateTimeFormat.supportedLocalesOf(locale)).toEqual([locale]);
    expect(Object.values(receipt).filter((text) => text.trim() === '')).toEqual([]);
  });

  test.each(countryCodes)('the VAT rates of %s neither overlap nor leave a gap, and each has its source', (code) => {
    const rates = country(code).vat;
    const successions = Object.values(Object.groupBy(rates, (rate) => rate.code)).flatMap((rows) =>
      rows.map((row, i) => ({ ends: row.to, nextBegins: rows[i + 1]?.from })),
    );
    expect(successions.filter(({ ends, nextBegins }) => ends !== nextBegins)).toEqual([]);
    expect(rates.filter(({ source, bp }) => source === '' || !Number.isInteger(bp))).toEqual([]);
  });
});

describe('vatRate', () => {
  test.each([
    ['dk', 'standard', '2026-11-22', 2500],
    ['no', 'standard', '2026-11-22', 2500],
    ['no', 'food', '2026-11-22', 1500],
    ['no', 'low', '2026-11-22', 1200],
    ['se', 'standard', '2026-11-22', 2500],
    ['se', 'food', '2026-03-31', 1200],
    ['se', 'food', '2026-04-01', 600],
    ['se', 'food', '2027-12-31', 600],
    ['se', 'food', '2028-01-01', 1200],
    ['se', 'reduced', '2026-11-22', 1200],
    ['se', 'low', '2026-11-22', 600],
    ['fi', 'standard', '2024-08-31', 2400],
    ['fi', 'standard', '2024-09-01', 2550],
    ['fi', 'food', '2025-12-31', 1400],
    ['fi', 'food', '2026-01-01', 1350],
    ['fi', 'reduced', '2026-01-01', 1350],
    ['fi', 'low', '2026-11-22', 1000],
    ['is', 'standard', '2026-11-22', 2400],
    ['is', 'food', '2026-11-22', 1100],
    ['gl', 'standard', '2026-11-22', 0],
    ['fo', 'standard', '2026-11-22', 2500],
  ] as const)('%s %s on %s is %s basis points', (code, vatCode, date, bp) => {
    expect(vatRate(code, vatCode, date).bp).toBe(bp);
  });

  test.each([
    ['dk', 'food', '2026-11-22', 'vat-rate-unknown'],
    ['fi', 'standard', '2012-12-31', 'vat-rate-unknown'],
    ['fi', 'standard', '2026-1-1', 'date-invalid'],
    ['fi', 'standard', '2026-01-01T00:00:00Z', 'date-invalid'],
  ] as const)('%s %s on %s is refused as %s', (code, vatCode, date, error) => {
    expect(() => vatRate(code, vatCode, date)).toThrow(expect.objectContaining({ name: 'CountryDataError', code: error }));
  });
});

describe('cashRounding', () => {
  test.each([
    ['no', 29540, 29500, -40],
    ['no', 49, 0, -49],
    ['no', 50, 100, 50],
    ['no', -29540, -29500, 40],
    ['se', 19949, 19900, -49],
    ['se', 19950, 20000, 50],
    ['dk', 1224, 1200, -24],
    ['dk', 1225, 1250, 25],
    ['dk', 1274, 1250, -24],
    ['dk', 1275, 1300, 25],
    ['gl', 1275, 1300, 25],
    ['fo', 1274, 1250, -24],
    ['fi', 102, 100, -2],
    ['fi', 103, 105, 2],
    ['fi', 107, 105, -2],
    ['fi', 108, 110, 2],
    ['fi', 1, 1, 0],
    ['fi', 2, 2, 0],
    ['fi', 3, 5, 2],
    ['fi', -2, -2, 0],
    ['is', 12991, 12991, 0],
  ] as const)('in %s %s becomes %s by %s', (code, remaining, dueMinor, roundingMinor) => {
    expect(cashRounding(code, remaining)).toEqual({ dueMinor, roundingMinor });
  });

  test('due = remaining + rounding, by half a step at most; a refund mirrors; rounding twice changes nothing', () => {
    const amount = fc.integer({ min: -100_000_000, max: 100_000_000 });
    fc.assert(
      fc.property(fc.constantFrom(...countryCodes), amount, (code, remaining) => {
        const { dueMinor, roundingMinor } = cashRounding(code, remaining);
        expect(remaining + roundingMinor).toBe(dueMinor);
        expect(2 * Math.abs(roundingMinor)).toBeLessThanOrEqual(country(code).cashRounding.stepMinor);
        expect(cashRounding(code, -remaining).dueMinor).toBe(0 - dueMinor);
        expect(cashRounding(code, dueMinor)).toEqual({ dueMinor, roundingMinor: 0 });
      }),
    );
  });
});

describe('cashRules', () => {
  const amounts = (code: CountryCode, date: string) =>
    cashRules(code, date).map(({ rule, amountMinor }) => `${rule} ${amountMinor}`);

  test.each([
    ['no', '2024-09-30', []],
    ['no', '2024-10-01', ['must-accept 2000000']],
    ['dk', '2024-02-29', []],
    ['dk', '2024-03-01', ['must-refuse 1500000']],
    ['fi', '2027-07-09', []],
    ['fi', '2027-07-10', ['must-refuse 1000001']],
    ['gl', '2026-11-22', []],
  ] as const)('of %s on %s are %j', (code, date, expected) => {
    expect(amounts(code, date)).toEqual(expected);
  });
});
