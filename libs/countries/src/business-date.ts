import type { LocalDate } from './country.ts';

const formats = new Map<string, Intl.DateTimeFormat>();

/**
 * The calendar day of an instant on the wall of a shop in `zone` (IANA name). Days have 23 or 25 hours where clocks change.
 * Throws RangeError for a zone the runtime does not know and for an invalid instant.
 */
export function businessDate(instant: Date, zone: string): LocalDate {
  const parts = Object.fromEntries(
    formatIn(zone)
      .formatToParts(instant)
      .map(({ type, value }) => [type, value]),
  );
  return `${parts.year}-${parts.month}-${parts.day}`;
}

/** Formats are kept: making one costs a hundred times what using it does. */
function formatIn(zone: string): Intl.DateTimeFormat {
  const known = formats.get(zone);
  if (known) return known;
  const options = { timeZone: zone, calendar: 'gregory', year: 'numeric', month: '2-digit', day: '2-digit' } as const;
  const made = new Intl.DateTimeFormat('en-u-nu-latn', options);
  formats.set(zone, made);
  return made;
}
