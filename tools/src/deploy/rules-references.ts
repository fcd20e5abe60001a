import { each, everything, type Rule } from './rule.ts';
import { at, containersOf, groupOf, isWorkload, list, nameOf, namespaceOf, podOf, record, templateOf, text } from './objects.ts';
import type { Data, KubeObject } from './objects.ts';
import { isSource } from './rules-schema.ts';
import { podsOf, portOf, selects } from './selectors.ts';

interface Reference {
  kind: string;
  name: string;
  namespace: string;
  /** Of the API, where the reference says it: what has the same kind and another group is another thing. */
  group?: string;
  /** An entry of what is named: a key of a ConfigMap or Secret, a listener of a Gateway. */
  entry?: string;
}

// What the cluster brings or an operator makes: a reference to these is not ours to resolve.
const outsideNamespaces = new Set(['kassa-edge', 'monitoring', 'external-secrets', 'linkerd', 'cert-manager', 'cnpg-system']);
const fromElsewhere = new Set(['ClusterImageCatalog', 'GatewayClass']);
const clusterWide = new Set(['PriorityClass', 'ClusterIssuer', 'ClusterSecretStore', 'ClusterRole', 'Namespace']);

export const referenceRules: Rule[] = [
  {
    id: 'reference-exists',
    why: 'A name that leads nowhere is accepted by the API server; the pod then never starts, or the policy denies everything.',
    mend: 'Correct the name, or add the object it should find.',
    find: (scene) => {
      const there = existing(everything(scene));
      return each((object) => [
        ...references(object)
          .filter((reference) => !resolves(reference, there))
          .map((reference) => `names ${wordsOf(reference)}, which is not there`),
        ...mountsWithoutVolume(object),
      ])(scene);
    },
  },
  {
    id: 'reference-granted',
    why: 'A route may send into another namespace only where that namespace says so; else the edge answers 500 to all that it sends there.',
    mend: 'Add a ReferenceGrant beside the Service; mesh/traffic.yaml does it for a pilot.',
    find: (scene) => {
      const grants = everything(scene).filter(({ kind }) => kind === 'ReferenceGrant');
      return each((object) =>
        references(object)
          .filter(({ kind, namespace }) => /Route$/.test(object.kind) && kind === 'Service' && namespace !== namespaceOf(object))
          .filter((reference) => !grants.some((grant) => isGranted(grant, reference, object)))
          .map((reference) => `sends to ${wordsOf(reference)}, which does not grant it`),
      )(scene);
    },
  },
  {
    id: 'selector-selects',
    why: 'A selector that finds no pod is accepted and does nothing: no traffic, no protection, no policy. A Service that finds two sorts of pods sends calls to the wrong ones.',
    mend: 'Select by the labels that the pods really have; app.kubernetes.io/name is enough.',
    find: (scene) => {
      const pods = podsOf(everything(scene));
      return each((object) => {
        const own = pods.filter((pod) => pod.namespace === namespaceOf(object));
        const place = namespaceOf(object) || 'its namespace';
        const selector = selectorOf(object);
        if (selector === 'missing') return 'has no selector, so it selects nothing';
        const found = own.filter((pod) => selector && selects(selector, pod.labels));
        const names = new Set(found.map(({ workload }) => nameOf(workload)));
        const peers = peersOf(object).filter((peer) => !own.some((pod) => selects(peer, pod.labels)));
        return [
          selector !== undefined && found.length === 0 && `selects no pod in ${place}`,
          object.kind === 'Service' && names.size > 1 && `selects ${[...names].join(' and ')}`,
          peers.length > 0 && `names peers by ${JSON.stringify(peers)}, which no pod in ${place} is`,
        ];
      })(scene);
    },
  },
  {
    id: 'selector-matches-template',
    why: 'A Deployment that does not select its own pods is refused; its selector can never be changed afterwards.',
    mend: 'Select by app.kubernetes.io/name alone, and give the template that label.',
    find: each((object) => {
      if (object.kind !== 'Deployment') return undefined;
      const selector = record(object, 'spec', 'selector');
      const isOwn = selects(selector, record(templateOf(object), 'metadata', 'labels'));
      const keys = Object.keys(record(selector, 'matchLabels'));
      return [
        !isOwn && 'does not select its own pods',
        isOwn && keys.join() !== 'app.kubernetes.io/name' && `selects by ${keys.join(', ')}, and a selector is for ever`,
      ];
    }),
  },
  {
    id: 'port-exists',
    why: 'A port that no container has gets no traffic, no policy and no probe.',
    mend: "Name a port of the container, such as http, grpc, health or metrics; a route names the Service's number.",
    find: (scene) => {
      const all = everything(scene);
      return each((object) => missingPorts(object, all))(scene);
    },
  },
  {
    id: 'unique',
    why: 'The second text of an object silently wins over the first.',
    mend: 'Keep one of them.',
    find: (scene) => {
      const seen = new Set<string>();
      return each((object) => {
        if (isSource(object)) return undefined;
        const key = [groupOf(object), object.kind, namespaceOf(object), object.metadata.name].join('|');
        if (seen.has(key)) return 'is there twice';
        seen.add(key);
        return undefined;
      })(scene);
    },
  },
];

