import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from './failure.ts';

/** The k6 that is built where none is installed. */
export const k6Version = 'v1.8.1';

export interface K6Search {
  env: NodeJS.ProcessEnv;
  workspace: string;
  say: (sentence: string) => void;
}

/**
 * The k6 program: the one KASSA_K6 names, the one on the PATH, or one built once by Go into the workspace's .cache. Throws Failure with
 * how to get it where there is neither k6 nor Go.
 */
export function findK6({ env, workspace, say }: K6Search): string {
  const named = env['KASSA_K6'];
  if (named) {
    const version = versionOf(named);
    if (version === undefined) throw new Failure(`KASSA_K6 names ${named}, which is not a k6 that runs here.`);
    if (!runsTypeScript(version)) throw new Failure(`KASSA_K6 names k6 v${version}; Kassa's load tests need v1.0 or later.`);
    return named;
  }
  const installed = versionOf('k6');
  if (installed !== undefined && runsTypeScript(installed)) return 'k6';
  if (installed !== undefined) say(`The k6 on the PATH is v${installed}; the load tests need v1.0 or later.`);
  const built = join(workspace, '.cache', `k6-${k6Version}`, 'k6');
  if (!existsSync(built)) buildK6(built, say);
  return built;
}

/** From v1.0 on k6 takes TypeScript modules and their imports as they are. */
export function runsTypeScript(version: string): boolean {
  return Number(version.split('.')[0]) >= 1;
}

/** As "1.8.1"; undefined where the program is not there or is something else. */
function versionOf(program: string): string | undefined {
  const { stdout } = spawnSync(program, ['version'], { encoding: 'utf8' });
  return /^k6 v(\d+\.\d+\.\d+)/.exec(stdout ?? '')?.[1];
}

function buildK6(file: string, say: K6Search['say']): void {
  if (spawnSync('go', ['version']).status !== 0) {
    throw new Failure(
      `Load tests run on k6, which is not on the PATH: install it (https://grafana.com/docs/k6/latest/set-up/install-k6/) and name it in KASSA_K6 if need be, or install Go 1.25, with which it is built once.`,
    );
  }
  say(`Building k6 ${k6Version} with Go, once; that takes a minute or two …`);
  // Built beside its place and moved there when whole: an interrupted build leaves no broken program.
  const draft = join(file, '..', `draft-${process.pid}`);
  mkdirSync(draft, { recursive: true });
  try {
    const env = { ...process.env, GOBIN: draft, GOFLAGS: '' };
    const built = spawnSync('go', ['install', '-trimpath', `go.k6.io/k6@${k6Version}`], { env, encoding: 'utf8' });
    if (built.status !== 0) throw new Failure(`Go could not build k6 ${k6Version}; its last words:`, built.stderr.slice(-2_000));
    renameSync(join(draft, process.platform === 'win32' ? 'k6.exe' : 'k6'), file);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}
