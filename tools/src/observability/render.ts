import { stringify } from 'yaml';
import type { Country } from '../deploy/countries.ts';
import type { Traffic } from '../deploy/traffic.ts';
import { alertGroups } from './alerts.ts';
import { servicePage, services, shopFloor } from './dashboards.ts';
import { dashboard, type Page } from './panels.ts';
import { recordingGroups } from './recording.ts';

const heading = '# Made by `npm run deploy:render` from tools/src/observability; what is changed here is lost.\n';

/**
 * Every file below deploy/observability/rendered, by its path there: rules and the services' dashboards for a cluster, and a shop floor
 * for each country.
 */
export function renderObservability(traffic: Traffic, countries: Country[]): Map<string, string> {
  const full = countries.filter(({ track }) => track === 'full');
  const floors = full.map((country): [string, string][] => [
    [`${country.country}/shop-floor.json`, json(shopFloor(country))],
    [`${country.country}/kustomization.yaml`, kustomization({ dashboards: ['shop-floor'] })],
  ]);
  return new Map([
    ['cluster/recording.yaml', yaml(prometheusRule('kassa-recording', recordingGroups(traffic)))],
    ['cluster/alerts.yaml', yaml(prometheusRule('kassa-alerts', alertGroups()))],
    ...services.map((service): [string, string] => [`cluster/${service}.json`, json(servicePage(service))]),
    [
      'cluster/kustomization.yaml',
      kustomization({ namespace: 'monitoring', resources: ['recording.yaml', 'alerts.yaml'], dashboards: services }),
    ],
    ...floors.flat(),
  ]);
}

const labels = { 'app.kubernetes.io/name': 'kassa', 'app.kubernetes.io/part-of': 'kassa' };

const prometheusRule = (name: string, groups: object[]) => ({
  apiVersion: 'monitoring.coreos.com/v1',
  kind: 'PrometheusRule',
  metadata: { name, namespace: 'monitoring', labels },
  spec: { groups },
});

function kustomization({
  dashboards,
  ...more
}: {
  namespace?: string;
  resources?: string[];
  dashboards: readonly string[];
}): string {
  return yaml({
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    kind: 'Kustomization',
    ...more,
    // Grafana's sidecar looks for the label and reads the file; a name that changes with the content would leave the old page beside the new one.
    generatorOptions: {
      disableNameSuffixHash: true,
      labels: { ...labels, grafana_dashboard: '1' },
      annotations: { grafana_folder: 'Kassa' },
    },
    configMapGenerator: dashboards.map((name) => ({ name: `dashboard-${name}`, files: [`${name}.json`] })),
  });
}

const yaml = (object: object) => heading + stringify(object, { lineWidth: 0, aliasDuplicateObjects: false });
const json = (page: Page) => `${JSON.stringify(dashboard(page), null, 2)}\n`;
