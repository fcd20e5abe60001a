import { each, everything, type Rule } from './rule.ts';
import { at, containersOf, groupOf, isWorkload, list, namespaceOf, podOf, record, templateOf, text } from './objects.ts';
import type { Data, KubeObject } from './objects.ts';
import { isSource } from './rules-schema.ts';
import { podsOf, portOf, selects } from './selectors.ts';

interface Reference {
  kind: string;
  name: string;
  namespace: string;
}

// What the cluster brings or an operator makes: a reference to these is not ours to resolve.
const outsideNamespaces = new Set([
  'kassa-edge',
  'monitoring',
  'external-secrets',
  'linkerd',
  'cert-manager',
  'flux-system',
  'cnpg-system',
]);
const fromElsewhere = new Set(['ClusterImageCatalog', 'GatewayClass']);
const clusterWide = new Set(['PriorityClass', 'ClusterIssuer', 'ClusterSecretStore', 'ClusterRole', 'Namespace']);

export const referenceRules: Rule[] = [
  {
    id: 'reference-exists',
    why: 'A name that leads nowhere is accepted by the API server; the pod then never starts, or the policy denies everything.',
    mend: 'Correct the name, or add the object it should find.',
    find: (scene) => {
      const there = existing(everything(scene));
      return each((object) =>
        references(object)
          .filter((reference) => !resolves(reference, there))
          .map(({ kind, name, namespace }) => `names ${kind}/${name}${namespace ? ` in ${namespace}` : ''}, which is not there`),
      )(scene);
    },
  },
  {
    id: 'selector-selects',
    why: 'A selector that finds no pod is accepted and does nothing: no traffic, no protection, no policy.',
    mend: 'Select by the labels that the pods really have; app.kubernetes.io/name is enough.',
    find: (scene) => {
      const pods = podsOf(everything(scene));
      return each((object) => {
        const selector = selectorOf(object);
        if (selector === undefined) return undefined;
        if (selector === 'missing') return 'has no selector, so it selects nothing';
        const found = pods.some((pod) => pod.namespace === namespaceOf(object) && selects(selector, pod.labels));
        return !found && `selects no pod in ${namespaceOf(object) || 'its namespace'}`;
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

function existing(objects: KubeObject[]): Set<string> {
  const own = objects.map((object) => keyOf(object.kind, namespaceOf(object), object.metadata.name));
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
  return new Set([...own, ...made]);
}

/** cert-manager makes the secret that a listener names, because of the Gateway's annotation. */
const edgeSecret = (listener: Data, namespace: string) =>
  keyOf('Secret', namespace, text(listener, 'tls', 'certificateRefs', 0, 'name') ?? '');

const keyOf = (kind: string, namespace: string, name: string) => `${kind}|${clusterWide.has(kind) ? '' : namespace}|${name}`;

function resolves({ kind, name, namespace }: Reference, there: Set<string>): boolean {
  if (fromElsewhere.has(kind) || outsideNamespaces.has(namespace)) return true;
  return there.has(keyOf(kind, namespace, name)) || there.has(`${kind}||${name}`);
}

/** Every name an object gives of another one. */
function references(object: KubeObject): Reference[] {
  const namespace = namespaceOf(object);
  const to = (kind: string, name: unknown, of: unknown = namespace): Reference[] =>
    typeof name === 'string' ? [{ kind, name, namespace: String(of ?? namespace) }] : [];
  switch (object.kind) {
    case 'HorizontalPodAutoscaler':
      return to(text(object, 'spec', 'scaleTargetRef', 'kind') ?? '', at(object, 'spec', 'scaleTargetRef', 'name'));
    case 'AuthorizationPolicy':
      return [
        ...to(text(object, 'spec', 'targetRef', 'kind') ?? '', at(object, 'spec', 'targetRef', 'name')),
        ...list(object, 'spec', 'requiredAuthenticationRefs').flatMap((ref) =>
          to(String(ref['kind']), ref['name'], ref['namespace']),
        ),
      ];
    case 'HTTPLocalRateLimitPolicy':
      return to('Server', at(object, 'spec', 'targetRef', 'name'));
    case 'HTTPRoute':
    case 'GRPCRoute':
      return [
        ...list(object, 'spec', 'parentRefs').flatMap((ref) =>
          to(String(ref['kind'] ?? 'Gateway'), ref['name'], ref['namespace']),
        ),
        ...list(object, 'spec', 'rules')
          .flatMap((rule) => list(rule, 'backendRefs'))
          .flatMap((ref) => to(String(ref['kind'] ?? 'Service'), ref['name'], ref['namespace'])),
      ];
    case 'ReferenceGrant':
      return list(object, 'spec', 'to').flatMap((ref) => to(String(ref['kind']), ref['name']));
    case 'ExternalSecret':
      return to(text(object, 'spec', 'secretStoreRef', 'kind') ?? 'SecretStore', at(object, 'spec', 'secretStoreRef', 'name'));
    case 'Certificate':
      return to(text(object, 'spec', 'issuerRef', 'kind') ?? 'Issuer', at(object, 'spec', 'issuerRef', 'name'));
    case 'ScheduledBackup':
      return to('Cluster', at(object, 'spec', 'cluster', 'name'));
    case 'Cluster':
      return to('Secret', at(object, 'spec', 'bootstrap', 'initdb', 'secret', 'name'));
    case 'RoleBinding':
      return to(text(object, 'roleRef', 'kind') ?? '', at(object, 'roleRef', 'name')).filter(
        ({ name }) => name !== 'cluster-admin',
      );
    default:
      return isWorkload(object) ? podReferences(object, to) : [];
  }
}

function podReferences(object: KubeObject, to: (kind: string, name: unknown) => Reference[]): Reference[] {
  const pod = podOf(object);
  const volumes = list(pod, 'volumes').flatMap((volume) => [volume, ...list(volume, 'projected', 'sources')]);
  const env = containersOf(object).flatMap((container) => list(container, 'env'));
  return [
    ...to('ServiceAccount', pod['serviceAccountName']),
    ...to('PriorityClass', pod['priorityClassName']),
    ...volumes.flatMap((volume) => [
      ...to('Secret', at(volume, 'secret', 'secretName') ?? at(volume, 'secret', 'name')),
      ...to('ConfigMap', at(volume, 'configMap', 'name')),
    ]),
    ...env.flatMap((one) => [
      ...to('ConfigMap', at(one, 'valueFrom', 'configMapKeyRef', 'name')),
      ...to('Secret', at(one, 'valueFrom', 'secretKeyRef', 'name')),
    ]),
  ];
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
