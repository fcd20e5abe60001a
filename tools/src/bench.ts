import { rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { isFree } from '@kassa/testing';
import { machineLine, spreadOf, tableOf, type Row } from './bench-report.ts';
import { measureRounds } from './bench-rounds.ts';
import { checkInvariants, invariantReport, statusLine } from './check-invariants.ts';
import { Failure, runCommand } from './failure.ts';
import { startOwnSystem, type OwnSystem } from './own-system.ts';
import { say } from './progress.ts';
import { tablePorts } from './services.ts';
import { onThisMachine } from './target.ts';

const workspace = resolve(import.meta.dirname, '../..');

const help = `npm run bench [-- options]     how fast Kassa is, as ratios to what the same machine can do in the same minute

  Runs a Kassa of its own on a new data folder, with every fsync, and measures in turn, round after round: a sale in two HTTP requests at
  32 tills, and at 16; the same requests, calls and statements with nothing in them; the fewest rows of a sale on the same PostgreSQL at 16
  connections, in one transaction of prepared statements and in a single statement; a stock lookup; a Fastify with one prepared SELECT; a
  bare Fastify.
  A ratio compares two of one round. The first two and a half minutes warm up and do not count.

  --rounds 5     how often, at least 5
  --seconds 5    how long each is measured in a round
  --strict       end with code 1 when a target is missed
  --help`;

if (import.meta.main) await runCommand(main);

async function main(): Promise<void> {
  const options = readBenchOptions(process.argv.slice(2));
  if (options === 'help') return console.log(help);
  const machine = machineLine();
  const folder = join(workspace, '.cache', `bench-${process.pid}`);
  let own: OwnSystem | undefined;
  try {
    const first = await startOnFolder(folder);
    await first.own.stop();
    const second = await startOnFolder(folder);
    own = second.own;
    const rows = await measureRounds(own.system, { ...options, workspace, progress: say });
    const all = [...rows, ...startRows(first.seconds, second.seconds)];
    const version = await postgresVersion(own.system.postgresUrl);
    console.log(
      `\n${machine}, PostgreSQL ${version} with fsync.\nMedians of ${options.rounds} rounds of ${options.seconds} s each, lowest and highest beside them.`,
    );
    console.log(`${tableOf(all)}\n`);
    const comparison = await checkInvariants(onThisMachine(own.system), { waitMs: 60_000, progress: statusLine(process.stderr) });
    if (comparison.violations.length > 0)
      throw new Failure('Money and stock do not add up afterwards.', invariantReport(comparison));
    console.log(`Money and stock of all ${comparison.counts.completedSales.toLocaleString('en')} sales add up afterwards.`);
    if (options.isStrict && all.some(isMissed)) process.exitCode = 1;
  } finally {
    await own?.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

export interface BenchOptions {
  rounds: number;
  /** How long each thing is measured in a round. */
  seconds: number;
  isStrict: boolean;
}

/** Reads the command line of npm run bench. Throws Failure for anything it does not understand. */
export function readBenchOptions(args: string[]): BenchOptions | 'help' {
  const [text, flag] = [{ type: 'string' }, { type: 'boolean' }] as const;
  let values;
  try {
    values = parseArgs({ args, options: { rounds: text, seconds: text, strict: flag, help: flag }, strict: true }).values;
  } catch (error) {
    throw new Failure(`${(error as Error).message.split('.')[0]}; npm run bench -- --help tells all options.`);
  }
  if (values.help) return 'help';
  const number = (name: 'rounds' | 'seconds', otherwise: number, least: number) => {
    const value = Number(values[name] ?? otherwise);
    if (Number.isInteger(value) && value >= least && value <= 1000) return value;
    throw new Failure(`--${name} takes a whole number from ${least} to 1000, not "${values[name]}".`);
  };
  return { rounds: number('rounds', 5, 5), seconds: number('seconds', 5, 1), isStrict: values.strict ?? false };
}

async function startOnFolder(folder: string): Promise<{ own: OwnSystem; seconds: number }> {
  const ports = await freePorts();
  const began = performance.now();
  const own = await startOwnSystem(['--ports', String(ports)], say, { KASSA_DATA: folder, KASSA_DATABASE_URL: '' });
  return { own, seconds: (performance.now() - began) / 1000 };
}

/** A first port from which on the whole table of ports is free. */
export async function freePorts(): Promise<number> {
  const tableStart = tablePorts(0).issuer;
  for (let tries = 0; tries < 50; tries++) {
    const first = 12_000 + Math.floor(Math.random() * 18_000);
    const { issuer, postgres, services } = tablePorts(first - tableStart);
    const all = [
      issuer,
      postgres,
      ...Object.values(services).flatMap(({ http, grpc, health, metrics }) => [http, grpc, health, metrics]),
    ];
    if ((await Promise.all(all.map(isFree))).every(Boolean)) return first;
  }
  throw new Failure('No range of free ports was found for the benchmark.');
}

async function postgresVersion(url: string): Promise<string> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query<{ server_version: string }>('SHOW server_version');
  await client.end();
  return rows[0]?.server_version ?? '';
}

function startRows(firstSeconds: number, secondSeconds: number): Row[] {
  return [
    { what: 'From the command to ready', unit: '', rounds: [] },
    { what: 'first start, with databases and demo retailer', unit: 's', rounds: [firstSeconds] },
    { what: 'second start', unit: 's', rounds: [secondSeconds], target: { words: 'below 15 s', isMet: (median) => median < 15 } },
  ];
}

const isMissed = ({ rounds, target }: Row) => target !== undefined && !target.isMet(spreadOf(rounds).median);
