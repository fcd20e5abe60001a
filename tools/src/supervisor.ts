import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, fstatSync, openSync, readFileSync, readSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { compileCache, nodeFlags } from '@kassa/testing';
import type { DataFolder } from './data-folder.ts';
import { Failure } from './failure.ts';
import { markOf } from './processes.ts';
import type { ServiceName } from './services.ts';

export interface SupervisorOptions {
  workspace: string;
  dataFolder: DataFolder;
  environments: Record<ServiceName, Record<string, string>>;
  /** Given what the services log, line by line, when they shall be heard. */
  listener?: (name: ServiceName, line: string) => void;
}

export interface Supervisor {
  /** Starts the services side by side and returns when all are ready. Throws Failure when one ends or takes longer than a minute. */
  start(names: ServiceName[]): Promise<void>;
  /** Kills a service as a crash would, starts it again after `downMs`, and returns when it is ready. */
  restart(name: ServiceName, downMs: number): Promise<void>;
  /** Ends all services: sales first, so that what it accepted can still reach the others. Each gets 25 seconds. */
  stop(): Promise<void>;
  /** Settles when a service has ended that nobody told to. */
  failed: Promise<Failure>;
  pidOf(name: ServiceName): number | undefined;
}

interface Running {
  child: ChildProcess;
  exited: Promise<void>;
  isExpectedToEnd: boolean;
  logFile: string;
  logStart: number;
}

/**
 * Runs services as child processes. Each is in a process group of its own, so that Ctrl-C reaches this process alone, which ends them
 * in order; each ends by itself when this process is gone. What they log is in the data folder's logs/<service>.log.
 */
export function createSupervisor({ workspace, dataFolder, environments, listener }: SupervisorOptions): Supervisor {
  const running = new Map<ServiceName, Running>();
  let isStopping = false;
  let fail: (failure: Failure) => void;
  const failed = new Promise<Failure>((settle) => (fail = settle));
  const preload = fileURLToPath(import.meta.resolve('@kassa/testing/die-with-parent'));

  function launch(name: ServiceName): Running {
    const logFile = join(dataFolder.path, 'logs', `${name}.log`);
    const log = openSync(logFile, 'a', 0o600);
    const logStart = statSync(logFile).size;
    const child = spawn(process.execPath, [...nodeFlags, '--import', preload, '--import', './src/telemetry.ts', 'src/main.ts'], {
      cwd: join(workspace, 'apps', name),
      env: { ...process.env, NODE_COMPILE_CACHE: compileCache, ...environments[name] },
      detached: true,
      stdio: ['pipe', log, log],
    });
    closeSync(log);
    child.stdin?.on('error', () => undefined); // The service ended first; its exit tells.
    const exited = new Promise<void>((done) => {
      child.once('exit', () => done());
      child.once('error', () => done());
    });
    const service: Running = { child, exited, isExpectedToEnd: false, logFile, logStart };
    running.set(name, service);
    if (child.pid !== undefined) dataFolder.remember(markOf(name, child.pid));
    if (listener) void follow(service, (line) => listener(name, line));
    void exited.then(() => {
      if (!service.isExpectedToEnd) fail(ended(name, service));
    });
    return service;
  }

  async function waitUntilReady(name: ServiceName, service: Running): Promise<void> {
    const deadline = performance.now() + 60_000;
    let answer = 'nothing';
    while (performance.now() < deadline) {
      if (hasEnded(service)) throw ended(name, service);
      const response = await fetch(`http://127.0.0.1:${environments[name]['HEALTH_PORT']}/readyz`).catch(() => undefined);
      if (response?.status === 200) return;
      if (response) answer = await response.text();
      await sleep(50);
    }
    throw new Failure(`${name} is not ready after a minute; it says: ${answer}. Its log: ${service.logFile}`, lastWords(service));
  }

  async function end(name: ServiceName): Promise<void> {
    const service = running.get(name);
    if (!service) return;
    service.isExpectedToEnd = true;
    if (!hasEnded(service)) service.child.kill('SIGTERM');
    const patience = setTimeout(() => service.child.kill('SIGKILL'), 25_000);
    await service.exited;
    clearTimeout(patience);
  }

  return {
    failed,
    pidOf: (name) => running.get(name)?.child.pid,
    async start(names) {
      for (const name of names) rmSync(join(dataFolder.path, 'logs', `${name}.log`), { force: true });
      await Promise.all(names.map((name) => waitUntilReady(name, launch(name))));
    },
    async restart(name, downMs) {
      const service = running.get(name);
      if (!service) throw new Failure(`${name} was not started here.`);
      service.isExpectedToEnd = true;
      service.child.kill('SIGKILL');
      await service.exited;
      await sleep(downMs);
      if (isStopping) return;
      await waitUntilReady(name, launch(name));
    },
    async stop() {
      isStopping = true;
      for (const service of running.values()) service.isExpectedToEnd = true;
      await end('sales');
      await Promise.all([...running.keys()].map(end));
    },
  };
}

const hasEnded = ({ child }: Running) => child.exitCode !== null || child.signalCode !== null || child.pid === undefined;

function ended(name: ServiceName, service: Running): Failure {
  const { exitCode, signalCode } = service.child;
  const how = signalCode ? `was killed by ${signalCode}` : `ended with code ${exitCode ?? 'unknown'}`;
  return new Failure(`${name} ${how}, and Kassa stops with it. Its log: ${service.logFile}. Its last words:`, lastWords(service));
}

/** The last lines of a service's log since it was launched; of JSON lines what a person needs. */
function lastWords({ logFile, logStart }: Running): string {
  const lines = readFileSync(logFile).subarray(logStart).toString().trimEnd().split('\n').slice(-12);
  return lines.map((line) => readableLine(line).slice(0, 400)).join('\n') || '(nothing)';
}

export function readableLine(line: string): string {
  try {
    const { level, msg, err } = JSON.parse(line) as { level?: string | number; msg?: string; err?: { message?: string } };
    if (msg === undefined) return line;
    return [level, msg, err?.message].filter((part) => part !== undefined).join(' ');
  } catch {
    return line; // Not one of pino's lines, such as a stack.
  }
}

/** Hands over what is added to a service's log until the service ends. */
async function follow(service: Running, listener: (line: string) => void): Promise<void> {
  const log = openSync(service.logFile, 'r');
  let at = service.logStart;
  let rest = Buffer.alloc(0);
  let isOver = false;
  void service.exited.then(() => (isOver = true));
  for (let isLast = false; !isLast;) {
    isLast = isOver;
    const added = Buffer.alloc(fstatSync(log).size - at);
    at += readSync(log, added, 0, added.length, at);
    const lines = Buffer.concat([rest, added]).toString('latin1').split('\n');
    rest = Buffer.from(lines.pop() ?? '', 'latin1');
    for (const line of lines) listener(Buffer.from(line, 'latin1').toString());
    if (!isLast) await sleep(200);
  }
  closeSync(log);
}
