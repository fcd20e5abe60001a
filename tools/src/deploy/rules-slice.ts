import { at, containersOf, isWorkload, keyOf, labelsOf, list, namespaceOf, podOf, record, templateOf, text } from './objects.ts';
import type { KubeObject } from './objects.ts';
import { quantity } from './quantity.ts';
import { each, everything, type Rule, type Scene } from './rule.ts';
import { podsOf, selects } from './selectors.ts';
import { isSource } from './rules-schema.ts';

// What holds for a namespace as a whole: how it scales, rolls, survives the loss of a node, who may touch it, and what it runs.

const component = (object: KubeObject) => text(templateOf(object), 'metadata', 'labels', 'app.kubernetes.io/component');
const isService = (object: KubeObject) => object.kind === 'Deployment' && component(object) === 'service';
const digest = /@sha256:[0-9a-f]{64}$/;
export const unreleased = /^unreleased\.invalid\/[a-z-]+$/;

const scaling: Rule[] = [
  {
    id: 'hpa-container',
    why: "A plain Resource metric counts the proxy's processor time too, and scales on the mesh's work instead of ours.",
    mend: 'Use a ContainerResource metric of container app.',
    find: each((object) =>
      object.kind === 'HorizontalPodAutoscaler'
        ? [
            list(object, 'spec', 'metrics').length === 0 && 'names no metric, so it scales on a Resource metric',
            ...list(object, 'spec', 'metrics').map(
              (metric) => metric['type'] !== 'ContainerResource' && `scales on a ${metric['type']} metric`,
            ),
          ]
        : undefined,
    ),
  },
  {
    id: 'hpa-scale-down',
    why: 'Pods that go at the first quiet minute are missing at the next customer.',
    mend: 'Give behavior.scaleDown a stabilizationWindowSeconds of 300 or more.',
    find: each((object) => {
      const window = Number(at(object, 'spec', 'behavior', 'scaleDown', 'stabilizationWindowSeconds') ?? 0);
      return object.kind === 'HorizontalPodAutoscaler' && window < 300 && 'scales down without waiting';
    }),
  },
  {
    id: 'replicas-with-hpa',
    why: "Every rollout would set the number back, whatever the autoscaler had chosen under the day's load.",
    mend: 'Leave replicas out.',
    find: (scene) => {
      const scaled = new Set(
        everything(scene)
          .filter(({ kind }) => kind === 'HorizontalPodAutoscaler')
          .map((hpa) => text(hpa, 'spec', 'scaleTargetRef', 'name')),
      );
      return each(
        (object) =>
          object.kind === 'Deployment' &&
          scaled.has(object.metadata.name) &&
          at(object, 'spec', 'replicas') !== undefined &&
          'sets replicas beside its autoscaler',
      )(scene);
    },
  },
  {
    id: 'replicas-min',
    why: 'One pod is none while its node is drained. Payments keep three, so that two remain through a rollout and a lost zone.',
    mend: 'minReplicas of 2 or more, 3 for payments, and not above maxReplicas.',
    find: each((object, { place }) => {
      if (object.kind !== 'HorizontalPodAutoscaler') return undefined;
      const [min, max] = [Number(at(object, 'spec', 'minReplicas') ?? 1), Number(at(object, 'spec', 'maxReplicas'))];
      const wanted = place === 'local' ? 1 : object.metadata.name === 'payments' ? 3 : 2;
      return [min < wanted && `keeps ${min} of ${wanted} pods`, min > max && `keeps ${min} pods and allows ${max}`];
    }),
  },
  {
    id: 'hpa-missing',
    isOfWhole: true,
    why: 'A service without an autoscaler has one pod, and the same number at Christmas.',
    mend: 'Keep hpa.yaml in the base.',
    find: (scene) => {
      const scaled = new Set(
        everything(scene)
          .filter(({ kind }) => kind === 'HorizontalPodAutoscaler')
          .map((hpa) => text(hpa, 'spec', 'scaleTargetRef', 'name')),
      );
      return each((object) => isService(object) && !scaled.has(object.metadata.name) && 'has no autoscaler')(scene);
    },
  },
  {
    id: 'disruption-budget',
    why: 'A budget with minAvailable blocks the drain of nodes when pods are few; one that counts broken pods, or a second one for the same pods, blocks it for ever.',
    mend: 'maxUnavailable: 1 and unhealthyPodEvictionPolicy: AlwaysAllow, one budget for each service.',
    find: each((object, scene) => {
      if (object.kind !== 'PodDisruptionBudget') return undefined;
      // Without a selector it guards nobody, which selector-selects says.
      const guarded = (budget: KubeObject) => {
        const selector = record(budget, 'spec', 'selector');
        const own = podsOf(everything(scene)).filter((pod) => pod.namespace === namespaceOf(budget));
        return Object.keys(selector).length === 0 ? [] : own.filter((pod) => selects(selector, pod.labels));
      };
      const names = new Set(guarded(object).map(({ workload }) => workload.metadata.name));
      const others = everything(scene).filter(
        (other) =>
          other.kind === object.kind &&
          keyOf(other) !== keyOf(object) &&
          namespaceOf(other) === namespaceOf(object) &&
          guarded(other).some(({ workload }) => names.has(workload.metadata.name)),
      );
      return [
        ...others.map((other) => `guards pods that PodDisruptionBudget/${other.metadata.name} guards as well`),
        (at(object, 'spec', 'maxUnavailable') !== 1 || at(object, 'spec', 'minAvailable') !== undefined) &&
          'does not say maxUnavailable: 1',
        at(object, 'spec', 'unhealthyPodEvictionPolicy') !== 'AlwaysAllow' && 'keeps broken pods from being moved',
      ];
    }),
  },
  {
    id: 'budget-missing',
    isOfWhole: true,
    why: 'Draining two nodes at once could take all pods of a service.',
    mend: 'Keep pdb.yaml in the base.',
    find: (scene) => {
      const budgets = everything(scene).filter(({ kind }) => kind === 'PodDisruptionBudget');
      return each((object) => {
        const labels = record(templateOf(object), 'metadata', 'labels');
        const isGuarded = budgets.some(
          (budget) => namespaceOf(budget) === namespaceOf(object) && selects(record(budget, 'spec', 'selector'), labels),
        );
        return isService(object) && !isGuarded && 'has no PodDisruptionBudget';
      })(scene);
    },
  },
  {
    id: 'spread',
    isOfWhole: true,
    why: 'All pods of a service could stand in one zone and fall with it.',
    mend: 'Use components/spread: zones must, hosts should, each with matchLabelKeys pod-template-hash.',
    find: each((object, { place }) => {
      if (!isService(object) || place !== 'country') return undefined;
      const spreads = list(podOf(object), 'topologySpreadConstraints');
      const zone = spreads.find((one) => one['topologyKey'] === 'topology.kubernetes.io/zone');
      const host = spreads.find((one) => one['topologyKey'] === 'kubernetes.io/hostname');
      const countsOld = spreads.some((one) => !((one['matchLabelKeys'] ?? []) as string[]).includes('pod-template-hash'));
      const labels = record(templateOf(object), 'metadata', 'labels');
      return [
        zone?.['whenUnsatisfiable'] !== 'DoNotSchedule' && 'is not spread over zones',
        host === undefined && 'is not spread over nodes',
        countsOld && 'counts the old pods of a rollout',
        spreads.some((one) => !selects(record(one, 'labelSelector'), labels)) && 'spreads pods that are not its own',
      ];
    }),
  },
  {
    id: 'rolling-update',
    why: 'With maxUnavailable above 0 a rollout takes capacity away at the busiest hour; without the others a broken version rolls on unnoticed.',
    mend: 'maxUnavailable 0, maxSurge 1, minReadySeconds 5, progressDeadlineSeconds.',
    find: each((object) => {
      if (!isService(object)) return undefined;
      return [
        at(object, 'spec', 'strategy', 'rollingUpdate', 'maxUnavailable') !== 0 && 'may lose pods during a rollout',
        at(object, 'spec', 'strategy', 'rollingUpdate', 'maxSurge') !== 1 && 'starts more than one new pod at a time',
        Number(at(object, 'spec', 'minReadySeconds') ?? 0) < 5 && 'counts a pod as ready at once',
        at(object, 'spec', 'progressDeadlineSeconds') === undefined && 'may roll for ever',
      ];
    }),
  },
];

