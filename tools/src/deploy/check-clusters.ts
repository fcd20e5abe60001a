import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { stagesOf, type Country } from './countries.ts';
import { at, list, parseObjects, text, type KubeObject } from './objects.ts';
import type { Finding } from './rule.ts';
import type { Wave } from './waves.ts';

/** The Flux objects of deploy/clusters, each with its file and its cluster. */
export interface Fluxed {
  cluster: string;
  file: string;
  object: KubeObject;
}

export function readClusters(workspace: string): Fluxed[] {
  return readdirSync(join(workspace, 'deploy/clusters')).flatMap((cluster) => {
    const folder = `deploy/clusters/${cluster}`;
    const files = readdirSync(join(workspace, folder)).filter((name) => name.endsWith('.yaml'));
    return files.flatMap((name) => {
      const objects = parseObjects(readFileSync(join(workspace, folder, name), 'utf8'));
      const own = objects.filter(({ apiVersion }) => apiVersion.startsWith('kustomize.toolkit.fluxcd.io/'));
      return own.map((object) => ({ cluster, file: `${folder}/${name}`, object }));
    });
  });
}

interface ClusterFacts {
  workspace: string;
  countries: Country[];
  waves: Wave[];
}

/** The order in which Flux applies things: platform, then each country's policies, schemas and services, the countries as in waves.yaml. */
export function clusterFindings(fluxed: Fluxed[], { workspace, countries, waves }: ClusterFacts): Finding[] {
  const order = [...new Set(waves.map(({ country }) => country))];
  const clusters = Map.groupBy(fluxed, ({ cluster }) => cluster);
  const inClusters = [...clusters.values()].flatMap((own) => [
    ...own.flatMap((one) => plainFaults(workspace, own, one)),
    ...orderFaults(own, countries, order),
  ]);
  const folders = countries.map(({ folder }) => folder);
  const missing = folders
    .flatMap(stagesOf)
    .map((path) => ({ path, count: fluxed.filter((one) => pathOf(one) === path).length }))
    .filter(({ count }) => count !== 1)
    .map(({ path, count }) =>
      finding(`${path}/kustomization.yaml`, path, `is applied by ${count || 'no'} Kustomizations of deploy/clusters, not by one`),
    );
  return [...inClusters, ...missing];
}

const finding = (file: string, object: string, what: string): Finding => ({
  file,
  object,
  rule: 'cluster-order',
  what,
  why: 'Flux would apply things before what they need, too many at once, or never.',
  mend: 'Name under dependsOn what must be healthy before: platform, before/, migrate/, services; one country after another, as in releases/waves.yaml.',
});

const nameOf = ({ object }: Fluxed) => object.metadata.name;
const pathOf = ({ object }: Fluxed) => (text(object, 'spec', 'path') ?? '').replace(/^\.\//, '');
const needs = ({ object }: Fluxed) => list(object, 'spec', 'dependsOn').map((one) => String(one['name']));

function plainFaults(workspace: string, own: Fluxed[], one: Fluxed): Finding[] {
  const isSet = (field: string) => at(one.object, 'spec', field) === true;
  const isMigration = pathOf(one).endsWith('/migrate');
  // A database is of the full track; its pilot uses it.
  const hasDatabases = pathOf(one).endsWith('/full/before');
  const isAwaited = list(one.object, 'spec', 'healthCheckExprs').some((check) => check['kind'] === 'Cluster');
  const strangers = needs(one).filter((name) => !own.some((other) => nameOf(other) === name));
  const said: [boolean, string][] = [
    [!existsSync(join(workspace, pathOf(one), 'kustomization.yaml')), `applies ${pathOf(one)}, which is not there`],
    [strangers.length > 0, `waits for ${strangers.join(', ')}, which its cluster does not have`],
    [allNeeds(own, one).has(nameOf(one)), 'waits for itself'],
    [!isSet('wait') || !text(one.object, 'spec', 'timeout'), 'does not wait until all is healthy, up to a timeout'],
    [hasDatabases && !isAwaited, 'takes a database for healthy that its operator has not looked at yet'],
    [isSet('suspend'), 'is suspended, so what is in Git is not what runs'],
    [!isSet('prune'), 'leaves behind what Git has no more'],
    [isMigration && !isSet('force'), 'cannot replace a finished Job, since it does not force'],
    // A database that is replaced is an empty one.
    [!isMigration && isSet('force'), 'replaces what it cannot change, which is for Jobs alone'],
  ];
  return said.filter(([isWrong]) => isWrong).map(([, what]) => finding(one.file, nameOf(one), what));
}

/** All that must be healthy before, near and far. */
function allNeeds(own: Fluxed[], one: Fluxed): Set<string> {
  const found = new Set<string>();
  const follow = (name: string) => {
    if (found.has(name)) return;
    found.add(name);
    for (const next of own.filter((other) => nameOf(other) === name)) needs(next).forEach(follow);
  };
  needs(one).forEach(follow);
  return found;
}

function orderFaults(own: Fluxed[], countries: Country[], order: string[]): Finding[] {
  const at = (path: string) => own.find((one) => pathOf(one) === path);
  const here = order.filter((name) => at(`deploy/countries/${name}/full`));
  const pairs = (name: string): [string, string][] => {
    const folders = countries.filter(({ country }) => country === name).map(({ folder }) => folder);
    const before = here[here.indexOf(name) - 1];
    const [pilot, full] = [`deploy/countries/${name}/pilot`, `deploy/countries/${name}/full`];
    return [
      ...folders.flatMap((folder): [string, string][] => {
        const [ground = '', schemas = '', services = ''] = stagesOf(folder);
        return [
          [ground, 'deploy/platform'],
          [schemas, ground],
          [services, schemas],
        ];
      }),
      [`${pilot}/migrate`, `${full}/before`],
      ...(before ? ([[`${full}/before`, `deploy/countries/${before}/full`]] as [string, string][]) : []),
    ];
  };
  const wants = here.flatMap(pairs).flatMap(([path, wanted]) => {
    const [one, first] = [at(path), at(wanted)];
    return one && first && !allNeeds(own, one).has(nameOf(first))
      ? [finding(one.file, nameOf(one), `does not wait for ${nameOf(first)}`)]
      : [];
  });
  return [...wants, ...here.flatMap((name) => pilotFaults(own, name))];
}

/** A version reaches the pilot first, so the pilot must not wait for the full track to run one. */
function pilotFaults(own: Fluxed[], name: string): Finding[] {
  const pilots = own.filter((one) => pathOf(one).startsWith(`deploy/countries/${name}/pilot`));
  const full = own.filter((one) => [`full/migrate`, 'full'].some((end) => pathOf(one) === `deploy/countries/${name}/${end}`));
  return pilots.flatMap((one) =>
    full
      .filter((other) => allNeeds(own, one).has(nameOf(other)))
      .map((other) => finding(one.file, nameOf(one), `waits for ${nameOf(other)}, which gets a version after it`)),
  );
}
