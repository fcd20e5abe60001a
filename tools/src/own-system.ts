import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { Failure } from './failure.ts';
import { readSystem, type System } from './system.ts';

export interface OwnSystem {
  system: System;
  stop(): Promise<void>;
}

/**
 * Runs npm start beside this process, with these options and environment, and returns when it is ready; that of another checkout where
 * its folder is given. It ends with this process at the latest. Throws Failure; what npm start had to say about it stands on standard
 * error by then.
 */
export async function startOwnSystem(
  options: string[],
  say: (sentence: string) => void,
  env: Record<string, string> = {},
  workspace = join(import.meta.dirname, '../..'),
): Promise<OwnSystem> {
  say('Starting a Kassa for this run alone …');
  const child = spawn(process.execPath, [join(workspace, 'tools/src/start.ts'), '--json', ...options], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true, // Ctrl-C reaches this process alone, which ends the system when it is done with it.
  });
  const exited = new Promise<void>((done) => child.once('exit', () => done()));
  const end = () => void child.kill('SIGTERM');
  process.once('exit', end);
  for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1));
  const line = await new Promise<string | undefined>((ready) => {
    createInterface({ input: child.stdout }).once('line', ready);
    void exited.then(() => ready(undefined));
  });
  if (line === undefined) throw new Failure('The Kassa for this run did not start; see above.');
  const { system: file } = JSON.parse(line) as { system: string };
  return {
    system: readSystem({ KASSA_SYSTEM: file }),
    async stop() {
      process.off('exit', end);
      end();
      await exited;
    },
  };
}