/** What there is, by kind, namespace and name: its API's group, and its entries where they are known. */
type There = Map<string, { group: string | undefined; entries: Set<string> | undefined }>;

function existing(objects: KubeObject[]): There {
  const own = objects.map((object) => [
    keyOf(object.kind, namespaceOf(object), object.metadata.name),
    { group: groupOf(object), entries: entriesOf(object) },
  ]) as [string, { group: string | undefined; entries: Set<string> | undefined }][];
  const made = objects.flatMap((object) => {
    const namespace = namespaceOf(object);
    if (object.kind === 'ExternalSecret')
      return [keyOf('Secret', namespace, text(object, 'spec', 'target', 'name') ?? object.metadata.name)];
    if (object.kind === 'Certificate') return [keyOf('Secret', namespace, text(object, 'spec', 'secretName') ?? '')];
    // trust-manager writes the bundle into every namespace of Kassa.
    if (object.kind === 'Bundle') return [`ConfigMap||${object.metadata.name}`];
    if (object.kind === 'Gateway') return list(object, 'spec', 'listeners').map((one) => edgeSecret(one, namespace));
    return [];
  });
  return new Map([...own, ...made.map((key) => [key, { group: undefined, entries: undefined }] as const)]);
}

function entriesOf(object: KubeObject): Set<string> | undefined {
  if (object.kind === 'ConfigMap') return new Set(Object.keys(record(object, 'data')));
  if (object.kind === 'Gateway') return new Set(list(object, 'spec', 'listeners').map((one) => String(one['name'])));
  return undefined;
}

/** cert-manager makes the secret that a listener names, because of the Gateway's annotation. */
const edgeSecret = (listener: Data, namespace: string) =>
  keyOf('Secret', namespace, text(listener, 'tls', 'certificateRefs', 0, 'name') ?? '');

const keyOf = (kind: string, namespace: string, name: string) => `${kind}|${clusterWide.has(kind) ? '' : namespace}|${name}`;

function resolves({ kind, name, namespace, group, entry }: Reference, there: There): boolean {
  if (fromElsewhere.has(kind) || outsideNamespaces.has(namespace)) return true;
  const found = there.get(keyOf(kind, namespace, name)) ?? there.get(`${kind}||${name}`);
  if (!found) return false;
  const isOfGroup = group === undefined || found.group === undefined || group.replace(/^core$/, '') === found.group;
  return isOfGroup && (entry === undefined || found.entries === undefined || found.entries.has(entry));
}

const isGranted = (grant: KubeObject, { kind, name, namespace }: Reference, route: KubeObject) =>
  namespaceOf(grant) === namespace &&
  list(grant, 'spec', 'from').some((from) => from['kind'] === route.kind && from['namespace'] === namespaceOf(route)) &&
  list(grant, 'spec', 'to').some((to) => to['kind'] === kind && (to['name'] ?? name) === name);

const wordsOf = ({ kind, name, namespace, group, entry }: Reference) =>
  [
    entry === undefined ? '' : `${entry} of `,
    `${kind}/${name}`,
    group ? ` (${group})` : '',
    namespace ? ` in ${namespace}` : '',
  ].join('');

