import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import pc from 'picocolors';
import { freePorts } from './bench.ts';
import { checkInvariants, invariantReport, statusLine } from './check-invariants.ts';
import { openTill, type CompletedSale, type Sale } from './demo-till.ts';
import { Failure, runCommand } from './failure.ts';
import { startOwnSystem } from './own-system.ts';
import { say } from './progress.ts';
import { cable } from './sale-line.ts';
import type { System } from './system.ts';
import { onThisMachine } from './target.ts';

const workspace = resolve(import.meta.dirname, '../..');

const help = `npm run rollback:check [-- options]     the last release runs on the schema of the present code

  A rollback is the previous code on the new schema. The present code migrates databases and opens a sale; then the code of the last
  release (the newest tag v*) runs on them, completes that sale and opens another; then the present code again, which completes it. Money
  and stock must add up afterwards.

  --release TAG     another release than the last
  --help`;

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { release: { type: 'string' }, help: { type: 'boolean' } } });
  if (values.help) return console.log(help);
  const release = values.release ?? lastRelease();
  if (release === undefined) return console.log('There is no release yet, no tag v*, so that there is nothing to roll back to.');
  const previous = checkOut(release);
  const data = mkdtempSync(join(tmpdir(), 'kassa-rollback-'));
  try {
    const ports = String(await freePorts());
    const within = <T>(code: string, work: (system: System) => Promise<T>) => runWith(code, data, ports, work);

    const opened = await within(workspace, openSale);
    report('the present code migrated the databases, and opened a sale');
    const left = await within(previous, async (system) => {
      await completeSale(system, opened);
      return openSale(system);
    });
    report(`${release} completed it on the present schema, and opened another`);
    await within(workspace, async (system) => {
      await completeSale(system, left);
      const comparison = await checkInvariants(onThisMachine(system), { waitMs: 60_000, progress: statusLine(process.stderr) });
      if (comparison.violations.length > 0) throw new Failure('Money and stock do not add up.', invariantReport(comparison));
    });
    report('the present code completed that one; money and stock add up');
  } finally {
    rmSync(data, { recursive: true, force: true });
  }
}

function lastRelease(): string | undefined {
  const tags = execFileSync('git', ['tag', '--list', 'v*', '--sort=-version:refname'], { cwd: workspace, encoding: 'utf8' });
  return tags.split('\n')[0] || undefined;
}

/** The release's files with its packages, kept in .cache/release. */
function checkOut(release: string): string {
  const folder = join(workspace, '.cache/release', release);
  if (existsSync(join(folder, 'node_modules/.package-lock.json'))) return folder;
  say(`Installing ${release} …`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const archive = spawnSync('git', ['archive', release], { cwd: workspace, maxBuffer: 2 ** 30 });
  if (archive.status !== 0) throw new Failure(`There is no release ${release}.`, archive.stderr.toString());
  execFileSync('tar', ['-xf', '-', '-C', folder], { input: archive.stdout });
  const install = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--prefer-offline'], { cwd: folder, encoding: 'utf8' });
  if (install.status !== 0) throw new Failure(`The packages of ${release} could not be installed.`, install.stderr);
  return folder;
}

/** Runs all of Kassa with the code of one checkout on the kept data, does the work, and stops it. */
async function runWith<T>(code: string, data: string, ports: string, work: (system: System) => Promise<T>): Promise<T> {
  const own = await startOwnSystem(['--ports', ports], say, { KASSA_DATA: data, KASSA_DATABASE_URL: '' }, code);
  try {
    return await work(own.system);
  } finally {
    await own.stop();
  }
}

const register = 'dk-001-01';

async function openSale(system: System): Promise<Sale> {
  return (await openTill(system, register)).open([{ gtin: cable.gtin }]);
}

async function completeSale(system: System, sale: Sale): Promise<CompletedSale> {
  return (await openTill(system, register)).complete(sale, [
    { method: 'terminal', amountMinor: 2_000 },
    { method: 'cash', amountMinor: sale.totalMinor },
  ]);
}

const report = (sentence: string) => console.log(`${pc.green('✓')} ${sentence}`);

if (import.meta.main) await runCommand(main);
