import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { readCountries } from '../src/deploy/countries.ts';
import { calls, readTraffic } from '../src/deploy/traffic.ts';
import { readWaves } from '../src/deploy/waves.ts';
import { readFolder } from '../src/deploy-render.ts';
import { catalogue, meshMetrics } from '../src/observability/catalogue.ts';
import { observabilityFindings, observabilityFolder, queriesOf, rulesOf } from '../src/observability/check.ts';
import { routesOf } from '../src/observability/objectives.ts';
import { judgeQuery } from '../src/observability/promql.ts';

const workspace = fileURLToPath(new URL('../..', import.meta.url));
const known = catalogue(workspace);
const waves = readWaves(workspace);
const traffic = readTraffic(workspace);
const files = readFolder(join(workspace, observabilityFolder));
const alerts = rulesOf(files.get('cluster/alerts.yaml') ?? '');

test('Every metric and label that a rule, a dashboard or a gate names exists', () => {
  expect(observabilityFindings(files, waves, known)).toEqual([]);
});

test.each([
  ['an unknown metric', 'rate(kassa_sale_completed_total[5m])', 'metric kassa_sale_completed_total does not exist'],
  ['an unknown label', 'kassa_checkouts_total{result="x"}', 'label result does not exist in kassa_checkouts_total{result="x"}'],
  [
    'a sum by an unknown label',
    'sum by (shop) (kassa_checkouts_total)',
    'label shop does not exist in sum by (shop) (kassa_checkouts_total)',
  ],
  [
    'a bucket between two bounds',
    'kassa_http_request_duration_seconds_bucket{le="0.3"}',
    'kassa_http_request_duration_seconds_bucket has no bucket le="0.3"',
  ],
  [
    'a bucket between two bounds, by a pattern',
    'kassa_http_request_duration_seconds_bucket{le=~"3([.]0)?"}',
    'kassa_http_request_duration_seconds_bucket has no bucket le=~"3([.]0)?"',
  ],
  [
    'a quantile of what has no buckets',
    'histogram_quantile(0.99, sum by (route) (rate(kassa_http_request_duration_seconds_bucket[5m])))',
    'label le does not exist in histogram_quantile(0.99, sum by (route) (rate(kassa_http_request_duration_seconds_bucket[5m])))',
  ],
  [
    'two sides that never match',
    'sum by (pod) (kassa_unknown_payments) / sum by (namespace) (kassa_unknown_payments)',
    'the sides of sum by (pod) (kassa_unknown_payments) / sum by (namespace) (kassa_unknown_payments) never match: only one has pod, namespace',
  ],
  ['half a query', 'sum by (pod) (kassa_unknown_payments', 'no PromQL at ""'],
])('A query with %s is found', (_, query, fault) => {
  expect(judgeQuery(query, known).faults).toEqual([fault]);
});

test('A gate that asks for what is not there is found, and so is a text that fills in a label the answer does not have', () => {
  const gates = { typo: { why: '', query: 'sum(inbound_http_status_total)', atMost: 0 } };
  const changed = (files.get('cluster/alerts.yaml') ?? '').replace('$labels.backend_name', '$labels.backend');
  const found = observabilityFindings(new Map([...files, ['cluster/alerts.yaml', changed]]), { gates }, known);
  expect(found.map(({ object, what }) => [object, what])).toEqual([
    ['KassaNoEndpoints', 'a text fills in backend, which the answer does not have'],
    ['gate typo', 'metric inbound_http_status_total does not exist'],
  ]);
});

test('Every route and method of every service has an objective, but for streams', () => {
  const missing = calls(traffic)
    .filter(({ only, name }) => only === undefined && !['Snapshot', 'StreamChanges'].includes(name))
    .filter(({ service, name }) => {
      const end =
        name
          .split(' ')
          .at(-1)
          ?.replace(/\{(\w+)\}/g, ':$1') ?? '';
      return !routesOf(traffic).some(
        (route) => route.service === service && (route.label === end || route.label.endsWith(`/${end}`)),
      );
    });
  expect(missing).toEqual([]);
});

