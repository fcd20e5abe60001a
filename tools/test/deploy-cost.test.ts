import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { provision, provisioned, saving, sharesOf, webApps, withProxyCpu, type Share } from '../src/deploy/cost.ts';
import { findKustomize, type Kustomize } from '../src/deploy/kustomize.ts';
import { parseObjects } from '../src/deploy/objects.ts';
import { cases, otherwise, readOverlays, type Case } from '../src/deploy-cost.ts';

const deployment = (name: string, cpu: string) => `
apiVersion: apps/v1
kind: Deployment
metadata: { name: ${name} }
spec:
  template:
    metadata:
      annotations: { config.linkerd.io/proxy-cpu-request: 25m, config.linkerd.io/proxy-memory-request: 40Mi }
    spec:
      containers:
        - { name: app, resources: { requests: { cpu: ${cpu}, memory: 256Mi } } }
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: { name: ${name} }
spec: { scaleTargetRef: { kind: Deployment, name: ${name} }, minReplicas: 3, maxReplicas: 6 }
---`;

const rendered = parseObjects(`${deployment('sales', '150m')}${deployment('payments', '75m')}
apiVersion: postgresql.cnpg.io/v1
kind: Cluster
metadata: { name: kassa-db }
spec: { instances: 2, resources: { requests: { cpu: 500m, memory: 1Gi } } }
---
apiVersion: batch/v1
kind: Job
metadata: { name: sales-migrate }
spec: { template: { spec: { containers: [{ name: app, resources: { requests: { cpu: '1', memory: 1Gi } } }] } } }
`);

/** To the millicore and mebibyte; sums of fractions differ in the last bit. */
const rounded = ({ what, name, pods, app, proxy }: Share) =>
  [what, name, pods, ...[app, proxy].flatMap(({ cpu, memory }) => [Math.round(cpu * 1000), Math.round(memory / 2 ** 20)])].join(
    ' ',
  );

test('Shares follow from requests, annotations and the fewest replicas; a migration ends and is not counted', () => {
  expect(sharesOf(rendered).map(rounded)).toEqual([
    'service sales 3 450 768 75 120',
    'service payments 3 225 768 75 120',
    'database kassa-db 2 1000 2048 0 0',
  ]);
});

test('A cluster holds what is requested, its mesh and its observability, in whole nodes filled to three quarters', () => {
  const { pods, requested, mesh, nodes } = provision(sharesOf(rendered));
  // 0.675 of applications, 0.15 of proxies, 1.0 of databases, 2.1 of control plane, 1.1 + 6 × 0.0056 of observability: 5.0586.
  // Of a node's four cores three are filled, and 0.2 of those are the node's own: 5.0586 ÷ 2.8 is more than one and less than two.
  expect({ pods, cpu: requested.cpu.toFixed(4), mesh: mesh.cpu.toFixed(2), nodes }).toEqual({
    pods: 8,
    cpu: '5.0586',
    mesh: '2.25',
    nodes: 2,
  });
});

test('Two services as web apps have two instances each, and two of a database; eight cores on both sides save nothing', () => {
  const ours = provisioned(provision(sharesOf(rendered)));
  const [plain, whole] = [webApps(2, { withDatabases: false }), webApps(2, { withDatabases: true })];
  expect([ours.cpu, plain.cpu, whole.cpu, saving(ours, whole)]).toEqual([8, 4, 8, 0]);
});

test('Memory can ask for more nodes than processors do', () => {
  const hungry = sharesOf(rendered).map((share) => ({ ...share, app: { ...share.app, memory: 20 * 2 ** 30 } }));
  expect([provision(sharesOf(rendered)).nodes, provision(hungry).nodes]).toEqual([2, 6]);
});

test('Another request for proxies changes theirs and no database', () => {
  const changed = withProxyCpu(sharesOf(rendered), 0.1).map(({ proxy }) => proxy.cpu);
  expect(changed.map((cpu) => cpu.toFixed(1))).toEqual(['0.3', '0.3', '0.0']);
});

test('A container that requests nothing is no free container', () => {
  const [sales = { apiVersion: '', kind: '', metadata: { name: '' } }] = rendered;
  const spec = { template: { spec: { containers: [{ name: 'app' }] } } };
  expect(() => sharesOf([{ ...sales, spec }])).toThrow('Deployment/sales requests no processor or no memory');
});

/** 72 pods of 75m with proxies of 25m in one cluster: four nodes, against 28 web apps of two cores. */
const reachable = 1 - 16 / 56;

test('Four services in seven countries, ten pods each and a few more, can save 71 % of the cores', () => {
  const pods = 72;
  const share: Share = {
    what: 'service',
    name: 'all',
    pods,
    app: { cpu: pods * 0.075, memory: pods * 256 * 2 ** 20 },
    proxy: { cpu: pods * 0.025, memory: pods * 40 * 2 ** 20 },
  };
  expect(saving(provisioned(provision([share])), webApps(28, { withDatabases: false }))).toBe(reachable);
});

const workspace = fileURLToPath(new URL('../..', import.meta.url));
const kustomize = findKustomize(workspace);

test.skipIf(!kustomize)(
  'The rendered countries save at least that (needs kubectl or kustomize)',
  { timeout: 600_000 },
  async () => {
    const overlays = await readOverlays(workspace, kustomize as Kustomize);
    const saved = [...cases(overlays), ...otherwise(overlays)].map(({ title, ours, theirs }) => ({
      title,
      saved: saving(provisioned(ours), theirs),
    }));
    for (const one of saved) console.log(`${one.title}: ${Math.round(one.saved * 100)} % of the cores saved`);
    const of = (wanted: string) => saved.find(({ title }) => title.startsWith(wanted))?.saved ?? NaN;
    expect(of('services of the full tracks')).toBeGreaterThanOrEqual(reachable);
    expect(of('proxies at 100m')).toBeLessThan(of('as rendered'));
    expect(cases(overlays).map(row)).toEqual(rowsOfReadme());
  },
);

const row = ({ ours, theirs }: Case) => {
  const { cpu } = provisioned(ours);
  return [ours.pods, cpu, theirs.cpu, `${Math.round(saving({ cpu, memory: 0 }, theirs) * 100)} %`].join(' | ');
};

/** The figures of deploy/README.md, What it costs. */
function rowsOfReadme(): string[] {
  const section =
    readFileSync(join(workspace, 'deploy/README.md'), 'utf8').split('\n## What it costs\n')[1]?.split('\n## ')[0] ?? '';
  const rows = [...section.matchAll(/^\| [^|]+ \|\s+(\d+)\s+\|\s+(\d+)\s+\|\s+(\d+)\s+\|\s+(\d+ %)\s+\|$/gm)];
  return rows.map(([, ...cells]) => cells.join(' | '));
}
