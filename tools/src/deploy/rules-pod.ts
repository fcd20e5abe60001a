import { annotationsOf, at, containersOf, isWorkload, list, podOf, record, templateOf, text } from './objects.ts';
import type { Data, KubeObject } from './objects.ts';
import { quantity } from './quantity.ts';
import { each, type Rule } from './rule.ts';

// What every pod of ours must be, so that it passes Pod Security restricted with the proxy in it, and can be taken down and moved.

const ofPod = (fault: (pod: Data, object: KubeObject) => (string | false | undefined)[] | string | false | undefined) =>
  each((object) => (isWorkload(object) ? fault(podOf(object), object) : undefined));
const ofContainer = (
  fault: (container: Data, object: KubeObject) => string | false | undefined | (string | false | undefined)[],
) =>
  each((object) =>
    containersOf(object).flatMap((container) => {
      const answer = fault(container, object);
      return (Array.isArray(answer) ? answer : [answer]).map((what) => what && `container ${container['name']} ${what}`);
    }),
  );

/** Containers that serve; those that run before them neither live long nor answer. */
const ofServing = (fault: (container: Data, object: KubeObject) => string | false | undefined | (string | false | undefined)[]) =>
  ofContainer((container, object) =>
    list(podOf(object), 'containers').includes(container) ? fault(container, object) : undefined,
  );

const lowestUser = 10_000;
const seconds = (value: string | undefined) => Number(/^(\d+)s$/.exec(value ?? '')?.[1] ?? NaN);
const isService = (object: KubeObject) =>
  object.kind === 'Deployment' && text(templateOf(object), 'metadata', 'labels', 'app.kubernetes.io/component') === 'service';

/** Alive is who turns; ready is who can serve. */
const meaning = { startupProbe: '/livez', readinessProbe: '/readyz', livenessProbe: '/livez' };

/** What pushes whom out when nodes are short. */
const priorityOf = (object: KubeObject) =>
  object.kind === 'Job' ? 'batch' : ['sales', 'payments'].includes(object.metadata.name) ? 'critical' : '(critical|standard)';

