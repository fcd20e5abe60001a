import { annotations, isLinkerds, type Place } from './annotations.ts';
import { annotationsOf, at, containersOf, isWorkload, list, namespaceOf, record, templateOf, text } from './objects.ts';
import type { Data, KubeObject } from './objects.ts';
import { each, everything, type Rule, type Scene } from './rule.ts';
import { isMeshed, podsOf, portOf, selects, type Pod } from './selectors.ts';

// What Linkerd does with our manifests and no other checker knows.

const healthPort = 9090;
const isRoute = ({ kind, apiVersion }: KubeObject) => /^(HTTP|GRPC)Route$/.test(kind) && apiVersion.startsWith('gateway.');
const parents = (route: KubeObject, kind: string) => list(route, 'spec', 'parentRefs').filter((ref) => ref['kind'] === kind);
const serversOf = (scene: Scene) => everything(scene).filter(({ kind }) => kind === 'Server');
const selectedBy = (server: KubeObject, pods: Pod[]) =>
  pods.filter((pod) => pod.namespace === namespaceOf(server) && selects(record(server, 'spec', 'podSelector'), pod.labels));

/** Annotations of an object and of its pods, each with the place it stands in. */
function placed(object: KubeObject): { key: string; value: string; place: Place | 'elsewhere' }[] {
  const own: Place | 'elsewhere' =
    object.kind === 'Namespace' ? 'namespace' : object.kind === 'Service' ? 'service' : isRoute(object) ? 'route' : 'elsewhere';
  const pods = isWorkload(object)
    ? annotationsOf(templateOf(object))
    : (record(object, 'spec', 'inheritedMetadata', 'annotations') as Record<string, string>);
  return [
    ...Object.entries(annotationsOf(object)).map(([key, value]) => ({ key, value, place: own })),
    ...Object.entries(pods).map(([key, value]) => ({ key, value, place: 'pod' as const })),
  ].filter(({ key }) => isLinkerds(key));
}

function isWithPostgres(ports: string): boolean {
  const [from = NaN, to = from] = ports.split('-').map(Number);
  return from <= 5432 && 5432 <= to;
}

const breaker = 'balancer.linkerd.io/failure-accrual';
const unitsMs: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

function durationMs(value: string | undefined): number | undefined {
  const [, count, unit = ''] = /^(\d+)(ms|s|m|h|d)$/.exec(value ?? '') ?? [];
  return count === undefined ? undefined : Number(count) * (unitsMs[unit] ?? NaN);
}

