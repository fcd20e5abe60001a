import { spawn, type ChildProcess } from 'node:child_process';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './free-port.ts';

export interface AppProcess {
  name: string;
  /** http://127.0.0.1:port of the public API. */
  http: string;
  /** 127.0.0.1:port of the gRPC server. */
  grpc: string;
  /** http://127.0.0.1:port of /livez and /readyz. */
  health: string;
  /** http://127.0.0.1:port of /metrics. */
  metrics: string;
  readonly pid: number;
  /** What the running process, and those before a restart, wrote so far. */
  output(): string;
  /** Sends the signal, SIGKILL if none is named, and waits for the end. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Starts the process again with the same addresses and settings, after `kill`. */
  restart(): Promise<void>;
  /** Ends the process as a deployment does: SIGTERM, and SIGKILL after 30 seconds. */
  stop(): Promise<void>;
  /** Polls /readyz until it answers 200; throws with the process's last words when it ends first or takes longer. */
  ready(timeoutMs?: number): Promise<void>;
}

/**
 * How a service's Node is bounded, here as in its pod (NODE_OPTIONS in deploy/base): a heap that may not grow is collected in time, so
 * that a file of 200,000 rows takes no more memory than one of 20,000. Megabytes: 240 of old and three times 8 of young objects, and
 * about 50 outside of the heap, stay below the 320 of a pod.
 */
export const heapBounds = ['--max-semi-space-size=8', '--max-old-space-size=240'];

/**
 * With which a service's Node is started, here as in its image (ENTRYPOINT in deploy/Dockerfile, since NODE_OPTIONS takes not all of them):
 * the heap may double before it is marked again. Within bounds as small as these V8 would let it grow by a third, and spend a tenth of the
 * processor on marking.
 */
export const nodeFlags = [...heapBounds, '--heap-growing-percent=100'];

/** Where Node keeps the services' code without its types, compiled; a start then takes half the processor time. */
export const compileCache = fileURLToPath(new URL('../../../node_modules/.cache/kassa-compiled', import.meta.url));

export interface AppOptions {
  /** False returns as soon as the process was spawned. Default: true. */
  waitUntilReady?: boolean;
}

/** Absolute path of an app's folder in this workspace. */
export const roomFolder = (name: string): string => fileURLToPath(new URL(`../../../apps/${name}`, import.meta.url));

/**
 * Starts the real process of an app (absolute path of its folder) on free ports of 127.0.0.1, or on those `env` names, and waits until
 * it is ready. `env` needs DATABASE_URL and OIDC_ISSUER, and whatever else the app asks for. Nothing of this process's environment is passed on but PATH,
 * HOME and TMPDIR. The process ends when this one does.
 */
export async function startApp(folder: string, env: Record<string, string>, options: AppOptions = {}): Promise<AppProcess> {
  const name = basename(folder);
  const portOf = async (setting: string) => Number(env[setting] ?? (await freePort()));
  const [http, grpc] = [await portOf('HTTP_PORT'), await portOf('GRPC_PORT')];
  const [health, metrics] = [await portOf('HEALTH_PORT'), await portOf('METRICS_PORT')];
  const wholeEnv = {
    ...inherited(),
    NODE_ENV: 'test',
    NODE_COMPILE_CACHE: compileCache,
    LOG_LEVEL: 'info',
    HOST: '127.0.0.1',
    HTTP_PORT: String(http),
    GRPC_PORT: String(grpc),
    HEALTH_PORT: String(health),
    METRICS_PORT: String(metrics),
    SERVICE_CLIENT_ID: name,
    SERVICE_CLIENT_SECRET: 'secret-of-the-tests',
    ...env,
  };
  let output = '';
  let child: ChildProcess;
  let ended: Promise<void>;

  const start = () => {
    const preload = fileURLToPath(new URL('./die-with-parent.ts', import.meta.url));
    child = spawn(process.execPath, [...nodeFlags, '--import', preload, '--import', './src/telemetry.ts', 'src/main.ts'], {
      cwd: folder,
      env: wholeEnv,
    });
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const spawned = child;
    ended = new Promise((done) => {
      spawned.once('exit', () => done());
      spawned.once('error', () => done());
    });
  };
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null || child.pid === undefined;
  const kill = async (signal: NodeJS.Signals) => {
    if (!hasEnded()) child.kill(signal);
    await ended;
  };

  const app: AppProcess = {
    name,
    http: `http://127.0.0.1:${http}`,
    grpc: `127.0.0.1:${grpc}`,
    health: `http://127.0.0.1:${health}`,
    metrics: `http://127.0.0.1:${metrics}`,
    get pid() {
      return child.pid ?? -1;
    },
    output: () => output,
    kill: (signal = 'SIGKILL') => kill(signal),
    async restart() {
      start();
      if (options.waitUntilReady !== false) await app.ready();
    },
    async stop() {
      const patience = setTimeout(() => child.kill('SIGKILL'), 30_000);
      await kill('SIGTERM');
      clearTimeout(patience);
    },
    async ready(timeoutMs = 30_000) {
      const deadline = performance.now() + timeoutMs;
      let answer = 'nothing';
      while (performance.now() < deadline && !hasEnded()) {
        const response = await fetch(`${app.health}/readyz`).catch(() => undefined);
        if (response?.status === 200) return;
        if (response) answer = `${response.status} ${await response.text()}`;
        await sleep(50);
      }
      throw new Error(
        `${name} ${hasEnded() ? 'ended' : 'is not ready'}; /readyz said ${answer}; its last words:\n${output.slice(-4000)}`,
      );
    },
  };
  await app.restart();
  return app;
}

function inherited(): Record<string, string> {
  const names = ['PATH', 'HOME', 'TMPDIR'];
  return Object.fromEntries(names.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])));
}
