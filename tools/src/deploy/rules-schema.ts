import * as models from '@kubernetes/client-node/dist/gen/models/ObjectSerializer.js';
import { each, type Hit, type Rule, type Scene } from './rule.ts';
import { groupOf, labelsOf, type Data, type KubeObject } from './objects.ts';

/** Every kind Kassa may contain, in the one version to write. Another kind or version wants a thought first, so it is refused. */
export const served: Record<string, string> = {
  Namespace: 'v1',
  Service: 'v1',
  ServiceAccount: 'v1',
  ConfigMap: 'v1',
  Secret: 'v1',
  ResourceQuota: 'v1',
  LimitRange: 'v1',
  Deployment: 'apps/v1',
  Job: 'batch/v1',
  HorizontalPodAutoscaler: 'autoscaling/v2',
  PodDisruptionBudget: 'policy/v1',
  NetworkPolicy: 'networking.k8s.io/v1',
  PriorityClass: 'scheduling.k8s.io/v1',
  Role: 'rbac.authorization.k8s.io/v1',
  RoleBinding: 'rbac.authorization.k8s.io/v1',
  ClusterRole: 'rbac.authorization.k8s.io/v1',
  ClusterRoleBinding: 'rbac.authorization.k8s.io/v1',
  Server: 'policy.linkerd.io/v1beta3',
  AuthorizationPolicy: 'policy.linkerd.io/v1alpha1',
  MeshTLSAuthentication: 'policy.linkerd.io/v1alpha1',
  NetworkAuthentication: 'policy.linkerd.io/v1alpha1',
  HTTPLocalRateLimitPolicy: 'policy.linkerd.io/v1alpha1',
  EgressNetwork: 'policy.linkerd.io/v1alpha1',
  ServiceProfile: 'linkerd.io/v1alpha2',
  HTTPRoute: 'gateway.networking.k8s.io/v1',
  GRPCRoute: 'gateway.networking.k8s.io/v1',
  Gateway: 'gateway.networking.k8s.io/v1',
  ReferenceGrant: 'gateway.networking.k8s.io/v1beta1',
  ExternalSecret: 'external-secrets.io/v1',
  ClusterSecretStore: 'external-secrets.io/v1',
  Cluster: 'postgresql.cnpg.io/v1',
  ScheduledBackup: 'postgresql.cnpg.io/v1',
  Certificate: 'cert-manager.io/v1',
  ClusterIssuer: 'cert-manager.io/v1',
  Bundle: 'trust.cert-manager.io/v1alpha1',
  PodMonitor: 'monitoring.coreos.com/v1',
  PrometheusRule: 'monitoring.coreos.com/v1',
  GitRepository: 'source.toolkit.fluxcd.io/v1',
  OCIRepository: 'source.toolkit.fluxcd.io/v1',
};

/** Two kinds are called Kustomization: Flux's, and kustomize's own, which is a source and never an object. */
export const isSource = (object: KubeObject) => groupOf(object) === 'kustomize.config.k8s.io';
const wantedVersion = (object: KubeObject) =>
  object.kind === 'Kustomization' ? 'kustomize.toolkit.fluxcd.io/v1' : served[object.kind];

export const isBuiltIn = (object: KubeObject) =>
  !groupOf(object).includes('.') || /^(networking|scheduling|rbac\.authorization|storage)\.k8s\.io$/.test(groupOf(object));

export const schemaRules: Rule[] = [
  {
    id: 'api-version',
    why: 'An old version is served with a warning today and not at all tomorrow, and the mesh ignores versions it does not watch.',
    mend: 'Write the version named here; for a kind that is new to Kassa, add it to `served` in tools/src/deploy/rules-schema.ts.',
    find: each((object) => {
      if (isSource(object)) return undefined;
      const wanted = wantedVersion(object);
      if (wanted === undefined) return `${object.apiVersion} ${object.kind} is a kind that Kassa does not use`;
      return object.apiVersion !== wanted && `is written as ${object.apiVersion}, not ${wanted}`;
    }),
  },
  {
    id: 'unknown-field',
    why: 'The API server drops a field it does not know, so a mistyped probe or limit is simply not there.',
    mend: 'Correct the name; kubectl explain tells the right one.',
    find: each((object) => {
      if (isSource(object)) return undefined;
      // What is the same in every kind is known of custom ones, too.
      return isJudgedBuiltIn(object)
        ? unknownFields(object, className(object), '')
        : unknownFields(object.metadata, 'V1ObjectMeta', '.metadata');
    }),
  },
  {
    id: 'schema',
    why: 'The API server refuses the object, and with it the whole change that carries it.',
    mend: 'Give the field the type, the value or the presence that is asked for.',
    find: async (scene) => [...each(nameFaults)(scene), ...(await builtInFaults(scene))],
  },
  {
    id: 'crd-schema',
    why: 'The API server refuses the object or drops the field, and the policy or resource it describes is not there.',
    mend: 'Follow the custom resource definition; `kubectl explain` reads it from the cluster, $KASSA_CRDS holds it as a file.',
    find: each((object, { crds }) => {
      const version = isJudgedCustom(object) ? crds?.find(object) : undefined;
      return typeof version === 'object' ? version.schemaFaults(object) : undefined;
    }),
  },
  {
    id: 'crd-cel',
    why: "The definition's own rule refuses the object, though each of its fields is well formed.",
    mend: 'Change the fields that contradict each other, as the message says.',
    find: each((object, { crds }) => {
      const version = isJudgedCustom(object) ? crds?.find(object) : undefined;
      return typeof version === 'object' && version.schemaFaults(object).length === 0 ? version.celFaults(object) : undefined;
    }),
  },
];

