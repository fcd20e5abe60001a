import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { stringify } from 'yaml';
import { Failure } from '../failure.ts';
import { annotationsOf, parseObjects, type KubeObject } from './objects.ts';
import type { Located } from './rule.ts';

export interface Kustomize {
  /** What renders, with its version, for people. */
  name: string;
  /**
   * Renders a kustomization that is given as data, its paths relative to the workspace. Each object comes with the file it was written
   * in. Throws Failure with kustomize's own words.
   */
  render(kustomization: object): Promise<Located[]>;
}

export const howToGetKustomize =
  'Rendering needs kubectl (its built-in kustomize 5 is used) or kustomize on the PATH: https://kubernetes.io/docs/tasks/tools, ' +
  'or with Go: go install sigs.k8s.io/kustomize/kustomize/v5@v5.5.0.';

/** The kustomize of this machine, or undefined where there is none, or only one before 5, which reads these files otherwise. */
export function findKustomize(workspace: string): Kustomize | undefined {
  const kubectl = version('kubectl', ['version', '--client', '-o', 'json']);
  const { kustomizeVersion: within = '' } = JSON.parse(kubectl ?? '{}') as { kustomizeVersion?: string };
  if (isRecent(within)) return kustomize(workspace, ['kubectl', 'kustomize'], `kubectl's kustomize ${within}`);
  const own = version('kustomize', ['version'])?.trim() ?? '';
  return isRecent(own) ? kustomize(workspace, ['kustomize', 'build'], `kustomize ${own}`) : undefined;
}

const isRecent = (version: string) => Number(/^v(\d+)\./.exec(version)?.[1] ?? 0) >= 5;

function version(command: string, args: string[]): string | undefined {
  try {
    return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch {
    return undefined;
  }
}

function kustomize(workspace: string, [command = '', ...args]: string[], name: string): Kustomize {
  return {
    name,
    async render(kustomization) {
      const folder = mkdtempSync(join(tmpdir(), 'kassa-deploy-'));
      try {
        const fromHere = (path: string) => relative(folder, resolve(workspace, path));
        const { resources = [], components = [], ...rest } = kustomization as { resources?: string[]; components?: string[] };
        const wrapper = {
          apiVersion: 'kustomize.config.k8s.io/v1beta1',
          kind: 'Kustomization',
          resources: resources.map(fromHere),
          components: components.map(fromHere),
          buildMetadata: ['originAnnotations'],
          ...rest,
        };
        mkdirSync(folder, { recursive: true });
        writeFileSync(join(folder, 'kustomization.yaml'), stringify(wrapper));
        const output = await run(command, [...args, folder]);
        return parseObjects(output).map((object) => located(workspace, folder, object));
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  };
}

function run(command: string, args: string[]): Promise<string> {
  // It is done before its garbage is worth collecting: half the time, and 170 MB instead of 80.
  const env = { ...process.env, GOGC: 'off' };
  return new Promise((done, fail) => {
    execFile(command, args, { maxBuffer: 64 * 2 ** 20, env }, (error, stdout, stderr) => {
      if (error) fail(new Failure('Kustomize refuses this.', stderr.replace(/^.*?err=/s, '').trim()));
      else done(stdout);
    });
  });
}

const origin = 'config.kubernetes.io/origin';

/** Takes kustomize's note of the origin off the object and reads the file's name from it. */
function located(workspace: string, folder: string, object: KubeObject): Located {
  const { [origin]: note = '', ...annotations } = annotationsOf(object);
  const path = /^(?:path|configuredIn): (.+)$/m.exec(note)?.[1];
  const metadata: KubeObject['metadata'] = { ...object.metadata, annotations };
  if (Object.keys(annotations).length === 0) delete metadata.annotations;
  return { file: path ? relative(workspace, resolve(folder, path)) : 'generated', object: { ...object, metadata } };
}