export const annotationRules: Rule[] = [
  {
    id: 'annotation-key',
    why: 'Linkerd ignores a key it does not know without a word, also on routes, and the setting is not there.',
    mend: 'Write one of the keys in tools/src/deploy/annotations.ts.',
    find: each((object) =>
      placed(object)
        .filter(({ key }) => !Object.hasOwn(annotations, key))
        .map(({ key }) => `${key} is no annotation that Linkerd reads`),
    ),
  },
  {
    id: 'annotation-value',
    why: 'On a Service nothing refuses a bad value: the proxy logs one line and serves without the setting. One bad limit disables all retries.',
    mend: 'Write the value in the grammar that is named.',
    find: each((object) =>
      placed(object).flatMap(({ key, value }) => {
        const known = annotations[key];
        return known && !known.value.test(String(value))
          ? [`${key} is ${JSON.stringify(value)}, which is not ${known.grammar}`]
          : [];
      }),
    ),
  },
  {
    id: 'annotation-place',
    why: 'Linkerd reads pod settings from the pod template, the breaker from Services, retries from Services and routes, and nothing elsewhere.',
    mend: 'Move it to where Linkerd looks for it.',
    find: each((object) =>
      placed(object).flatMap(({ key, place }) => {
        const known = annotations[key];
        return known && !known.places.includes(place as Place) ? [`${key} belongs on a ${known.places.join(' or ')}`] : [];
      }),
    ),
  },
  {
    id: 'breaker-whole',
    why: 'Without its mode the numbers of a breaker are read by nobody; with a shortest pause above the longest Linkerd drops it whole. Neither is refused.',
    mend: 'Write balancer.linkerd.io/failure-accrual: consecutive beside them, and min-penalty no longer than max-penalty.',
    find: each((object) => {
      const { [breaker]: mode, ...notes } = annotationsOf(object);
      const [least = 1_000, most = 60_000] = ['min', 'max'].map((end) =>
        durationMs(notes[`${breaker}-consecutive-${end}-penalty`]),
      );
      return [
        mode === undefined && Object.keys(notes).some((key) => key.startsWith(`${breaker}-`)) && 'has a breaker without a mode',
        least > most && 'has a breaker whose shortest pause is longer than the longest',
      ];
    }),
  },
  {
    id: 'port-skipping',
    why: 'A skipped port leaves the mesh: no encryption, no identity, no policy.',
    mend: 'Remove it; what must leave the mesh is an address under `outside` or `databases` in mesh/traffic.yaml.',
    find: each((object) =>
      placed(object)
        .filter(({ key }) => key.endsWith('-outbound-ports') || key.endsWith('-inbound-ports'))
        .map(({ key }) => `${key} takes ports out of the mesh`),
    ),
  },
  {
    id: 'opaque-ports',
    why: 'The list replaces the default one, and PostgreSQL waits ten seconds for a protocol that is never detected.',
    mend: 'Name 5432 as well.',
    find: each((object) =>
      placed(object)
        .filter(({ key, value }) => key === 'config.linkerd.io/opaque-ports' && !value.split(',').some(isWithPostgres))
        .map(() => 'names opaque ports without 5432'),
    ),
  },
  {
    id: 'service-profile',
    why: 'A ServiceProfile switches off retries, time-outs and breakers of its Service, wherever they are written.',
    mend: 'Say it in mesh/traffic.yaml, which makes routes.',
    find: each((object) => object.kind === 'ServiceProfile' && 'is there'),
  },
  {
    id: 'proxy-resources',
    why: 'Without requests the proxy is the first to be starved; a CPU limit is rounded up to whole threads; without a memory limit one proxy can take a node.',
    mend: 'Annotate the pods with proxy-cpu-request, proxy-memory-request and proxy-memory-limit, and no proxy-cpu-limit.',
    find: each((object) => {
      if (!isWorkload(object) || !isMeshed(object)) return undefined;
      const keys = Object.keys(annotationsOf(templateOf(object)));
      const missing = ['proxy-cpu-request', 'proxy-memory-request', 'proxy-memory-limit'].filter(
        (name) => !keys.includes(`config.linkerd.io/${name}`),
      );
      return [
        missing.length > 0 && `has no ${missing.join(', ')}`,
        keys.includes('config.linkerd.io/proxy-cpu-limit') && 'limits the proxy by proxy-cpu-limit',
      ];
    }),
  },
];

const spokenOn: Record<string, string> = { http: 'HTTP/1', metrics: 'HTTP/1', 'linkerd-admin': 'HTTP/1', grpc: 'HTTP/2' };

/** Networks that are everywhere, as NetworkAuthentication and EgressNetwork have them. */
const isEverywhere = ({ cidr }: Data) => /\/0$/.test(String(cidr));

