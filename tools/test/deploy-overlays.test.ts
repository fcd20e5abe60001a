import { fileURLToPath } from 'node:url';
import { beforeAll, expect, test } from 'vitest';
import { clusterFindings, readClusters, type Fluxed } from '../src/deploy/check-clusters.ts';
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
}, 900_000);

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

const fluxed = readClusters(workspace);
const inOrder = { workspace, countries, waves: facts.waves };

/** The Flux objects with one of them changed. */
const withSpec = (name: string, spec: object): Fluxed[] =>
  fluxed.map((one) => {
    if (one.object.metadata.name !== name) return one;
    return { ...one, object: { ...one.object, spec: { ...(one.object['spec'] as object), ...spec } } };
  });
const after = (...names: string[]) => ({ dependsOn: names.map((name) => ({ name })) });

test.each([
  [
    'services that do not wait for their schemas',
    withSpec('no-full', after('no-full-before')),
    'does not wait for no-full-migrate',
  ],
  ['schemas that do not wait for policies', withSpec('dk-full-migrate', after('platform')), 'does not wait for dk-full-before'],
  ['two countries at once', withSpec('se-full-before', after('dk-full')), 'does not wait for no-full'],
  ['a country in another order than its waves', withSpec('fi-full-before', after('no-full')), 'does not wait for se-full'],
  ['a pilot without databases', withSpec('is-pilot-before', after('platform')), 'does not wait for is-full-before'],
  [
    'a pilot behind the full track',
    withSpec('dk-pilot-migrate', after('dk-pilot-before', 'dk-full-migrate')),
    'waits for dk-full-migrate, which gets a version after it',
  ],
  [
    'a databases stage that forces',
    withSpec('dk-full-before', { force: true }),
    'replaces what it cannot change, which is for Jobs alone',
  ],
  [
    'Jobs that are not replaced',
    withSpec('dk-full-migrate', { force: false }),
    'cannot replace a finished Job, since it does not force',
  ],
  ['a stage nobody waits out', withSpec('gl-full', { wait: false }), 'does not wait until all is healthy, up to a timeout'],
  [
    'databases that nobody waits for',
    withSpec('is-full-before', { healthCheckExprs: [] }),
    'takes a database for healthy that its operator has not looked at yet',
  ],
  ['a stage that is suspended', withSpec('no-full', { suspend: true }), 'is suspended, so what is in Git is not what runs'],
  [
    'a name of another cluster',
    withSpec('is-full-before', after('platform', 'fi-full')),
    'waits for fi-full, which its cluster does not have',
  ],
  ['a circle', withSpec('platform', after('no-full')), 'waits for itself'],
  [
    'a path that is not there',
    withSpec('platform', { path: './deploy/platforms' }),
    'applies deploy/platforms, which is not there',
  ],
  [
    'a stage left out',
    fluxed.filter(({ object }) => object.metadata.name !== 'fo-pilot'),
    'is applied by no Kustomizations of deploy/clusters, not by one',
  ],
])('A cluster with %s is found', (_, changed, what) => {
  expect(clusterFindings(fluxed, inOrder)).toEqual([]);
  expect(clusterFindings(changed, inOrder).map((finding) => finding.what)).toContain(what);
});
