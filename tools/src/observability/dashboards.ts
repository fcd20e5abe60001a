import type { Country } from '../deploy/countries.ts';
import { objectiveNames, objectiveOf } from './objectives.ts';
import type { Chart, Page } from './panels.ts';

type Service = 'sales' | 'payments' | 'inventory' | 'stock-lookup';
export const services: Service[] = ['sales', 'payments', 'inventory', 'stock-lookup'];

const rate = (metric: string, by: string, where = '') =>
  `sum by (${by}) (rate(${metric}{namespace=~"$namespace"${where}}[$__rate_interval]))`;
const quantile = (share: number, metric: string, by: string, where = '') =>
  `histogram_quantile(${share}, sum by (${by ? `${by}, ` : ''}le) (rate(${metric}_bucket{namespace=~"$namespace"${where}}[$__rate_interval])))`;

/** Is it asked, does it answer, how fast; then who is to blame, then what it runs on. */
function everyService(service: Service): Page['rows'] {
  const here = `namespace=~"$namespace",service_name="${service}"`;
  const own = `,service_name="${service}"`;
  const mine = objectiveNames.filter((name) => name !== 'mesh');
  return {
    Requests: [
      {
        title: 'Volume by route',
        unit: 'reqps',
        queries: { '{{route}}': `sum by (route) (kassa:requests:rate5m{${here},objective!="mesh"})` },
      },
      {
        title: 'Share that fails, by route',
        why: 'Counted by the service itself: HTTP 5xx, and gRPC statuses that are its fault.',
        unit: 'percentunit',
        queries: {
          '{{route}}': `sum by (route) (kassa:failures:rate5m{${here},objective!="mesh"}) / (sum by (route) (kassa:requests:rate5m{${here},objective!="mesh"}) > 0)`,
        },
        limit: 0.001,
      },
      {
        title: 'Slowest hundredth by HTTP route',
        unit: 's',
        queries: { '{{method}} {{route}}': quantile(0.99, 'kassa_http_request_duration_seconds', 'method, route', own) },
      },
      {
        title: 'Slowest hundredth by gRPC method',
        unit: 's',
        queries: { '{{method}}': quantile(0.99, 'kassa_grpc_server_duration_seconds', 'method', own) },
      },
      {
        title: 'Budget for failures, used in three days',
        why: '1 is all that may fail in three days. Alerts fire on how fast it burns, not on the level.',
        unit: 'percentunit',
        queries: Object.fromEntries(
          mine.map((name) => [
            `${name} {{route}}`,
            `max by (route) (kassa:failures:ratio_rate3d{${here},objective="${name}"}) / ${objectiveOf(name).failuresMax}`,
          ]),
        ),
        limit: 1,
      },
      {
        title: 'Budget for slow answers, used in three days',
        unit: 'percentunit',
        queries: Object.fromEntries(
          mine.flatMap((name) => {
            const { slow } = objectiveOf(name);
            return slow
              ? [[`${name} {{route}}`, `max by (route) (kassa:slow:ratio_rate3d{${here},objective="${name}"}) / ${slow.max}`]]
              : [];
          }),
        ),
        limit: 1,
      },
    ],
    'Application, mesh or caller': [
      {
        title: 'Failures only the mesh saw',
        why: 'arriving: the service did not say so itself, it is dead or too late. calling: our calls of others did not get through.',
        unit: 'percentunit',
        queries: { '{{view}} {{route}}': `max by (view, route) (kassa:failures:ratio_rate5m{${here},objective="mesh"})` },
        limit: 0.001,
      },
      {
        title: 'What its callers are refused by the mesh',
        unit: 'reqps',
        queries: {
          'denied {{client_id}}': rate('inbound_http_authz_deny_total', 'client_id', `${own},srv_name!="linkerd-admin"`),
          'too many {{client_id}}': rate('inbound_http_local_ratelimit_total', 'client_id', own),
          'no such route': rate('inbound_http_route_not_found_total', 'srv_name', own),
        },
      },
      {
        title: 'Answers by status, as the mesh saw them',
        unit: 'reqps',
        queries: {
          '{{status}}': rate(
            'inbound_http_statuses_total',
            'status',
            `${own},parent_kind="server",parent_name=~".+-(http|grpc)"`,
          ),
        },
      },
      {
        title: 'Its gRPC calls of others, as it felt them',
        why: 'Slow here and fast at the neighbour: the network or this event loop.',
        unit: 's',
        queries: { '{{method}}': quantile(0.99, 'kassa_grpc_client_duration_seconds', 'method', own) },
      },
      {
        title: 'Repeated by the mesh',
        unit: 'reqps',
        queries: { '{{route_name}}': rate('outbound_grpc_route_retry_requests_total', 'route_name', own) },
      },
      {
        title: 'Connections that broke or were refused',
        why: 'i/o at port 5432 is the database.',
        unit: 'reqps',
        queries: {
          'out, port {{target_port}}: {{error}}': rate('outbound_tcp_errors_total', 'target_port, error', own),
          'in: {{error}}': rate('inbound_tcp_errors_total', 'error', own),
        },
      },
    ],
    'What it runs on': [
      {
        title: 'Event loop in use',
        unit: 'percentunit',
        queries: { '{{pod}}': `nodejs_eventloop_utilization{${here}}` },
        limit: 0.85,
      },
      {
        title: 'Event loop delay, slowest hundredth',
        unit: 's',
        queries: { '{{pod}}': `nodejs_eventloop_delay_p99{${here}}` },
        limit: 0.2,
      },
      {
        title: 'Waiting for a processor',
        why: 'Share of time the main thread could have run and had none: a full node, or a limit.',
        unit: 'percentunit',
        queries: { '{{pod}}': `rate(kassa_process_cpu_waiting_seconds_total{${here}}[$__rate_interval])` },
        limit: 0.2,
      },
      {
        title: 'Processor time',
        unit: 'short',
        queries: { '{{pod}}': `rate(kassa_process_cpu_seconds_total{${here}}[$__rate_interval])` },
      },
      {
        title: 'Memory of its limit',
        unit: 'percentunit',
        queries: { '{{pod}}': `kassa_process_memory_bytes{${here}} / kassa_process_memory_limit_bytes{${here}}` },
        limit: 0.9,
      },
      {
        title: 'Database connections',
        unit: 'short',
        queries: {
          '{{pod}} {{state}}': `kassa_database_pool_connections{${here}}`,
          '{{pod}} statements waiting': `kassa_database_pool_waiting{${here}}`,
        },
      },
      {
        title: 'Slowest statements, 95 % of them',
        why: 'As the service saw them, the wait for a connection included.',
        unit: 's',
        queries: {
          '{{statement}}': `topk(5, histogram_quantile(0.95, sum by (statement, le) (rate(kassa_database_statement_duration_seconds_bucket{${here}}[$__rate_interval]))))`,
        },
      },
      {
        title: 'Restarts in an hour',
        unit: 'short',
        queries: {
          '{{pod}} {{container}}': `sum by (pod, container) (increase(kube_pod_container_status_restarts_total{namespace=~"$namespace",pod=~"${service}-.+"}[1h]))`,
        },
      },
      {
        title: 'Versions running',
        unit: 'short',
        queries: { '{{namespace}} {{version}}': `count by (namespace, version) (kassa_build_info{${here}})` },
      },
    ],
  };
}