export const serverRules: Rule[] = [
  {
    id: 'server-protocol',
    why: 'The field has no list of values in its definition, so a wrong one gets past every schema, and the webhook refuses it at night; another than the port speaks loses its routes, its rate limit or every call.',
    mend: 'Write HTTP/1, HTTP/2, opaque or TLS; HTTP/1 for ports http and metrics, HTTP/2 for grpc.',
    find: each((object) => {
      if (object.kind !== 'Server') return undefined;
      const protocol = text(object, 'spec', 'proxyProtocol') ?? 'unknown';
      const port = text(object, 'spec', 'port') ?? '';
      const spoken = spokenOn[port];
      if (!['HTTP/1', 'HTTP/2', 'gRPC', 'opaque', 'TLS'].includes(protocol)) return `has proxyProtocol ${protocol}`;
      return spoken && protocol !== spoken && protocol !== 'gRPC' && `has proxyProtocol ${protocol} for port ${port}`;
    }),
  },
  {
    id: 'server-grpc',
    why: 'With proxyProtocol gRPC the mesh drops the rate limit of the port and ignores the HTTPRoutes that authorise each method.',
    mend: 'Write proxyProtocol: HTTP/2.',
    find: each(
      (object) => object.kind === 'Server' && text(object, 'spec', 'proxyProtocol') === 'gRPC' && 'has proxyProtocol gRPC',
    ),
  },
  {
    id: 'server-twice',
    why: 'Of two Servers on one port the second is skipped with a line in a log, also where one names the port and the other numbers it.',
    mend: 'Keep one Server for each port of a pod.',
    find: (scene) => {
      const pods = podsOf(everything(scene));
      const servers = serversOf(scene);
      return each((object) => {
        if (object.kind !== 'Server') return undefined;
        const mine = selectedBy(object, pods);
        const earlier = servers.slice(0, servers.indexOf(object)).find((other) =>
          selectedBy(other, mine).some((pod) => {
            const port = portOf(pod, at(object, 'spec', 'port'));
            return port !== undefined && port === portOf(pod, at(other, 'spec', 'port'));
          }),
        );
        return earlier && `is for the same port of the same pods as Server/${earlier.metadata.name}`;
      })(scene);
    },
  },
  {
    id: 'server-open',
    why: 'Any other access policy lets callers in whom no AuthorizationPolicy names.',
    mend: 'Write accessPolicy: deny, or leave it out.',
    find: each((object) => {
      const policy = text(object, 'spec', 'accessPolicy') ?? 'deny';
      return object.kind === 'Server' && policy !== 'deny' && `has accessPolicy ${policy}`;
    }),
  },
  {
    id: 'server-missing',
    isOfWhole: true,
    why: 'Under default deny a port without a Server refuses everybody, and nothing in the manifests says so.',
    mend: 'Name the service and its port in mesh/traffic.yaml and render.',
    find: (scene) => {
      const servers = serversOf(scene);
      return each((object) => {
        if (!isWorkload(object) || !isMeshed(object)) return undefined;
        const pods = podsOf([object]);
        return pods.flatMap((pod) =>
          [...pod.ports]
            .filter(([name, port]) => port !== healthPort && !hasServer(servers, pod, name))
            .map(([name]) => `port ${name} has no Server`),
        );
      })(scene);
    },
  },
  {
    id: 'health-port-bare',
    why: 'Linkerd lets kubelet through to a port that no Server is for; with one, every probe would need an authorisation and fails without.',
    mend: 'Remove the Server; the health port shows nothing but /livez and /readyz.',
    find: (scene) => {
      const pods = podsOf(everything(scene));
      return each((object) => {
        if (object.kind !== 'Server') return undefined;
        const ports = selectedBy(object, pods).map((pod) => portOf(pod, at(object, 'spec', 'port')));
        return ports.includes(healthPort) && 'is for the health port';
      })(scene);
    },
  },
  {
    id: 'probe-http',
    why: 'The mesh authorises plain httpGet probes by itself; grpc and https ones are denied, and the pod never becomes ready.',
    mend: 'Probe /livez and /readyz over plain HTTP on the health port.',
    find: each((object) =>
      containersOf(object).flatMap((container) =>
        ['startupProbe', 'readinessProbe', 'livenessProbe'].flatMap((probe) => {
          if (at(container, probe, 'grpc') !== undefined) return [`${probe} of ${container['name']} is a grpc probe`];
          return text(container, probe, 'httpGet', 'scheme') === 'HTTPS'
            ? [`${probe} of ${container['name']} is an HTTPS probe`]
            : [];
        }),
      ),
    ),
  },
  {
    id: 'probe-port-routed',
    why: 'A Server loses the route that lets probes in with its first HTTPRoute, and they get 403 at once.',
    mend: 'Probe the health port, which has no Server.',
    find: (scene) => {
      // A Server of the health port is what health-port-bare finds.
      const guarding = serversOf(scene).filter(
        (server) => !['health', healthPort].includes(at(server, 'spec', 'port') as string | number),
      );
      return each((object) => {
        if (!isWorkload(object)) return undefined;
        const pods = podsOf([object]);
        const probed = containersOf(object).flatMap((container) =>
          ['startupProbe', 'readinessProbe', 'livenessProbe'].map((probe) => at(container, probe, 'httpGet', 'port')),
        );
        const hit = guarding.find((server) =>
          selectedBy(server, pods).some((pod) =>
            probed.some((port) => port !== undefined && portOf(pod, port) === portOf(pod, at(server, 'spec', 'port'))),
          ),
        );
        return hit && `is probed on the port of Server/${hit.metadata.name}, which guards it`;
      })(scene);
    },
  },
  {
    id: 'authorization-empty',
    why: 'A policy that requires no authentication lets in everybody, meshed or not.',
    mend: 'Name the ServiceAccount of the caller.',
    find: each((object) => {
      const isEmpty = list(object, 'spec', 'requiredAuthenticationRefs').length === 0;
      return object.kind === 'AuthorizationPolicy' && isEmpty && 'requires no authentication';
    }),
  },
  {
    id: 'authorization-wide',
    why: 'It lets in whoever is in the mesh or on the network, or at every port of the namespace, and each service would have to guard itself.',
    mend: 'Authorise one ServiceAccount at one Server or HTTPRoute; mesh/traffic.yaml makes these.',
    find: each((object) => {
      const identities = (at(object, 'spec', 'identities') ?? []) as unknown[];
      switch (object.kind) {
        case 'MeshTLSAuthentication':
          return identities.some((identity) => String(identity).startsWith('*')) && 'is every identity';
        case 'NetworkAuthentication':
          return list(object, 'spec', 'networks').some(isEverywhere) && 'is every network';
        case 'AuthorizationPolicy':
          return text(object, 'spec', 'targetRef', 'kind') === 'Namespace' && 'opens every port of its namespace';
        default:
          return undefined;
      }
    }),
  },
  {
    id: 'authorization-all-of',
    why: 'All references of one policy must hold at once, and no caller is two ServiceAccounts, so this lets in nobody.',
    mend: 'Write one AuthorizationPolicy for each caller.',
    find: each((object) => {
      const refs = list(object, 'spec', 'requiredAuthenticationRefs').filter((ref) => ref['kind'] === 'ServiceAccount');
      return object.kind === 'AuthorizationPolicy' && refs.length > 1 && `requires ${refs.length} ServiceAccounts at once`;
    }),
  },
  {
    id: 'rate-limit-sum',
    why: "One caller's share above the total is refused by Linkerd's webhook and by nothing before it.",
    mend: 'Give an identity no more than the total.',
    find: each((object) => {
      if (object.kind !== 'HTTPLocalRateLimitPolicy') return undefined;
      const total = Number(at(object, 'spec', 'total', 'requestsPerSecond') ?? Infinity);
      const shares = [record(object, 'spec', 'identity'), ...list(object, 'spec', 'overrides')];
      return shares
        .map((share) => Number(share['requestsPerSecond'] ?? 0))
        .filter((share) => share > total)
        .map((share) => `allows an identity ${share} of ${total} requests`);
    }),
  },
];

