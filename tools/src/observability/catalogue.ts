import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { list, parseObjects, text } from '../deploy/objects.ts';
import { Failure } from '../failure.ts';

export const catalogueFolder = 'deploy/observability/metrics';
const podMonitors = 'deploy/components/telemetry/podmonitors.yaml';

const metric = z.strictObject({
  type: z.enum(['counter', 'gauge', 'histogram']),
  labels: z.array(z.string()).default([]),
  /** Upper bounds of a histogram's buckets, as they are written in `le`. */
  buckets: z.array(z.string()).optional(),
});
const ownMetric = metric.extend({ services: z.array(z.string()).min(1), linuxOnly: z.boolean().default(false) });

export type Metric = z.infer<typeof metric>;

/** One series that a query may name: the labels it has in Prometheus. */
export interface Series {
  labels: ReadonlySet<string>;
  /** What `le` can be; absent where there is no `le`. */
  buckets?: ReadonlySet<string>;
}

const read = <T>(workspace: string, file: string, shape: z.ZodType<T>): Record<string, T> => {
  const path = `${catalogueFolder}/${file}`;
  const parsed = z.record(z.string(), shape).safeParse(parse(readFileSync(join(workspace, path), 'utf8')));
  if (parsed.success) return parsed.data;
  throw new Failure(
    `${path} cannot be used.`,
    parsed.error.issues.map(({ path: at, message }) => `${at.join('.')}: ${message}`).join('\n'),
  );
};

/** What our services show, held against a live scrape by apps/journeys/test/metrics.test.ts. */
export const ownMetrics = (workspace: string) => read(workspace, 'services.yaml', ownMetric);
/** What Linkerd's proxies show. */
export const meshMetrics = (workspace: string) => read(workspace, 'mesh.yaml', metric);
/** What kube-state-metrics shows. */
export const clusterMetrics = (workspace: string) => read(workspace, 'cluster.yaml', metric);

/** Every series there is in Prometheus, with what scraping adds to it. */
export function catalogue(workspace: string): Map<string, Series> {
  const everySeries = (metrics: Record<string, Metric>, added: string[]) =>
    Object.entries(metrics).flatMap(([name, { type, labels, buckets }]): [string, Series][] => {
      const all = new Set([...labels, ...added]);
      if (type !== 'histogram') return [[name, { labels: all }]];
      const bucket = { labels: new Set([...all, 'le']), ...(buckets ? { buckets: new Set(buckets) } : {}) };
      return [
        [`${name}_count`, { labels: all }],
        [`${name}_sum`, { labels: all }],
        [`${name}_bucket`, bucket],
      ];
    });
  return new Map([
    ...everySeries(ownMetrics(workspace), [...target, 'service_name', ...relabelled(workspace, 'kassa')]),
    ...everySeries(meshMetrics(workspace), [...target, ...relabelled(workspace, 'kassa-proxies')]),
    ...everySeries(clusterMetrics(workspace), []),
  ]);
}

/** What the Prometheus operator gives every target of a PodMonitor. */
const target = ['namespace', 'pod', 'container', 'endpoint', 'job', 'instance'];

function relabelled(workspace: string, monitor: string): string[] {
  const found = parseObjects(readFileSync(join(workspace, podMonitors), 'utf8')).find(
    ({ metadata }) => metadata.name === monitor,
  );
  if (!found) throw new Failure(`${podMonitors} has no PodMonitor ${monitor}.`);
  return list(found, 'spec', 'podMetricsEndpoints')
    .flatMap((endpoint) => list(endpoint, 'relabelings'))
    .flatMap((step) => text(step, 'targetLabel') ?? []);
}
