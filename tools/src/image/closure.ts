import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

/** An installed npm package. */
export interface Package {
  name: string;
  version: string;
  licence: string;
  /** From the workspace: `node_modules/a/node_modules/b`. */
  folder: string;
}

interface Manifest {
  name: string;
  version: string;
  license?: string | { type: string };
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
  peerDependenciesMeta?: Record<string, { optional?: boolean }>;
}

/**
 * The packages that `names` need to run, each where it is installed, sorted by folder. Optional packages are taken where they are
 * installed, optional peers are not; those in `without` and what they alone need are left out. Throws an Error naming a package that is needed and not there.
 */
export function closure(workspace: string, names: string[], without: string[] = []): Package[] {
  const found = new Map<string, Package>();
  const visit = (name: string, from: string, isOptional: boolean) => {
    if (without.includes(name)) return;
    const folder = resolvePackage(workspace, name, from);
    if (folder === undefined) {
      if (isOptional) return;
      throw new Error(`${name}, which ${relative(workspace, from) || 'the service'} needs, is not installed`);
    }
    if (found.has(folder)) return;
    const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
    const { license } = manifest;
    const licence = typeof license === 'string' ? license : (license?.type ?? 'unknown');
    found.set(folder, { name: manifest.name, version: manifest.version, licence, folder: relative(workspace, folder) });
    const optional = manifest.optionalDependencies ?? {};
    for (const dependency of Object.keys(manifest.dependencies ?? {})) visit(dependency, folder, dependency in optional);
    for (const dependency of Object.keys(optional)) visit(dependency, folder, true);
    for (const peer of Object.keys(manifest.peerDependencies ?? {})) {
      if (!manifest.peerDependenciesMeta?.[peer]?.optional) visit(peer, folder, true);
    }
  };
  for (const name of names) visit(name, workspace, false);
  return [...found.values()].sort((a, b) => (a.folder < b.folder ? -1 : 1));
}

/** Node's own search: node_modules beside the asker, then beside each folder above it. */
function resolvePackage(workspace: string, name: string, from: string): string | undefined {
  for (let folder = from; folder.length >= workspace.length; folder = dirname(folder)) {
    const candidate = join(folder, 'node_modules', name);
    if (existsSync(join(candidate, 'package.json'))) return candidate;
    if (folder === workspace) break;
  }
  return undefined;
}

/** The packages a bundle loads when it runs: what esbuild left as an import. */
export function externals(bundle: string): string[] {
  const imports = bundle.matchAll(
    /(?:^(?:import|export)\b[^'"]*?|\bimport\()["']((?:@[\w.-]+\/)?[\w-][\w.-]*(?::[\w/]+|\/[\w./-]+)?)["']/gm,
  );
  const names = [...imports].map((match) => match[1] ?? '').filter((name) => !name.startsWith('node:'));
  const packages = names.map((name) =>
    name
      .split('/')
      .slice(0, name.startsWith('@') ? 2 : 1)
      .join('/'),
  );
  return [...new Set(packages)].sort();
}
