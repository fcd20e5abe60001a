import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Failure } from '../failure.ts';
import type { ApiServer } from './apiserver.ts';
import { groupOf, isWorkload, list, nameOf, namespaceOf, parseObjects, templateOf, text, type KubeObject } from './objects.ts';
import type { Finding, Located, Scene } from './rule.ts';
import { isSource } from './rules-schema.ts';

/** What the API server says of a manifest. kubectl's --warnings-as-errors makes no difference between the last two. */
export interface Verdict {
  answer: 'accepts' | 'warns' | 'refuses';
  words: string;
}

/** A server that knows the custom kinds, and in which namespaces and priorities stand that others need. */
export interface Judge {
  /** How `kubectl apply --server-side --dry-run=server --validate=strict` would end. */
  verdict(object: KubeObject): Promise<Verdict>;
}

/** Installs the definitions of a folder and waits until the server serves them. Throws Failure where it refuses one. */
export async function installCrds(server: ApiServer, folder: string): Promise<number> {
  const crds = readdirSync(folder)
    .filter((name) => /\.ya?ml$/.test(name))
    .flatMap((name) => parseObjects(readFileSync(join(folder, name), 'utf8')))
    .filter(({ kind }) => kind === 'CustomResourceDefinition');
  const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
  await inTurn(crds, async (crd) => {
    const { status, body } = await server.call('POST', path, crd);
    if (status !== 201) throw new Failure(`The API server refuses the definition ${crd.metadata.name}.`, text(body, 'message'));
  });
  const deadline = performance.now() + 60_000;
  while (performance.now() < deadline) {
    const waiting = await isWaiting(server, path, crds);
    if (!waiting) return crds.length;
    await sleep(250);
  }
  throw new Failure('The API server does not serve every custom kind within a minute.');
}

/** Established is when a definition is accepted; a kind can be used once discovery lists it. */
async function isWaiting(server: ApiServer, path: string, crds: KubeObject[]): Promise<boolean> {
  const { body } = await server.call('GET', path);
  const isEstablished = (crd: unknown) =>
    list(crd, 'status', 'conditions').some(({ type, status }) => type === 'Established' && status === 'True');
  if (list(body, 'items').filter(isEstablished).length < crds.length) return true;
  const served = crds.flatMap((crd) =>
    list(crd, 'spec', 'versions')
      .filter((version) => version['served'] !== false)
      .map((version) => ({
        path: `/apis/${text(crd, 'spec', 'group')}/${String(version['name'])}`,
        kind: text(crd, 'spec', 'names', 'kind'),
      })),
  );
  const listed = await inTurn(served, async ({ path: at, kind }) =>
    list((await server.call('GET', at)).body, 'resources').some((resource) => resource['kind'] === kind),
  );
  return listed.includes(false);
}

/** Opens a server for judging: makes what must really be there before a dry run of the rest means anything. */
export async function openJudge(server: ApiServer, objects: KubeObject[]): Promise<Judge> {
  const resources = new Map<string, Promise<{ name: string; kind: string; namespaced: boolean }[]>>();
  const resourceOf = async (object: KubeObject) => {
    const base = groupOf(object) === '' ? `/api/${object.apiVersion}` : `/apis/${object.apiVersion}`;
    const listed =
      resources.get(base) ??
      server
        .call('GET', base)
        .then(({ body }) => list(body, 'resources') as unknown as { name: string; kind: string; namespaced: boolean }[]);
    resources.set(base, listed);
    const found = (await listed).find(({ kind, name }) => kind === object.kind && !name.includes('/'));
    if (!found) return undefined;
    const inside = found.namespaced ? `/namespaces/${namespaceOf(object) || 'default'}` : '';
    return `${base}${inside}/${found.name}/${encodeURIComponent(object.metadata.name)}`;
  };
  const apply = async (object: KubeObject, query: string): Promise<Verdict> => {
    const path = await resourceOf(object);
    if (path === undefined)
      return { answer: 'refuses', words: `no matches for kind ${object.kind} in version ${object.apiVersion}` };
    const { status, body, warnings } = await server.call('PATCH', `${path}?fieldManager=kassa&force=true&${query}`, object);
    if (status >= 300) return { answer: 'refuses', words: text(body, 'message') ?? `HTTP ${status}` };
    return warnings.length > 0 ? { answer: 'warns', words: warnings.join('; ') } : { answer: 'accepts', words: '' };
  };

  const names = [...new Set(objects.map(namespaceOf).filter((name) => name !== ''))];
  const written = objects.filter(({ kind }) => ['Namespace', 'PriorityClass'].includes(kind));
  const plain = names.map((name): KubeObject => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } }));
  for (const object of [...plain, ...written]) {
    const { answer, words } = await apply(object, '');
    if (answer === 'refuses') throw new Failure(`The API server refuses ${nameOf(object)}.`, words);
  }
  return { verdict: (object) => apply(object, 'dryRun=All&fieldValidation=Strict') };
}

/**
 * The pod that a workload's controller would make. Pod Security only warns of a Deployment and refuses its pods, so that a rollout
 * would hang where a dry run was content.
 */
export function podFrom(workload: KubeObject): KubeObject {
  const template = templateOf(workload) as { metadata?: object; spec?: object };
  const name = `${workload.metadata.name}-pod`;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { ...template.metadata, name, ...(workload.metadata.namespace && { namespace: workload.metadata.namespace }) },
    spec: template.spec,
  };
}

/** The objects as a cluster meets them: without kustomize's own files, and each workload followed by its pod. */
export const withPods = (objects: KubeObject[]): KubeObject[] =>
  objects.filter((object) => !isSource(object)).flatMap((object) => (isWorkload(object) ? [object, podFrom(object)] : [object]));

export interface ServerReport {
  findings: (Finding & { seenIn: string[] })[];
  /** Different objects that were sent, pods included. */
  objects: number;
  pods: number;
}

/** Lets the server judge every rendered object of every scene; equal ones once. */
export async function judgeScenes(judge: Judge, scenes: Scene[]): Promise<ServerReport> {
  const sent = new Map<string, { located: Located; seenIn: string[] }>();
  for (const scene of scenes) {
    for (const { file, object } of scene.judged) {
      for (const one of withPods([object])) {
        const key = JSON.stringify(one);
        const known = sent.get(key);
        if (known) known.seenIn.push(scene.title);
        else sent.set(key, { located: { file, object: one }, seenIn: [scene.title] });
      }
    }
  }
  const all = [...sent.values()];
  const judged = await inTurn(all, async ({ located, seenIn }) => ({
    located,
    seenIn,
    ...(await judge.verdict(located.object)),
  }));
  return {
    findings: judged.filter(({ answer }) => answer !== 'accepts').map(finding),
    objects: all.length,
    pods: all.filter(({ located }) => located.object.kind === 'Pod').length,
  };
}

const finding = ({ located, seenIn, answer, words }: Verdict & { located: Located; seenIn: string[] }) => ({
  file: located.file,
  object: nameOf(located.object),
  rule: 'api-server',
  what: `${answer === 'warns' ? 'makes the server warn' : 'is refused'}: ${words}`,
  why: 'A cluster would answer the same, and Flux would stop at it.',
  mend: 'Follow what the server says; if no rule of ours saw it, write the rule and its bad manifest, too.',
  seenIn,
});

/** Four at a time, in order. */
export async function inTurn<T, R>(items: T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const worker = async () => {
    for (let index = next++; index < items.length; index = next++) results[index] = await work(items[index] as T);
  };
  await Promise.all([worker(), worker(), worker(), worker()]);
  return results;
}
