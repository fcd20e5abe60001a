import { mkdtempSync, rmSync } from 'node:fs';
import { platform, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import pc from 'picocolors';
import { Failure, runCommand } from './failure.ts';
import { buildImages, nameOf, workspace, type BuiltImage, type ImageOptions, type Wanted } from './image.ts';
import { assembleBase } from './base-image.ts';
import { hasDocker } from './image/docker.ts';
import { reportOn, type ImageReport } from './image/facts.ts';
import { sellFromImages } from './image/sale.ts';
import type { Target } from './image/stage.ts';
import { say } from './progress.ts';
import { serviceNames, type ServiceName } from './services.ts';

const help = `npm run image:check [-- options]     builds all images, looks into them, starts them and sells something

  Every image is built and looked at: its size, its user, that it holds no shell, package manager or foreign engine. One is built again from
  nothing a while later and must have the same digest. Then the migrations run and the services start from their images as their pods
  would, read-only, without capabilities and within the memory deploy/base gives them, on PostgreSQL with TLS, and make a sale together.

  --base IMAGE        the base, by digest; default: KASSA_BASE_IMAGE, or one assembled from this machine's parts
  --postgres IMAGE    PostgreSQL 18; default: postgres:18
  --seconds 10        how long 16 tills sell, to see how much memory that takes
  --only-sell         the images stand already; start them and sell
  --help

  Needs Linux and a Docker engine.`;

const targets: Target[] = ['run', 'migrate'];

async function main(): Promise<void> {
  const [text, flag] = [{ type: 'string' }, { type: 'boolean' }] as const;
  const { values } = parseArgs({ options: { base: text, postgres: text, seconds: text, 'only-sell': flag, help: flag } });
  if (values.help) return console.log(help);
  if (platform() !== 'linux') throw new Failure('Images are started on Linux only, where containers can be reached by address.');
  if (!hasDocker()) throw new Failure('There is no Docker engine; start one, then npm run image:check again.');
  const folder = mkdtempSync(join(tmpdir(), 'kassa-image-check-'));
  try {
    if (!values['only-sell'])
      await buildAll(values.base ?? process.env['KASSA_BASE_IMAGE'] ?? assembleBase(), join(folder, 'layers'));
    const loadSeconds = Number(values.seconds ?? 10);
    if (!(loadSeconds > 0)) throw new Failure('--seconds takes a number above 0.');
    await sellFromImages({ folder, workspace, postgres: values.postgres ?? 'postgres:18', imageOf, say, loadSeconds });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const imageOf = (app: ServiceName, target: Target) => `${nameOf(app, target)}:local`;

async function buildAll(base: string, root: string): Promise<void> {
  const options: ImageOptions = { base, tag: 'local', root };
  const all = serviceNames.flatMap((app) => targets.map((target) => ({ app, target })));
  const built = await buildImages(all, options);
  const [{ app: one }] = all as [Wanted];
  say(`Building ${one} again from nothing …`);
  const again = await buildImages(
    all.filter(({ app }) => app === one),
    { ...options, mustBuildAnew: true },
  );

  say('Looking into all images …');
  const reports: ImageReport[] = [];
  for (const app of serviceNames) reports.push(...(await Promise.all(targets.map((target) => reportOn(imageOf(app, target))))));
  console.log(`\n${tableOf(reports)}\n`);
  const faults = reports.flatMap((report) => report.faults.map((fault) => `${report.name} ${fault}`));
  if (faults.length > 0) throw new Failure('Images are not as they must be.', faults.join('\n'));
  const differing = again.filter(({ imageDigest }, index) => imageDigest !== built[index]?.imageDigest);
  if (differing.length > 0)
    throw new Failure('Built again from the same commit, an image was another one.', differing.map(whatDiffers).join('\n'));
  console.log(`Built again from nothing, ${again.map(({ name }) => name).join(' and ')} have the same digests.\n`);
}

const whatDiffers = ({ name, imageDigest, digest }: BuiltImage) => `${name} is ${imageDigest} now, its content ${digest}`;

function tableOf(reports: ImageReport[]): string {
  const width = Math.max(...reports.map(({ name }) => name.length));
  const head = pc.bold(`${'image'.padEnd(width)}      size   files  user         digest`);
  const rows = reports.map(({ name, bytes, files, user, digest, faults }) => {
    const size = `${(bytes / 2 ** 20).toFixed(0)} MiB`.padStart(9);
    const verdict = faults.length === 0 ? pc.green('✓') : pc.red('✗');
    return `${name.padEnd(width)} ${size} ${String(files).padStart(7)}  ${user}  ${digest.slice(0, 19)} ${verdict}`;
  });
  return [head, ...rows].join('\n');
}

if (import.meta.main) await runCommand(main);
