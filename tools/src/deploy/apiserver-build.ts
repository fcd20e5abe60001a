import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir, platform } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { Failure } from '../failure.ts';

/** The Kubernetes whose API server judges; tools/kube-apiserver/go.mod names the same. */
export const kubernetesVersion = 'v1.33.4';

export interface ApiServerSearch {
  env: NodeJS.ProcessEnv;
  workspace: string;
  say: (sentence: string) => void;
  /** Ends a build that is under way. */
  interrupted: AbortSignal;
}

const sources = (workspace: string) => join(workspace, 'tools/kube-apiserver');

/** Where the built program is kept, outside of every checkout, under a name that changes with its sources. */
export function apiServerFile({ env, workspace }: Pick<ApiServerSearch, 'env' | 'workspace'>): string {
  const hash = createHash('sha256');
  for (const name of ['main.go', 'go.mod', 'go.sum']) hash.update(readFileSync(join(sources(workspace), name)));
  return join(cacheFolder(env), 'kassa', `kube-apiserver-${kubernetesVersion}-${hash.digest('hex').slice(0, 12)}`);
}

const cacheFolder = (env: NodeJS.ProcessEnv) =>
  env['XDG_CACHE_HOME'] || join(homedir(), platform() === 'darwin' ? 'Library/Caches' : '.cache');

/**
 * The kube-apiserver program, built by Go on the first call. Throws Failure with what is missing, or with Go's last words. `say` hears
 * every quarter of a minute how far the build is.
 */
export async function findApiServer({ env, workspace, say, interrupted }: ApiServerSearch): Promise<string> {
  const file = apiServerFile({ env, workspace });
  if (existsSync(file)) return file;
  if (spawnSync('go', ['version'], { env }).status !== 0) {
    throw new Failure(
      'A real API server is built by Go, which is not on the PATH: install Go 1.24 or later from https://go.dev/doc/install.',
    );
  }
  say(`Building kube-apiserver ${kubernetesVersion} with Go, once; that takes some five minutes on two cores …`);
  // Built beside its place and moved there when whole: an interrupted build leaves no broken program.
  const draft = `${file}.${process.pid}`;
  mkdirSync(dirname(file), { recursive: true });
  try {
    await build({ folder: sources(workspace), output: draft, env: { ...env, CGO_ENABLED: '0', GOFLAGS: '' }, interrupted }, say);
    renameSync(draft, file);
  } finally {
    rmSync(draft, { force: true });
  }
  return file;
}

interface Build {
  folder: string;
  output: string;
  env: NodeJS.ProcessEnv;
  interrupted: AbortSignal;
}

async function build({ folder, output, env, interrupted }: Build, say: ApiServerSearch['say']): Promise<void> {
  // Without its version the server calls itself v0.0.0, and kubectl complains of the distance.
  const flags = `-s -w -X k8s.io/component-base/version.gitVersion=${kubernetesVersion}`;
  const go = spawn('go', ['build', '-v', '-trimpath', '-buildvcs=false', '-ldflags', flags, '-o', output, '.'], {
    cwd: folder,
    env,
    signal: interrupted,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const words: string[] = [];
  let modules = 0;
  createInterface({ input: go.stderr }).on('line', (line) => {
    if (line.startsWith('go: downloading')) modules++;
    words.push(line);
  });
  const started = performance.now();
  const progress = setInterval(() => {
    const seconds = Math.round((performance.now() - started) / 1_000);
    say(`… ${seconds} s: ${modules} modules fetched, ${words.length - modules} of about 1,900 packages compiled`);
  }, 15_000);
  const code = await new Promise<number | null>((done, fail) =>
    go.on('close', done).on('error', (error) => fail(interrupted.aborted ? (interrupted.reason as Error) : error)),
  ).finally(() => clearInterval(progress));
  if (code !== 0)
    throw new Failure(`Go could not build kube-apiserver ${kubernetesVersion}; its last words:`, words.slice(-8).join('\n'));
}