const supply: Rule[] = [
  {
    id: 'image-digest',
    why: 'A tag is whatever was pushed last; two pods of one version could run different code, and a rollback could not go back.',
    mend: 'Pin it by digest in releases/<wave>/kustomization.yaml, which `npm run rollout -- promote` writes.',
    find: each((object, { place, isReleased }) => {
      if (place === 'local') return undefined;
      // CloudNativePG takes a whole image as well as an entry of a catalogue.
      const database = object.kind === 'Cluster' ? text(object, 'spec', 'imageName') : undefined;
      const images = containersOf(object).map((container) => String(container['image']));
      return [...images, ...(database === undefined ? [] : [database])].map((image) => {
        const isWaiting = unreleased.test(image) && (!isReleased || place === 'part');
        return !digest.test(image) && !isWaiting && `runs ${image}`;
      });
    }),
  },
  {
    id: 'image-latest',
    why: 'It names another image tomorrow, and nobody can say which one ran today.',
    mend: 'Name a version; on a laptop the tag `local`.',
    find: each((object, { place }) =>
      place === 'local'
        ? containersOf(object).map(
            (container) => /(:latest|^[^:@]+)$/.test(String(container['image'])) && `runs ${container['image']}`,
          )
        : undefined,
    ),
  },
  {
    id: 'pull-policy',
    why: 'Always asks the registry at every start, so that no pod starts while it is away; Never starts nothing on a new node.',
    mend: 'imagePullPolicy: IfNotPresent.',
    find: each((object) =>
      containersOf(object).map(
        (container) =>
          container['imagePullPolicy'] !== 'IfNotPresent' &&
          `container ${container['name']} has imagePullPolicy ${container['imagePullPolicy'] ?? 'unset'}`,
      ),
    ),
  },
  {
    id: 'simulator',
    why: 'The acquirer simulator approves payments that no bank has seen.',
    mend: 'Keep it in deploy/local.',
    find: each(
      (object, { place }) =>
        place !== 'local' &&
        isWorkload(object) &&
        containersOf(object).some((container) => /(^|\/)acquirer([-:@]|$)/.test(String(container['image']))) &&
        'runs the acquirer simulator',
    ),
  },
  {
    id: 'production',
    why: 'NODE_ENV other than production lets development issuers and simulators in.',
    mend: 'NODE_ENV: production; deploy/local alone says development.',
    find: each((object, { place }) => {
      if (place === 'local' || !isService(object)) return undefined;
      const env = containersOf(object).flatMap((container) => list(container, 'env'));
      return env.find((one) => one['name'] === 'NODE_ENV')?.['value'] !== 'production' && 'does not run as production';
    }),
  },
  {
    id: 'secret-data',
    why: 'What is in Git is known to everybody who ever cloned it.',
    mend: 'Put the value into the secret store and name it in components/external-secrets.',
    find: each((object) => object.kind === 'Secret' && 'is in Git'),
  },
  {
    id: 'database-reload',
    why: 'CloudNativePG looks at a changed secret only where it bears this label; without it a server shows its old certificate until that has ended, and then nobody connects.',
    mend: "Label the secret cnpg.io/reload: 'true', in secretTemplate of its Certificate or target.template of its ExternalSecret.",
    find: (scene) => {
      const named = new Set(everything(scene).flatMap(databaseSecrets));
      return each((object) => {
        const isCertificate = object.kind === 'Certificate';
        if (!isCertificate && object.kind !== 'ExternalSecret') return undefined;
        const name = isCertificate ? text(object, 'spec', 'secretName') : text(object, 'spec', 'target', 'name');
        const labels = isCertificate
          ? record(object, 'spec', 'secretTemplate', 'labels')
          : record(object, 'spec', 'target', 'template', 'metadata', 'labels');
        return (
          named.has(name ?? '') && labels['cnpg.io/reload'] === undefined && 'makes a secret of a database without cnpg.io/reload'
        );
      })(scene);
    },
  },
  {
    id: 'service-exposed',
    why: 'It would open a second door to the service, past the edge, its certificates and its limits.',
    mend: 'type: ClusterIP; the world comes in through the Gateway.',
    find: each((object) => {
      if (object.kind !== 'Service') return undefined;
      const type = text(object, 'spec', 'type') ?? 'ClusterIP';
      return [
        type !== 'ClusterIP' && `is of type ${type}`,
        at(object, 'spec', 'externalIPs') !== undefined && 'has addresses of the world',
      ];
    }),
  },
  {
    id: 'edge-tls',
    why: 'Whoever listens on the way would read tokens and receipts, and a till would not know to whom it speaks.',
    mend: 'protocol: HTTPS with tls.mode Terminate and a certificate, on every listener.',
    find: each((object) =>
      object.kind === 'Gateway'
        ? list(object, 'spec', 'listeners').map((listener) => {
            const isClosed = listener['protocol'] === 'HTTPS' && (text(listener, 'tls', 'mode') ?? 'Terminate') === 'Terminate';
            return !isClosed && `has listener ${listener['name']} without TLS that ends here`;
          })
        : undefined,
    ),
  },
  {
    id: 'database-survives',
    why: 'A database with one instance falls with its node, and one without a backup is gone with a mistyped DELETE.',
    mend: 'instances of 2 or more, spec.backup, and a ScheduledBackup that is not suspended.',
    find: (scene) => {
      const saved = new Set(
        everything(scene)
          .filter((one) => one.kind === 'ScheduledBackup' && at(one, 'spec', 'suspend') !== true)
          .map((one) => text(one, 'spec', 'cluster', 'name')),
      );
      return each((object) => {
        if (object.kind !== 'Cluster') return undefined;
        return [
          Number(at(object, 'spec', 'instances') ?? 1) < 2 && 'has no second instance to fail over to',
          at(object, 'spec', 'backup') === undefined && 'says nowhere where it is backed up',
          !saved.has(object.metadata.name) && 'is backed up at no time',
        ];
      })(scene);
    },
  },
  {
    id: 'labels',
    why: 'Dashboards, policies and people find things by these two labels; a number or a word such as no without quotes is refused or becomes false.',
    mend: 'Give it app.kubernetes.io/name and app.kubernetes.io/part-of: kassa.',
    find: each((object) => {
      if (isSource(object)) return undefined;
      const labels = labelsOf(object);
      const generated = object.kind === 'ConfigMap' && /^country-/.test(object.metadata.name);
      return [
        !generated &&
          (!labels['app.kubernetes.io/name'] || labels['app.kubernetes.io/part-of'] !== 'kassa') &&
          'does not carry both labels',
        isWorkload(object) &&
          labels['app.kubernetes.io/name'] !== text(templateOf(object), 'metadata', 'labels', 'app.kubernetes.io/name') &&
          'has pods of another name',
      ];
    }),
  },
  {
    id: 'namespace',
    isOfWhole: true,
    why: 'An object of another namespace lands beside the country it belongs to, and no policy of that country holds for it.',
    mend: 'Leave metadata.namespace out; the overlay sets it.',
    find: (scene) => {
      const counts = Map.groupBy(
        scene.judged.filter(({ object }) => namespaceOf(object)),
        ({ object }) => namespaceOf(object),
      );
      const [home] = [...counts].sort(([, a], [, b]) => b.length - a.length)[0] ?? [''];
      return each(
        (object) => namespaceOf(object) !== '' && namespaceOf(object) !== home && `is in ${namespaceOf(object)}, not in ${home}`,
      )(scene);
    },
  },
  {
    id: 'rbac',
    why: 'Who may read secrets or run a shell in a pod has every key of the country; a wildcard is all of it.',
    mend: 'Name resources and verbs, without secrets, exec, attach, port-forward, escalate, impersonate and *; bind no cluster-admin.',
    find: each((object) => {
      if (/Binding$/.test(object.kind)) return text(object, 'roleRef', 'name') === 'cluster-admin' && 'binds cluster-admin';
      if (!/^(Cluster)?Role$/.test(object.kind)) return undefined;
      return list(object, 'rules').flatMap((rule) => {
        const named = [rule['resources'], rule['verbs'], rule['apiGroups']].flatMap((part) => (part ?? []) as string[]);
        return named
          .filter((name) => /^(\*|secrets|pods\/(exec|attach|portforward)|escalate|impersonate|bind)$/.test(name))
          .map((name) => `allows ${name}`);
      });
    }),
  },
  {
    id: 'quota-fits',
    isOfWhole: true,
    why: 'At its highest load the autoscaler would ask for pods that the quota refuses, on the one day it matters; without a quota one country could take the nodes of all.',
    mend: "Raise QUOTA_CPU or QUOTA_MEMORY in country.env, or lower a service's highest number of pods.",
    find: quotaFaults,
  },
];

