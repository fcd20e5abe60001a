import { fileURLToPath } from 'node:url';
import { beforeAll, expect, test } from 'vitest';
import { countryFindings } from '../src/deploy/check-countries.ts';
import { readCountries, type Country } from '../src/deploy/countries.ts';
import { readTraffic } from '../src/deploy/traffic.ts';
import { readWaves } from '../src/deploy/waves.ts';
import { checkDeploy, type Report } from '../src/deploy-check.ts';

const workspace = fileURLToPath(new URL('../..', import.meta.url));
const countries = readCountries(workspace);
const facts = { workspace, traffic: readTraffic(workspace), waves: readWaves(workspace).waves };

let report: Report;
// Some eighty renders, each a process of its own.
beforeAll(async () => {
  report = await checkDeploy(workspace, process.env);
}, 300_000);

test('Nothing is found in deploy/, of which this machine saw what it says it saw', () => {
  for (const sentence of report.unseen) console.log(`not seen: ${sentence}`);
  expect(report.findings).toEqual([]);
});

test('Seven countries have a pilot and a full overlay each', () => {
  const names = countries.map(({ country, track }) => `${country}/${track}`);
  const expected = ['dk', 'fi', 'fo', 'gl', 'is', 'no', 'se'].flatMap((country) => [`${country}/pilot`, `${country}/full`]);
  expect(names.sort()).toEqual(expected.sort());
});

const norway = countries.find(({ country, track }) => country === 'no' && track === 'full') as Country;

test.each([
  ['another currency', { CURRENCY: 'SEK' }, 'says CURRENCY=SEK, libs/countries says NOK'],
  ['a wrong exponent', { CURRENCY_EXPONENT: '0' }, 'says CURRENCY_EXPONENT=0, libs/countries says 2'],
  ['another clock', { TIME_ZONE: 'Europe/Stockholm' }, 'says TIME_ZONE=Europe/Stockholm, libs/countries says Europe/Oslo'],
  ['an unknown territory', { VAT_TERRITORY: 'sj' }, 'has VAT_TERRITORY=sj, which libs/countries does not know'],
  ['another number of shops', { SHOPS: '7' }, 'says SHOPS=7, and its wave has 6'],
  [
    'an issuer nobody may reach',
    { OIDC_ISSUER: 'https://login.example.org' },
    'asks https://login.example.org, which mesh/traffic.yaml does not let anybody reach',
  ],
  ['a line that nothing reads', { CITY: 'Oslo' }, 'has CITY, which nothing reads'],
  ['a feature nobody has', { FEATURE_GATES: 'fast-lane' }, 'switches on fast-lane, and no service has a feature of that name'],
])('A country with %s is found', (_, data, what) => {
  const changed = { ...norway, data: { ...norway.data, ...data } };
  expect(countryFindings([changed], facts).map((finding) => finding.what)).toEqual([what]);
});
