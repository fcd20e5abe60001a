import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import { readCountries } from '../deploy/countries.ts';
import type { Wave } from '../deploy/waves.ts';

export interface AffectedShops {
  count: number;
  ofCountry: number;
  /** `no-001 Elnord Oslo City`; the id alone, or no line at all, where only the ERP knows the shop. */
  names: string[];
  /** Shops of the country that its pilot serves and this wave does not. */
  atPilot: string[];
}

/** The shops whose calls a wave serves: a pilot's own, or the country's without those that its pilot serves. */
export function shopsOf(workspace: string, wave: Wave, waves: Wave[]): AffectedShops {
  const text = readFileSync(join(workspace, 'data/shops.csv'), 'utf8');
  const listed = parse(text, { columns: true, bom: true }) as { shop_id: string; name: string; country: string }[];
  const nameOf = (id: string) => [id, listed.find((shop) => shop.shop_id === id)?.name].filter(Boolean).join(' ');
  const ids = listed.filter(({ country }) => country === wave.country).map((shop) => shop.shop_id);
  const full = readCountries(workspace).find(({ country, track }) => country === wave.country && track === 'full');
  const ofCountry = ids.length || Number(full?.data['SHOPS']);
  if (wave.shops !== 'all') return { count: wave.shops.length, ofCountry, names: wave.shops.map(nameOf), atPilot: [] };
  const pilot = waves.find(({ country, track }) => country === wave.country && track === 'pilot');
  // With a share below 100 % the full track serves the pilot's shops as well.
  const atPilot = pilot && pilot.shops !== 'all' && (pilot.percent ?? 100) === 100 ? pilot.shops : [];
  const names = ids.filter((id) => !atPilot.includes(id)).map(nameOf);
  return { count: ofCountry - atPilot.length, ofCountry, names, atPilot };
}

export const countryName = (code: string) => new Intl.DisplayNames('en', { type: 'region' }).of(code.toUpperCase()) ?? code;
