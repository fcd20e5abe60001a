import { describe, expect, test } from 'vitest';
import { businessDate } from './business-date.ts';

describe('businessDate', () => {
  test.each([
    ['winter evening', 'Europe/Copenhagen', '2026-01-14T22:59:59.999Z', '2026-01-14'],
    ['winter midnight', 'Europe/Copenhagen', '2026-01-14T23:00:00.000Z', '2026-01-15'],
    ['summer midnight', 'Europe/Copenhagen', '2026-07-14T22:00:00.000Z', '2026-07-15'],
    ['New Year in Stockholm', 'Europe/Stockholm', '2025-12-31T23:00:00.000Z', '2026-01-01'],
    ['New Year in Helsinki comes an hour earlier', 'Europe/Helsinki', '2025-12-31T22:00:00.000Z', '2026-01-01'],
    ['first instant of the day of 23 hours', 'Europe/Copenhagen', '2026-03-28T23:00:00.000Z', '2026-03-29'],
    ['last instant of the day of 23 hours', 'Europe/Copenhagen', '2026-03-29T21:59:59.999Z', '2026-03-29'],
    ['the day after it', 'Europe/Copenhagen', '2026-03-29T22:00:00.000Z', '2026-03-30'],
    ['first instant of the day of 25 hours', 'Europe/Oslo', '2026-10-24T22:00:00.000Z', '2026-10-25'],
    ['last instant of the day of 25 hours', 'Europe/Oslo', '2026-10-25T22:59:59.999Z', '2026-10-25'],
    ['the day after it', 'Europe/Oslo', '2026-10-25T23:00:00.000Z', '2026-10-26'],
    ['Iceland keeps its clock', 'Atlantic/Reykjavik', '2026-07-14T23:59:59.999Z', '2026-07-14'],
    ['the Faroes in summer', 'Atlantic/Faroe', '2026-07-14T23:00:00.000Z', '2026-07-15'],
    ['Nuuk in winter is two hours behind', 'America/Nuuk', '2026-01-15T01:59:59.999Z', '2026-01-14'],
    ['Nuuk leaps over its 23rd hour into spring', 'America/Nuuk', '2026-03-29T00:59:59.999Z', '2026-03-28'],
    ['and is in the next day at once', 'America/Nuuk', '2026-03-29T01:00:00.000Z', '2026-03-29'],
    ['Nuuk repeats its 23rd hour in autumn', 'America/Nuuk', '2026-10-25T01:59:59.999Z', '2026-10-24'],
    ['and then turns the day', 'America/Nuuk', '2026-10-25T02:00:00.000Z', '2026-10-25'],
    ['29 February', 'Europe/Copenhagen', '2028-02-28T23:00:00.000Z', '2028-02-29'],
  ])('%s (%s, %s) is %s', (_, zone, instant, expected) => {
    expect(businessDate(new Date(instant), zone)).toBe(expected);
  });

  test('refuses a zone nobody knows and an instant that is none', () => {
    expect(() => businessDate(new Date('2026-01-01'), 'Europe/Atlantis')).toThrow(RangeError);
    expect(() => businessDate(new Date('never'), 'Europe/Oslo')).toThrow(RangeError);
  });
});
