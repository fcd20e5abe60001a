import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Document, isScalar, parseDocument, visit } from 'yaml';
import { readCountries, tracks } from './deploy/countries.ts';
import { readTraffic, trafficFile } from './deploy/traffic.ts';
import { readWaves, wavesFile } from './deploy/waves.ts';
import { writeRendered } from './deploy-render.ts';
import { Failure, runCommand } from './failure.ts';

const help = `npm run deploy:country -- ax --like fi --shops fi-005     writes all files of a new country

  ax              its two letters: the name of its folders and its namespaces
  --like fi       the country it is made after: the same fiscal profile, traits, databases, sizes and cluster
  --shops fi-005  its pilot's shops, with commas between them; an id begins with the fiscal profile
  --help

Reads and writes files of deploy/ only; look at them with git diff. Afterwards the lines of the two country.env are yours to correct,
where hosts, acquirer, region or number of shops are others. The country is its cluster's last and follows the one it is made after.`;

export interface NewCountry {
  code: string;
  like: string;
  shops: string[];
}

/** Writes the files of a country made after another, and renders. Throws Failure where it is there already, or its model is not. */
export function addCountry(workspace: string, { code, like, shops }: NewCountry): void {
  const names = new Set(readCountries(workspace).map(({ country }) => country));
  if (!/^[a-z]{2}$/.test(code)) throw new Failure(`${code} is no code of a country, which has two small letters.`);
  if (names.has(code)) throw new Failure(`${code} is there already: deploy/countries/${code}.`);
  if (!names.has(like)) throw new Failure(`There is no country ${like}; there are ${[...names].join(', ')}.`);
  if (shops.length === 0) throw new Failure(`A pilot needs a shop: --shops ${like}-005.`);
  const deploy = join(workspace, 'deploy');
  const cluster = readdirSync(join(deploy, 'clusters')).find((name) =>
    existsSync(join(deploy, 'clusters', name, `${like}.yaml`)),
  );
  if (cluster === undefined) throw new Failure(`No cluster of deploy/clusters has ${like}.`);
  const rename = renaming(like, code);

  const folder = join(deploy, 'countries', code);
  cpSync(join(deploy, 'countries', like), folder, { recursive: true });
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true }).filter((one) => one.isFile())) {
    edit(join(entry.parentPath, entry.name), (text) =>
      entry.name === 'country.env' ? ownData(text, rename, shops) : rename(text),
    );
  }
  for (const track of tracks) write(join(deploy, 'releases', `${code}-${track}`, 'kustomization.yaml'), unreleased(code, track));
  edit(join(workspace, wavesFile), (text) => append(text, ['waves'], newWaves(workspace, { code, like, shops })));
  edit(join(workspace, trafficFile), (text) => append(text, ['databases'], `${code}: ${database(workspace, like)}`));

  const objects = rename(readFileSync(join(deploy, 'clusters', cluster, `${like}.yaml`), 'utf8'));
  // The first thing it waits for is what its model waits for; it waits for its model instead.
  write(join(deploy, 'clusters', cluster, `${code}.yaml`), objects.replace(/(dependsOn:\n +- name: )\S+/, `$1${like}-full`));
  edit(join(deploy, 'clusters', cluster, 'kustomization.yaml'), (text) => append(text, ['resources'], `- ${code}.yaml`));

  writeRendered(workspace);
}

/** Changes a code where it is a name or part of one, and not where it is a word of English, such as `no` and `is`. */
const renaming = (like: string, code: string) => (text: string) =>
  text.replaceAll(new RegExp(`(?<!\\w)${like}(?=-(?:full|pilot)|/)|(?<=[-/.=])${like}\\b`, 'g'), code);

/** Fiscal profile and language stay; the pilot has its shops, and the whole country at least those. */
function ownData(text: string, rename: (text: string) => string, shops: string[]): string {
  const lines = text.split('\n').map((line) => (/^(VAT_TERRITORY|LOCALE)=/.test(line) ? line : rename(line)));
  return lines.map((line) => line.replace(/^SHOPS=.*/, `SHOPS=${shops.length}`)).join('\n');
}

const unreleased = (code: string, track: string) => `apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
# The digests that run in ${code} ${track}. Written by \`npm run rollout -- promote\`; empty until the wave is promoted for the first time.
images: []
`;

/** Its model's gates and soak times; what its model runs comes to the pilot first. */
function newWaves(workspace: string, { code, like, shops }: NewCountry): string {
  const model = readWaves(workspace).waves.filter(({ country }) => country === like);
  const own = model.map((wave) => ({
    ...wave,
    name: `${code}-${wave.track}`,
    country: code,
    shops: wave.shops === 'all' ? ('all' as const) : shops,
    from: wave.track === 'pilot' ? `${like}-full` : `${code}-pilot`,
  }));
  const document = new Document(own);
  visit(document, { Seq: (_, list) => void (list.flow = list.items.every(isScalar)) });
  return document.toString({ flowCollectionPadding: false }).trimEnd();
}

const database = (workspace: string, like: string) => {
  const kind = readTraffic(workspace).databases[like];
  return typeof kind === 'string' ? kind : JSON.stringify(kind);
};

/** Adds lines to the end of a list or map of a YAML text, in its own indentation; the rest of the text stays as it is. */
function append(text: string, path: string[], lines: string): string {
  const node = parseDocument(text).getIn(path, true) as { range?: [number, number, number] } | undefined;
  const [start, end] = node?.range ?? [];
  if (start === undefined || end === undefined) throw new Failure(`There is no ${path.join('.')} to add to.`);
  const indent = ' '.repeat(start - (text.lastIndexOf('\n', start - 1) + 1));
  return `${text.slice(0, end).trimEnd()}\n${lines.replaceAll(/^/gm, indent)}\n${text.slice(end).replace(/^\n/, '')}`;
}

const edit = (file: string, change: (text: string) => string) => writeFileSync(file, change(readFileSync(file, 'utf8')));

function write(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

function readArgs(args: string[]) {
  const options = { like: { type: 'string' }, shops: { type: 'string' }, help: { type: 'boolean' } } as const;
  try {
    return parseArgs({ args, options, strict: true, allowPositionals: true });
  } catch (error) {
    throw new Failure(`${(error as Error).message}.`, help);
  }
}

if (import.meta.main) {
  await runCommand(async () => {
    const { values, positionals } = readArgs(process.argv.slice(2));
    const [code, ...more] = positionals;
    if (values.help) return console.log(help);
    if (code === undefined || more.length > 0 || values.like === undefined)
      throw new Failure('Name the country and its model.', help);
    const workspace = fileURLToPath(new URL('../..', import.meta.url));
    addCountry(workspace, { code, like: values.like, shops: values.shops?.split(',').map((shop) => shop.trim()) ?? [] });
    console.log(
      `${code} is written after ${values.like}. Correct deploy/countries/${code}/*/country/country.env, then: npm run deploy:render && npm run deploy:check`,
    );
  });
}
