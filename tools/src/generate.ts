import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Failure } from './failure.ts';
import { serviceNames } from './services.ts';

/**
 * Makes the code that is derived and not committed (protobuf types, Prisma clients) where it is missing or older than what it is
 * derived from. Returns whether anything had to be made. Throws Failure.
 */
export function generate(workspace: string, say: (sentence: string) => void): boolean {
  const stamp = join(workspace, 'node_modules/.cache/kassa-generated');
  const wanted = hashOfSources(workspace);
  const isThere = outputs.every((output) => existsSync(join(workspace, output)));
  if (isThere && existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return false;
  say('Generating code from contracts and schemas …');
  const nx = join(workspace, 'node_modules/.bin/nx');
  const ran = spawnSync(nx, ['run-many', '-t', 'generate', '--outputStyle=static'], { cwd: workspace, encoding: 'utf8' });
  if (ran.status !== 0) throw new Failure('The code could not be generated.', ran.stdout + ran.stderr);
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, wanted);
  return true;
}

const outputs = ['libs/contracts/src/gen', ...serviceNames.map((name) => `apps/${name}/src/gen/prisma`)];

function hashOfSources(workspace: string): string {
  const patterns = ['libs/contracts/proto/**/*.proto', 'buf.gen.yaml', 'apps/*/prisma/schema.prisma', 'package-lock.json'];
  const hash = createHash('sha256');
  for (const file of globSync(patterns, { cwd: workspace }).sort()) hash.update(file).update(readFileSync(join(workspace, file)));
  return hash.digest('hex');
}
