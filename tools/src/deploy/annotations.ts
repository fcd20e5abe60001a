// The annotations that Linkerd reads, and what it takes as their values. Linkerd's admission webhook checks none of this on Services and
// no unknown key anywhere; a fault is a setting that is silently not there.

export type Place = 'namespace' | 'pod' | 'service' | 'route';

interface Annotation {
  places: Place[];
  /** Holds for a value that Linkerd understands. */
  value: Pick<RegExp, 'test'>;
  /** The same for people. */
  grammar: string;
}

const duration = { value: /^\d+(ms|s|m|h|d)$/, grammar: 'a whole number and ms, s, m, h or d' };
const count = { value: /^\d+$/, grammar: 'a whole number' };
const cpu = { value: /^\d+(\.\d+)?m?$/, grammar: 'a CPU quantity such as 25m' };
const memory = { value: /^\d+(Ki|Mi|Gi)$/, grammar: 'a memory quantity such as 40Mi' };
const ports = { value: /^(\d+(-\d+)?)(,\d+(-\d+)?)*$/, grammar: 'ports and ranges, divided by commas' };
const grpc = /(cancelled|deadline-exceeded|internal|resource-exhausted|unavailable)/;
const listOf = (word: RegExp) => new RegExp(`^${word.source}(,${word.source})*$`);

const isStatus = (code: number) => code >= 100 && code < 600;
const conditions = {
  test: (value: string) =>
    value.split(',').every((condition) => {
      if (condition === '5xx' || condition === 'gateway-error') return true;
      const [from = NaN, to = from] = /^\d{3}(-\d{3})?$/.test(condition) ? condition.split('-').map(Number) : [];
      return isStatus(from) && isStatus(to) && from <= to;
    }),
};

export const annotations: Record<string, Annotation> = {
  'linkerd.io/inject': { places: ['namespace', 'pod'], value: /^(enabled|disabled)$/, grammar: 'enabled or disabled' },
  'config.linkerd.io/default-inbound-policy': {
    places: ['namespace', 'pod'],
    value: /^(deny|audit|all-unauthenticated|all-authenticated|cluster-unauthenticated|cluster-authenticated)$/,
    grammar: 'deny, audit, all-… or cluster-…',
  },
  'config.linkerd.io/proxy-cpu-request': { places: ['namespace', 'pod'], ...cpu },
  'config.linkerd.io/proxy-cpu-limit': { places: ['namespace', 'pod'], ...cpu },
  'config.linkerd.io/proxy-memory-request': { places: ['namespace', 'pod'], ...memory },
  'config.linkerd.io/proxy-memory-limit': { places: ['namespace', 'pod'], ...memory },
  'config.linkerd.io/shutdown-grace-period': { places: ['namespace', 'pod'], ...duration },
  'config.linkerd.io/opaque-ports': { places: ['namespace', 'pod', 'service'], ...ports },
  'config.linkerd.io/skip-inbound-ports': { places: ['namespace', 'pod'], ...ports },
  'config.linkerd.io/skip-outbound-ports': { places: ['namespace', 'pod'], ...ports },
  'retry.linkerd.io/http': {
    places: ['service', 'route'],
    value: conditions,
    grammar: '5xx, gateway-error, 502 or 500-504, divided by commas',
  },
  'retry.linkerd.io/grpc': {
    places: ['service', 'route'],
    value: listOf(grpc),
    grammar: 'gRPC statuses in lower case with hyphens, divided by commas',
  },
  'retry.linkerd.io/limit': {
    places: ['service', 'route'],
    value: { test: (value) => count.value.test(value) && Number(value) < 2 ** 16 },
    grammar: 'a whole number below 65536',
  },
  'retry.linkerd.io/timeout': { places: ['service', 'route'], ...duration },
  'timeout.linkerd.io/request': { places: ['service', 'route'], ...duration },
  'timeout.linkerd.io/response': { places: ['service', 'route'], ...duration },
  'timeout.linkerd.io/idle': { places: ['service', 'route'], ...duration },
  'balancer.linkerd.io/failure-accrual': {
    places: ['service'],
    value: /^(consecutive|unified)$/,
    grammar: 'consecutive or unified',
  },
  'balancer.linkerd.io/failure-accrual-consecutive-max-failures': { places: ['service'], ...count },
  'balancer.linkerd.io/failure-accrual-consecutive-min-penalty': { places: ['service'], ...duration },
  'balancer.linkerd.io/failure-accrual-consecutive-max-penalty': { places: ['service'], ...duration },
  'balancer.linkerd.io/failure-accrual-consecutive-jitter-ratio': {
    places: ['service'],
    value: /^\d+(\.\d+)?$/,
    grammar: 'a ratio such as 0.5',
  },
  'balancer.alpha.linkerd.io/failure-accrual-success-rate-threshold': {
    places: ['service'],
    value: /^(0(\.\d+)?|1(\.0+)?)$/,
    grammar: 'a part of 1 such as 0.8',
  },
  'balancer.alpha.linkerd.io/failure-accrual-success-rate-window': { places: ['service'], ...duration },
  'balancer.alpha.linkerd.io/failure-accrual-success-rate-min-requests': { places: ['service'], ...count },
  'balancer.alpha.linkerd.io/penalize-failures': { places: ['service'], value: /^(true|false)$/, grammar: 'true or false' },
};

export const isLinkerds = (key: string) => /(^|\.)linkerd\.io\//.test(key);