/** Every name an object gives of another one. */
function references(object: KubeObject): Reference[] {
  const namespace = namespaceOf(object);
  const to = (kind: string, name: unknown, of: unknown = namespace): Reference[] =>
    typeof name === 'string' ? [{ kind, name, namespace: String(of ?? namespace) }] : [];
  /** A reference as the Gateway API and Linkerd write it; what it leaves out has a default. */
  const toRef = (ref: Data, standard: { group: string; kind: string }): Reference[] =>
    to(String(ref['kind'] ?? standard.kind), ref['name'], ref['namespace']).map((one) => ({
      ...one,
      group: String(ref['group'] ?? standard.group),
      ...(typeof ref['sectionName'] === 'string' && { entry: ref['sectionName'] }),
    }));
  const gateway = { group: 'gateway.networking.k8s.io', kind: 'Gateway' };
  const core = { group: '', kind: 'Service' };
  switch (object.kind) {
    case 'HorizontalPodAutoscaler':
      return to(text(object, 'spec', 'scaleTargetRef', 'kind') ?? '', at(object, 'spec', 'scaleTargetRef', 'name'));
    case 'AuthorizationPolicy':
      return [
        ...toRef(record(object, 'spec', 'targetRef'), core),
        ...list(object, 'spec', 'requiredAuthenticationRefs').flatMap((ref) => toRef(ref, core)),
      ];
    case 'HTTPLocalRateLimitPolicy':
      return [
        ...toRef(record(object, 'spec', 'targetRef'), core),
        ...list(object, 'spec', 'overrides')
          .flatMap((override) => list(override, 'clientRefs'))
          .flatMap((ref) => toRef(ref, core)),
      ];
    case 'HTTPRoute':
    case 'GRPCRoute':
      return [
        ...list(object, 'spec', 'parentRefs').flatMap((ref) => toRef(ref, gateway)),
        ...list(object, 'spec', 'rules')
          .flatMap((rule) => list(rule, 'backendRefs'))
          .flatMap((ref) => toRef(ref, core)),
      ];
    case 'ReferenceGrant':
      return list(object, 'spec', 'to').flatMap((ref) => to(String(ref['kind']), ref['name']));
    case 'ExternalSecret':
      return to(text(object, 'spec', 'secretStoreRef', 'kind') ?? 'SecretStore', at(object, 'spec', 'secretStoreRef', 'name'));
    case 'Certificate':
      return to(text(object, 'spec', 'issuerRef', 'kind') ?? 'Issuer', at(object, 'spec', 'issuerRef', 'name'));
    case 'Kustomization':
      return to(text(object, 'spec', 'sourceRef', 'kind') ?? '', at(object, 'spec', 'sourceRef', 'name'));
    case 'ScheduledBackup':
      return to('Cluster', at(object, 'spec', 'cluster', 'name'));
    case 'Cluster':
      return to('Secret', at(object, 'spec', 'bootstrap', 'initdb', 'secret', 'name'));
    case 'RoleBinding':
      return [
        ...to(text(object, 'roleRef', 'kind') ?? '', at(object, 'roleRef', 'name')).filter(
          ({ name }) => name !== 'cluster-admin',
        ),
        ...list(object, 'subjects')
          .filter((subject) => subject['kind'] === 'ServiceAccount')
          .flatMap((subject) => to('ServiceAccount', subject['name'], subject['namespace'])),
      ];
    default:
      return isWorkload(object) ? podReferences(object, to) : [];
  }
}

function podReferences(object: KubeObject, to: (kind: string, name: unknown) => Reference[]): Reference[] {
  const pod = podOf(object);
  const volumes = list(pod, 'volumes').flatMap((volume) => [volume, ...list(volume, 'projected', 'sources')]);
  const containers = containersOf(object);
  const keyed = (kind: string, ref: Data) => to(kind, ref['name']).map((one) => ({ ...one, entry: String(ref['key']) }));
  return [
    ...to('ServiceAccount', pod['serviceAccountName']),
    ...to('PriorityClass', pod['priorityClassName']),
    ...volumes.flatMap((volume) => [
      ...to('Secret', at(volume, 'secret', 'secretName') ?? at(volume, 'secret', 'name')),
      ...to('ConfigMap', at(volume, 'configMap', 'name')),
    ]),
    ...list(pod, 'imagePullSecrets').flatMap((one) => to('Secret', one['name'])),
    ...containers
      .flatMap((container) => list(container, 'env'))
      .flatMap((one) => [
        ...keyed('ConfigMap', record(one, 'valueFrom', 'configMapKeyRef')),
        ...keyed('Secret', record(one, 'valueFrom', 'secretKeyRef')),
      ]),
    ...containers
      .flatMap((container) => list(container, 'envFrom'))
      .flatMap((one) => [...to('ConfigMap', at(one, 'configMapRef', 'name')), ...to('Secret', at(one, 'secretRef', 'name'))]),
  ];
}

function mountsWithoutVolume(object: KubeObject): string[] {
  const volumes = new Set(list(podOf(object), 'volumes').map((volume) => volume['name']));
  return containersOf(object)
    .flatMap((container) => list(container, 'volumeMounts'))
    .filter((mount) => !volumes.has(mount['name']))
    .map((mount) => `mounts volume ${String(mount['name'])}, which the pod does not have`);
}

