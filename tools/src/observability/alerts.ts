import { burnAlerts } from './burn-alerts.ts';
import { byCountry, type Group } from './recording.ts';

/** `page` wakes someone; `ticket` waits for the morning. */
export type Severity = 'page' | 'ticket';

export interface AlertRule {
  alert: string;
  expr: string;
  for?: string;
  labels: { severity: Severity } & Record<string, string>;
  annotations: { summary: string; description: string; runbook_url: string };
}

export const runbookUrl = (page: string) => `https://git.kassa.example/kassa/kassa/src/branch/main/docs/runbooks/${page}.md`;

export interface Alert {
  name: string;
  severity: Severity;
  expr: string;
  for?: string;
  /** One line of a pager. */
  summary: string;
  /** What people in the shop notice. */
  description: string;
  /** A page of docs/runbooks, without .md. */
  runbook: string;
  labels?: Record<string, string>;
}

const mesh: Alert[] = [
  {
    name: 'KassaNoEndpoints',
    severity: 'page',
    for: '1m',
    expr: 'max by (namespace, service_name, backend_name) (outbound_http_balancer_endpoints{endpoint_state="ready",backend_namespace=~"kassa-.+"}) == 0',
    summary: '{{ $labels.service_name }} in {{ $labels.namespace }} finds no pod of {{ $labels.backend_name }}',
    description: 'Every such call fails at once; checkouts wait and are taken up again when a pod is back.',
    runbook: 'calls-lost',
  },
  {
    name: 'KassaRetriesMultiply',
    severity: 'ticket',
    for: '10m',
    expr: 'sum by (namespace, service_name, route_name) (rate(outbound_grpc_route_retry_requests_total[5m])) / sum by (namespace, service_name, route_name) (rate(outbound_grpc_route_request_statuses_total[5m])) > 0.2',
    summary:
      '{{ $labels.service_name }} repeats {{ $value | humanizePercentage }} of its calls of {{ $labels.route_name }} in {{ $labels.namespace }}',
    description: 'The mesh hides a fault by asking again. Nobody notices yet; the called service carries the load twice.',
    runbook: 'calls-lost',
  },
  {
    name: 'KassaCallsDenied',
    severity: 'ticket',
    expr: 'sum by (namespace, service_name, srv_name, client_id) (increase(inbound_http_authz_deny_total{srv_name!="linkerd-admin"}[15m])) > 0',
    summary: '{{ $labels.client_id }} is denied at {{ $labels.srv_name }} in {{ $labels.namespace }}',
    description: 'A policy forgot someone, or someone calls who should not. The caller sees 403 or PERMISSION_DENIED.',
    runbook: 'calls-refused',
  },
  {
    name: 'KassaCallsLimited',
    severity: 'ticket',
    for: '5m',
    expr: 'sum by (namespace, service_name, client_id, ratelimit_scope) (rate(inbound_http_local_ratelimit_total[5m])) > 0.1',
    summary:
      '{{ $labels.service_name }} in {{ $labels.namespace }} turns {{ $value | humanize }} requests a second of {{ $labels.client_id }} away',
    description: 'Tills see 429 and try again; a sale takes longer.',
    runbook: 'calls-refused',
  },
  ...[
    { severity: 'ticket' as const, hours: 6 },
    { severity: 'page' as const, hours: 2 },
  ].map(({ severity, hours }) => ({
    name: 'KassaCertificateExpires',
    severity,
    for: '10m',
    expr: `min by (namespace) (control_identity_cert_expiration_timestamp_seconds) - time() < ${hours} * 3600`,
    summary: 'The oldest mesh certificate in {{ $labels.namespace }} ends in {{ $value | humanizeDuration }}',
    description:
      'Proxies renew theirs seven hours before the end, so renewal fails. Nothing is noticed until connections turn over; then all calls fail.',
    runbook: 'certificates',
  })),
];