/** The secrets that a PostgreSQL of the operator works with. */
const databaseSecrets = (object: KubeObject) =>
  object.apiVersion.startsWith('postgresql.cnpg.io/') && object.kind === 'Cluster'
    ? [
        text(object, 'spec', 'bootstrap', 'initdb', 'secret', 'name'),
        text(object, 'spec', 'certificates', 'serverTLSSecret'),
        ...list(object, 'spec', 'managed', 'roles').map((role) => text(role, 'passwordSecret', 'name')),
      ].filter((name) => name !== undefined)
    : [];

/** Requests of all services at their highest, proxies and one pod of surge each included, and of databases, against the quota beside them. */
function quotaFaults(scene: Scene) {
  const quota = everything(scene).find(({ kind }) => kind === 'ResourceQuota');
  const [first] = scene.judged.filter(({ object }) => isService(object));
  if (!first || scene.place === 'local') return [];
  const missing = ['cpu', 'memory'].filter((name) => at(quota, 'spec', 'hard', `requests.${name}`) === undefined);
  if (!quota || missing.length > 0)
    return [{ located: first, what: `stands in a namespace whose requests of ${missing.join(' and ')} have no quota` }];
  const need = { cpu: 0, memory: 0 };
  for (const { object } of scene.judged.filter((one) => isService(one.object))) {
    const hpa = everything(scene).find(
      (one) => one.kind === 'HorizontalPodAutoscaler' && one.metadata.name === object.metadata.name,
    );
    const pods = Number(at(hpa, 'spec', 'maxReplicas') ?? 1) + 1;
    const proxy = record(templateOf(object), 'metadata', 'annotations');
    const sum = (name: 'cpu' | 'memory') =>
      containersOf(object).reduce((total, container) => total + quantity(at(container, 'resources', 'requests', name)), 0);
    need.cpu += pods * (sum('cpu') + (quantity(proxy['config.linkerd.io/proxy-cpu-request']) || 0));
    need.memory += pods * (sum('memory') + (quantity(proxy['config.linkerd.io/proxy-memory-request']) || 0));
  }
  for (const cluster of everything(scene).filter((one) => one.kind === 'Cluster' && namespaceOf(one) === namespaceOf(quota))) {
    // One more than it keeps: the pod that makes the first instance, or copies another.
    const pods = Number(at(cluster, 'spec', 'instances')) + 1;
    need.cpu += pods * quantity(at(cluster, 'spec', 'resources', 'requests', 'cpu'));
    need.memory += pods * quantity(at(cluster, 'spec', 'resources', 'requests', 'memory'));
  }
  return (['cpu', 'memory'] as const)
    .filter((name) => need[name] > quantity(at(quota, 'spec', 'hard', `requests.${name}`)))
    .map((name) => ({
      located: first,
      what: `and its neighbours may ask for ${name === 'cpu' ? `${need.cpu.toFixed(1)} cores` : `${Math.ceil(need.memory / 2 ** 30)} Gi`} of ${name}, the quota is ${at(quota, 'spec', 'hard', `requests.${name}`)}`,
    }));
}

export const sliceRules: Rule[] = [...scaling, ...supply];
