import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { Failure } from '../failure.ts';

export type Track = 'pilot' | 'full';
export const tracks: Track[] = ['pilot', 'full'];

/** One overlay: a country on a track, with everything its country.env says. */
export interface Country {
  country: string;
  track: Track;
  namespace: string;
  /** Host name of each service at the edge. */
  hosts: Record<string, string>;
  data: Record<string, string>;
  /** The overlay's folder from the workspace, `deploy/countries/dk/full`. */
  folder: string;
}

/** What Flux applies one after another, each when all of the one before is healthy: policies and databases, schemas, services. */
export const stagesOf = (folder: string) => [`${folder}/before`, `${folder}/migrate`, folder];

export const envFile = (folder: string) => `${folder}/country/country.env`;

/** All overlays there are. Throws Failure where one lacks its data or says it is another. */
export function readCountries(workspace: string): Country[] {
  const names = readdirSync(join(workspace, 'deploy/countries'), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return names.flatMap(({ name }) => tracks.map((track) => readCountry(workspace, name, track)));
}

function readCountry(workspace: string, country: string, track: Track): Country {
  const folder = `deploy/countries/${country}/${track}`;
  const data = parseEnv(readFileSync(join(workspace, envFile(folder)), 'utf8')) as Record<string, string>;
  const { NAMESPACE: namespace } = data;
  if (data['COUNTRY'] !== country || data['TRACK'] !== track || namespace === undefined) {
    throw new Failure(`${envFile(folder)} must say COUNTRY=${country}, TRACK=${track} and a NAMESPACE.`);
  }
  const hosts = Object.entries(data).filter(([key]) => key.endsWith('_HOST'));
  return {
    country,
    track,
    namespace,
    data,
    folder,
    hosts: Object.fromEntries(hosts.map(([key, host]) => [key.slice(0, -5).toLowerCase().replaceAll('_', '-'), host])),
  };
}
