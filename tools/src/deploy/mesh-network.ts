import type { Made } from './mesh-inbound.ts';
import { calls, type DatabaseKind, type Traffic } from './traffic.ts';

// The floor below the mesh: which packets may flow at all. Meshed pods talk to each other on the proxy's port, never on the application's.

const proxyPort = 4143;
const proxyAdminPort = 4191;
const healthPort = 9090;
const postgresPort = 5432;

const tcp = (...ports: number[]) => ports.map((port) => ({ protocol: 'TCP', port }));
const pods = (name: string) => ({ podSelector: { matchLabels: { 'app.kubernetes.io/name': name } } });
const inNamespace = (name: string) => ({ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': name } } });
const block = (cidr: string) => ({ ipBlock: { cidr } });

interface PolicyParts {
  select: object;
  ingress?: object[];
  egress?: object[];
}

function policy(name: string, service: string, { select, ingress, egress }: PolicyParts) {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name, labels: { 'app.kubernetes.io/name': service, 'app.kubernetes.io/part-of': 'kassa' } },
    spec: {
      podSelector: select,
      policyTypes: [...(ingress ? ['Ingress'] : []), ...(egress ? ['Egress'] : [])],
      ...(ingress && { ingress }),
      ...(egress && { egress }),
    },
  };
}

const named = (name: string) => ({ matchLabels: { 'app.kubernetes.io/name': name } });

/** Nothing in, nothing out, but what every meshed pod needs: names, the mesh's control plane, probes, and Prometheus at its proxy. */
export function namespaceFloor(traffic: Traffic): object[] {
  const prometheus = traffic.callers['prometheus']?.namespace ?? 'monitoring';
  return [
    policy('default-deny', 'kassa', { select: {}, ingress: [], egress: [] }),
    policy('mesh', 'kassa', {
      select: { matchExpressions: [{ key: 'linkerd.io/control-plane-ns', operator: 'Exists' }] },
      ingress: [{ from: [inNamespace(prometheus)], ports: tcp(proxyPort, proxyAdminPort) }, { ports: tcp(healthPort) }],
      egress: [
        { to: [inNamespace('kube-system')], ports: [{ protocol: 'UDP', port: 53 }, ...tcp(53)] },
        // identity, destination, policy
        { to: [inNamespace('linkerd')], ports: tcp(8080, 8086, 8090) },
      ],
    }),
    { ...egressNetwork('elsewhere'), spec: { trafficPolicy: 'Deny' } },
  ];
}

function egressNetwork(name: string) {
  return {
    apiVersion: 'policy.linkerd.io/v1alpha1',
    kind: 'EgressNetwork',
    metadata: { name, labels: { 'app.kubernetes.io/name': 'kassa', 'app.kubernetes.io/part-of': 'kassa' } },
  };
}

/**
 * The outside, place by place. The smallest network that holds an address decides, so these stand above `elsewhere`, which denies; and
 * the proxy's metrics call each place by its name.
 */
export function outsidePlaces(traffic: Traffic): object[] {
  return Object.entries(traffic.outside)
    .filter(([, { callers }]) => callers.length > 0)
    .map(([name, { networks }]) => ({
      ...egressNetwork(name),
      spec: { trafficPolicy: 'Allow', networks: networks.map((cidr) => ({ cidr })) },
    }));
}

export function networkPolicies(traffic: Traffic): Made[] {
  const rows = calls(traffic);
  const isLocal = (name: string) => traffic.services[name]?.only !== undefined;
  return Object.entries(traffic.services).flatMap(([service, { only }]) => {
    const callers = [...new Set(rows.filter((row) => row.service === service).flatMap((row) => row.callers))];
    const callees = [...new Set(rows.filter((row) => row.callers.includes(service)).map((row) => row.service))];
    const places = Object.values(traffic.outside).filter((place) => place.callers.includes(service));
    const egress = [
      ...callees.filter((callee) => !isLocal(callee) || only).map((callee) => ({ to: [pods(callee)], ports: tcp(proxyPort) })),
      ...places.map(({ networks, port }) => ({ to: networks.map(block), ports: tcp(port) })),
      ...(traffic.telemetry.callers.includes(service)
        ? [{ to: [inNamespace(traffic.telemetry.namespace)], ports: tcp(proxyPort, traffic.telemetry.port) }]
        : []),
    ];
    const from = (names: string[]) => names.map((name) => peer(traffic, name));
    const everywhere = callers.filter((caller) => !isLocal(caller) || only);
    const ingress = everywhere.length > 0 ? [{ from: from(everywhere), ports: tcp(proxyPort) }] : [];
    const main = { only, service, object: policy(service, service, { select: named(service), ingress, egress }) };
    return [main, ...localExtras(traffic, service, { callers: callers.filter(isLocal), callees: callees.filter(isLocal) })];
  });
}

