import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { Failure } from '../failure.ts';
import { readCountries, stagesOf, type Country } from './countries.ts';
import type { Crds } from './crds.ts';
import type { Kustomize } from './kustomize.ts';
import { list, parseObjects, type KubeObject } from './objects.ts';
import type { Finding, Located, Scene } from './rule.ts';
import { readSettings } from './settings.ts';
import { calls, readTraffic } from './traffic.ts';
import { digestsOf } from './waves.ts';

export const bases = ['sales', 'payments', 'inventory', 'stock-lookup'];
const services = bases.map((name) => `deploy/base/${name}`);
const migrations = bases.map((name) => `deploy/base/${name}/migrate`);

/** Databases exclude each other; every other pair of components must fit together. */
const databaseComponents = ['cloudnative-pg', 'shared-postgres', 'managed-postgres'];

export type Known = Pick<Scene, 'calls' | 'settings' | 'crds'>;

export function known(workspace: string, crds: Crds | undefined): Known {
  return { calls: calls(readTraffic(workspace)), settings: readSettings(workspace), crds };
}

/**
 * Everything that is checked: all overlays with their stages, the laptop's, platform and clusters, each component alone, and all
 * pairs of components; with `only`, the overlays of that country, platform and clusters. What kustomize refuses is a finding, too.
 */
export async function renderScenes(
  workspace: string,
  kustomize: Kustomize,
  { only, ...facts }: Known & { only?: string | undefined },
): Promise<{ scenes: Scene[]; findings: Finding[] }> {
  const findings: Finding[] = [];
  const render = async (title: string, kustomization: object): Promise<Located[]> => {
    try {
      return await kustomize.render(kustomization);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      findings.push(refusal(title, error.details));
      return [];
    }
  };
  const scene = sceneWith(facts);

  const platform = await render('platform', { resources: ['deploy/platform'] });
  const countries = readCountries(workspace).filter(({ country }) => only === undefined || country === only);
  const overlays = await inTurn(countries, async (country) => {
    const stages = await Promise.all(stagesOf(country.folder).map((folder) => render(folder, { resources: [folder] })));
    return { country, objects: stages.flatMap((objects, stage) => objects.map((one) => ({ ...one, stage }))) };
  });
  const clusters = readdirSync(join(workspace, 'deploy/clusters'));
  const fluxed = await inTurn(clusters, async (name) => {
    const judged = await render(`clusters/${name}`, { resources: [`deploy/clusters/${name}`] });
    return scene(`clusters/${name}`, judged);
  });
  const [sample] = overlays;
  const ambient = [...platform, ...(sample?.objects ?? [])].map(({ object }) => object);
  const parts = await inTurn(only === undefined ? combinations(workspace) : [], async ({ title, components }) => {
    const judged = await render(title, part(components, sample?.country));
    return scene(title, judged, { around: ambient });
  });
  const local = only === undefined ? [await render('local', { resources: ['deploy/local'] })] : [];

  return {
    findings,
    scenes: [
      scene('platform', platform),
      ...overlays.map(({ country, objects }) =>
        scene(country.folder.slice('deploy/'.length), objects, {
          place: 'country',
          isReleased: Object.keys(digestsOf(workspace, `${country.country}-${country.track}`)).length > 0,
          around: [...platform.map(({ object }) => object), ...siblings(overlays, country)],
        }),
      ),
      ...local.map((objects) => scene('local', objects, { place: 'local', around: localSecrets })),
      ...fluxed,
      ...parts,
      ...sourceScenes(workspace, scene),
    ],
  };
}

/** Makes scenes of objects alone, with the facts that all of them share. */
export const sceneWith =
  (facts: Known) =>
  (title: string, judged: Located[], more: Partial<Scene> = {}): Scene => ({
    ...facts,
    title,
    judged,
    around: [],
    place: 'part',
    isReleased: false,
    ...more,
  });

