import { httpMatch, type Made } from './mesh-inbound.ts';
import { calls, type Call, type Traffic } from './traffic.ts';

// What a caller's proxy knows of the service it calls: time-outs, retries, and a route of its own for each gRPC method, so that its
// metrics tell the methods apart.

const httpPort = 8080;
const grpcPort = 9000;

const meta = (name: string, service: string, annotations: Record<string, string>) => ({
  name,
  labels: { 'app.kubernetes.io/name': service, 'app.kubernetes.io/part-of': 'kassa' },
  ...(Object.keys(annotations).length > 0 && { annotations }),
});

export function outbound(traffic: Traffic): Made[] {
  return Object.entries(traffic.services).flatMap(([service, { only, http, grpc }]) => {
    const own = calls(traffic).filter((call) => call.service === service);
    const objects = [
      ...httpRoutes(service, own, http.timeout),
      ...(grpc ? grpcRoutes(service, own, { contract: grpc.service, timeout: grpc.timeout }) : []),
    ];
    return objects.map((object) => ({ only, service, object }));
  });
}

function httpRoutes(service: string, own: Call[], otherwise: string): object[] {
  const http = own.filter((call) => call.port === 'http');
  const classes = Object.groupBy(http, (call) => `${call.timeout}${call.isRetried ? '-once' : ''}`);
  const route = (name: string, annotations: Record<string, string>, matches: object[]) => ({
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    metadata: meta(`${service}-http-${name}`, service, annotations),
    spec: {
      parentRefs: [{ group: '', kind: 'Service', name: service, port: httpPort }],
      rules: [{ matches, backendRefs: [{ name: service, port: httpPort }] }],
    },
  });
  return [
    ...Object.entries(classes).map(([name, members = []]) =>
      route(
        name === 'none' ? 'unlimited' : name,
        knobs(members[0], 'http'),
        members.map((call) => httpMatch(call.name)),
      ),
    ),
    // Without it, what no other route names would be answered 404 by the caller's own proxy and move no counter.
    route('other', timeoutOf(otherwise), [{ path: { type: 'PathPrefix', value: '/' } }]),
  ];
}

function grpcRoutes(service: string, own: Call[], { contract, timeout }: { contract: string; timeout: string }): object[] {
  const route = (name: string, annotations: Record<string, string>, matches: object) => ({
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'GRPCRoute',
    metadata: meta(`${service}-grpc-${name}`, service, annotations),
    spec: {
      parentRefs: [{ group: '', kind: 'Service', name: service, port: grpcPort }],
      rules: [{ ...matches, backendRefs: [{ name: service, port: grpcPort }] }],
    },
  });
  return [
    ...own
      .filter((call) => call.port === 'grpc')
      .map((call) =>
        route(kebab(call.name), knobs(call, 'grpc'), {
          matches: [{ method: { type: 'Exact', service: contract, method: call.name } }],
        }),
      ),
    // Catches health checks, reflection and methods of newer code; without it they would have "no route" and no metrics.
    route('other', timeoutOf(timeout), {}),
  ];
}

function knobs(call: Call | undefined, port: 'http' | 'grpc'): Record<string, string> {
  if (call === undefined) return {};
  const failures = { http: 'gateway-error', grpc: 'unavailable' };
  const retry = { [`retry.linkerd.io/${port}`]: failures[port], 'retry.linkerd.io/limit': '1' };
  return { ...timeoutOf(call.timeout), ...(call.isRetried && retry) };
}

const timeoutOf = (timeout: string): Record<string, string> =>
  timeout === 'none' ? {} : { 'timeout.linkerd.io/request': timeout };

const kebab = (name: string) => name.replace(/(?<=[a-z])(?=[A-Z])/g, '-').toLowerCase();

/** The breaker is a Service's and no route's, so it is laid over the base's Service as a patch. */
export function breakerPatches(traffic: Traffic): Made[] {
  const { maxFailures, minPenalty, maxPenalty } = traffic.breaker;
  return Object.entries(traffic.services).map(([service, { only }]) => ({
    only,
    service,
    object: {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: {
        name: service,
        annotations: {
          'balancer.linkerd.io/failure-accrual': 'consecutive',
          'balancer.linkerd.io/failure-accrual-consecutive-max-failures': String(maxFailures),
          'balancer.linkerd.io/failure-accrual-consecutive-min-penalty': minPenalty,
          'balancer.linkerd.io/failure-accrual-consecutive-max-penalty': maxPenalty,
        },
      },
    },
  }));
}
