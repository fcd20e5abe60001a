import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, lstatSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import pc from 'picocolors';
import { Failure, runCommand } from './failure.ts';
import { sbom } from './image/sbom.ts';
import { stageMigrate, stageRun, type Staged, type Target } from './image/stage.ts';
import { serviceNames, type ServiceName } from './services.ts';

const help = `npm run image -- sales [options]     builds kassa/sales:local and kassa/sales-migrate:local by deploy/Dockerfile

  --stage-only        lay out what goes in, list it, write its bill of materials, and build nothing
  --base IMAGE        the base, by digest; default: KASSA_BASE_IMAGE
  --tag TAG           default: local
  --help

What goes in stands in .cache/image/<service>/<target>, the bill beside it as <target>.cdx.json. Two runs at different times give the same
content; with BuildKit, the same image.`;

const sizeMax = 250 * 2 ** 20;

async function image(
  workspace: string,
  app: ServiceName,
  options: { base?: string | undefined; tag: string; isStageOnly: boolean },
) {
  const [epoch, revision] = lastCommit(workspace);
  const context = join(workspace, '.cache/image', app);
  const targets: Target[] = ['run', 'migrate'];
  for (const target of targets) {
    const name = target === 'run' ? `kassa/${app}` : `kassa/${app}-migrate`;
    const given = { workspace, app, epoch, folder: join(context, target) };
    const staged = target === 'run' ? await stageRun(given) : await stageMigrate(given);
    writeFileSync(join(context, `${target}.cdx.json`), sbom(name, revision, staged.packages));
    list(name, staged);
    if (staged.bytes > sizeMax)
      throw new Failure(`${name} would hold ${megabytes(staged.bytes)}, ${megabytes(sizeMax)} are allowed.`);
    if (!options.isStageOnly) build(workspace, context, { app, target, name, epoch, revision, ...options });
  }
}

function lastCommit(workspace: string): [number, string] {
  const output = execFileSync('git', ['log', '-1', '--format=%ct %H'], { cwd: workspace, encoding: 'utf8' }).trim();
  const [epoch = '0', revision = 'unknown'] = output.split(' ');
  return [Number(epoch), revision];
}

function list(name: string, { packages, bytes, digest, folder }: Staged): void {
  console.log(`${pc.bold(name)}  ${megabytes(bytes)}, ${packages.length} packages, content ${digest.slice(0, 12)}`);
  const sizes = [
    ['Node', sizeOf(join(folder, 'usr/local/bin'))] as const,
    ...packages.map((one) => [`${one.name} ${one.version}`, sizeOf(join(folder, 'app', one.folder))] as const),
  ];
  const largest = sizes.sort(([, a], [, b]) => b - a).slice(0, 8);
  for (const [what, size] of largest) console.log(`  ${megabytes(size).padStart(9)}  ${what}`);
}

function sizeOf(folder: string): number {
  if (!existsSync(folder)) return 0;
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
    (path) => !path.split('/').includes('node_modules'),
  );
  return files.map((path) => lstatSync(join(folder, path))).reduce((sum, stat) => sum + (stat.isFile() ? stat.size : 0), 0);
}

const megabytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

interface Build {
  app: string;
  target: Target;
  name: string;
  epoch: number;
  revision: string;
  base?: string | undefined;
  tag: string;
}

function build(workspace: string, context: string, { app, target, name, epoch, revision, base, tag }: Build): void {
  if (base === undefined)
    throw new Failure('Say which base to build on: --base or KASSA_BASE_IMAGE, by digest; or --stage-only.');
  const args = { APP: app, BASE: base, VERSION: tag, REVISION: revision, SOURCE_DATE_EPOCH: String(epoch) };
  const given = Object.entries(args).flatMap(([key, value]) => ['--build-arg', `${key}=${value}`]);
  const file = join(workspace, 'deploy/Dockerfile');
  const { status, error } = spawnSync(
    'docker',
    ['build', '--file', file, '--target', target, '--tag', `${name}:${tag}`, ...given, context],
    {
      stdio: 'inherit',
    },
  );
  if (error) throw new Failure('There is no docker on the PATH; --stage-only lays out the image without it.');
  if (status !== 0) throw new Failure(`docker could not build ${name}.`);
}

if (import.meta.main) {
  await runCommand(async () => {
    const text = { type: 'string' } as const;
    const flag = { type: 'boolean' } as const;
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { base: text, tag: text, 'stage-only': flag, help: flag },
    });
    if (values.help) return console.log(help);
    const [app] = positionals;
    if (!serviceNames.includes(app as ServiceName)) throw new Failure(`Name a service: ${serviceNames.join(', ')}.`);
    await image(fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, ''), app as ServiceName, {
      base: values.base ?? process.env['KASSA_BASE_IMAGE'],
      tag: values.tag ?? 'local',
      isStageOnly: values['stage-only'] ?? false,
    });
  });
}