/** The selector over pods of a kind that has one; `missing` where it must have one and has not. */
function selectorOf(object: KubeObject): Data | 'missing' | undefined {
  switch (object.kind) {
    case 'Service':
      return needed(record(object, 'spec', 'selector'));
    case 'PodDisruptionBudget':
      return needed(record(object, 'spec', 'selector'));
    case 'Server':
      return needed(record(object, 'spec', 'podSelector'));
    case 'PodMonitor':
      return record(object, 'spec', 'selector');
    case 'NetworkPolicy':
      return record(object, 'spec', 'podSelector');
    default:
      return undefined;
  }
}

/** Pods of its own namespace that a NetworkPolicy lets in or lets reach. */
const peersOf = (object: KubeObject): Data[] =>
  object.kind === 'NetworkPolicy'
    ? [
        ...list(object, 'spec', 'ingress').flatMap((rule) => list(rule, 'from')),
        ...list(object, 'spec', 'egress').flatMap((rule) => list(rule, 'to')),
      ]
        .filter((peer) => peer['podSelector'] !== undefined && peer['namespaceSelector'] === undefined)
        .map((peer) => record(peer, 'podSelector'))
    : [];

const needed = (selector: Data) => (Object.keys(selector).length === 0 ? 'missing' : selector);

function missingPorts(object: KubeObject, all: KubeObject[]): string[] {
  const here = (selector: Data) =>
    podsOf(all).filter((pod) => pod.namespace === namespaceOf(object) && selects(selector, pod.labels));
  if (object.kind === 'Service') {
    const pods = here(record(object, 'spec', 'selector'));
    const targets = list(object, 'spec', 'ports').map((port) => port['targetPort'] ?? port['port']);
    return pods.length === 0
      ? []
      : targets
          .filter((target) => !pods.some((pod) => portOf(pod, target)))
          .map((t) => `targets port ${t}, which no container has`);
  }
  if (object.kind === 'Server') {
    const pods = here(record(object, 'spec', 'podSelector'));
    const port = at(object, 'spec', 'port');
    return pods.length === 0 || pods.some((pod) => portOf(pod, port)) ? [] : [`is for port ${port}, which no container has`];
  }
  if (object.kind === 'PodMonitor') {
    const pods = here(record(object, 'spec', 'selector'));
    const ports = list(object, 'spec', 'podMetricsEndpoints').map((endpoint) => endpoint['port']);
    return ports
      .filter((port) => pods.length > 0 && !pods.some((pod) => portOf(pod, port)))
      .map((port) => `asks port ${String(port)}, which no container has`);
  }
  if (object.kind === 'HorizontalPodAutoscaler') return missingContainers(object, all);
  if (object.kind === 'HTTPRoute' || object.kind === 'GRPCRoute') return missingServicePorts(object, all);
  return isWorkload(object) ? missingProbePorts(object) : [];
}

function missingContainers(object: KubeObject, all: KubeObject[]): string[] {
  const target = all.find(
    ({ kind, metadata }) => kind === 'Deployment' && metadata.name === at(object, 'spec', 'scaleTargetRef', 'name'),
  );
  const names = target ? list(podOf(target), 'containers').map((container) => container['name']) : undefined;
  return list(object, 'spec', 'metrics')
    .map((metric) => text(metric, 'containerResource', 'container'))
    .filter((name) => name !== undefined && names && !names.includes(name))
    .map((name) => `measures container ${name}, which the pod does not have`);
}

function missingServicePorts(object: KubeObject, all: KubeObject[]): string[] {
  const refs = [
    ...list(object, 'spec', 'parentRefs').filter((ref) => ref['kind'] === 'Service'),
    ...list(object, 'spec', 'rules').flatMap((rule) => list(rule, 'backendRefs')),
  ];
  return refs.flatMap((ref) => {
    const namespace = ref['namespace'] ?? namespaceOf(object);
    const service = all.find(
      (one) => one.kind === 'Service' && one.metadata.name === ref['name'] && namespaceOf(one) === namespace,
    );
    if (!service || list(service, 'spec', 'ports').some((port) => port['port'] === ref['port'])) return [];
    return [`names port ${ref['port']} of Service/${ref['name']}, which has no such port`];
  });
}

function missingProbePorts(object: KubeObject): string[] {
  return list(podOf(object), 'containers').flatMap((container) => {
    const names = list(container, 'ports').flatMap((port) => [port['name'], port['containerPort']]);
    return ['startupProbe', 'readinessProbe', 'livenessProbe'].flatMap((probe) => {
      const port = at(container, probe, 'httpGet', 'port') ?? at(container, probe, 'tcpSocket', 'port');
      return port === undefined || names.includes(port)
        ? []
        : [`${probe} asks port ${port}, which the container does not declare`];
    });
  });
}
