import { spawn } from 'node:child_process';
import { basename } from 'node:path';
import { nodeFlags } from '@kassa/testing';
import { Failure, runCommand } from './failure.ts';
import { serviceNames, type ServiceName } from './services.ts';
import { readSystem } from './system.ts';

/**
 * `nx serve sales`: runs the service in the working directory in the place a running system left free for it
 * (`npm start -- --except sales`), and starts it again whenever a file it imports changes.
 */
await runCommand(async () => {
  const name = basename(process.cwd()) as ServiceName;
  if (!serviceNames.includes(name)) throw new Failure(`There is no service ${name}; there are ${serviceNames.join(', ')}.`);
  const { isStarted, http, env } = readSystem(process.env).services[name];
  if (isStarted) throw new Failure(`${name} already runs at ${http}; start the others with npm start -- --except ${name}.`);
  console.log(`${name} joins the running system: ${http}/docs`);

  const args = [...nodeFlags, '--watch', '--watch-preserve-output', '--import', './src/telemetry.ts', 'src/main.ts'];
  const child = spawn(process.execPath, args, { stdio: 'inherit', env: { ...process.env, ...env } });
  // Ctrl-C reaches the child by itself; this process stays until the child has drained.
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  process.exitCode = await new Promise<number>((ended) => child.once('exit', (code) => ended(code ?? 0)));
});
