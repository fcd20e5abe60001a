import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, globSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Failure } from './failure.ts';
import type { ServiceName } from './services.ts';

interface Derived {
  project: string;
  output: string;
  sources: string[];
}

const contracts: Derived = {
  project: '@kassa/contracts',
  output: 'libs/contracts/src/gen',
  sources: ['libs/contracts/proto/**/*.proto', 'buf.gen.yaml', 'package-lock.json'],
};

const prismaClient = (name: ServiceName): Derived => ({
  project: `@kassa/${name}`,
  output: `apps/${name}/src/gen/prisma`,
  sources: [`apps/${name}/prisma/schema.prisma`, 'package-lock.json'],
});

/**
 * Makes the code that is derived and not committed (protobuf types, the services' Prisma clients) where it is missing or its
 * sources have changed since. Throws Failure.
 */
export function generate(workspace: string, services: ServiceName[], say: (sentence: string) => void): void {
  const stampFile = join(workspace, 'node_modules/.cache/kassa-generated.json');
  const stamps = existsSync(stampFile) ? (JSON.parse(readFileSync(stampFile, 'utf8')) as Record<string, string>) : {};
  const stale = [contracts, ...services.map(prismaClient)].filter((derived) =>
    isStale(workspace, derived, stamps[derived.output]),
  );
  if (stale.length === 0) return;
  say('Generating code from contracts and schemas …');
  const nx = join(workspace, 'node_modules/.bin/nx');
  const projects = stale.map(({ project }) => project).join(',');
  const ran = spawnSync(nx, ['run-many', '-t', 'generate', '-p', projects, '--outputStyle=static'], {
    cwd: workspace,
    encoding: 'utf8',
    env: outsideOfNx(process.env),
  });
  if (ran.status !== 0) throw new Failure('The code could not be generated.', `${ran.stdout ?? ''}${ran.stderr ?? ''}`);
  mkdirSync(dirname(stampFile), { recursive: true });
  const made = Object.fromEntries(stale.map(({ output, sources }) => [output, hashOf(workspace, sources)]));
  writeFileSync(stampFile, JSON.stringify({ ...stamps, ...made }));
}

/** Without a stamp it was Nx that made the code, and made after its sources it is of them. */
function isStale(workspace: string, { output, sources }: Derived, stamp: string | undefined): boolean {
  const folder = join(workspace, output);
  if (!existsSync(folder)) return true;
  if (stamp !== undefined) return stamp !== hashOf(workspace, sources);
  const changedMs = (path: string) => statSync(join(workspace, path)).mtimeMs;
  return Math.max(...globSync(sources, { cwd: workspace }).map(changedMs)) > statSync(folder).mtimeMs;
}

/** `npm start` may itself run in a task of Nx, a test; the Nx it starts is none of that task's business. */
function outsideOfNx(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !/^NX_(TASK|INVOCATION)/.test(name)));
}

function hashOf(workspace: string, sources: string[]): string {
  const hash = createHash('sha256');
  for (const file of globSync(sources, { cwd: workspace }).sort()) hash.update(file).update(readFileSync(join(workspace, file)));
  return hash.digest('hex');
}
