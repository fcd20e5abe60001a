import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { compileCache } from '@kassa/testing';
import { isAlive, markOf, type ProcessMark } from '../src/processes.ts';
import type { System } from '../src/system.ts';

export const workspace = resolve(import.meta.dirname, '../..');

export interface StartedCommand {
  child: ChildProcess;
  output(): string;
  /** Code the process ended with; a signal's name if it was killed. */
  ended: Promise<number | NodeJS.Signals>;
}

/** `npm start`, or what it runs, as a process of its own. */
export interface StartedKassa extends StartedCommand {
  system: System;
  /** The processes it runs, PostgreSQL included, as they were when it became ready. */
  processes: ProcessMark[];
}

/** An empty folder for data, removed by `removeFolders`. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'kassa-start-'));
  folders.push(folder);
  return join(folder, 'data');
}
const folders: string[] = [];
export const removeFolders = () => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true }));

/** Runs a command to its end or until it is told to end. */
export function command(file: string, args: string[], env: Record<string, string>): StartedCommand {
  // Nothing of Vitest's own environment, nor of an npm around it, reaches the command; it speaks without colours.
  const own = Object.entries(process.env).filter(([name]) => !/^(VITEST|npm_|NODE_|KASSA_|FORCE_COLOR)/.test(name));
  const child = spawn(file, args, {
    cwd: workspace,
    env: { ...(Object.fromEntries(own) as Record<string, string>), NO_COLOR: '1', NODE_COMPILE_CACHE: compileCache, ...env },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const ended = new Promise<number | NodeJS.Signals>((done) => child.once('close', (code, signal) => done(code ?? signal ?? 0)));
  return { child, output: () => output, ended };
}

export const start = (args: string[], env: Record<string, string>): StartedCommand =>
  command(process.execPath, ['tools/src/start.ts', ...args], env);

/** Waits until the started system is ready; throws with its output when it ends before. It must have been started with --json. */
export async function ready(started: StartedCommand): Promise<StartedKassa> {
  const line = new Promise<string>((found) => {
    const look = () => {
      const json = started
        .output()
        .split('\n')
        .find((candidate) => candidate.startsWith('{'));
      if (json?.endsWith('}')) found(json);
    };
    started.child.stdout?.on('data', look);
    look();
  });
  const winner = await Promise.race([line, started.ended]);
  if (typeof winner === 'number' || !winner.startsWith('{'))
    throw new Error(`npm start ended with ${winner}:\n${started.output()}`);
  const { system: file } = JSON.parse(winner) as { system: string };
  const system = JSON.parse(readFileSync(file, 'utf8')) as System;
  const services = Object.entries(system.services).flatMap(([name, { pid }]) => (pid === undefined ? [] : [markOf(name, pid)]));
  const hasPostgres = existsSync(join(system.dataFolder, 'postgres/postmaster.pid'));
  return { ...started, system, processes: hasPostgres ? [...services, postmaster(system.dataFolder)] : services };
}

export function postmaster(dataFolder: string): ProcessMark {
  return markOf('PostgreSQL', Number(readFileSync(join(dataFolder, 'postgres/postmaster.pid'), 'utf8').split('\n')[0]));
}

export const alive = (processes: ProcessMark[]): string[] => processes.filter(isAlive).map(({ name }) => name);