const isJudgedBuiltIn = (object: KubeObject) => isBuiltIn(object) && object.apiVersion === wantedVersion(object);
const isJudgedCustom = (object: KubeObject) =>
  !isBuiltIn(object) && !isSource(object) && object.apiVersion === wantedVersion(object);

interface Attribute {
  baseName: string;
  type: string;
}
type Model = { getAttributeTypeMap?: () => Attribute[] } | undefined;

const className = ({ apiVersion, kind }: KubeObject) => {
  const version = apiVersion.split('/').at(-1) ?? '';
  return `${version.charAt(0).toUpperCase()}${version.slice(1)}${kind}`;
};

/** Walks a value along the API's own list of fields. */
function unknownFields(value: unknown, type: string, path: string): string[] {
  const array = /^Array<(.+)>$/.exec(type)?.[1];
  if (array) return Array.isArray(value) ? value.flatMap((item, index) => unknownFields(item, array, `${path}[${index}]`)) : [];
  const map = /^\{ \[key: string\]: (.+); \}$/.exec(type)?.[1];
  if (typeof value !== 'object' || value === null) return [];
  if (map) return Object.entries(value).flatMap(([name, field]) => unknownFields(field, map, `${path}.${name}`));
  const attributes = (models as unknown as Record<string, Model>)[type]?.getAttributeTypeMap?.();
  if (!attributes) return [];
  return Object.entries(value as Data).flatMap(([name, field]) => {
    const known = attributes.find(({ baseName }) => baseName === name);
    return known
      ? unknownFields(field, known.type, `${path}.${name}`)
      : [`${path.slice(1) || 'the object'} has no field ${name}`];
  });
}

const word = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const name = new RegExp(`^${word}(\\.${word})*$`);
const labelValue = /^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$/;

/** Names and labels have a grammar that no schema says. Those of RBAC may be anything. */
function nameFaults(object: KubeObject) {
  if (isSource(object)) return undefined;
  const isFree = groupOf(object).startsWith('rbac.');
  return [
    !isFree && !name.test(object.metadata.name) && 'has a name that is not of small letters, digits, - and .',
    ...Object.entries(labelsOf(object)).map(
      ([key, value]) =>
        (!labelValue.test(String(value)) || String(value).length > 63) &&
        `has label ${key}: ${value}, which is no value of a label`,
    ),
  ];
}

interface SchemaError {
  instancePath: string;
  keyword: string;
  message?: string;
  params: { type?: string; missingProperty?: string; allowedValues?: string[]; format?: string };
}
type Validate = ((data: unknown) => boolean) & { errors?: SchemaError[] };

async function builtInFaults(scene: Scene): Promise<Hit[]> {
  const hits: Hit[] = [];
  for (const located of scene.judged.filter(({ object }) => isJudgedBuiltIn(object))) {
    const validate = await validator(located.object);
    if (validate(located.object)) continue;
    hits.push(...sentences(validate.errors ?? []).map((what) => ({ located, what })));
  }
  return hits;
}

async function validator(object: KubeObject): Promise<Validate> {
  const group = groupOf(object).split('.')[0] || 'core';
  const version = object.apiVersion.split('/').at(-1) ?? '';
  const name = ['IoK8sApi', group, version, object.kind].map((part) => part.charAt(0).toUpperCase() + part.slice(1)).join('');
  const loaded = (await import(`kubernetes-models/_schemas/${name}`)) as { validate: Validate };
  return loaded.validate;
}

/** One sentence a place: a failed `oneOf` says the same thing several times over. */
function sentences(errors: SchemaError[]): string[] {
  const places = Map.groupBy(errors, ({ instancePath }) => instancePath);
  return [...places].map(([place, faults]) => `${place.slice(1).replaceAll('/', '.') || 'the object'} ${about(faults)}`);
}

function about(faults: SchemaError[]): string {
  const { params, keyword } = faults.find((fault) => fault.keyword !== 'type') ?? faults[0] ?? { params: {}, keyword: '' };
  if (params.missingProperty) return `lacks ${params.missingProperty}`;
  if (params.allowedValues) return `must be one of ${params.allowedValues.join(', ')}`;
  if (params.format) return `is no ${params.format}`;
  return params.type ? `must be a ${params.type}` : `breaks ${keyword}`;
}
