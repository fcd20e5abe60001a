import { execFile, execFileSync } from 'node:child_process';
import { existsSync, lstatSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import pc from 'picocolors';
import { Failure, runCommand } from './failure.ts';
import { generate } from './generate.ts';
import { hasDocker } from './image/docker.ts';
import { bytesMax } from './image/facts.ts';
import { sbom } from './image/sbom.ts';
import { settle } from './image/settle.ts';
import { stageMigrate, stageRun, type Staged, type Target } from './image/stage.ts';
import { say } from './progress.ts';
import { serviceNames, type ServiceName } from './services.ts';

const help = `npm run image -- sales [options]     builds kassa/sales:local and kassa/sales-migrate:local by deploy/Dockerfile

  --stage-only        lay out what goes in, list it, write its bill of materials, and build nothing
  --base IMAGE        the base, by digest; default: KASSA_BASE_IMAGE
  --tag TAG           default: local
  --no-cache          build every layer anew
  --help

What goes in stands in .cache/image/<service>/<target>, the bill (CycloneDX) beside it as <target>.cdx.json. Two builds of a commit at
different times are one image. npm run image:check builds all, starts them and sells something.`;

export const workspace = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');

export interface ImageOptions {
  /** A file system without shell or package manager, by digest. */
  base: string;
  tag: string;
  mustBuildAnew?: boolean;
}

export interface BuiltImage extends Staged {
  /** kassa/sales:local */
  name: string;
  /** Of the image: the same commit on the same base gives the same at any time. */
  imageDigest: string;
}

/** Lays out and builds the image of one service and target. Throws Failure where it would be too large, or its base has no digest. */
export async function buildImage(app: ServiceName, target: Target, options: ImageOptions): Promise<BuiltImage> {
  checkBase(options.base);
  const [epoch, revision] = lastCommit();
  const staged = await stage(app, target, epoch, revision);
  const name = `${nameOf(app, target)}:${options.tag}`;
  await build(app, target, { name, epoch, revision, ...options });
  return { ...staged, name, imageDigest: await settle(name, options.base, epoch) };
}

/** A tag may be another image tomorrow, and the same commit on it another one as well. Throws Failure; only the assembled base has none. */
function checkBase(base: string): void {
  if (/(^|@)sha256:[0-9a-f]{64}$/.test(base) || base === 'kassa/base:local') return;
  throw new Failure(`${base} is no base by digest: name it as …@sha256:…, or assemble one, node tools/src/base-image.ts.`);
}

/** Kassa's name of an image: kassa/sales, kassa/sales-migrate. */
export const nameOf = (app: ServiceName, target: Target): string => `kassa/${app}${target === 'run' ? '' : '-migrate'}`;

async function stage(app: ServiceName, target: Target, epoch: number, revision: string): Promise<Staged> {
  generate(workspace, [app], say);
  const context = join(workspace, '.cache/image', app);
  const given = { workspace, app, epoch, folder: join(context, target) };
  const staged = target === 'run' ? await stageRun(given) : await stageMigrate(given);
  writeFileSync(join(context, `${target}.cdx.json`), sbom(nameOf(app, target), revision, staged.packages));
  if (staged.bytes > bytesMax)
    throw new Failure(`${nameOf(app, target)} would hold ${megabytes(staged.bytes)}, ${megabytes(bytesMax)} are allowed.`);
  return staged;
}

let commit: [number, string] | undefined;

/** Its time in seconds and its id, as of the first time it is asked; the id says so where the checkout is not that commit. */
function lastCommit(): [number, string] {
  return (commit ??= readLastCommit());
}

function readLastCommit(): [number, string] {
  const output = execFileSync('git', ['log', '-1', '--format=%ct %H'], { cwd: workspace, encoding: 'utf8' }).trim();
  const [epoch = '0', revision = 'unknown'] = output.split(' ');
  const isChanged = execFileSync('git', ['status', '--porcelain'], { cwd: workspace, encoding: 'utf8' }) !== '';
  return [Number(epoch), isChanged ? `${revision}-changed` : revision];
}

async function build(
  app: ServiceName,
  target: Target,
  { name, base, tag, epoch, revision, mustBuildAnew }: ImageOptions & { name: string; epoch: number; revision: string },
): Promise<void> {
  const args = { APP: app, BASE: base, VERSION: tag, REVISION: revision, SOURCE_DATE_EPOCH: String(epoch) };
  const given = Object.entries(args).flatMap(([key, value]) => ['--build-arg', `${key}=${value}`]);
  const file = ['--file', join(workspace, 'deploy/Dockerfile'), '--target', target, '--tag', name];
  const anew = mustBuildAnew ? ['--no-cache'] : [];
  const context = join(workspace, '.cache/image', app, target);
  try {
    await promisify(execFile)('docker', ['build', '--quiet', ...file, ...anew, ...given, context]);
  } catch (error) {
    const { stderr, stdout, message } = error as Error & { stderr?: string; stdout?: string };
    throw new Failure(`docker could not build ${name}.`, stderr || stdout || message);
  }
}

function list(name: string, { packages, bytes, digest, layers }: Staged): void {
  console.log(`${pc.bold(name)}  ${megabytes(bytes)}, ${packages.length} packages, content ${digest.slice(0, 12)}`);
  const sizes = [
    ['Node', sizeOf(layers.node)] as const,
    ...packages.map((one) => [`${one.name} ${one.version}`, sizeOf(join(layers.files, 'app', one.folder))] as const),
  ];
  const largest = sizes.sort(([, a], [, b]) => b - a).slice(0, 8);
  for (const [what, size] of largest) console.log(`  ${megabytes(size).padStart(9)}  ${what}`);
}

/** Of a folder without the packages below it. */
function sizeOf(folder: string): number {
  if (!existsSync(folder)) return 0;
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
    (path) => !path.split('/').includes('node_modules'),
  );
  return files.map((path) => lstatSync(join(folder, path))).reduce((sum, stat) => sum + (stat.isFile() ? stat.size : 0), 0);
}

export const megabytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

async function main(): Promise<void> {
  const [text, flag] = [{ type: 'string' }, { type: 'boolean' }] as const;
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { base: text, tag: text, 'stage-only': flag, 'no-cache': flag, help: flag },
  });
  if (values.help) return console.log(help);
  const [app] = positionals as [ServiceName?];
  if (app === undefined || !serviceNames.includes(app)) throw new Failure(`Name a service: ${serviceNames.join(', ')}.`);
  const base = values.base ?? process.env['KASSA_BASE_IMAGE'];
  const targets: Target[] = ['run', 'migrate'];
  for (const target of targets) {
    if (values['stage-only']) {
      list(nameOf(app, target), await stage(app, target, ...lastCommit()));
      continue;
    }
    if (base === undefined)
      throw new Failure('Say which base to build on: --base or KASSA_BASE_IMAGE, by digest; or --stage-only.');
    if (!hasDocker()) throw new Failure('There is no Docker engine to build with; --stage-only lays out the image without it.');
    const built = await buildImage(app, target, {
      base,
      tag: values.tag ?? 'local',
      mustBuildAnew: values['no-cache'] ?? false,
    });
    list(built.name, built);
    console.log(`  ${built.imageDigest}`);
  }
}

if (import.meta.main) await runCommand(main);
