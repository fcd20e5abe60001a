import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import { bundle } from '../build.ts';
import { closure, externals, type Package } from './closure.ts';

export type Target = 'run' | 'migrate';

export interface Staged {
  /** The two layers that are laid over the base: Node alone, which all images share, and the rest. */
  layers: { node: string; files: string };
  packages: Package[];
  /** SHA-256 over every path, mode and content; the same sources give the same. */
  digest: string;
  bytes: number;
}

interface StageOptions {
  workspace: string;
  app: string;
  /** Of every file, in seconds since 1970, so that two builds at different times are one. */
  epoch: number;
  /** The build context: `node` and `files` are made in it. */
  folder: string;
}

/** Neither code nor licence: types, sources of maps, papers. */
const ballast = /\.(d\.[cm]?ts|ts|tsx|map|md|markdown|flow)$|(^|\/)(test|tests|docs|examples?|\.github)\//;
/** Prisma carries compilers and engines for every database and platform, and a browser for data; PostgreSQL's WebAssembly is all we run. */
const foreign =
  /query_(compiler|engine)\w*\.(cockroachdb|mysql|sqlite|sqlserver)\.|schema-engine-(debian|linux|darwin|rhel|windows)|libquery_engine|studio-core\/dist\/ui\//;

/** What Prisma's browser for data and its development server bring along, and `migrate deploy` never loads. */
const notForMigrations = [
  '@electric-sql/pglite',
  '@electric-sql/pglite-socket',
  '@electric-sql/pglite-tools',
  'react',
  'react-dom',
  'elkjs',
  'mysql2',
  'typescript',
];

/** Lays out what a service's image holds beside its base. */
export async function stageRun(options: StageOptions): Promise<Staged> {
  const { workspace, app } = options;
  const folder = join(options.folder, 'files');
  await bundle(join(workspace, 'apps', app));
  const dist = join(workspace, 'apps', app, 'dist');
  const code = readdirSync(dist)
    .filter((file) => file.endsWith('.js'))
    .map((file) => readFileSync(join(dist, file), 'utf8'));
  const packages = closure(workspace, externals(code.join('\n')));
  begin(options);
  cpSync(dist, join(folder, 'app/dist'), { recursive: true });
  // A service is not ready while its schema lacks a migration it was built with; their names are what it looks for.
  cpSync(join(workspace, 'apps', app, 'prisma/migrations'), join(folder, 'app/prisma/migrations'), { recursive: true });
  writeFileSync(
    join(folder, 'app/package.json'),
    `${JSON.stringify({ name: `@kassa/${app}`, type: 'module', private: true })}\n`,
  );
  copyPackages(options, packages);
  return finish(options, packages);
}

/** Prisma's command, its schema engine for WebAssembly, and the service's migrations. */
export async function stageMigrate(options: StageOptions): Promise<Staged> {
  const { workspace, app } = options;
  const folder = join(options.folder, 'files');
  const needed = ['prisma', '@prisma/schema-engine-wasm', '@prisma/adapter-pg', '@prisma/driver-adapter-utils', 'pg'];
  const packages = closure(workspace, needed, notForMigrations);
  begin(options);
  const copy = (from: string, to: string) => cpSync(join(workspace, from), join(folder, 'app', to), { recursive: true });
  copy(`apps/${app}/prisma`, 'apps/room/prisma');
  copy(`apps/${app}/prisma.config.ts`, 'apps/room/prisma.config.ts');
  copy('tools/prisma-config.ts', 'tools/prisma-config.ts');
  writeFileSync(join(folder, 'app/tools/schema-engine.mjs'), schemaEngine(workspace), { mode: 0o755 });
  copy('tools/src/image/migrate.mjs', 'migrate.mjs');
  writeFileSync(
    join(folder, 'app/package.json'),
    `${JSON.stringify({ name: `@kassa/${app}-migrate`, type: 'module', private: true })}\n`,
  );
  copyPackages(options, packages);
  return finish(options, packages);
}

/** Prisma starts it as a program. The image has no /usr/bin/env that would look for Node. */
function schemaEngine(workspace: string): string {
  const text = readFileSync(join(workspace, 'tools/schema-engine.mjs'), 'utf8');
  return text.replace('#!/usr/bin/env node', '#!/usr/local/bin/node');
}

function begin({ workspace, folder }: StageOptions): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, 'node/usr/local/bin'), { recursive: true });
  cpSync(join(workspace, 'node_modules/node/bin/node'), join(folder, 'node/usr/local/bin/node'), { dereference: true });
}

function copyPackages({ workspace, folder }: StageOptions, packages: Package[]): void {
  for (const { folder: from } of packages) {
    const source = join(workspace, from);
    cpSync(source, join(folder, 'files/app', from), {
      recursive: true,
      // A package below this one is copied by its own turn, if it is needed at all.
      filter: (path) => {
        const inside = relative(source, path);
        return !inside.split('/').includes('node_modules') && !ballast.test(inside) && !foreign.test(join(from, inside));
      },
    });
  }
}

/** Gives every file one time and plain modes, and takes the digest. */
function finish({ folder, epoch }: StageOptions, packages: Package[]): Staged {
  const hash = createHash('sha256');
  let bytes = 0;
  const paths = readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();
  for (const path of paths.toReversed()) {
    const full = join(folder, path);
    const stat = lstatSync(full);
    if (!stat.isSymbolicLink()) chmodSync(full, stat.isDirectory() || (stat.mode & 0o100) !== 0 ? 0o755 : 0o644);
    lutimesSync(full, epoch, epoch);
  }
  for (const path of paths) {
    const full = join(folder, path);
    const stat = lstatSync(full);
    if (stat.isDirectory()) continue;
    const content = stat.isSymbolicLink() ? readlinkSync(full) : readFileSync(full);
    hash.update(`${path}\0${stat.mode}\0${stat.size}\0`).update(content);
    bytes += stat.size;
  }
  const layers = { node: join(folder, 'node'), files: join(folder, 'files') };
  return { layers, packages, digest: hash.digest('hex'), bytes };
}