const hasServer = (servers: KubeObject[], pod: Pod, port: string) =>
  servers.some(
    (server) => selectedBy(server, [pod]).length > 0 && portOf(pod, at(server, 'spec', 'port')) === pod.ports.get(port),
  );

export const meshedRules: Rule[] = [
  {
    id: 'pod-meshed',
    why: 'A pod without a proxy has no identity, so it calls nobody and nothing guards it; one with a default of its own opens the ports that have no Server.',
    mend: 'linkerd.io/inject: enabled on the pod template; config.linkerd.io/default-inbound-policy on the namespace alone, and there deny.',
    find: each((object) => {
      if (!isWorkload(object)) return undefined;
      const notes = annotationsOf(templateOf(object));
      const policy = notes['config.linkerd.io/default-inbound-policy'] ?? 'deny';
      return [
        !isMeshed(object) && 'is not in the mesh',
        /^(all|cluster)-|^audit$/.test(policy) && `lets in ${policy} by default`,
      ];
    }),
  },
];

export const routeRules: Rule[] = [
  {
    id: 'inbound-grpc-route',
    why: 'A GRPCRoute on a Server is ignored unless its protocol is gRPC, which would drop the rate limit; the methods stay closed or open by accident.',
    mend: 'Attach an HTTPRoute with the path /package.Service/Method.',
    find: each((object) => object.kind === 'GRPCRoute' && parents(object, 'Server').length > 0 && 'is attached to a Server'),
  },
  {
    id: 'grpc-catch-all',
    why: 'A method that no GRPCRoute of the Service names is NOT_FOUND for every caller and moves no counter.',
    mend: 'Add a GRPCRoute with a rule that has no matches.',
    find: (scene) => {
      const routes = everything(scene).filter((route) => route.kind === 'GRPCRoute' && parents(route, 'Service').length > 0);
      const catching = new Set(routes.filter(hasOpenRule).flatMap(parentKeys));
      const first = new Map(routes.flatMap((route) => parentKeys(route).map((key) => [key, route] as const)).reverse());
      return each((object) =>
        parentKeys(object)
          .filter((key) => first.get(key) === object && !catching.has(key))
          .map((key) => `${key} has GRPCRoutes, and none takes what the others leave`),
      )(scene);
    },
  },
  {
    id: 'grpc-http-mixed',
    why: 'Where a GRPCRoute is attached to a port of a Service, its HTTPRoutes are ignored.',
    mend: 'Use GRPCRoutes alone on a gRPC port.',
    find: (scene) => {
      const grpc = new Set(
        everything(scene)
          .filter(({ kind }) => kind === 'GRPCRoute')
          .flatMap(parentKeys),
      );
      return each(
        (object) =>
          object.kind === 'HTTPRoute' &&
          parentKeys(object)
            .filter((key) => grpc.has(key))
            .map((key) => `is attached to ${key}, which has GRPCRoutes`),
      )(scene);
    },
  },
  {
    id: 'app-protocol',
    why: 'Any other word makes the port opaque TCP for the mesh: no routes, no retries, no metrics; under deny every new connection fails.',
    mend: 'Write http for HTTP, kubernetes.io/h2c for gRPC; nothing for PostgreSQL.',
    find: each((object) =>
      object.kind === 'Service'
        ? list(object, 'spec', 'ports').flatMap((port) => {
            const protocol = port['appProtocol'];
            if (port['name'] === 'grpc')
              return protocol === 'kubernetes.io/h2c' ? [] : [`port grpc has appProtocol ${protocol ?? 'unset'}`];
            if (port['name'] === 'http') return protocol === 'http' ? [] : [`port http has appProtocol ${protocol ?? 'unset'}`];
            return protocol === undefined || ['http', 'kubernetes.io/h2c', 'linkerd.io/opaque'].includes(String(protocol))
              ? []
              : [`port ${port['name']} has appProtocol ${protocol}`];
          })
        : undefined,
    ),
  },
  {
    id: 'retry-idempotent',
    why: 'The mesh would repeat a call whose second time is not harmless, after an answer that got lost.',
    mend: 'Remove the retry, or mark the call `retry: once` in mesh/traffic.yaml if repeating it is safe by its ids.',
    find: (scene) =>
      each((object) => {
        const retries = Object.keys(annotationsOf(object)).filter((key) => key.startsWith('retry.linkerd.io/'));
        if (retries.length === 0) return undefined;
        if (object.kind === 'Service') return 'retries every call of the Service';
        const named = matchesOf(object).map((match) => callsOf(object, scene, match));
        return [
          (hasOpenRule(object) || named.some((calls) => calls.length === 0)) && 'retries calls that it does not name one by one',
          ...named
            .flat()
            .filter((call) => !call.isRetried)
            .map((call) => `retries ${call.name} of ${call.service}`),
        ];
      })(scene),
  },
  {
    id: 'retry-exhausted',
    why: "RESOURCE_EXHAUSTED and 429 are our own rate limit's word: repeating them turned 40 calls into 120. An empty shelf says so too.",
    mend: 'Retry after unavailable and gateway-error only.',
    find: each((object) => {
      const { 'retry.linkerd.io/grpc': grpc = '', 'retry.linkerd.io/http': http = '' } = annotationsOf(object);
      return [
        grpc.split(',').includes('resource-exhausted') && 'retries resource-exhausted',
        http.split(',').some(isWith429) && 'retries 429',
      ];
    }),
  },
  {
    id: 'stream-timeout',
    why: 'timeout.linkerd.io/request ends the whole stream, so the feed would be cut and begun again for ever.',
    mend: 'Write `timeout: none` for the stream in mesh/traffic.yaml.',
    find: (scene) =>
      each((object) => {
        if (!('timeout.linkerd.io/request' in annotationsOf(object))) return undefined;
        return matchesOf(object)
          .flatMap((match) => callsOf(object, scene, match))
          .filter((call) => call.timeout === 'none')
          .map((call) => `limits ${call.name} of ${call.service} in time`);
      })(scene),
  },
];