const checkoutAge: Chart = {
  title: 'Oldest checkout under way',
  why: 'docs/runbooks/checkouts.md',
  unit: 's',
  queries: { '{{namespace}}': 'max by (namespace) (kassa_checkout_oldest_age_seconds{namespace=~"$namespace"})' },
  limit: 300,
};
const unknownPayments: Chart = {
  title: 'Payments nobody knows the outcome of',
  why: 'docs/runbooks/unknown-payments.md',
  unit: 'short',
  queries: { '{{namespace}}': 'max by (namespace) (kassa_unknown_payments{namespace=~"$namespace"})' },
  limit: 1,
};
const feedLag: Chart = {
  title: 'Since inventory was heard',
  why: 'docs/runbooks/stock-feed.md',
  unit: 's',
  queries: { '{{service_name}}': 'max by (service_name) (kassa_feed_lag_seconds{namespace=~"$namespace"})' },
  limit: 15,
};
const feedBehind: Chart = {
  title: 'Changes stock lookup is behind',
  unit: 'short',
  queries: {
    '{{namespace}}':
      'max by (namespace) (kassa_feed_last_seq{namespace=~"$namespace"}) - min by (namespace) (kassa_feed_seq{namespace=~"$namespace",service_name="stock-lookup"})',
  },
  limit: 1000,
};

