import type { Traffic } from '../deploy/traffic.ts';
import { objectiveOf, routesOf, streamRoutes, type Route } from './objectives.ts';

export interface RecordingRule {
  record: string;
  expr: string;
  labels?: Record<string, string>;
}

export interface Group<Rule> {
  name: string;
  interval?: string;
  rules: Rule[];
}

/** Windows of the burn-rate alerts; 5m is recorded first, and the others are averages of it. */
export const windows = ['5m', '30m', '1h', '2h', '6h', '1d', '3d'] as const;
export type Window = (typeof windows)[number];

/** How often rates are recorded: twice a minute, so that an average over 30 minutes has sixty of them. */
export const intervalSeconds = 30;
const interval = `${intervalSeconds}s`;

/** Statuses that are the service's fault, as Linkerd counts them, and a refused service token, which is ours as well. */
const grpcFailures = 'UNKNOWN|DEADLINE_EXCEEDED|PERMISSION_DENIED|INTERNAL|UNAVAILABLE|DATA_LOSS|UNAUTHENTICATED';

const perRoute = 'sum by (namespace, service_name, route)';

/**
 * For every route that has an objective: kassa:requests:rate5m, kassa:failures:rate5m, kassa:slow:rate5m, and over each window
 * kassa:failures:ratio_rate<window> and kassa:slow:ratio_rate<window>. The label `view` says who counted: the service itself (http, grpc),
 * its proxy (arriving), or the proxy of who called (calling). For volume and sales by country: kassa:country_requests:rate30m and
 * kassa:country_sales:rate30m.
 */
export function recordingGroups(traffic: Traffic): Group<RecordingRule>[] {
  const byService = Map.groupBy(routesOf(traffic), ({ service }) => service);
  return [
    ...[...byService].map(([service, routes]) => ({
      name: `kassa-${service}-routes`,
      interval,
      rules: [...Map.groupBy(routes, ({ view, objective }) => `${view} ${objective}`).values()].flatMap(ofRoutes),
    })),
    { name: 'kassa-mesh-calls', interval, rules: [...arriving, ...calling(streamRoutes(traffic))] },
    { name: 'kassa-budgets', interval, rules: windows.flatMap(ratios) },
    { name: 'kassa-volume', interval, rules: volume },
  ];
}

function ofRoutes(routes: Route[]): RecordingRule[] {
  const [first] = routes;
  if (first === undefined) return [];
  const { service, view, objective } = first;
  const labels = { service_name: service, objective, view };
  const { slow } = objectiveOf(objective);
  const paths = routes.map(({ label }) => label).join('|');
  const of = (series: string, more = '') =>
    view === 'http'
      ? `${perRoute} (label_join(rate(kassa_http_request_duration_seconds_${series}{service_name="${service}",route=~"${paths}"${more}}[5m]), "route", " ", "method", "route"))`
      : `${perRoute} (label_replace(rate(kassa_grpc_server_duration_seconds_${series}{service_name="${service}",method=~"${paths}"${more}}[5m]), "route", "$1", "method", ".+/(.+)"))`;
  const requests = `${perRoute} (kassa:requests:rate5m{service_name="${service}",objective="${objective}",view="${view}"})`;
  const failing = view === 'http' ? ',status=~"5.."' : `,status=~"${grpcFailures}"`;
  return [
    { record: 'kassa:requests:rate5m', expr: of('count'), labels },
    // Where nothing failed there is no series to count; a ratio needs the zero.
    { record: 'kassa:failures:rate5m', expr: `${of('count', failing)} or 0 * ${requests}`, labels },
    ...(slow
      ? [
          {
            record: 'kassa:slow:rate5m',
            expr: `clamp_min(${requests} - ${of('bucket', `,${within(slow.overSeconds)}`)}, 0)`,
            labels,
          },
        ]
      : []),
  ];
}

/** The bucket up to this bound. Prometheus 3 writes le="10.0" where a service shows le="10". */
const within = (seconds: number) => (Number.isInteger(seconds) ? `le=~"${seconds}([.]0)?"` : `le="${seconds}"`);

const perService = 'sum by (namespace, service_name)';
/** Neither probes nor scrapes: only what came through our own Servers. */
const ours = 'parent_kind="server",parent_name=~".+-(http|grpc)"';
const arrived = `${perService} (rate(inbound_http_statuses_total{${ours}}[5m]))`;
// A gRPC answer made for a dead application has an empty status.
const notServed = `${perService} (rate(inbound_http_statuses_total{${ours},status=~"(5..)?"}[5m]))`;
const ownFailures = `${perService} (rate(kassa_http_request_duration_seconds_count{status=~"5.."}[5m]))`;

const arriving: RecordingRule[] = [
  { record: 'kassa:requests:rate5m', expr: arrived, labels: { objective: 'mesh', view: 'arriving', route: 'all' } },
  {
    record: 'kassa:failures:rate5m',
    expr: `clamp_min(${notServed} - (${ownFailures} or 0 * ${notServed}), 0) or 0 * ${arrived}`,
    labels: { objective: 'mesh', view: 'arriving', route: 'all' },
  },
];

function calling(streams: string[]): RecordingRule[] {
  const labels = { objective: 'mesh', view: 'calling' };
  const of = (more: string) =>
    `${perRoute} (label_replace(rate(outbound_grpc_route_request_statuses_total{route_name!~"${streams.join('|')}"${more}}[5m]), "route", "$1", "route_name", "(.+)"))`;
  return [
    { record: 'kassa:requests:rate5m', expr: of(''), labels },
    // A word in `error` is the proxy's own: it gave up. Without one, a service answered.
    { record: 'kassa:failures:rate5m', expr: `${of(',error!=""')} or 0 * ${of('')}`, labels },
  ];
}

function ratios(window: Window): RecordingRule[] {
  const over = (name: string) => (window === '5m' ? `kassa:${name}:rate5m` : `avg_over_time(kassa:${name}:rate5m[${window}])`);
  return ['failures', 'slow'].map((name) => ({
    record: `kassa:${name}:ratio_rate${window}`,
    expr: `${over(name)} / (${over('requests')} > 0)`,
  }));
}

/** The country of a namespace; pilot and full track are one, since shops move between them. */
export const byCountry = (labels: string, expr: string, aggregate = 'sum') =>
  `${aggregate} by (${labels}) (label_replace(${expr}, "country", "$1", "namespace", "kassa-([a-z]{2})(-pilot)?"))`;

const volume: RecordingRule[] = [
  {
    record: 'kassa:country_requests:rate30m',
    expr: byCountry('country, service_name, route', `avg_over_time(kassa:requests:rate5m{objective!="mesh"}[30m])`),
  },
  { record: 'kassa:country_sales:rate30m', expr: byCountry('country', 'rate(kassa_sales_completed_total[30m])') },
];
