import { execFile, execFileSync } from 'node:child_process';
import { existsSync, lstatSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import pc from 'picocolors';
import { Failure, runCommand } from './failure.ts';
import { generate } from './generate.ts';
import { hasDocker } from './image/docker.ts';
import { bytesMax } from './image/facts.ts';
import { sbom } from './image/sbom.ts';
import { settle } from './image/settle.ts';
import { Stage, type Layer, type Staged, type Target } from './image/stage.ts';
import { say } from './progress.ts';
import { serviceNames, type ServiceName } from './services.ts';

const help = `npm run image -- sales [options]     builds kassa/sales:local and kassa/sales-migrate:local by deploy/Dockerfile

  --stage-only        lay out what goes in, list it, write its bill of materials, and build nothing
  --base IMAGE        the base, by digest; default: KASSA_BASE_IMAGE
  --tag TAG           default: local
  --no-cache          build every layer anew
  --help

What goes in stands in .cache/image: node, prisma, <service>/<target>; the bill (CycloneDX) is <service>/<target>.cdx.json. Two builds of a commit at
different times are one image. npm run image:check builds all, starts them and sells something.`;

export const workspace = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');

export interface ImageOptions {
  /** A file system without shell or package manager, by digest. */
  base: string;
  tag: string;
  mustBuildAnew?: boolean;
  /** Where layers are laid out; default: .cache/image. */
  root?: string;
}

export interface BuiltImage extends Staged {
  /** kassa/sales:local */
  name: string;
  /** Of the image: the same commit on the same base gives the same at any time. */
  imageDigest: string;
}

/** An image by its service and target. */
export interface Wanted {
  app: ServiceName;
  target: Target;
}

/**
 * Lays out and builds images, in the order they are named; what they share is built once. Throws Failure where one would be too large, or
 * the base has no digest.
 */
export async function buildImages(wanted: Wanted[], options: ImageOptions): Promise<BuiltImage[]> {
  const { base, tag, mustBuildAnew = false, root = cache } = options;
  checkBase(base);
  const [epoch, revision] = lastCommit();
  const stage = openStage(root);
  const standing = new Set<Layer>();
  /** The image of the base with these layers. */
  const below = async (shared: Layer[]): Promise<string> => {
    const top = shared.at(-1);
    if (top === undefined) return base;
    const name = `kassa/layer-${top.name}:local`;
    if (!standing.has(top)) await build('layer', top, name, { BASE: await below(shared.slice(0, -1)) }, mustBuildAnew);
    standing.add(top);
    return name;
  };
  const built: Omit<BuiltImage, 'imageDigest'>[] = [];
  for (const { app, target } of wanted) {
    const name = `${nameOf(app, target)}:${tag}`;
    say(`Building ${name} …`);
    const staged = await layOut(stage, app, target);
    const facts = { APP: app, VERSION: tag, REVISION: revision, BASE_NAME: base };
    await build(target, staged.own, name, { BASE: await below(staged.shared), ...facts }, mustBuildAnew);
    built.push({ ...staged, name });
  }
  const names = built.map(({ name }) => name);
  const digests = await settle(names, base, epoch);
  return built.map((one, index) => ({ ...one, imageDigest: digests[index] ?? '' }));
}

/** A tag may be another image tomorrow, and the same commit on it another one as well. Throws Failure; only the assembled base has none. */
function checkBase(base: string): void {
  if (/(^|@)sha256:[0-9a-f]{64}$/.test(base) || base === 'kassa/base:local') return;
  throw new Failure(`${base} is no base by digest: name it as …@sha256:…, or assemble one, node tools/src/base-image.ts.`);
}

/** Kassa's name of an image: kassa/sales, kassa/sales-migrate. */
export const nameOf = (app: ServiceName, target: Target): string => `kassa/${app}${target === 'run' ? '' : '-migrate'}`;

const cache = join(workspace, '.cache/image');
const openStage = (root: string) => new Stage({ workspace, epoch: lastCommit()[0], root });

async function layOut(stage: Stage, app: ServiceName, target: Target): Promise<Staged> {
  generate(workspace, [app], say);
  const staged = target === 'run' ? await stage.run(app) : stage.migrate(app);
  const [, revision] = lastCommit();
  writeFileSync(join(dirname(staged.own.folder), `../${target}.cdx.json`), sbom(nameOf(app, target), revision, staged.packages));
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

/** Builds a target of deploy/Dockerfile from one layer. Throws Failure with Docker's own words. */
async function build(
  target: string,
  layer: Layer,
  name: string,
  args: Record<string, string>,
  mustBuildAnew: boolean,
): Promise<void> {
  const given = Object.entries(args).flatMap(([key, value]) => ['--build-arg', `${key}=${value}`]);
  const file = ['--file', join(workspace, 'deploy/Dockerfile'), '--target', target, '--tag', name];
  const anew = mustBuildAnew ? ['--no-cache'] : [];
  try {
    await promisify(execFile)('docker', ['build', '--quiet', ...file, ...anew, ...given, dirname(layer.folder)]);
  } catch (error) {
    const { stderr, stdout, message } = error as Error & { stderr?: string; stdout?: string };
    throw new Failure(`docker could not build ${name}.`, stderr || stdout || message);
  }
}

function list(name: string, { packages, bytes, digest, shared, own }: Staged): void {
  console.log(`${pc.bold(name)}  ${megabytes(bytes)}, ${packages.length} packages, content ${digest.slice(0, 12)}`);
  const sizes = [
    ...shared.filter(({ name: of }) => of === 'node').map((layer) => ['Node', layer.bytes] as const),
    ...packages.map((one) => {
      const bytesOf = [...shared, own].map(({ folder }) => sizeOf(join(folder, 'app', one.folder)));
      return [`${one.name} ${one.version}`, Math.max(...bytesOf)] as const;
    }),
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
  if (values['stage-only']) {
    const stage = openStage(cache);
    for (const target of targets) list(nameOf(app, target), await layOut(stage, app, target));
    return;
  }
  if (base === undefined)
    throw new Failure('Say which base to build on: --base or KASSA_BASE_IMAGE, by digest; or --stage-only.');
  if (!hasDocker()) throw new Failure('There is no Docker engine to build with; --stage-only lays out the image without it.');
  const built = await buildImages(
    targets.map((target) => ({ app, target })),
    { base, tag: values.tag ?? 'local', mustBuildAnew: values['no-cache'] ?? false },
  );
  for (const one of built) {
    list(one.name, one);
    console.log(`  ${one.imageDigest}`);
  }
}

if (import.meta.main) await runCommand(main);