const trade: Record<Service, Chart[]> = {
  sales: [
    { title: 'Sales completed', unit: 'reqps', queries: { '{{namespace}}': rate('kassa_sales_completed_total', 'namespace') } },
    { title: 'Checkouts by outcome', unit: 'reqps', queries: { '{{outcome}}': rate('kassa_checkouts_total', 'outcome') } },
    {
      title: 'Length of a checkout, slowest twentieth',
      unit: 's',
      queries: { '{{outcome}}': quantile(0.95, 'kassa_checkout_duration_seconds', 'outcome') },
    },
    checkoutAge,
    {
      title: 'Money not given back yet, times an hour',
      unit: 'short',
      queries: { '{{namespace}}': 'sum by (namespace) (increase(kassa_money_not_returned_total{namespace=~"$namespace"}[1h]))' },
    },
    feedLag,
  ],
  payments: [
    {
      title: 'Transactions by outcome',
      unit: 'reqps',
      queries: { '{{method}} {{status}}': rate('kassa_payments_total', 'method, status') },
    },
    unknownPayments,
    {
      title: 'Oldest of them',
      unit: 's',
      queries: { '{{namespace}}': 'max by (namespace) (kassa_unknown_payment_oldest_age_seconds{namespace=~"$namespace"})' },
      limit: 600,
    },
    {
      title: 'Questions to the acquirer',
      unit: 'reqps',
      queries: { '{{outcome}}': rate('kassa_payment_inquiries_total', 'outcome') },
    },
    {
      title: 'The acquirer, slowest twentieth',
      unit: 's',
      queries: {
        '{{server_address}}': quantile(0.95, 'http_client_request_duration', 'server_address', ',service_name="payments"'),
      },
    },
    {
      title: 'What cannot be, times a day',
      why: 'The acquirer reported something else than was asked for. docs/runbooks/unknown-payments.md',
      unit: 'short',
      queries: {
        '{{kind}} {{method}}':
          'sum by (kind, method) (increase(kassa_payment_integrity_failures_total{namespace=~"$namespace"}[1d]))',
      },
      limit: 1,
    },
  ],
  inventory: [
    {
      title: 'Commands on reservations',
      unit: 'reqps',
      queries: { '{{command}} {{outcome}}': rate('kassa_reservations_total', 'command, outcome') },
    },
    { title: 'Stock movements', unit: 'reqps', queries: { '{{type}}': rate('kassa_stock_movements_total', 'type') } },
    { title: 'Changes numbered', unit: 'reqps', queries: { '{{namespace}}': rate('kassa_feed_changes_total', 'namespace') } },
    {
      title: 'Since all changes had their number',
      unit: 's',
      queries: { '{{pod}}': 'kassa_feed_unsequenced_seconds{namespace=~"$namespace"}' },
      limit: 15,
    },
    { title: 'Readers of the feed', unit: 'short', queries: { '{{pod}}': 'kassa_feed_readers{namespace=~"$namespace"}' } },
    feedBehind,
  ],
  'stock-lookup': [
    { title: 'Items looked up', unit: 'reqps', queries: { '{{result}}': rate('kassa_lookups_total', 'result') } },
    feedLag,
    feedBehind,
    {
      title: 'Snapshots in an hour',
      unit: 'short',
      queries: {
        '{{reason}}':
          'sum by (reason) (increase(kassa_feed_snapshots_total{namespace=~"$namespace",service_name="stock-lookup"}[1h]))',
      },
    },
  ],
};

/** One page for each service, over all countries of a cluster. */
export function servicePage(service: Service): Page {
  return {
    uid: `kassa-${service}`,
    title: `Kassa: ${service}`,
    description: `What ${service} does, how well, and whose fault it is if not`,
    timeZone: 'browser',
    namespaces: { query: `label_values(kassa_build_info{service_name="${service}"}, namespace)` },
    rows: { 'The trade': trade[service], ...everyService(service) },
  };
}

