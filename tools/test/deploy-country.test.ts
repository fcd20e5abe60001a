import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { countryFindings } from '../src/deploy/check-countries.ts';
import { readCountries } from '../src/deploy/countries.ts';
import { openCrds } from '../src/deploy/crds.ts';
import { readTraffic } from '../src/deploy/traffic.ts';
import { readWaves } from '../src/deploy/waves.ts';
import { checkDeploy } from '../src/deploy-check.ts';
import { addCountry } from '../src/deploy-country.ts';
import { staleFiles } from '../src/deploy-render.ts';

// Åland sells by Finland's fiscal profile, so that no line of code changes. What is judged beside deploy/ is copied with it.

const workspace = fileURLToPath(new URL('../..', import.meta.url));
const beside = ['deploy', 'data', 'apps', 'libs/config/src', 'libs/contracts/proto'];
const left = new Set(['node_modules', 'dist', 'gen']);
const aland = { code: 'ax', like: 'fi', shops: ['fi-005'] };

let tree = '';
let before = new Map<string, string>();

beforeAll(() => {
  tree = mkdtempSync(join(tmpdir(), 'kassa-country-'));
  for (const path of beside) {
    cpSync(join(workspace, path), join(tree, path), {
      recursive: true,
      filter: (source) => !left.has(source.split('/').at(-1) ?? ''),
    });
  }
  before = contents();
  addCountry(tree, aland);
});
afterAll(() => rmSync(tree, { recursive: true, force: true }));

/** Every file of the copy with what it holds. */
function contents(): Map<string, string> {
  const files = readdirSync(tree, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = files.map((file) => join(file.parentPath, file.name));
  return new Map(paths.map((path) => [relative(tree, path), readFileSync(path, 'utf8')]));
}

/** The list below a heading of deploy/README.md, between its fences. */
function listed(heading: string): string[] {
  const readme = readFileSync(join(workspace, 'deploy/README.md'), 'utf8');
  const section = readme.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  const [, block = ''] = /```diff\n([\s\S]*?)```/.exec(section) ?? [];
  return block.trimEnd().split('\n');
}

test('An eighth country touches the files that deploy/README.md lists, and no other', () => {
  const after = contents();
  const touched = [...after.keys()]
    .filter((path) => before.get(path) !== after.get(path))
    .map((path) => `${before.has(path) ? '!' : '+'} ${path}`)
    .sort();
  console.log(touched.join('\n'));
  expect([...before.keys()].filter((path) => !after.has(path))).toEqual([]);
  expect(touched).toEqual(listed('Add a country').toSorted());
});

test('It differs from its model in its names, hosts and shops, and in nothing that the law says', () => {
  const [own, model] = ['ax', 'fi'].map((code) =>
    readCountries(tree).find(({ country, track }) => country === code && track === 'full'),
  );
  const differing = Object.keys(own?.data ?? {}).filter((key) => own?.data[key] !== model?.data[key]);
  expect(differing.sort()).toEqual([
    'ACQUIRER_URL',
    'COUNTRY',
    'INVENTORY_HOST',
    'NAMESPACE',
    'OIDC_ISSUER',
    'PAYMENTS_HOST',
    'SALES_HOST',
    'SECRET_PATH',
    'SHOPS',
    'STOCK_LOOKUP_HOST',
  ]);
});

test.each([
  ['of its model', 'fi-001'],
  ['of another profile', 'no-005'],
])('A shop %s is not its own', (_, shop) => {
  const { waves } = readWaves(tree);
  const changed = waves.map((wave) => (wave.name === 'ax-pilot' ? { ...wave, shops: [shop] } : wave));
  const own = readCountries(tree).filter(({ country }) => country === 'ax');
  const found = countryFindings(own, { workspace: tree, traffic: readTraffic(tree), waves: changed });
  expect(found.map(({ what }) => what)).toEqual([`has a wave with shops of others: ${shop}`]);
});

test('With it, the mesh is as rendered and the check finds nothing', async () => {
  // The copy has no definitions beside it; those of the checkout are used.
  const crds = openCrds(workspace, process.env)?.folder;
  const env = { ...process.env, ...(crds !== undefined && { KASSA_CRDS: crds }) };
  const report = await checkDeploy(tree, env, { only: 'ax' });
  expect(report.scenes.map(({ title }) => title)).toEqual(expect.arrayContaining(['countries/ax/pilot', 'countries/ax/full']));
  for (const sentence of report.unseen) console.log(`not seen: ${sentence}`);
  expect({ stale: staleFiles(tree), findings: report.findings }).toEqual({ stale: [], findings: [] });
}, 900_000);

test.each([
  ['a country that is there', { ...aland, code: 'no' }, 'no is there already'],
  ['a model that is not', { ...aland, code: 'pl', like: 'de' }, 'There is no country de'],
  ['a code that is none', { ...aland, code: 'Pl' }, 'two small letters'],
  ['a pilot without shops', { ...aland, code: 'pl', shops: [] }, 'A pilot needs a shop'],
])('Refuses %s, and writes nothing', (_, given, sentence) => {
  const then = contents();
  expect(() => addCountry(tree, given)).toThrow(sentence);
  expect(contents()).toEqual(then);
});
