import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readCountries } from './deploy/countries.ts';
import { renderMesh } from './deploy/mesh.ts';
import { readTraffic } from './deploy/traffic.ts';
import { readWaves } from './deploy/waves.ts';
import { runCommand } from './failure.ts';
import { observabilityFolder } from './observability/check.ts';
import { renderObservability } from './observability/render.ts';

export const renderedFolder = 'deploy/mesh/rendered';

const help = `npm run deploy:render        makes deploy/mesh/rendered from mesh/traffic.yaml, releases/waves.yaml and the countries' data, and
                             deploy/observability/rendered from the tables in tools/src/observability

  --check    write nothing; say which files differ, and end with 1 if any does
  --help`;

/** The files that are not as their sources would have them, each with what is wrong, and what they should hold. */
export function staleFiles(workspace: string): { path: string; fault: string; wanted: string | undefined }[] {
  const traffic = readTraffic(workspace);
  const countries = readCountries(workspace);
  return [
    ...staleIn(workspace, renderedFolder, renderMesh({ traffic, countries, waves: readWaves(workspace).waves })),
    ...staleIn(workspace, observabilityFolder, renderObservability(traffic, countries)),
  ];
}

function staleIn(workspace: string, folder: string, wanted: ReadonlyMap<string, string>): ReturnType<typeof staleFiles> {
  const there = readFolder(join(workspace, folder));
  const paths = [...new Set([...wanted.keys(), ...there.keys()])].sort();
  return paths
    .filter((path) => wanted.get(path) !== there.get(path))
    .map((path) => {
      const fault = !there.has(path) ? 'is missing' : !wanted.has(path) ? 'is not wanted any more' : 'differs';
      return { path: `${folder}/${path}`, fault, wanted: wanted.get(path) };
    });
}

/** The texts of all files below a folder, by their paths there; none where there is no folder. */
export function readFolder(folder: string): Map<string, string> {
  if (!existsSync(folder)) return new Map();
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = files.map((file) => join(file.parentPath, file.name));
  return new Map(paths.map((path) => [relative(folder, path), readFileSync(path, 'utf8')]));
}

/** Makes what is rendered what it should be, and answers what was not. */
export function writeRendered(workspace: string): ReturnType<typeof staleFiles> {
  const stale = staleFiles(workspace);
  for (const { path, wanted } of stale) write(workspace, path, wanted);
  return stale;
}

function write(workspace: string, path: string, wanted: string | undefined): void {
  const file = join(workspace, path);
  if (wanted === undefined) return rmSync(file);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, wanted);
}

if (import.meta.main) {
  await runCommand(async () => {
    if (process.argv.includes('--help')) return console.log(help);
    const workspace = fileURLToPath(new URL('../..', import.meta.url));
    const isCheck = process.argv.includes('--check');
    const stale = isCheck ? staleFiles(workspace) : writeRendered(workspace);
    for (const { path, fault, wanted } of stale) {
      console.log(`${path} ${isCheck ? fault : wanted === undefined ? 'removed' : 'written'}`);
    }
    if (stale.length === 0) console.log(`${renderedFolder} and ${observabilityFolder} are as their sources say.`);
    else if (isCheck) process.exitCode = 1;
  });
}