const saturation: Alert[] = [
  {
    name: 'KassaEventLoopBusy',
    severity: 'ticket',
    for: '5m',
    expr: 'avg_over_time(nodejs_eventloop_utilization[5m]) > 0.85 or min_over_time(nodejs_eventloop_delay_p99[5m]) > 0.2',
    summary: 'The event loop of {{ $labels.pod }} in {{ $labels.namespace }} is busy ({{ $value | humanize }})',
    description: 'One thread does all the work of a pod; what comes now waits behind it.',
    runbook: 'event-loop',
  },
  {
    name: 'KassaDatabasePoolWaits',
    severity: 'ticket',
    for: '3m',
    expr: 'min_over_time(kassa_database_pool_waiting[3m]) > 0',
    summary: '{{ $value }} statements wait for a connection in {{ $labels.pod }} of {{ $labels.namespace }}',
    description: 'Every request of this pod takes longer, and after 5 s it fails with 503.',
    runbook: 'database-pool',
  },
  {
    name: 'KassaMemoryNearLimit',
    severity: 'ticket',
    for: '10m',
    expr: 'kassa_process_memory_bytes / kassa_process_memory_limit_bytes > 0.9',
    summary: '{{ $labels.pod }} in {{ $labels.namespace }} uses {{ $value | humanizePercentage }} of its memory',
    description: 'At 100 % the kernel ends the process; what it was doing is taken up by another pod within a lease.',
    runbook: 'memory',
  },
  {
    name: 'KassaRestarts',
    severity: 'ticket',
    expr: 'sum by (namespace, pod, container) (increase(kube_pod_container_status_restarts_total{namespace=~"kassa-.+"}[30m])) > 2',
    summary:
      '{{ $labels.container }} of {{ $labels.pod }} in {{ $labels.namespace }} restarted {{ $value | humanize }} times in half an hour',
    description: 'Requests on it broke off; their callers repeat them.',
    runbook: 'memory',
  },
  {
    name: 'KassaProcessorWaits',
    severity: 'ticket',
    for: '10m',
    expr: 'rate(kassa_process_cpu_waiting_seconds_total[5m]) > 0.2',
    summary: '{{ $labels.pod }} in {{ $labels.namespace }} waits {{ $value | humanizePercentage }} of the time for a processor',
    description: 'The node is full or a limit throttles; every request takes longer by that share.',
    runbook: 'processor',
  },
];

/** At least what there was a week ago from an hour before to an hour after this time: shops open by a clock that is put forward and back. */
const weekAgo = (recorded: string) => `min_over_time(${recorded}[2h] offset 167h)`;

