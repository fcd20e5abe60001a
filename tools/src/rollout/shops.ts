import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import type { Wave } from '../deploy/waves.ts';

export interface Shop {
  shop_id: string;
  name: string;
  country: string;
}

/** The shops whose calls a wave serves, by data/shops.csv: a pilot's own, or the country's without those that its pilot serves. */
export function shopsOf(workspace: string, wave: Wave, waves: Wave[]): { shops: Shop[]; ofCountry: number; atPilot: string[] } {
  const text = readFileSync(join(workspace, 'data/shops.csv'), 'utf8');
  const all = (parse(text, { columns: true, bom: true }) as Shop[]).filter(({ country }) => country === wave.country);
  const own = wave.shops;
  if (own !== 'all') return { shops: all.filter(({ shop_id: id }) => own.includes(id)), ofCountry: all.length, atPilot: [] };
  const pilot = waves.find((one) => one.country === wave.country && one.track === 'pilot');
  // With a share below 100 % the full track serves the pilot's shops as well.
  const atPilot = pilot && pilot.shops !== 'all' && (pilot.percent ?? 100) === 100 ? pilot.shops : [];
  return { shops: all.filter(({ shop_id: id }) => !atPilot.includes(id)), ofCountry: all.length, atPilot };
}

export const countryName = (code: string) => new Intl.DisplayNames('en', { type: 'region' }).of(code.toUpperCase()) ?? code;
