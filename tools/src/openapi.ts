import { spawnSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { Failure, runCommand } from './failure.ts';
import { serviceNames } from './services.ts';

/**
 * Writes apps/<service>/openapi.json anew from the routes, for all services or those named. Each service's contract test builds
 * the document and compares it; told so by KASSA_UPDATE_OPENAPI, it writes instead.
 */
await runCommand(async () => {
  const workspace = resolve(import.meta.dirname, '../..');
  const names = process.argv.length > 2 ? process.argv.slice(2) : serviceNames;
  for (const name of names) {
    const vitest = join(workspace, 'node_modules/vitest/vitest.mjs');
    // Only the test that makes the document: another of that file may ask for a test that is written after it.
    const ran = spawnSync(process.execPath, [vitest, 'run', 'test/contract.test.ts', '-t', 'openapi.json'], {
      cwd: join(workspace, 'apps', name),
      env: { ...process.env, KASSA_UPDATE_OPENAPI: '1' },
      encoding: 'utf8',
    });
    if (ran.status !== 0)
      throw new Failure(`apps/${name}/openapi.json could not be written.`, `${ran.stdout ?? ''}${ran.stderr ?? ''}`);
    console.log(`apps/${name}/openapi.json`);
  }
});
