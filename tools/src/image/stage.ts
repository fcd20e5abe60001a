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

/** What is laid over what stands below it, as a folder that looks like the root of a file system. */
export interface Layer {
  /** Below the stage's root: `node`, `prisma`, `sales/run`. */
  name: string;
  folder: string;
  /** SHA-256 over every path, mode and content; the same sources give the same. */
  digest: string;
  bytes: number;
}

export interface Staged {
  /** What other images have as well, from below: Node, then for migrations Prisma. */
  shared: Layer[];
  own: Layer;
  packages: Package[];
  /** Over all layers. */
  digest: string;
  bytes: number;
}

export interface StageOptions {
  workspace: string;
  /** Of every file, in seconds since 1970, so that two builds at different times are one. */
  epoch: number;
  /** Each layer is laid out as `files` in a folder of its own below here, which is its build context. */
  root: string;
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

/** Lays out what images hold beside their base; what they share, once. */
export class Stage {
  readonly #options: StageOptions;
  #node: Layer | undefined;
  #prisma: { layer: Layer; packages: Package[] } | undefined;

  constructor(options: StageOptions) {
    this.#options = options;
  }

  /** The service: its bundle and the packages it loads, on Node. */
  async run(app: string): Promise<Staged> {
    const { workspace } = this.#options;
    await bundle(join(workspace, 'apps', app));
    const dist = join(workspace, 'apps', app, 'dist');
    const code = readdirSync(dist)
      .filter((file) => file.endsWith('.js'))
      .map((file) => readFileSync(join(dist, file), 'utf8'));
    const packages = closure(workspace, externals(code.join('\n')));
    const files = this.#begin(`${app}/run`);
    cpSync(dist, join(files, 'app/dist'), { recursive: true });
    // A service is not ready while its schema lacks a migration it was built with; their names are what it looks for.
    cpSync(join(workspace, 'apps', app, 'prisma/migrations'), join(files, 'app/prisma/migrations'), { recursive: true });
    writeFileSync(
      join(files, 'app/package.json'),
      `${JSON.stringify({ name: `@kassa/${app}`, type: 'module', private: true })}\n`,
    );
    this.#copyPackages(files, packages);
    return staged([this.#nodeLayer()], this.#finish(`${app}/run`, files), packages);
  }

  /** The service's migrations, on Node and Prisma. */
  migrate(app: string): Staged {
    const { workspace } = this.#options;
    const { layer: prisma, packages } = this.#prismaLayer();
    const files = this.#begin(`${app}/migrate`);
    const copy = (from: string, to: string) => cpSync(join(workspace, from), join(files, 'app', to), { recursive: true });
    copy(`apps/${app}/prisma`, 'apps/room/prisma');
    copy(`apps/${app}/prisma.config.ts`, 'apps/room/prisma.config.ts');
    copy('tools/prisma-config.ts', 'tools/prisma-config.ts');
    copy('tools/src/image/migrate.mjs', 'migrate.mjs');
    writeFileSync(join(files, 'app/tools/schema-engine.mjs'), schemaEngine(workspace), { mode: 0o755 });
    writeFileSync(
      join(files, 'app/package.json'),
      `${JSON.stringify({ name: `@kassa/${app}-migrate`, type: 'module', private: true })}\n`,
    );
    return staged([this.#nodeLayer(), prisma], this.#finish(`${app}/migrate`, files), packages);
  }

  #nodeLayer(): Layer {
    if (this.#node !== undefined) return this.#node;
    const files = this.#begin('node');
    mkdirSync(join(files, 'usr/local/bin'), { recursive: true });
    const program = join(this.#options.workspace, 'node_modules/node/bin/node');
    cpSync(program, join(files, 'usr/local/bin/node'), { dereference: true });
    return (this.#node = this.#finish('node', files));
  }

  /** Prisma's command and its schema engine for WebAssembly. */
  #prismaLayer(): { layer: Layer; packages: Package[] } {
    if (this.#prisma !== undefined) return this.#prisma;
    const needed = ['prisma', '@prisma/schema-engine-wasm', '@prisma/adapter-pg', '@prisma/driver-adapter-utils', 'pg'];
    const packages = closure(this.#options.workspace, needed, notForMigrations);
    const files = this.#begin('prisma');
    this.#copyPackages(files, packages);
    return (this.#prisma = { layer: this.#finish('prisma', files), packages });
  }

  #begin(name: string): string {
    const files = join(this.#options.root, name, 'files');
    rmSync(files, { recursive: true, force: true });
    mkdirSync(files, { recursive: true });
    return files;
  }

  #copyPackages(files: string, packages: Package[]): void {
    for (const { folder: from } of packages) {
      const source = join(this.#options.workspace, from);
      cpSync(source, join(files, 'app', from), {
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
  #finish(name: string, folder: string): Layer {
    const { epoch } = this.#options;
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
    return { name, folder, digest: hash.digest('hex'), bytes };
  }
}

function staged(shared: Layer[], own: Layer, packages: Package[]): Staged {
  const layers = [...shared, own];
  const digest = createHash('sha256').update(layers.map((layer) => layer.digest).join('\n'));
  return { shared, own, packages, digest: digest.digest('hex'), bytes: layers.reduce((sum, layer) => sum + layer.bytes, 0) };
}

/** Prisma starts it as a program. The image has no /usr/bin/env that would look for Node. */
function schemaEngine(workspace: string): string {
  const text = readFileSync(join(workspace, 'tools/schema-engine.mjs'), 'utf8');
  return text.replace('#!/usr/bin/env node', '#!/usr/local/bin/node');
}