const trade: Alert[] = [
  {
    name: 'KassaNoSales',
    severity: 'page',
    for: '10m',
    expr: `(${weekAgo('kassa:country_sales:rate30m')} > 0.005) unless (kassa:country_sales:rate30m > 0)`,
    summary: 'No sale was completed in {{ $labels.country }} for half an hour',
    description:
      'A week ago about this time there were at least {{ $value | humanize }} a second. Customers stand at tills, or it is a holiday.',
    runbook: 'no-sales',
  },
  {
    name: 'KassaVolumeDropped',
    severity: 'ticket',
    for: '15m',
    expr: `(${weekAgo('kassa:country_requests:rate30m')} > 0.05) unless (kassa:country_requests:rate30m > 0.25 * ${weekAgo('kassa:country_requests:rate30m')})`,
    summary: '{{ $labels.service_name }} gets less than a quarter of the usual {{ $labels.route }} in {{ $labels.country }}',
    description:
      'A week ago about this time there were at least {{ $value | humanize }} a second. What does not arrive cannot fail: no other alert sees it.',
    runbook: 'no-sales',
  },
  {
    name: 'KassaCheckoutStuck',
    severity: 'page',
    for: '2m',
    expr: `${byCountry('country', 'kassa_checkout_oldest_age_seconds', 'max')} > 300`,
    summary: 'A checkout in {{ $labels.country }} has been under way for {{ $value | humanizeDuration }}',
    description: 'A customer has paid and has no receipt, or waits for money back, or stock of a completed sale is not booked.',
    runbook: 'checkouts',
  },
  {
    name: 'KassaMoneyNotReturned',
    severity: 'ticket',
    expr: `${byCountry('country', 'increase(kassa_money_not_returned_total[15m])')} > 0`,
    summary: 'Money of a refused checkout in {{ $labels.country }} could not be given back yet',
    description: 'A customer was told that the sale did not happen, and the amount is still held or taken. It is tried again.',
    runbook: 'checkouts',
  },
  {
    name: 'KassaStockFeedLost',
    severity: 'page',
    for: '5m',
    expr: 'max by (namespace, service_name) (kassa_feed_lag_seconds) > 15 or min by (namespace, service_name) (kassa_feed_connected) == 0',
    summary: '{{ $labels.service_name }} in {{ $labels.namespace }} has not heard from inventory ({{ $value | humanize }})',
    description: 'Stock is answered as it was, and marked degraded. Sales go on; new products and shops do not come through.',
    runbook: 'stock-feed',
  },
  {
    name: 'KassaStockFeedBehind',
    severity: 'ticket',
    for: '5m',
    expr: `${byCountry('country', 'kassa_feed_last_seq', 'max')} - ${byCountry('country', 'kassa_feed_seq{service_name="stock-lookup"}', 'min')} > 1000`,
    summary: 'Stock lookup in {{ $labels.country }} is {{ $value | humanize }} changes behind inventory',
    description: 'It hears inventory and does not keep up: stock that was just sold still shows.',
    runbook: 'stock-feed',
  },
  {
    name: 'KassaStockFeedUnnumbered',
    severity: 'page',
    for: '2m',
    expr: `${byCountry('country', 'kassa_feed_unsequenced_seconds', 'min')} > 15`,
    summary: 'Inventory in {{ $labels.country }} has numbered no change for {{ $value | humanizeDuration }}',
    description: 'Stock lookup hears nothing new, although it is connected and does not say so.',
    runbook: 'stock-feed',
  },
  ...[
    { severity: 'ticket' as const, minutes: 10 },
    { severity: 'page' as const, minutes: 60 },
  ].map(({ severity, minutes }) => ({
    name: 'KassaPaymentsUnknown',
    severity,
    expr: `${byCountry('country', 'kassa_unknown_payment_oldest_age_seconds', 'max')} > ${minutes} * 60`,
    summary: 'Nobody has known for {{ $value | humanizeDuration }} whether a payment in {{ $labels.country }} happened',
    description:
      'A customer may be charged for a sale that is not completed. Nothing is charged twice: the acquirer is asked, never told again.',
    runbook: 'unknown-payments',
  })),
  {
    name: 'KassaAcquirerSilent',
    severity: 'page',
    for: '2m',
    expr: 'sum by (namespace) (rate(kassa_payments_total{status="UNKNOWN"}[10m])) / sum by (namespace) (rate(kassa_payments_total[10m])) > 0.05 and sum by (namespace) (increase(kassa_payments_total{status="UNKNOWN"}[10m])) >= 5',
    summary: 'The acquirer leaves {{ $value | humanizePercentage }} of the payments in {{ $labels.namespace }} without an answer',
    description: 'Customers wait at terminals, and then sales hang until the acquirer tells.',
    runbook: 'unknown-payments',
  },
  {
    name: 'KassaPaymentIntegrity',
    severity: 'page',
    expr: 'sum by (namespace, kind, method) (increase(kassa_payment_integrity_failures_total[15m])) > 0',
    summary: 'The acquirer reported a {{ $labels.kind }} ({{ $labels.method }}) in {{ $labels.namespace }} that cannot be',
    description:
      'Another amount, or money moved after it was known not to have. The sale does not go on until a person has looked.',
    runbook: 'unknown-payments',
  },
];

const silence: Alert[] = [
  {
    name: 'KassaServiceSilent',
    severity: 'page',
    for: '5m',
    expr: 'count by (namespace, service_name) (max_over_time(kassa_build_info[6h])) unless count by (namespace, service_name) (kassa_build_info)',
    summary: 'No pod of {{ $labels.service_name }} in {{ $labels.namespace }} shows its metrics',
    description: 'It is gone, or Prometheus cannot reach it; all other alerts about it are blind.',
    runbook: 'silent-service',
  },
  {
    name: 'KassaProxySilent',
    severity: 'ticket',
    for: '10m',
    expr: 'count by (namespace, pod) (kassa_build_info) unless count by (namespace, pod) (control_identity_cert_expiration_timestamp_seconds)',
    summary: 'The proxy of {{ $labels.pod }} in {{ $labels.namespace }} shows no metrics',
    description:
      'The pod may run without a proxy, outside of the mesh, or may not be scraped; what the mesh sees of it is missing.',
    runbook: 'silent-service',
  },
];

export function alertGroups(): Group<AlertRule>[] {
  const groups = { 'kassa-burn': burnAlerts, 'kassa-mesh': mesh, 'kassa-saturation': saturation, 'kassa-trade': trade };
  return Object.entries({ ...groups, 'kassa-silence': silence }).map(([name, alerts]) => ({ name, rules: alerts.map(ruleOf) }));
}

function ruleOf({ name, expr, for: holds, severity, labels, summary, description, runbook }: Alert): AlertRule {
  return {
    alert: name,
    expr,
    ...(holds === undefined ? {} : { for: holds }),
    labels: { severity, ...labels },
    annotations: { summary, description, runbook_url: runbookUrl(runbook) },
  };
}
