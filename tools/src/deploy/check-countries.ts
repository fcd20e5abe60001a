import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { country as territory, isCountryCode } from '@kassa/countries';
import { envFile, type Country } from './countries.ts';
import type { Finding } from './rule.ts';
import type { Traffic } from './traffic.ts';
import type { Wave } from './waves.ts';

const linesMax = 30;

interface CountryFacts {
  workspace: string;
  traffic: Traffic;
  waves: Wave[];
}

/** A country's data against what the code knows of the territory, the list of shops, the waves and the mesh. */
export function countryFindings(countries: Country[], facts: CountryFacts): Finding[] {
  const shops = readShops(facts.workspace);
  const used = usedKeys(facts.workspace);
  return countries.flatMap((country) => faults(country, { ...facts, shops, used }).map((what) => finding(country, what)));
}

const finding = (country: Country, what: string): Finding => ({
  file: envFile(country.folder),
  object: `${country.country}/${country.track}`,
  rule: 'country-data',
  what,
  why: 'The country would run on data that the code, the shops or the mesh contradict.',
  mend: 'Correct the line; libs/countries, data/shops.csv, releases/waves.yaml and mesh/traffic.yaml are what it is held against.',
});

function faults(
  country: Country,
  { workspace, traffic, waves, shops, used }: CountryFacts & { shops: Map<string, string>; used: Set<string> },
): string[] {
  const { data, namespace, track } = country;
  const lines = readFileSync(join(workspace, envFile(country.folder)), 'utf8')
    .trimEnd()
    .split('\n').length;
  const wave = waves.find((one) => one.country === country.country && one.track === track);
  const own = [...shops].filter(([, of]) => of === country.country).map(([shop]) => shop);
  const inWave = wave?.shops === 'all' ? own : (wave?.shops ?? []);
  // A country whose shops are not in data/shops.csv has them from its ERP; their ids begin with the fiscal profile all the same.
  const isListed = own.length > 0;
  const isOwn = (shop: string) =>
    isListed ? own.includes(shop) : shop.startsWith(`${data['VAT_TERRITORY']}-`) && !shops.has(shop);
  const strangers = inWave.filter((shop) => !isOwn(shop));
  const isCounted = isListed || wave?.shops !== 'all';
  const outside = Object.values(traffic.outside).flatMap((place) => place.hosts);
  const isKnownHost = (url: string) =>
    outside.some((host) => new URL(url).hostname === host || new URL(url).hostname.endsWith(`.${host}`));
  const unused = Object.keys(data).filter((key) => !used.has(key));
  const said: [boolean, string][] = [
    [lines > linesMax, `has ${lines} lines, ${linesMax} are allowed`],
    [namespace !== `kassa-${country.country}${track === 'pilot' ? '-pilot' : ''}`, `has the namespace ${namespace}`],
    [wave === undefined, 'is in no wave'],
    [strangers.length > 0, `has a wave with shops of others: ${strangers.join(', ')}`],
    [isCounted && Number(data['SHOPS']) !== inWave.length, `says SHOPS=${data['SHOPS']}, and its wave has ${inWave.length}`],
    [!isKnownHost(data['OIDC_ISSUER'] ?? ''), `asks ${data['OIDC_ISSUER']}, which mesh/traffic.yaml does not let anybody reach`],
    [
      !isKnownHost(data['ACQUIRER_URL'] ?? ''),
      `pays through ${data['ACQUIRER_URL']}, which mesh/traffic.yaml does not let anybody reach`,
    ],
    [data['FEATURE_GATES'] !== '', `switches on ${data['FEATURE_GATES']}, and no service has a feature of that name`],
    [unused.length > 0, `has ${unused.join(', ')}, which nothing reads`],
  ];
  return [...said.filter(([isWrong]) => isWrong).map(([, what]) => what), ...territoryFaults(data)];
}

/** Currency, language and clock are the law's and the place's, and libs/countries has them. */
function territoryFaults(data: Record<string, string>): string[] {
  const code = data['VAT_TERRITORY'] ?? '';
  if (!isCountryCode(code)) return [`has VAT_TERRITORY=${code}, which libs/countries does not know`];
  const { currency, timeZone, locale } = territory(code);
  const digits = new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits;
  const wanted = { CURRENCY: currency, TIME_ZONE: timeZone, LOCALE: locale, CURRENCY_EXPONENT: String(digits) };
  return Object.entries(wanted)
    .filter(([key, value]) => data[key] !== value)
    .map(([key, value]) => `says ${key}=${data[key]}, libs/countries says ${value}`);
}

function readShops(workspace: string): Map<string, string> {
  const [, ...rows] = readFileSync(join(workspace, 'data/shops.csv'), 'utf8').trimEnd().split(/\r?\n/);
  return new Map(rows.map((row) => [row.split(',')[0] ?? '', /^[a-z]+/.exec(row)?.[0] ?? '']));
}

/** What checks and dashboards read and no manifest does. */
const forPeople = ['VAT_TERRITORY', 'CURRENCY', 'CURRENCY_EXPONENT', 'LOCALE', 'TIME_ZONE', 'SHOPS', 'FEATURE_GATES'];

/** Keys that a replacement or a pod takes from the ConfigMap `country`. */
function usedKeys(workspace: string): Set<string> {
  const files = ['components', 'base'].flatMap((folder) =>
    readdirSync(join(workspace, 'deploy', folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.yaml'))
      .map((file) => readFileSync(join(workspace, 'deploy', folder, file), 'utf8')),
  );
  const keys = files.flatMap((file) =>
    [...file.matchAll(/fieldPath: data\.(\w+)|^ +key: ([A-Z_]+)$/gm)].map((match) => match[1] ?? match[2] ?? ''),
  );
  return new Set([...keys, ...forPeople]);
}