const refusal = (title: string, words: string): Finding => ({
  file: `deploy/${title.replace(/^deploy\//, '')}`,
  object: 'Kustomization',
  rule: 'renders',
  what: words,
  why: 'What does not render is not deployed; Flux stays at the last version that did.',
  mend: 'Follow what kustomize says.',
});

/** Two renders at a time: more would only wait for the processor. */
async function inTurn<T, R>(items: T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let index = 0; index < items.length; index += 2) {
    results.push(...(await Promise.all(items.slice(index, index + 2).map(work))));
  }
  return results;
}

interface Overlay {
  country: Country;
  objects: Located[];
}

/** A full overlay's edge names the pilot's Services. */
const siblings = (overlays: Overlay[], country: Country) =>
  overlays
    .filter((one) => one.country.country === country.country && one.country !== country)
    .flatMap(({ objects }) => objects.map(({ object }) => object));

/** On a laptop, secrets are made by hand (deploy/README.md); these are their names. */
const localSecrets: KubeObject[] = [
  ...[...bases, 'acquirer'].flatMap((name) => [`${name}-database`, `${name}-secrets`]),
  'postgres-secrets',
].map((name) => ({ apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace: 'kassa-local' } }));

export interface Combination {
  title: string;
  components: string[];
}

/** Each component alone, and all pairs that do not exclude each other. `country` closes every one, as it does in overlays. */
export function combinations(workspace: string): Combination[] {
  const names = readdirSync(join(workspace, 'deploy/components')).filter((name) => name !== 'country');
  const isPossible = (a: string, b: string) => !(databaseComponents.includes(a) && databaseComponents.includes(b));
  const pairs = names.flatMap((a, index) =>
    names
      .slice(index + 1)
      .filter((b) => isPossible(a, b))
      .map((b) => [a, b]),
  );
  return [[], ...names.map((name) => [name]), ...pairs].map((components) => ({
    title: components.length === 0 ? 'bases' : `components/${components.join(' + ')}`,
    components,
  }));
}

function part(components: string[], country: Country | undefined): object {
  return {
    namespace: country?.namespace ?? 'kassa-dk',
    resources: [...services, ...migrations],
    components: [...components, 'country'].map((name) => `deploy/components/${name}`),
    configMapGenerator: [
      { name: 'country', literals: Object.entries(country?.data ?? {}).map(([key, value]) => `${key}=${value}`) },
    ],
  };
}

const isLocal = ({ file }: Located) => file.startsWith('deploy/local/');

/** The kustomizations themselves, for rules about how they are written. Works without kustomize. */
export function sourceScenes(
  workspace: string,
  scene: (title: string, judged: Located[], more?: Partial<Scene>) => Scene,
): Scene[] {
  const sources = readSources(workspace);
  return [
    scene(
      'kustomizations',
      sources.filter((source) => !isLocal(source)),
    ),
    scene('kustomizations of local', sources.filter(isLocal), { place: 'local' }),
  ];
}

function readSources(workspace: string): Located[] {
  return readdirSync(join(workspace, 'deploy'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.name === 'kustomization.yaml' && !entry.parentPath.includes('/tests/'))
    .flatMap((entry) => {
      const path = join(entry.parentPath, entry.name);
      const file = relative(workspace, path);
      return parseObjects(readFileSync(path, 'utf8')).map((object) => ({ file, object: withPatches(object, entry.parentPath) }));
    });
}

/** A patch may stand in a file beside it; a rule reads it all the same. One that is not there is what kustomize refuses. */
function withPatches(source: KubeObject, folder: string): KubeObject {
  if (!Array.isArray(source['patches'])) return source;
  const patches = list(source, 'patches').map((patch) => {
    const file = join(folder, String(patch['path']));
    return patch['path'] !== undefined && existsSync(file) ? { ...patch, patch: readFileSync(file, 'utf8') } : patch;
  });
  return { ...source, patches };
}