const peer = (traffic: Traffic, caller: string) => {
  const outsider = traffic.callers[caller];
  return outsider ? inNamespace(outsider.namespace) : pods(caller);
};

/** What a service additionally talks to in the laptop's cluster, as a policy of its own: policies add up. */
function localExtras(traffic: Traffic, service: string, { callers, callees }: { callers: string[]; callees: string[] }): Made[] {
  if (traffic.services[service]?.only || callers.length + callees.length === 0) return [];
  const object = policy(`${service}-local`, service, {
    select: named(service),
    ingress: callers.map((caller) => ({ from: [pods(caller)], ports: tcp(proxyPort) })),
    egress: callees.map((callee) => ({ to: [pods(callee)], ports: tcp(proxyPort) })),
  });
  return [{ only: 'local', service, object }];
}

/** Who reaches the databases of a country. `databaseNamespace` is the full track's, for the pilot works on the same data. */
export function databaseEgress(services: string[], kind: DatabaseKind, databaseNamespace: string): object[] {
  return services.map((service) => {
    const cluster = kind === 'shared-postgres' ? 'kassa-db' : `${service}-db`;
    const to =
      typeof kind === 'object'
        ? kind.managed.networks.map(block)
        : [{ ...inNamespace(databaseNamespace), podSelector: { matchLabels: { 'cnpg.io/cluster': cluster } } }];
    const port = typeof kind === 'object' ? kind.managed.port : postgresPort;
    return policy(`${service}-database`, service, {
      select: { matchExpressions: [{ key: 'app.kubernetes.io/name', operator: 'In', values: [service, `${service}-migrate`] }] },
      egress: [{ to, ports: tcp(port) }],
    });
  });
}

/** A provider's database for the mesh, which denies what no EgressNetwork allows as soon as its address is outside the cluster's networks. */
export const databasePlace = (kind: DatabaseKind): object[] =>
  typeof kind === 'object'
    ? [
        {
          ...egressNetwork('databases'),
          spec: { trafficPolicy: 'Allow', networks: kind.managed.networks.map((cidr) => ({ cidr })) },
        },
      ]
    : [];

/** The in-cluster databases' own side: their services in both tracks, their standbys, their operator, Prometheus, backups. */
export function databaseClusters(services: string[], kind: DatabaseKind, namespaces: string[]): object[] {
  if (typeof kind === 'object') return [];
  const clusters = kind === 'shared-postgres' ? [{ cluster: 'kassa-db', services }] : services.map(single);
  return clusters.map(({ cluster, services: users }) => {
    const select = { matchLabels: { 'cnpg.io/cluster': cluster } };
    const names = users.flatMap((service) => [service, `${service}-migrate`]);
    const clients = { matchExpressions: [{ key: 'app.kubernetes.io/name', operator: 'In', values: names }] };
    return policy(cluster, cluster, {
      select,
      ingress: [
        { from: namespaces.map((name) => ({ ...inNamespace(name), podSelector: clients })), ports: tcp(postgresPort) },
        { from: [{ podSelector: select }], ports: tcp(postgresPort, 8000) },
        { from: [inNamespace('cnpg-system')], ports: tcp(postgresPort, 8000) },
        { from: [inNamespace('monitoring')], ports: tcp(9187) },
      ],
      egress: [
        { to: [{ podSelector: select }], ports: tcp(postgresPort, 8000) },
        { to: [inNamespace('kube-system')], ports: [{ protocol: 'UDP', port: 53 }, ...tcp(53)] },
        // The instance manager asks the Kubernetes API, and the write-ahead log goes to the object store; neither has a fixed address.
        { ports: tcp(443, 6443) },
      ],
    });
  });
}

const single = (service: string) => ({ cluster: `${service}-db`, services: [service] });
