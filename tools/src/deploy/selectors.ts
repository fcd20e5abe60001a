import { at, isWorkload, list, namespaceOf, podOf, record, templateOf, type Data, type KubeObject } from './objects.ts';

/** A pod as its template describes it; `ports` maps names to numbers. */
export interface Pod {
  workload: KubeObject;
  namespace: string;
  labels: Record<string, unknown>;
  ports: Map<string, number>;
}

/** All pods that the workloads of a scene would make. CloudNativePG makes pods too, known by the cluster's name. */
export function podsOf(objects: KubeObject[]): Pod[] {
  const own = objects.filter(isWorkload).map((workload) => ({
    workload,
    namespace: namespaceOf(workload),
    labels: { ...record(templateOf(workload), 'metadata', 'labels'), ...meshLabels(workload) },
    ports: portsOf(workload),
  }));
  const databases = objects
    .filter(({ kind, apiVersion }) => kind === 'Cluster' && apiVersion.startsWith('postgresql.cnpg.io/'))
    .map((workload) => ({
      workload,
      namespace: namespaceOf(workload),
      labels: { 'cnpg.io/cluster': workload.metadata.name, ...record(workload, 'spec', 'inheritedMetadata', 'labels') },
      ports: new Map([['postgresql', 5432]]),
    }));
  return [...own, ...databases];
}

/** The injector adds the label to the pods it gives a proxy, and the proxy's admin port. */
const meshLabels = (workload: KubeObject): Data => (isMeshed(workload) ? { 'linkerd.io/control-plane-ns': 'linkerd' } : {});

export const isMeshed = (workload: KubeObject) =>
  isWorkload(workload) && record(templateOf(workload), 'metadata', 'annotations')['linkerd.io/inject'] !== 'disabled';

function portsOf(workload: KubeObject): Map<string, number> {
  const declared = list(podOf(workload), 'containers').flatMap((container) => list(container, 'ports'));
  const named = declared.map((port) => [String(port['name'] ?? port['containerPort']), Number(port['containerPort'])] as const);
  return new Map([...named, ...(isMeshed(workload) ? ([['linkerd-admin', 4191]] as const) : [])]);
}

/** A LabelSelector, or the plain map of a Service. An empty one selects everything. */
export function selects(selector: Data, labels: Record<string, unknown>): boolean {
  const isPlain = !('matchLabels' in selector) && !('matchExpressions' in selector);
  const wanted = isPlain ? selector : record(selector, 'matchLabels');
  const hasAll = Object.entries(wanted).every(([key, value]) => labels[key] === value);
  return hasAll && list(selector, 'matchExpressions').every((expression) => holds(expression, labels));
}

function holds(expression: Data, labels: Record<string, unknown>): boolean {
  const key = String(expression['key']);
  const values = (at(expression, 'values') ?? []) as unknown[];
  switch (expression['operator']) {
    case 'In':
      return values.includes(labels[key]);
    case 'NotIn':
      return !values.includes(labels[key]);
    case 'Exists':
      return key in labels;
    case 'DoesNotExist':
      return !(key in labels);
    default:
      return false;
  }
}

/** The port's number, where a pod has it under this name or number. */
export function portOf(pod: Pod, port: unknown): number | undefined {
  if (typeof port === 'number') return [...pod.ports.values()].includes(port) ? port : undefined;
  return pod.ports.get(String(port));
}
