import { stringify } from 'yaml';
import type { Country, Track } from './countries.ts';
import { edgeGrant, edgeRoutes } from './mesh-edge.ts';
import { adminPort, inbound, type Made } from './mesh-inbound.ts';
import {
  databaseClusters,
  databaseEgress,
  databasePlace,
  namespaceFloor,
  networkPolicies,
  outsidePlaces,
} from './mesh-network.ts';
import { breakerPatches, outbound } from './mesh-outbound.ts';
import type { Traffic } from './traffic.ts';
import type { Wave } from './waves.ts';
import { Failure } from '../failure.ts';

export interface MeshInput {
  traffic: Traffic;
  countries: Country[];
  waves: Wave[];
}

const heading =
  '# Made from mesh/traffic.yaml by `npm run deploy:render`. Change that and render again; what is changed here is lost.\n';

/**
 * Every file below deploy/mesh/rendered, by its path there. `floor`, and what a country adds to it, stands before its first pod; `slice`
 * comes with the services it is about.
 */
export function renderMesh({ traffic, countries, waves }: MeshInput): Map<string, string> {
  const files = new Map<string, string>();
  const services = Object.keys(traffic.services).filter((name) => !traffic.services[name]?.only);
  const policies = [...inbound(traffic), ...outbound(traffic), ...networkPolicies(traffic)];
  const patches = breakerPatches(traffic);

  const component = (folder: string, resources: Record<string, object[]>, more: object = {}) => {
    for (const [name, objects] of Object.entries(resources)) files.set(`${folder}/${name}.yaml`, documents(objects));
    const kustomization = {
      apiVersion: 'kustomize.config.k8s.io/v1alpha1',
      kind: 'Component',
      resources: Object.keys(resources).map((name) => `${name}.yaml`),
      ...more,
    };
    files.set(`${folder}/kustomization.yaml`, documents([kustomization]));
  };
  const breakers = (folder: string, made: Made[]) => {
    for (const { service, object } of made) files.set(`${folder}/${service}-breaker.yaml`, documents([object]));
    return made.map(({ service }) => ({ path: `${service}-breaker.yaml` }));
  };
  const of = (made: Made[], service: string) => made.filter((one) => one.service === service).map(({ object }) => object);

  const everywhere = policies.filter(({ only }) => only === undefined);
  component('floor', { namespace: [...adminPort(traffic), ...namespaceFloor(traffic), ...outsidePlaces(traffic)] });
  component('slice', Object.fromEntries(services.map((service) => [service, of(everywhere, service)])), {
    patches: breakers(
      'slice',
      patches.filter(({ only }) => only === undefined),
    ),
  });

  for (const country of countries) {
    const sibling = (track: Track) => countryOn(countries, country.country, track);
    const [pilot, full] = [sibling('pilot'), sibling('full')];
    const kind = traffic.databases[country.country];
    if (kind === undefined) throw new Failure(`mesh/traffic.yaml does not say which database ${country.country} has.`);
    const database = [...databaseEgress(services, kind, full.namespace), ...databasePlace(kind)];
    const resources =
      country.track === 'pilot'
        ? { edge: [edgeGrant(services, full.namespace)], databases: database }
        : {
            edge: edgeRoutes(services, country, { namespace: pilot.namespace, wave: pilotWave(waves, country.country) }),
            databases: [...database, ...databaseClusters(services, kind, [full.namespace, pilot.namespace])],
          };
    component(`${country.country}/${country.track}`, resources, { components: ['../../floor'] });
  }

  const local = policies.filter(({ only }) => only === 'local').map(({ object }) => object);
  component(
    'local',
    { local: [...local, ...localDatabase(Object.keys(traffic.services)), ...localIssuer(services)] },
    {
      components: ['../floor', '../slice'],
      patches: breakers(
        'local',
        patches.filter(({ only }) => only === 'local'),
      ),
    },
  );
  return files;
}

function countryOn(countries: Country[], name: string, track: Track): Country {
  const found = countries.find((one) => one.country === name && one.track === track);
  if (!found) throw new Failure(`${name} has no ${track} overlay.`);
  return found;
}

function pilotWave(waves: Wave[], country: string): Wave {
  const found = waves.find((wave) => wave.country === country && wave.track === 'pilot');
  if (!found)
    throw new Failure(`releases/waves.yaml has no pilot wave for ${country}, so its edge does not know the pilot's shops.`);
  return found;
}

const meta = (name: string, service: string) => ({
  name,
  labels: { 'app.kubernetes.io/name': service, 'app.kubernetes.io/part-of': 'kassa' },
});

/** One PostgreSQL in the mesh; the mesh encrypts, and lets in the services and their migrations by identity. */
const localDatabase = (services: string[]): object[] =>
  meshed('postgres', {
    port: 'postgres',
    proxyProtocol: 'opaque',
    clients: services.flatMap((service) => [service, `${service}-migrate`]),
  });

/** The simulated token issuer; or another one that country.env names, on the laptop itself, at a private address nobody knows beforehand. */
const localIssuer = (services: string[]): object[] => [
  ...meshed('issuer', { port: 'http', proxyProtocol: 'HTTP/1', clients: services }),
  {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: meta('other-issuer', 'kassa'),
    spec: {
      podSelector: { matchExpressions: [{ key: 'app.kubernetes.io/name', operator: 'In', values: services }] },
      policyTypes: ['Egress'],
      egress: [
        {
          to: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16'].map((cidr) => ({ ipBlock: { cidr } })),
          ports: [{ protocol: 'TCP', port: 8080 }],
        },
      ],
    },
  },
];

/** A neighbour that only a laptop's cluster has: one port, who may use it, and the packets between them. */
function meshed(
  name: string,
  { port, proxyProtocol, clients }: { port: string; proxyProtocol: string; clients: string[] },
): object[] {
  const select = { matchLabels: { 'app.kubernetes.io/name': name } };
  const among = { matchExpressions: [{ key: 'app.kubernetes.io/name', operator: 'In', values: clients }] };
  const ports = [{ protocol: 'TCP', port: 4143 }];
  const networkPolicy = { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy' };
  return [
    {
      apiVersion: 'policy.linkerd.io/v1beta3',
      kind: 'Server',
      metadata: meta(name, name),
      spec: { podSelector: select, port, proxyProtocol, accessPolicy: 'deny' },
    },
    ...clients.map((client) => ({
      apiVersion: 'policy.linkerd.io/v1alpha1',
      kind: 'AuthorizationPolicy',
      metadata: meta(`${name}-by-${client}`, name),
      spec: {
        targetRef: { group: 'policy.linkerd.io', kind: 'Server', name },
        requiredAuthenticationRefs: [{ kind: 'ServiceAccount', name: client }],
      },
    })),
    {
      ...networkPolicy,
      metadata: meta(name, name),
      spec: { podSelector: select, policyTypes: ['Ingress'], ingress: [{ from: [{ podSelector: among }], ports }] },
    },
    {
      ...networkPolicy,
      metadata: meta(`${name}-clients`, name),
      spec: { podSelector: among, policyTypes: ['Egress'], egress: [{ to: [{ podSelector: select }], ports }] },
    },
  ];
}

const documents = (objects: object[]) =>
  heading + objects.map((object) => stringify(object, { lineWidth: 0, aliasDuplicateObjects: false })).join('---\n');
