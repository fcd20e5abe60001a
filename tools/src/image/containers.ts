import { execFile, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { parseAllDocuments } from 'yaml';
import { Failure } from '../failure.ts';
import type { ServiceName } from '../services.ts';
import { docker } from './docker.ts';
import type { Target } from './stage.ts';

/** A container as the deploy tree describes its pod. */
export interface Pod {
  image: string;
  env: Record<string, string>;
  /** Mebibytes it may hold. */
  memoryMiB: number;
}

/** What Pod Security restricted asks for, in Docker's words; the user is the image's own. */
const restricted = ['--read-only', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges', '--pids-limit', '256'];

interface Container {
  env: { name: string; value?: string; valueFrom?: { configMapKeyRef: { key: string } } }[];
  resources: { limits: { memory: string } };
}

/**
 * The container of a service or of its migration as deploy/base has it, the acquirer's from deploy/local. `country` answers what the
 * ConfigMap `country` would hold.
 */
export function podOf(workspace: string, app: ServiceName, target: Target, image: string, country: Record<string, string>): Pod {
  const kind = target === 'run' ? 'Deployment' : 'Job';
  const folder = join(workspace, 'deploy', app === 'acquirer' ? 'local' : `base/${app}`);
  const file = app === 'acquirer' ? 'acquirer.yaml' : target === 'run' ? 'deployment.yaml' : 'migrate/job.yaml';
  const objects = parseAllDocuments(readFileSync(join(folder, file), 'utf8')).map((document) => document.toJS() as Data);
  const container = objects.find((object) => object.kind === kind)?.spec.template.spec.containers[0];
  if (container === undefined) throw new Failure(`${join(folder, file)} has no ${kind}.`);
  const env = container.env.map(({ name, value, valueFrom }) => {
    const given = value ?? country[valueFrom?.configMapKeyRef.key ?? ''];
    if (given === undefined) throw new Failure(`${join(folder, file)} asks the country for ${name}, which is not known here.`);
    return [name, given] as const;
  });
  const memory = /^(\d+)Mi$/.exec(container.resources.limits.memory)?.[1];
  if (memory === undefined) throw new Failure(`${join(folder, file)} limits memory to ${container.resources.limits.memory}.`);
  return { image, env: Object.fromEntries(env), memoryMiB: Number(memory) };
}

interface Data {
  kind: string;
  spec: { template: { spec: { containers: [Container] } } };
}

interface State {
  Running: boolean;
  ExitCode: number;
  OOMKilled: boolean;
}

/** Containers on a network of their own, under the names they have in a cluster. All end with `close`. */
export class Containers {
  readonly #id = `kassa-check-${process.pid}`;
  readonly #folder: string;
  readonly #started: string[] = [];

  /** `folder` takes the files that are mounted. */
  constructor(folder: string) {
    this.#folder = folder;
    docker(['network', 'create', this.#id], 'Docker could not make a network.');
  }

  /** The address of this machine as containers see it. */
  gateway(): string {
    return docker(['network', 'inspect', '--format', '{{(index .IPAM.Config 0).Gateway}}', this.#id]);
  }

  /** Starts a container as its pod would be: read-only, without any capability, with its memory limit and its secrets as files. */
  start(name: string, pod: Pod, secrets: Record<string, string>, authority: string): void {
    const mounts = Object.entries({ secrets, 'database-ca': { 'ca.crt': authority } }).flatMap(([mount, files]) => [
      '--volume',
      `${this.#write(`${name}/${mount}`, files)}:/etc/kassa/${mount}:ro`,
    ]);
    const env = Object.entries(pod.env).flatMap(([key, value]) => ['--env', `${key}=${value}`]);
    const memory = ['--memory', `${pod.memoryMiB}m`, '--memory-swap', `${pod.memoryMiB}m`];
    const tmp = ['--tmpfs', '/tmp:size=16m,mode=1777'];
    this.run(name, [...restricted, ...memory, ...tmp, ...mounts, ...env, pod.image]);
  }

  /** Starts a container with these arguments of docker run; its ports are reached through `port`. */
  run(name: string, args: string[]): void {
    this.#started.push(name);
    const network = ['--network', this.#id, '--network-alias', name];
    docker(['run', '--detach', '--name', this.#name(name), ...network, ...args], `The container of ${name} did not start.`);
  }

  /** The container's own address, which this machine reaches. */
  address(name: string): string {
    const format = '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}';
    return docker(['inspect', '--format', format, this.#name(name)]);
  }

  /** Waits for a container that ends by itself. Throws Failure with its words unless it ended well. */
  async ended(name: string, withinMs: number): Promise<string> {
    const deadline = performance.now() + withinMs;
    while (this.#state(name).Running && performance.now() < deadline) await sleep(100);
    const state = this.#state(name);
    if (state.Running || state.ExitCode !== 0) throw this.#failure(name, state);
    return this.logs(name);
  }

  /** Waits until /readyz says so. Throws Failure with the container's last words. */
  async ready(name: string, withinMs: number): Promise<void> {
    const deadline = performance.now() + withinMs;
    while (performance.now() < deadline && this.#state(name).Running) {
      const response = await fetch(`http://${this.address(name)}:9090/readyz`).catch(() => undefined);
      if (response?.status === 200) return;
      await sleep(100);
    }
    throw this.#failure(name, this.#state(name));
  }

  /** Memory in use, in MiB, without what the kernel would give back. */
  async memoryMiB(names: readonly string[]): Promise<Record<string, number>> {
    const args = ['stats', '--no-stream', '--format', '{{.MemUsage}}', ...names.map((name) => this.#name(name))];
    const { stdout } = await promisify(execFile)('docker', args);
    const used = stdout
      .trim()
      .split('\n')
      .map((line) => {
        const [, number = '0', unit = 'MiB'] = /^([\d.]+)(\w+)/.exec(line) ?? [];
        return Number(number) * (unit === 'GiB' ? 1024 : unit === 'KiB' ? 1 / 1024 : 1);
      });
    return Object.fromEntries(names.map((name, index) => [name, used[index] ?? 0]));
  }

  /** SIGTERM, and the code it ends with; SIGKILL after 45 seconds, as a pod's grace period has it. */
  stop(name: string): { exitCode: number; isOutOfMemory: boolean; seconds: number } {
    const began = performance.now();
    docker(['stop', '--time', '45', this.#name(name)]);
    const { ExitCode, OOMKilled } = this.#state(name);
    return { exitCode: ExitCode, isOutOfMemory: OOMKilled, seconds: (performance.now() - began) / 1000 };
  }

  logs(name: string): string {
    const { stdout, stderr } = spawnSync('docker', ['logs', '--tail', '40', this.#name(name)], { encoding: 'utf8' });
    return `${stdout}${stderr}`;
  }

  /** Ends and forgets everything that was started. */
  close(): void {
    for (const name of this.#started) docker(['rm', '--force', '--volumes', this.#name(name)]);
    docker(['network', 'rm', this.#id]);
  }

  /** Files for a mount, which the image's user may read, below a folder that only this machine's user may enter. */
  #write(path: string, files: Record<string, string>): string {
    const folder = join(this.#folder, path);
    mkdirSync(folder, { recursive: true });
    for (const [file, content] of Object.entries(files)) writeFileSync(join(folder, file), content, { mode: 0o444 });
    return folder;
  }

  #name(name: string): string {
    return `${this.#id}-${name}`;
  }

  #state(name: string): State {
    return JSON.parse(docker(['inspect', '--format', '{{json .State}}', this.#name(name)])) as State;
  }

  #failure(name: string, state: State): Failure {
    const what = state.Running ? 'is not ready' : state.OOMKilled ? 'ran out of memory' : `ended with code ${state.ExitCode}`;
    return new Failure(`The container of ${name} ${what}.`, this.logs(name));
  }
}
