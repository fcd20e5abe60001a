import type { Country } from './countries.ts';
import type { Wave } from './waves.ts';

const meta = (name: string, service: string) => ({
  name,
  labels: { 'app.kubernetes.io/name': service, 'app.kubernetes.io/part-of': 'kassa' },
});

/**
 * Where a country's calls go: those of the pilot's shops, told by `x-kassa-shop`, to the pilot's namespace, all others here. The services
 * refuse a header that is not the token's shop, so nobody gains anything by lying.
 */
export function edgeRoutes(services: string[], country: Country, pilot: { namespace: string; wave: Wave }): object[] {
  return services.map((service) => {
    const here = { name: service, port: 8080 };
    const there = { name: service, namespace: pilot.namespace, port: 8080 };
    const share = pilot.wave.percent ?? 100;
    const backendRefs =
      share === 100
        ? [there]
        : [
            { ...there, weight: share },
            { ...here, weight: 100 - share },
          ];
    const shops = pilot.wave.shops === 'all' ? [] : pilot.wave.shops;
    const matches = shops.map((shop) => ({ headers: [{ type: 'Exact', name: 'x-kassa-shop', value: shop }] }));
    return {
      apiVersion: 'gateway.networking.k8s.io/v1',
      kind: 'HTTPRoute',
      metadata: meta(`${service}-edge`, service),
      spec: {
        parentRefs: [{ name: 'edge', sectionName: service }],
        hostnames: [country.hosts[service]],
        rules: [{ matches, backendRefs }, { backendRefs: [here] }],
      },
    };
  });
}

/** The pilot's leave to be called from the country's own namespace. */
export function edgeGrant(services: string[], from: string): object {
  return {
    apiVersion: 'gateway.networking.k8s.io/v1beta1',
    kind: 'ReferenceGrant',
    metadata: meta('edge', 'edge'),
    spec: {
      from: [{ group: 'gateway.networking.k8s.io', kind: 'HTTPRoute', namespace: from }],
      to: services.map((name) => ({ group: '', kind: 'Service', name })),
    },
  };
}