/** One page for a country, which shop managers understand as well. Its clock is the shops'. */
export function shopFloor({ country, data }: Country): Page {
  const name = new Intl.DisplayNames('en', { type: 'region' }).of(country.toUpperCase()) ?? country;
  const here = 'namespace=~"$namespace"';
  const share = (kind: string, service: string) =>
    `sum(kassa:${kind}:rate5m{${here},service_name="${service}",objective!="mesh"}) / (sum(kassa:requests:rate5m{${here},service_name="${service}",objective!="mesh"}) > 0)`;
  return {
    uid: `kassa-shop-floor-${country}`,
    title: `Shop floor: ${name}`,
    description: `Is ${name} selling? Pilot and full track together, by the shops' clock`,
    timeZone: data['TIME_ZONE'] ?? 'utc',
    namespaces: { query: 'label_values(kassa_build_info, namespace)', pattern: `/^kassa-${country}(-pilot)?$/` },
    rows: {
      Now: [
        {
          title: 'Sales in this hour',
          unit: 'short',
          isNumber: true,
          queries: { sales: `sum(increase(kassa_sales_completed_total{${here}}[1h]))` },
        },
        {
          title: 'Checkouts refused',
          why: 'Of those that ended in an hour: declined cards, empty shelves.',
          unit: 'percentunit',
          isNumber: true,
          limit: 0.1,
          queries: {
            refused: `sum(increase(kassa_checkouts_total{${here},outcome!="completed"}[1h])) / (sum(increase(kassa_checkouts_total{${here}}[1h])) > 0)`,
          },
        },
        { ...checkoutAge, isNumber: true },
        { ...unknownPayments, title: 'Payments unknown', isNumber: true },
        { ...feedLag, title: 'Stock is this old', isNumber: true },
        {
          title: 'Requests that fail',
          unit: 'percentunit',
          isNumber: true,
          limit: 0.001,
          queries: {
            failing: `sum(kassa:failures:rate5m{${here},objective!="mesh"}) / (sum(kassa:requests:rate5m{${here},objective!="mesh"}) > 0)`,
          },
        },
      ],
      Selling: [
        {
          title: 'Sales an hour',
          why: 'Dashed in thought: the same time a week ago.',
          unit: 'short',
          queries: {
            now: `kassa:country_sales:rate30m{country="${country}"} * 3600`,
            'a week ago': `kassa:country_sales:rate30m{country="${country}"} offset 1w * 3600`,
          },
        },
        { title: 'How checkouts end', unit: 'reqps', queries: { '{{outcome}}': rate('kassa_checkouts_total', 'outcome') } },
        {
          title: 'A checkout takes',
          unit: 's',
          queries: {
            'every second one less than': quantile(0.5, 'kassa_checkout_duration_seconds', '', ',outcome="completed"'),
            'one of twenty more than': quantile(0.95, 'kassa_checkout_duration_seconds', '', ',outcome="completed"'),
          },
        },
        {
          title: 'Payments',
          unit: 'reqps',
          queries: { '{{method}} {{status}}': rate('kassa_payments_total', 'method, status') },
        },
        { title: 'Stock asked for', unit: 'reqps', queries: { '{{result}}': rate('kassa_lookups_total', 'result') } },
        {
          title: 'Units that left and came',
          unit: 'reqps',
          queries: { '{{type}}': rate('kassa_stock_movements_total', 'type') },
        },
      ],
      'Are we the cause?': [
        {
          title: 'Failing, by service',
          unit: 'percentunit',
          limit: 0.001,
          queries: Object.fromEntries(services.map((service) => [service, share('failures', service)])),
        },
        {
          title: 'Too slow, by service',
          unit: 'percentunit',
          limit: 0.01,
          queries: Object.fromEntries(services.map((service) => [service, share('slow', service)])),
        },
        {
          title: 'Lost by the mesh',
          unit: 'percentunit',
          limit: 0.001,
          queries: {
            '{{service_name}} {{view}}': `max by (service_name, view) (kassa:failures:ratio_rate5m{${here},objective="mesh"})`,
          },
        },
        {
          title: 'Versions running',
          unit: 'short',
          queries: {
            '{{namespace}} {{service_name}} {{version}}': `count by (namespace, service_name, version) (kassa_build_info{${here}})`,
          },
        },
        { title: 'Pods', unit: 'short', queries: { '{{service_name}}': `count by (service_name) (kassa_build_info{${here}})` } },
        {
          title: 'Hours until the first mesh certificate ends',
          unit: 'short',
          queries: {
            '{{namespace}}': `(min by (namespace) (control_identity_cert_expiration_timestamp_seconds{${here}}) - time()) / 3600`,
          },
        },
      ],
    },
  };
}