function isWith429(condition: string): boolean {
  const [from = NaN, to = from] = condition.split('-').map(Number);
  return from <= 429 && 429 <= to;
}

const parentKeys = (route: KubeObject) =>
  isRoute(route) ? parents(route, 'Service').map((ref) => `Service/${ref['name']}:${ref['port']}`) : [];
const hasOpenRule = (route: KubeObject) => list(route, 'spec', 'rules').some((rule) => list(rule, 'matches').length === 0);

const matchesOf = (route: KubeObject) => list(route, 'spec', 'rules').flatMap((rule) => list(rule, 'matches'));

/** The calls that a match of an outbound route names: one method of gRPC, or a method and a whole path. */
function callsOf(route: KubeObject, scene: Scene, match: Data) {
  const service = parents(route, 'Service')[0]?.['name'];
  return scene.calls.filter((call) => call.service === service && isMatchOf(match, call.port, call.name));
}

function isMatchOf(match: Data, port: string, name: string): boolean {
  if (port === 'grpc') return text(match, 'method', 'method') === name;
  const [method, path = ''] = name.split(' ');
  const pattern = path.replaceAll('.', '\\.').replace(/\{\w+\}/g, '[^/]+');
  const whole: Record<string, string> = { Exact: path, RegularExpression: pattern };
  return match['method'] === method && whole[text(match, 'path', 'type') ?? 'PathPrefix'] === text(match, 'path', 'value');
}

