import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pc from 'picocolors';
import { table } from './demo-print.ts';
import {
  assumptions,
  inGiB,
  provision,
  provisioned,
  saving,
  sharesOf,
  sum,
  together,
  webApps,
  withAppCpu,
  withProxyCpu,
  type Provision,
  type Share,
  type Size,
} from './deploy/cost.ts';
import { readCountries, stagesOf, type Track } from './deploy/countries.ts';
import { findKustomize, howToGetKustomize, type Kustomize } from './deploy/kustomize.ts';
import { Failure, runCommand } from './failure.ts';

const help = `npm run deploy:cost        what is provisioned for all countries, from the rendered requests and the fewest replicas of each,
                           against a web app for each service and country

  --help

Prices are left out: a core is a core. What the manifests do not say is assumed, and printed as such.`;

/** An overlay with all its stages, and the cluster that runs it. */
export interface OverlayCost {
  country: string;
  track: Track;
  cluster: string;
  shares: Share[];
}

/** Renders every overlay. Two at a time: more would only wait for the processor. */
export async function readOverlays(workspace: string, kustomize: Kustomize): Promise<OverlayCost[]> {
  const read: OverlayCost[] = [];
  for (const { country, track, folder } of readCountries(workspace)) {
    const stages = await Promise.all(stagesOf(folder).map((stage) => kustomize.render({ resources: [stage] })));
    const shares = sharesOf(stages.flat().map(({ object }) => object));
    read.push({ country, track, cluster: clusterOf(workspace, country), shares });
  }
  return read;
}

function clusterOf(workspace: string, country: string): string {
  const clusters = join(workspace, 'deploy/clusters');
  const found = readdirSync(clusters).find((name) => existsSync(join(clusters, name, `${country}.yaml`)));
  if (found === undefined) throw new Failure(`No cluster of deploy/clusters has ${country}.`);
  return found;
}

/** One way to look at it: which shares count, in how many clusters, and what stands on the other side. */
export interface Case {
  title: string;
  ours: Provision;
  theirs: Size;
}

const isService = ({ what }: Share) => what === 'service';

/** From the services of the full tracks alone to all there is. */
export function cases(overlays: OverlayCost[]): Case[] {
  const full = overlays.filter(({ track }) => track === 'full');
  const apps = full.reduce((count, { shares }) => count + shares.filter(isService).length, 0);
  const [plain, withDatabases] = [webApps(apps, { withDatabases: false }), webApps(apps, { withDatabases: true })];
  const names = [...new Set(overlays.map(({ cluster }) => cluster))];
  return [
    { title: 'services of the full tracks, in one cluster', ours: provision(servicesOf(full)), theirs: plain },
    { title: `the same in ${names.join(' and ')}`, ours: byCluster(full, isService), theirs: plain },
    { title: 'and their pilots', ours: byCluster(overlays, isService), theirs: plain },
    { title: 'and their databases', ours: byCluster(overlays, () => true), theirs: withDatabases },
  ];
}

const servicesOf = (overlays: OverlayCost[]) => overlays.flatMap(({ shares }) => shares).filter(isService);

/** What other requests would change, for the services of the full tracks in one cluster. */
export function otherwise(overlays: OverlayCost[]): Case[] {
  const shares = servicesOf(overlays.filter(({ track }) => track === 'full'));
  const theirs = webApps(shares.length, { withDatabases: false });
  return [
    { title: 'as rendered', ours: provision(shares), theirs },
    { title: 'proxies at 10m', ours: provision(withProxyCpu(shares, 0.01)), theirs },
    { title: 'proxies at 100m, Linkerd’s default for high availability', ours: provision(withProxyCpu(shares, 0.1)), theirs },
    { title: 'applications at 150m', ours: provision(withAppCpu(shares, 0.15)), theirs },
  ];
}

function byCluster(overlays: OverlayCost[], counts: (share: Share) => boolean): Provision {
  const clusters = Map.groupBy(overlays, ({ cluster }) => cluster).values();
  return together([...clusters].map((of) => provision(of.flatMap(({ shares }) => shares).filter(counts))));
}

const cores = (value: number, digits = 1) => value.toFixed(digits);
const percent = (part: number) => `${Math.round(part * 100)} %`;

function showOverlays(overlays: OverlayCost[]): void {
  const rows = overlays.map(({ country, track, cluster, shares }) => {
    const services = shares.filter(isService);
    const databases = shares.filter((share) => !isService(share));
    const size = sum(shares.flatMap(({ app, proxy }) => [app, proxy]));
    return [
      `${country} ${track}`,
      cluster,
      services.map(({ pods }) => pods).join(' + '),
      cores(sum(services.map(({ app }) => app)).cpu, 2),
      cores(sum(services.map(({ proxy }) => proxy)).cpu, 2),
      databases.length === 0 ? 'those of full' : databases.map(({ pods }) => pods).join(' + '),
      cores(sum(databases.map(({ app }) => app)).cpu, 2),
      cores(inGiB(size.memory)),
    ];
  });
  const heading = ['overlay', 'cluster', 'pods of services', 'vCPU ', 'proxies ', 'pods of databases', 'vCPU ', 'GiB in all '];
  table(heading, rows);
}

function showCases(title: string, shown: Case[]): void {
  const rows = shown.map(({ title: of, ours, theirs }) => [
    of,
    String(ours.pods),
    cores(ours.requested.cpu),
    percent(ours.mesh.cpu / ours.requested.cpu),
    String(ours.nodes),
    cores(provisioned(ours).cpu, 0),
    cores(inGiB(provisioned(ours).memory), 0),
    cores(theirs.cpu, 0),
    cores(inGiB(theirs.memory), 0),
    percent(saving(provisioned(ours), theirs)),
  ]);
  const heading = ['pods ', 'vCPU requested ', 'of it mesh ', 'nodes ', 'vCPU ', 'GiB ', 'web apps: vCPU ', 'GiB ', 'saved '];
  table([title, ...heading], rows);
}

const size = ({ cpu, memory }: Size) => `${cores(cpu)} vCPU and ${cores(inGiB(memory))} GiB`;

function showAssumptions(): void {
  const { webApp, webAppDatabase, node, perNode, packing, controlPlane, observability, observabilityPerPod } = assumptions;
  const lines = [
    `a web app: ${webApp.instances} dedicated instances of ${size(webApp)}; its database: ${webAppDatabase.instances} of ${size(webAppDatabase)}`,
    `a node: ${size(node)}, of which its own pods take ${size(perNode)}; filled to ${percent(packing)}`,
    `a cluster: Linkerd’s control plane, three replicas, ${size(controlPlane)}`,
    `and observability, ${size(observability)} and ${observabilityPerPod.cpu * 1000}m, ${observabilityPerPod.memory / 1e6} MB more for each meshed pod`,
    'pods as many as the autoscaler keeps when shops are quiet; migrations are not counted, since they end',
    'pilots stand all the time, on our side alone: a web app would need as many instances again for its slot',
  ];
  console.log(`    ${pc.dim('assumed')}\n${lines.map((line) => `    · ${line}`).join('\n')}\n`);
}

if (import.meta.main) {
  await runCommand(async () => {
    if (process.argv.includes('--help')) return console.log(help);
    const workspace = fileURLToPath(new URL('../..', import.meta.url));
    const kustomize = findKustomize(workspace);
    if (!kustomize) throw new Failure(`There is nothing to count without a render. ${howToGetKustomize}`);
    const overlays = await readOverlays(workspace, kustomize);
    showOverlays(overlays);
    showCases('what is counted', cases(overlays));
    showCases('with other requests', otherwise(overlays));
    showAssumptions();
  });
}