test('Every alert says how bad it is and links a runbook that names it, and every runbook has an alert or stands among those without', () => {
  const folder = join(workspace, 'docs/runbooks');
  const pages = readdirSync(folder).filter((name) => name !== 'README.md');
  const index = readFileSync(join(folder, 'README.md'), 'utf8');
  const linked = alerts.map(({ alert = '', labels, annotations }) => {
    const [, page = ''] = /\/docs\/runbooks\/([\w-]+\.md)$/.exec(annotations?.['runbook_url'] ?? '') ?? [];
    const isNamed = pages.includes(page) && readFileSync(join(folder, page), 'utf8').includes(alert);
    const isWhole =
      ['page', 'ticket'].includes(labels?.['severity'] ?? '') && Boolean(annotations?.['summary'] && annotations['description']);
    return { alert, page, isNamed, isWhole };
  });
  const named = pages.flatMap((page) =>
    [...readFileSync(join(folder, page), 'utf8').matchAll(/\bKassa[A-Z]\w+/g)].map(([name]) => name),
  );
  expect({
    notWhole: linked.filter(({ isNamed, isWhole }) => !isNamed || !isWhole),
    unlinked: pages.filter((page) => !linked.some((link) => link.page === page) && !withoutAlert(index).includes(`(${page})`)),
    unknown: named.filter((name) => !linked.some(({ alert }) => alert === name)),
  }).toEqual({ notWhole: [], unlinked: [], unknown: [] });
});

/** The part of the runbooks' index that lists pages nobody is woken for. */
const withoutAlert = (index: string) => index.split('## No alert of their own')[1]?.split('\n## ')[0] ?? '';

test('There is a dashboard for each service and a shop floor for each country, on its own clock, and each chart asks something', () => {
  const pages = [...files]
    .filter(([path]) => path.endsWith('.json'))
    .map(([path, content]) => ({ path, page: JSON.parse(content) }));
  const floors = readCountries(workspace).filter(({ track }) => track === 'full');
  const shown = pages.map(({ path, page }) => [path, page.uid, page.timezone]);
  expect(shown.sort()).toEqual(
    [
      ...['sales', 'payments', 'inventory', 'stock-lookup'].map((name) => [`cluster/${name}.json`, `kassa-${name}`, 'browser']),
      ...floors.map(({ country, data }) => [`${country}/shop-floor.json`, `kassa-shop-floor-${country}`, data['TIME_ZONE']]),
    ].sort(),
  );
  const empty = pages.flatMap(({ path, page }) =>
    queriesOf(page)
      .filter(({ query }) => query === '')
      .map(({ title }) => [path, title]),
  );
  expect(empty).toEqual([]);
});

test('What is listed of the mesh is what real proxies show', () => {
  const folder = process.env['KASSA_MESH_RECORDINGS'] ?? resolve(workspace, '../shared/mesh-recordings');
  if (!existsSync(folder))
    return void console.log('not seen: recordings of real proxies (KASSA_MESH_RECORDINGS), to hold metrics/mesh.yaml against');
  const shown = seriesIn(folder);
  const missing = Object.entries(meshMetrics(workspace)).flatMap(([name, { type, labels, buckets }]) => {
    const series = shown.get(type === 'histogram' ? `${name}_bucket` : name) ?? new Set();
    const wanted = [...labels.map((label) => label), ...(buckets ?? []).map((bound) => `le=${bound}`)];
    return series.size === 0 && labels.length > 0
      ? [name]
      : wanted.filter((label) => !series.has(label)).map((label) => `${name} ${label}`);
  });
  expect({
    missing,
    isKnown: [...Object.keys(meshMetrics(workspace))].every((name) => shown.has(name) || shown.has(`${name}_bucket`)),
  }).toEqual({
    missing: [],
    isKnown: true,
  });
});

/** Labels, and bounds as `le=…`, of every series in a folder of expositions. */
function seriesIn(folder: string): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.prom'))) {
    for (const [, name = '', labels = ''] of readFileSync(join(folder, file), 'utf8').matchAll(/^(\w+)(?:\{(.*)\})? \S+$/gm)) {
      const seen = found.get(name) ?? found.set(name, new Set()).get(name);
      for (const [, label = '', value = ''] of labels.matchAll(/(\w+)="([^"]*)"/g))
        seen?.add(label === 'le' ? `le=${value}` : label);
    }
  }
  return found;
}
