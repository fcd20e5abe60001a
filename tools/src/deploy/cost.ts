import { annotationsOf, containersOf, nameOf, record, templateOf, text, type KubeObject } from './objects.ts';
import { quantity } from './quantity.ts';
import { isMeshed } from './selectors.ts';

/** Cores and bytes. */
export interface Size {
  cpu: number;
  memory: number;
}

/** Pods of one kind in one overlay, at the fewest the autoscaler keeps; sizes are of all of them together. */
export interface Share {
  what: 'service' | 'database';
  name: string;
  pods: number;
  app: Size;
  proxy: Size;
}

const gibi = 2 ** 30;
const nothing: Size = { cpu: 0, memory: 0 };

/** What is not in the manifests. Each number is printed with the report, so that one who doubts it can put in another. */
export const assumptions = {
  /** A dedicated instance of a web app: the smallest there is. Each app has two, as its owner expects to survive one. */
  webApp: { cpu: 1, memory: 1.75 * gibi, instances: 2 },
  /** A managed PostgreSQL for each web app, with a standby; whole cores are the smallest step. */
  webAppDatabase: { cpu: 1, memory: 2 * gibi, instances: 2 },
  node: { cpu: 4, memory: 16 * gibi },
  /** System pods of a node: kubelet, CNI, log shipper. */
  perNode: { cpu: 0.2, memory: 0.6 * gibi },
  /** How full nodes are at best; the rest is for rollouts and for the pod that fits nowhere. */
  packing: 0.75,
  /** Linkerd's control plane with three replicas of each part, per cluster. */
  controlPlane: { cpu: 2.1, memory: 3 * 365e6 },
  /** Prometheus, Grafana and the collector of a cluster, and what each meshed pod adds to them. */
  observability: { cpu: 1.1, memory: 2 * gibi },
  observabilityPerPod: { cpu: 0.0056, memory: 5e6 },
};

/** The services and databases of an overlay, from its rendered objects. Jobs are not counted: they end. */
export function sharesOf(objects: KubeObject[]): Share[] {
  const services = objects.filter(({ kind }) => kind === 'Deployment').map((deployment) => serviceShare(deployment, objects));
  const databases = objects.filter(({ kind, apiVersion }) => kind === 'Cluster' && apiVersion.startsWith('postgresql.cnpg.io/'));
  return [...services, ...databases.map(databaseShare)];
}

function serviceShare(deployment: KubeObject, objects: KubeObject[]): Share {
  const { name } = deployment.metadata;
  const scaler = objects.find(
    (object) => object.kind === 'HorizontalPodAutoscaler' && text(object, 'spec', 'scaleTargetRef', 'name') === name,
  );
  const pods = Number(record(scaler, 'spec')['minReplicas'] ?? record(deployment, 'spec')['replicas'] ?? 1);
  const annotations = annotationsOf(templateOf(deployment));
  const proxy = {
    cpu: annotations['config.linkerd.io/proxy-cpu-request'],
    memory: annotations['config.linkerd.io/proxy-memory-request'],
  };
  return {
    what: 'service',
    name,
    pods,
    app: times(sum(containersOf(deployment).map((container) => sizeOf(container, nameOf(deployment)))), pods),
    proxy: isMeshed(deployment) ? times(read(proxy, `${nameOf(deployment)}'s proxy`), pods) : nothing,
  };
}

function databaseShare(cluster: KubeObject): Share {
  const pods = Number(record(cluster, 'spec')['instances'] ?? 1);
  return {
    what: 'database',
    name: cluster.metadata.name,
    pods,
    app: times(sizeOf(record(cluster, 'spec'), nameOf(cluster)), pods),
    proxy: nothing,
  };
}

const sizeOf = (owner: unknown, name: string) => read(record(owner, 'resources', 'requests'), name);

/** Throws RangeError where a request is missing: what is not requested would look free. */
function read({ cpu, memory }: { cpu?: unknown; memory?: unknown }, name: string): Size {
  const size = { cpu: quantity(cpu), memory: quantity(memory) };
  if (Number.isNaN(size.cpu) || Number.isNaN(size.memory)) throw new RangeError(`${name} requests no processor or no memory`);
  return size;
}

/** What one cluster must have for some shares: everything requested, and whole nodes that hold it. */
export interface Provision {
  pods: number;
  requested: Size;
  /** Of what is requested: proxies and control plane. */
  mesh: Size;
  nodes: number;
}

export function provision(shares: Share[]): Provision {
  const { node, perNode, packing, controlPlane, observability, observabilityPerPod } = assumptions;
  const proxies = sum(shares.map(({ proxy }) => proxy));
  const meshed = shares.filter(({ proxy }) => proxy.cpu > 0).reduce((all, { pods }) => all + pods, 0);
  const requested = sum([
    ...shares.map(({ app }) => app),
    proxies,
    controlPlane,
    observability,
    times(observabilityPerPod, meshed),
  ]);
  const room = { cpu: node.cpu * packing - perNode.cpu, memory: node.memory * packing - perNode.memory };
  return {
    pods: shares.reduce((all, { pods }) => all + pods, 0),
    requested,
    mesh: sum([proxies, controlPlane]),
    nodes: Math.ceil(Math.max(requested.cpu / room.cpu, requested.memory / room.memory)),
  };
}

export const provisioned = ({ nodes }: Pick<Provision, 'nodes'>): Size => times(assumptions.node, nodes);

/** Clusters side by side. */
export const together = (clusters: Provision[]): Provision => ({
  pods: clusters.reduce((all, { pods }) => all + pods, 0),
  requested: sum(clusters.map(({ requested }) => requested)),
  mesh: sum(clusters.map(({ mesh }) => mesh)),
  nodes: clusters.reduce((all, { nodes }) => all + nodes, 0),
});

/** What it would be as a web app for each service and country, with or without a database of its own. */
export function webApps(count: number, { withDatabases }: { withDatabases: boolean }): Size {
  const { webApp, webAppDatabase } = assumptions;
  const each = [times(webApp, webApp.instances), ...(withDatabases ? [times(webAppDatabase, webAppDatabase.instances)] : [])];
  return times(sum(each), count);
}

/** The part of the cores that is saved: 0.71 for 16 instead of 56. */
export const saving = (ours: Size, theirs: Size) => 1 - ours.cpu / theirs.cpu;

/** The same shares with another request of processor for each proxy, or for each pod of a service. */
export const withProxyCpu = (shares: Share[], cores: number): Share[] =>
  shares.map((share) => (share.proxy.cpu > 0 ? { ...share, proxy: { ...share.proxy, cpu: share.pods * cores } } : share));
export const withAppCpu = (shares: Share[], cores: number): Share[] =>
  shares.map((share) => (share.what === 'service' ? { ...share, app: { ...share.app, cpu: share.pods * cores } } : share));

export const sum = (sizes: Size[]): Size =>
  sizes.reduce((all, { cpu, memory }) => ({ cpu: all.cpu + cpu, memory: all.memory + memory }), nothing);
const times = ({ cpu, memory }: Size, factor: number): Size => ({ cpu: cpu * factor, memory: memory * factor });

export const inGiB = (bytes: number) => bytes / gibi;