export const podRules: Rule[] = [
  {
    id: 'run-as-non-root',
    why: 'Pod Security restricted refuses the pod; and a process that is root in its container is root on the node after one hole.',
    mend: 'Set runAsNonRoot: true and a runAsUser of 10000 or more for the pod.',
    find: ofPod((pod, object) => {
      const own = containersOf(object).map((container) => record(container, 'securityContext'));
      const overridden = own.some(({ runAsNonRoot }) => runAsNonRoot === false);
      const users = [at(pod, 'securityContext', 'runAsUser') ?? 0, ...own.flatMap(({ runAsUser }) => runAsUser ?? [])].map(
        Number,
      );
      return [
        (at(pod, 'securityContext', 'runAsNonRoot') !== true || overridden) && 'may run as root',
        ...users.filter((user) => user < lowestUser).map((user) => `runs as user ${user}, which may be somebody on the node`),
      ];
    }),
  },
  {
    id: 'seccomp',
    why: 'Pod Security restricted refuses a pod without a seccomp profile.',
    mend: 'Set seccompProfile.type: RuntimeDefault for the pod.',
    find: ofPod((pod, object) => [
      text(pod, 'securityContext', 'seccompProfile', 'type') !== 'RuntimeDefault' && 'has no seccomp profile',
      ...containersOf(object)
        .map((container) => text(container, 'securityContext', 'seccompProfile', 'type') ?? 'RuntimeDefault')
        .map((profile) => profile !== 'RuntimeDefault' && `has a container with the seccomp profile ${profile}`),
    ]),
  },
  {
    id: 'capabilities',
    why: "Pod Security restricted wants none; the injector copies the first container's to the proxy, so that the proxy fails with it.",
    mend: 'Drop ALL and add nothing.',
    find: ofContainer((container) => {
      const drop = (at(container, 'securityContext', 'capabilities', 'drop') ?? []) as string[];
      return [
        !drop.includes('ALL') && 'does not drop all capabilities',
        list(container, 'securityContext', 'capabilities', 'add').length > 0 && 'adds capabilities',
      ];
    }),
  },
  {
    id: 'privilege-escalation',
    why: 'Pod Security restricted refuses it; a process could become more than it was started as.',
    mend: 'Set allowPrivilegeEscalation: false, and never privileged.',
    find: ofContainer((container) => [
      at(container, 'securityContext', 'allowPrivilegeEscalation') !== false && 'may gain privileges',
      at(container, 'securityContext', 'privileged') === true && 'is privileged',
    ]),
  },
  {
    id: 'read-only-root',
    why: 'Whoever gets in could write a program and start it.',
    mend: 'Set readOnlyRootFilesystem: true and mount an emptyDir on /tmp.',
    find: ofContainer((container) => [
      at(container, 'securityContext', 'readOnlyRootFilesystem') !== true && 'may write its own file system',
      !list(container, 'volumeMounts').some((mount) => mount['mountPath'] === '/tmp') && 'has no /tmp to write to',
    ]),
  },
  {
    id: 'sized-scratch',
    why: 'An emptyDir without a size fills the node, and kubelet evicts whoever stands there.',
    mend: 'Give the emptyDir a sizeLimit.',
    find: ofPod((pod) =>
      list(pod, 'volumes')
        .filter((volume) => volume['emptyDir'] !== undefined && at(volume, 'emptyDir', 'sizeLimit') === undefined)
        .map((volume) => `volume ${volume['name']} has no size`),
    ),
  },
  {
    id: 'host-access',
    why: 'It opens the node to the pod; Pod Security refuses it.',
    mend: 'Do without the host: no hostNetwork, hostPID, hostIPC, hostPath or hostPort.',
    find: ofPod((pod, object) => [
      ...['hostNetwork', 'hostPID', 'hostIPC'].map((field) => pod[field] === true && `has ${field}`),
      ...list(pod, 'volumes').map(
        (volume) => volume['hostPath'] !== undefined && `mounts ${text(volume, 'hostPath', 'path')} of the node`,
      ),
      ...containersOf(object).flatMap((container) =>
        list(container, 'ports').map((port) => port['hostPort'] !== undefined && `takes port ${port['hostPort']} of the node`),
      ),
    ]),
  },
  {
    id: 'service-account-token',
    why: 'A token for the Kubernetes API lies in every pod and nobody needs it; the mesh brings its own.',
    mend: 'Set automountServiceAccountToken: false.',
    find: each((object) => {
      const value = isWorkload(object) ? podOf(object)['automountServiceAccountToken'] : object['automountServiceAccountToken'];
      return (
        (isWorkload(object) || object.kind === 'ServiceAccount') && value !== false && 'mounts a token for the Kubernetes API'
      );
    }),
  },
  {
    id: 'own-service-account',
    why: 'The ServiceAccount is the identity that every policy names; two pods with one account are one and the same to the mesh.',
    mend: 'Give the workload a ServiceAccount of its own name.',
    find: ofPod(
      (pod, object) =>
        pod['serviceAccountName'] !== object.metadata.name && `runs as ServiceAccount/${pod['serviceAccountName'] ?? 'default'}`,
    ),
  },
  {
    id: 'service-links',
    why: 'Kubernetes puts the address of every Service into the environment, where a name may collide with a setting such as PAYMENTS_PORT.',
    mend: 'Set enableServiceLinks: false.',
    find: ofPod((pod) => pod['enableServiceLinks'] !== false && 'gets service links'),
  },
  {
    id: 'resources',
    why: 'Without requests the scheduler guesses; a memory limit above the request is killed first; a CPU limit throttles a till in the middle of a sale.',
    mend: 'Request CPU, memory and ephemeral storage, limit memory to its request and ephemeral storage, and leave the CPU without a limit.',
    find: ofContainer((container) => {
      const requests = record(container, 'resources', 'requests');
      const limits = record(container, 'resources', 'limits');
      const missing = ['cpu', 'memory', 'ephemeral-storage'].filter((name) => requests[name] === undefined);
      return [
        missing.length > 0 && `requests no ${missing.join(', ')}`,
        requests['memory'] !== undefined &&
          quantity(limits['memory']) !== quantity(requests['memory']) &&
          'has a memory limit other than its request',
        limits['ephemeral-storage'] === undefined && 'has no limit of ephemeral storage',
        limits['cpu'] !== undefined && 'limits its CPU',
      ];
    }),
  },
  {
    id: 'heap-fits',
    why: "Node's heap grows until the kernel kills the pod, where a collection would have been enough.",
    mend: 'Set NODE_OPTIONS=--max-old-space-size to 75 % of the memory limit, in MiB.',
    find: ofServing((container, object) => {
      if (!isService(object)) return undefined;
      const options = list(container, 'env').find((one) => one['name'] === 'NODE_OPTIONS');
      const heap = Number(/--max-old-space-size=(\d+)/.exec(text(options, 'value') ?? '')?.[1] ?? NaN);
      const wanted = Math.floor((quantity(at(container, 'resources', 'limits', 'memory')) / 2 ** 20) * 0.75);
      return heap !== wanted && `has a heap of ${Number.isNaN(heap) ? 'any size' : `${heap} MiB`} instead of ${wanted} MiB`;
    }),
  },
  {
    id: 'probes',
    why: 'A liveness probe that asks for the database restarts all pods when the database is away; a missing one leaves a hung process in service.',
    mend: 'startupProbe and livenessProbe ask /livez, readinessProbe asks /readyz, all on port health.',
    find: ofServing((container, object) => {
      if (!isService(object) && object.kind !== 'Deployment') return undefined;
      const path = (probe: string) => text(container, probe, 'httpGet', 'path');
      const missing = ['startupProbe', 'readinessProbe', 'livenessProbe'].filter((probe) => container[probe] === undefined);
      if (missing.length > 0) return `has no ${missing.join(', ')}`;
      if (!isService(object)) return undefined;
      // A probe of gRPC never gets through, which probe-http says.
      return Object.entries(meaning).map(
        ([probe, wanted]) =>
          at(container, probe, 'grpc') === undefined &&
          path(probe) !== wanted &&
          `asks ${path(probe) ?? 'something else'} in its ${probe}, not ${wanted}`,
      );
    }),
  },
  {
    id: 'drain',
    why: 'Endpoints forget a pod a moment after it was told to stop; without a pause the calls of that moment fail.',
    mend: 'preStop sleep of 5 s; terminationGracePeriodSeconds 45; config.linkerd.io/shutdown-grace-period longer than that.',
    find: ofPod((pod, object) => {
      if (object.kind !== 'Deployment') return undefined;
      const sleep = list(pod, 'containers').map((container) =>
        Number(at(container, 'lifecycle', 'preStop', 'sleep', 'seconds') ?? 0),
      );
      const grace = Number(pod['terminationGracePeriodSeconds'] ?? 30);
      const proxy = seconds(annotationsOf(templateOf(object))['config.linkerd.io/shutdown-grace-period']);
      return [
        sleep.some((pause) => pause < 5) && 'stops without a pause of 5 s',
        grace < 45 && `has ${grace} s to finish`,
        !(proxy > grace) && "lets the proxy go before the application's time is over",
      ];
    }),
  },
  {
    id: 'priority',
    why: 'When nodes are short, a report could push out a till.',
    mend: 'Give the pod a priorityClassName: kassa-critical for sales and payments, kassa-standard for the others, kassa-batch for Jobs.',
    find: ofPod((pod, object) => {
      const given = String(pod['priorityClassName'] ?? 'none');
      return !new RegExp(`^kassa-${priorityOf(object)}$`).test(given) && `has the priority class ${given}`;
    }),
  },
  {
    id: 'init-migration',
    why: 'An initContainer runs once for each replica and at every restart, so several would migrate at once, and a bad one stops all pods.',
    mend: 'Migrate in the Job of base/<service>/migrate.',
    find: ofPod((pod) =>
      list(pod, 'initContainers').map(
        (container) => container['restartPolicy'] !== 'Always' && `has the initContainer ${container['name']}`,
      ),
    ),
  },
  {
    id: 'migration-job',
    why: 'A migration that is tried for ever or stays for ever hides that it failed; services wait for it.',
    mend: 'backoffLimit 0 or 1, activeDeadlineSeconds, ttlSecondsAfterFinished, restartPolicy Never, named <service>-migrate.',
    find: each((object) => {
      if (object.kind !== 'Job') return undefined;
      return [
        Number(at(object, 'spec', 'backoffLimit') ?? 6) > 1 && 'is tried more than twice',
        at(object, 'spec', 'activeDeadlineSeconds') === undefined && 'may run for ever',
        at(object, 'spec', 'ttlSecondsAfterFinished') === undefined && 'is never cleaned away',
        podOf(object)['restartPolicy'] !== 'Never' && 'restarts in place',
        !object.metadata.name.endsWith('-migrate') && 'is not named after its service',
      ];
    }),
  },
  {
    id: 'secret-in-env',
    why: 'An environment shows in crash dumps, in child processes and to everybody who may read pods, and it never changes until a restart.',
    mend: 'Mount the secret as a file and name it with NAME_FILE.',
    find: ofContainer((container) => [
      ...list(container, 'env').map(
        (one) => at(one, 'valueFrom', 'secretKeyRef') !== undefined && `reads ${one['name']} from a secret`,
      ),
      ...list(container, 'envFrom').map((one) => one['secretRef'] !== undefined && 'reads its environment from a secret'),
      ...list(container, 'env').map(
        (one) =>
          /(SECRET|PASSWORD|API_KEY|DATABASE_URL)$/.test(String(one['name'])) &&
          one['value'] !== undefined &&
          `has ${one['name']} in its manifest`,
      ),
    ]),
  },
  {
    id: 'secret-rotates',
    why: 'A changed secret reaches a pod as a swapped file within minutes, so that nothing restarts; a file mounted by subPath is never swapped, and a secret that is never asked for again never changes.',
    mend: 'Mount the whole volume, and give the ExternalSecret a refreshInterval of minutes.',
    find: each((object) => [
      ...containersOf(object)
        .flatMap((container) => list(container, 'volumeMounts'))
        .map((mount) => mount['subPath'] !== undefined && `mounts ${mount['subPath']} of ${mount['name']} by itself`),
      object.kind === 'ExternalSecret' &&
        /^0[a-z]*$/.test(text(object, 'spec', 'refreshInterval') ?? '') &&
        'is never asked for again',
    ]),
  },
  {
    id: 'setting-known',
    why: 'A setting that the service does not read changes nothing, and whoever set it believes it did.',
    mend: 'Correct the name; src/config.ts of the service lists all settings.',
    find: (scene) =>
      each((object) => {
        const known = scene.settings.get(object.metadata.name);
        if (!known || object.kind !== 'Deployment') return undefined;
        return containersOf(object).flatMap((container) =>
          list(container, 'env')
            .map((one) => String(one['name']))
            .filter((name) => !known.has(name) && !known.has(name.replace(/_FILE$/, '')))
            .map((name) => `sets ${name}, which ${object.metadata.name} does not read`),
        );
      })(scene),
  },
];
