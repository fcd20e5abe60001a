import type { Call, Port, Traffic } from './traffic.ts';
import { calls } from './traffic.ts';

// What a service's own proxy lets in: one Server a port, the closed list of its routes, and who may use which of them.

export interface Made {
  /** Set where the object is for the laptop's cluster alone. */
  only: 'local' | undefined;
  service: string;
  object: object;
}

const meta = (name: string, service: string) => ({
  name,
  labels: { 'app.kubernetes.io/name': service, 'app.kubernetes.io/part-of': 'kassa' },
});

// `gRPC` would drop the rate limit of the port and ignore its HTTPRoutes, so gRPC ports are HTTP/2 to the mesh.
const protocols = { http: 'HTTP/1', grpc: 'HTTP/2' };

export function inbound(traffic: Traffic): Made[] {
  return Object.entries(traffic.services).flatMap(([service, { only, grpc }]) => {
    const ports: Port[] = grpc ? ['http', 'grpc'] : ['http'];
    const made = (object: object): Made => ({ only, service, object });
    return [
      ...ports.flatMap((port) => [made(server(service, port, protocols[port])), made(rateLimit(traffic, service, port))]),
      ...ports.flatMap((port) => routes(traffic, service, port)),
      made(server(service, 'metrics', 'HTTP/1')),
      made(authorization(traffic, { name: `${service}-metrics`, kind: 'Server' }, service, 'prometheus')),
    ];
  });
}

function server(service: string, port: string, proxyProtocol: string) {
  return {
    apiVersion: 'policy.linkerd.io/v1beta3',
    kind: 'Server',
    metadata: meta(`${service}-${port}`, service),
    spec: { podSelector: { matchLabels: { 'app.kubernetes.io/name': service } }, port, proxyProtocol, accessPolicy: 'deny' },
  };
}

function rateLimit(traffic: Traffic, service: string, port: Port) {
  const limit = traffic.services[service]?.[port]?.rateLimit;
  return {
    apiVersion: 'policy.linkerd.io/v1alpha1',
    kind: 'HTTPLocalRateLimitPolicy',
    metadata: meta(`${service}-${port}`, service),
    spec: {
      targetRef: { group: 'policy.linkerd.io', kind: 'Server', name: `${service}-${port}` },
      total: { requestsPerSecond: limit?.total },
      identity: { requestsPerSecond: limit?.identity },
    },
  };
}

/** One route for each set of callers. What no route names is NOT_FOUND, what has no authorisation is PERMISSION_DENIED. */
function routes(traffic: Traffic, service: string, port: Port): Made[] {
  const own = calls(traffic).filter((call) => call.service === service && call.port === port);
  const sets = Object.groupBy(own, (call) => call.callers.join('-') || 'nobody');
  return Object.entries(sets).flatMap(([set, members = []]) => {
    const name = `${service}-${port}-from-${set}`;
    const only = members[0]?.only;
    return [
      { only, service, object: inboundRoute(traffic, { name, service, port, members }) },
      ...(members[0]?.callers ?? []).map((caller) => ({
        only: only ?? traffic.services[caller]?.only,
        service,
        object: authorization(traffic, { name, kind: 'HTTPRoute' }, service, caller),
      })),
    ];
  });
}

interface InboundRoute {
  name: string;
  service: string;
  port: Port;
  members: Call[];
}

function inboundRoute(traffic: Traffic, { name, service, port, members }: InboundRoute) {
  const grpc = traffic.services[service]?.grpc?.service;
  return {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    metadata: meta(name, service),
    spec: {
      parentRefs: [{ group: 'policy.linkerd.io', kind: 'Server', name: `${service}-${port}` }],
      rules: [
        {
          matches: members.map((call) =>
            port === 'grpc' ? { path: { type: 'Exact', value: `/${grpc}/${call.name}` }, method: 'POST' } : httpMatch(call.name),
          ),
        },
      ],
    },
  };
}

/** `GET /v1/sales/{id}` as a match: a parameter is one segment of the path, whatever it holds. */
export function httpMatch(name: string) {
  const [method = '', path = ''] = name.split(' ');
  const pattern = path.replaceAll('.', '\\.').replace(/\{\w+\}/g, '[^/]+');
  return { path: pattern === path ? { type: 'Exact', value: path } : { type: 'RegularExpression', value: pattern }, method };
}

/** All references of one policy must hold, so each caller has a policy of its own. */
function authorization(
  traffic: Traffic,
  target: { name: string; kind: 'Server' | 'HTTPRoute' },
  service: string,
  caller: string,
) {
  const outsider = traffic.callers[caller];
  const group = target.kind === 'Server' ? 'policy.linkerd.io' : 'gateway.networking.k8s.io';
  return {
    apiVersion: 'policy.linkerd.io/v1alpha1',
    kind: 'AuthorizationPolicy',
    metadata: meta(`${target.name}-by-${caller}`, service),
    spec: {
      targetRef: { group, kind: target.kind, name: target.name },
      requiredAuthenticationRefs: [
        outsider
          ? { kind: 'ServiceAccount', name: outsider.serviceAccount, namespace: outsider.namespace }
          : { kind: 'ServiceAccount', name: caller },
      ],
    },
  };
}

/** The proxies' own admin port, once for all pods of a namespace: Prometheus reads it, nobody else. */
export function adminPort(traffic: Traffic): object[] {
  return [
    {
      apiVersion: 'policy.linkerd.io/v1beta3',
      kind: 'Server',
      metadata: meta('linkerd-admin', 'kassa'),
      spec: {
        podSelector: { matchExpressions: [{ key: 'linkerd.io/control-plane-ns', operator: 'Exists' }] },
        port: 'linkerd-admin',
        proxyProtocol: 'HTTP/1',
        accessPolicy: 'deny',
      },
    },
    authorization(traffic, { name: 'linkerd-admin', kind: 'Server' }, 'kassa', 'prometheus'),
  ];
}