const meshPort = 4143;

/** A rule of a NetworkPolicy that names no port, and nobody or everybody. */
function isOpen(rule: Data): boolean {
  const peers = [...list(rule, 'from'), ...list(rule, 'to')];
  const isAnybody = (peer: Data) =>
    isEverywhere(record(peer, 'ipBlock')) ||
    (peer['podSelector'] === undefined &&
      peer['namespaceSelector'] !== undefined &&
      Object.keys(record(peer, 'namespaceSelector')).length === 0);
  return list(rule, 'ports').length === 0 && (peers.length === 0 || peers.some(isAnybody));
}

export const networkRules: Rule[] = [
  {
    id: 'network-mesh-port',
    why: 'Meshed pods talk to the proxy on 4143, whatever port was asked for; a policy that names the application port only blocks them.',
    mend: 'Allow 4143; mesh/traffic.yaml does it for every caller.',
    find: each((object) => {
      if (object.kind !== 'NetworkPolicy') return undefined;
      const rules = [...list(object, 'spec', 'ingress'), ...list(object, 'spec', 'egress')];
      const ports = (rule: Data) => list(rule, 'ports').map((port) => port['port']);
      const isApp = (port: unknown) => ['http', 'grpc', 'metrics', 8080, 9000, 9091].includes(port as string | number);
      const isOurs = (rule: Data) =>
        [...list(rule, 'from'), ...list(rule, 'to')].some((peer) => peer['podSelector'] !== undefined);
      return rules
        .filter((rule) => isOurs(rule) && ports(rule).some(isApp) && !ports(rule).includes(meshPort))
        .map((rule) => `allows ${ports(rule).join(', ')} between meshed pods, but not 4143`);
    }),
  },
  {
    id: 'network-open',
    why: 'A rule without peers and ports allows everything, and the whole policy is worth nothing; an EgressNetwork is everywhere unless it names networks.',
    mend: 'Name who, or at least which ports; allow the networks under `outside` in mesh/traffic.yaml, and deny the rest.',
    find: each((object) => {
      if (object.kind === 'EgressNetwork') {
        const networks = list(object, 'spec', 'networks');
        const isAllowed = text(object, 'spec', 'trafficPolicy') === 'Allow';
        return isAllowed && (networks.length === 0 || networks.some(isEverywhere)) && 'allows all egress';
      }
      if (object.kind !== 'NetworkPolicy') return undefined;
      return ['ingress', 'egress'].filter((way) => list(object, 'spec', way).some(isOpen)).map((way) => `allows all ${way}`);
    }),
  },
  {
    id: 'network-default-deny',
    isOfWhole: true,
    why: 'Where no policy selects a pod, every packet may flow; the mesh alone does not see those that go around it.',
    mend: 'Keep default-deny of mesh/rendered/floor in every namespace.',
    find: (scene) => {
      const [first] = scene.judged.filter(({ object }) => object.kind === 'Deployment');
      const isDenied = everything(scene).some(
        (one) =>
          one.kind === 'NetworkPolicy' &&
          Object.keys(record(one, 'spec', 'podSelector')).length === 0 &&
          list(one, 'spec', 'ingress').length + list(one, 'spec', 'egress').length === 0 &&
          (at(one, 'spec', 'policyTypes') as string[] | undefined)?.length === 2,
      );
      return first && !isDenied ? [{ located: first, what: 'stands in a namespace that denies no packet by default' }] : [];
    },
  },
  {
    id: 'guarded-first',
    isOfWhole: true,
    why: 'Until its policies stand a pod reaches every address, and every pod its database; the first pods are those of the migrations.',
    mend: 'Put namespace, mesh floor and database policies into before/, which is healthy before migrate/ begins.',
    find: (scene) => {
      const first = Math.min(...scene.judged.filter(({ object }) => isWorkload(object)).map(({ stage }) => stage ?? Infinity));
      const pods = podsOf(scene.judged.map(({ object }) => object).filter(({ kind }) => kind === 'Job' || kind === 'Cluster'));
      const isGuard = (object: KubeObject) =>
        ['Namespace', 'EgressNetwork', 'ResourceQuota', 'LimitRange'].includes(object.kind) ||
        (object.kind === 'NetworkPolicy' && pods.some(({ labels }) => selects(record(object, 'spec', 'podSelector'), labels)));
      return scene.judged
        .filter(({ object, stage }) => stage !== undefined && isGuard(object) && stage >= first)
        .map((located) => ({ located, what: 'is applied with the pods that it guards, or after them' }));
    },
  },
  {
    id: 'namespace-guarded',
    why: 'Without these a pod starts without a proxy, without policy, or as root, and nothing tells.',
    mend: 'Take the labels and annotations of components/namespace.',
    find: each((object) => {
      if (object.kind !== 'Namespace') return undefined;
      const labels = record(object, 'metadata', 'labels');
      const notes = annotationsOf(object);
      return [
        labels['pod-security.kubernetes.io/enforce'] !== 'restricted' && 'does not enforce Pod Security restricted',
        notes['linkerd.io/inject'] !== 'enabled' && 'does not inject the proxy',
        notes['config.linkerd.io/default-inbound-policy'] !== 'deny' && 'does not deny by default',
      ];
    }),
  },
];
