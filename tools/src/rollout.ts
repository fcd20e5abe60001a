import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import pc from 'picocolors';
import type { Wave } from './deploy/waves.ts';
import { Failure, runCommand } from './failure.ts';
import {
  gatesOf,
  proposePromotion,
  proposeRollback,
  readStanding,
  soakOf,
  wavesOn,
  type Desk,
  type Proposal,
  type Standing,
} from './rollout/plan.ts';
import { prometheusAt } from './rollout/prometheus.ts';
import { checked, isSame, parseRelease, short, type Release } from './rollout/release.ts';
import { shopsOf } from './rollout/shops.ts';
import { describe, nextStep, refusalText, statusTable, type StatusRow } from './rollout/show.ts';

const help = `npm run rollout -- <what> [options]     moves a version from wave to wave; the plan is deploy/releases/waves.yaml

  status               every wave: what it runs, since when, its gates, what comes next
  plan no              what promoting Norway's waves would change, for which shops, and what speaks against it; also: plan no-pilot
  promote no-pilot     the same, and then the digests are copied into deploy/releases/no-pilot/kustomization.yaml
  rollback no-pilot    back to the digests that ran there before: previous code on the new schema

  --prometheus URL     what is asked for gates and soak time, one that sees every cluster; default: KASSA_PROMETHEUS;
                       where it wants a bearer token: KASSA_PROMETHEUS_TOKEN
  --release FILE       for the first wave: "commit: …" and a line for each image, "sales: registry/kassa/sales@sha256:…"
  --image sales=registry/kassa/sales@sha256:…    the same by hand, once for each image and migration, with --commit
  --commit SHA         what the images were built from, in full
  --again              promote what this wave was taken back from once more
  --dry-run            show, and write nothing
  --yes                do not ask before writing
  --root FOLDER        another checkout than this one
  --help

Everything is shown before anything is written; one file is written, and nothing is committed. Ends with 1 where a promotion is refused:
a gate that is red or answers nothing, a Prometheus that cannot be reached, a soak time that is not over, digests that are not there.`;

const text = { type: 'string' } as const;
const flag = { type: 'boolean' } as const;
const options = {
  prometheus: text,
  release: text,
  image: { type: 'string', multiple: true },
  commit: text,
  again: flag,
  'dry-run': flag,
  yes: flag,
  root: text,
  help: flag,
} as const;

type Given = ReturnType<typeof read>['values'];

function read(args: string[]) {
  try {
    return parseArgs({ args, options, allowPositionals: true });
  } catch (error) {
    throw new Failure(`${(error as Error).message.split('. ')[0]}. npm run rollout -- --help tells what there is.`);
  }
}

async function rollout(args: string[], env: NodeJS.ProcessEnv): Promise<void> {
  const { values, positionals } = read(args);
  const [what, name, ...more] = positionals;
  if (values.help || what === undefined) return console.log(help);
  if (more.length > 0) throw new Failure(`One thing at a time: ${more.join(' ')} is too much.`);
  const address = values.prometheus ?? env['KASSA_PROMETHEUS'];
  const desk: Desk = {
    workspace: values.root ?? fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, ''),
    prometheus: address === undefined ? undefined : prometheusAt(address, env['KASSA_PROMETHEUS_TOKEN']),
    now: () => new Date(),
  };
  if (what === 'status') return status(desk);
  if (what === 'plan') return plan(desk, name, values);
  if (what === 'promote') return promote(desk, name, values);
  if (what === 'rollback') return rollback(desk, name, values);
  throw new Failure(`There is no ${what}; npm run rollout -- --help tells what there is.`);
}

async function status(desk: Desk): Promise<void> {
  const standing = readStanding(desk.workspace);
  console.log(statusTable(await Promise.all(standing.plan.waves.map((wave) => statusRow(desk, standing, wave)))));
  if (desk.prometheus === undefined)
    console.log(pc.dim('\nGates and soak were not asked: name a Prometheus, with --prometheus or KASSA_PROMETHEUS.'));
}

async function statusRow(desk: Desk, standing: Standing, wave: Wave): Promise<StatusRow> {
  const { release, writtenAt, rolledBack } = standing.states.get(wave.name) ?? {};
  const { count, ofCountry } = shopsOf(desk.workspace, wave, standing.plan.waves);
  const isAsked = release !== undefined && desk.prometheus !== undefined;
  const gates = isAsked ? await gatesOf(desk, standing, wave) : [];
  const failing = gates.filter(({ verdict }) => verdict !== 'green').map(({ gate, verdict }) => `${gate} ${verdict}`);
  const soak = isAsked ? await soakOf(desk, standing, wave) : undefined;
  return {
    wave: wave.name,
    shops: `${count} of ${ofCountry}`,
    runs: release ? short(release.commit) + (rolledBack ? `, taken back from ${short(rolledBack)}` : '') : 'nothing yet',
    since: writtenAt?.toISOString().slice(0, 16).replace('T', ' ') ?? '',
    soak: soak?.words ?? (release ? 'not asked' : ''),
    gates: isAsked ? failing.join(', ') || 'green' : release ? 'not asked' : '',
    next: nextStep(standing, wave),
  };
}

async function plan(desk: Desk, name: string | undefined, given: Given): Promise<void> {
  const { waves } = readStanding(desk.workspace).plan;
  const asked = waves.filter((wave) => wave.name === name || wave.country === name);
  const countries = [...new Set(waves.map(({ country }) => country))];
  if (asked.length === 0)
    throw new Failure(`Name a country or a wave: ${countries.join(', ')}, or one of them with -pilot or -full.`);
  for (const wave of asked) {
    try {
      const proposal = await proposePromotion(desk, wave.name, { build: buildOf(wave, given), isAgain: given.again });
      console.log(describe(proposal, 'promotion'));
      console.log(`\n${verdict(proposal)}`);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      console.log(`\n${pc.bold(wave.name)}\n\n${error.message}`);
    }
  }
}

const verdict = ({ wave, before, after, refusals }: Proposal): string =>
  isSame(before.release, after.release)
    ? `${wave.name} runs these digests already.`
    : refusals.length > 0
      ? `${wave.name} cannot be promoted now:\n${refusalText(refusals)}`
      : `${pc.green('✓')} ${wave.name} can be promoted: npm run rollout -- promote ${wave.name}`;

async function promote(desk: Desk, name: string | undefined, given: Given): Promise<void> {
  const wave = readStanding(desk.workspace).plan.waves.find((one) => one.name === name);
  const proposal = await proposePromotion(desk, name, { build: wave && buildOf(wave, given), isAgain: given.again });
  console.log(describe(proposal, 'promotion'));
  if (isSame(proposal.before.release, proposal.after.release))
    return console.log(`\n${verdict(proposal)} Nothing is to be done.`);
  if (proposal.refusals.length > 0)
    throw new Failure(`\n${proposal.wave.name} is not promoted, and nothing was written.`, refusalText(proposal.refusals));
  await write(desk, proposal, given);
}

async function rollback(desk: Desk, name: string | undefined, given: Given): Promise<void> {
  const proposal = await proposeRollback(desk, name);
  console.log(describe(proposal, 'rollback'));
  const { release } = proposal.before;
  const others = release ? wavesOn(readStanding(desk.workspace), release).filter((wave) => wave.name !== proposal.wave.name) : [];
  if (others.length > 0)
    console.log(`\n${pc.yellow(`${short(release?.commit)} still runs in ${others.map((wave) => wave.name).join(', ')}.`)}`);
  await write(desk, proposal, given);
}

/** The release that the command line names, for a wave that takes a build. */
function buildOf(wave: Wave, { release, image = [], commit }: Given): Release | undefined {
  if (release === undefined && image.length === 0) return undefined;
  if (release !== undefined && image.length > 0) throw new Failure('Say either --release or --image, not both.');
  if (release !== undefined) return needsCommit(release, parseRelease(readRelease(release)));
  const images = Object.fromEntries(
    image.map((pair) => {
      const at = pair.indexOf('=');
      if (at < 0) throw new Failure(`--image ${pair} must be name=registry/path@sha256:…`);
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
  return needsCommit(`The command line for ${wave.name}`, { commit, images });
}

function needsCommit(source: string, release: Release): Release {
  if (release.commit === undefined)
    throw new Failure(`${source} does not say the commit, by which a running version is known; add it.`);
  return checked(source, release);
}

function readRelease(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    throw new Failure(`${file} cannot be read.`);
  }
}

async function write({ workspace }: Desk, { file, text: content, wave }: Proposal, given: Given): Promise<void> {
  if (given['dry-run'])
    return console.log(`\nNothing was written. ${file} would be:\n\n${content.replace(/^/gm, '    ').trimEnd()}`);
  if (!given.yes && !(await isWanted(file))) throw new Failure('Nothing was written.');
  writeFileSync(join(workspace, file), content);
  console.log(`\n${pc.green('✓')} ${file} is written. Commit it, and Flux takes it to ${wave.country} ${wave.track}.`);
}

async function isWanted(file: string): Promise<boolean> {
  if (!process.stdin.isTTY)
    throw new Failure('Nothing was written, since there is nobody to ask: say --yes, or --dry-run to look only.');
  const lines = createInterface({ input: process.stdin, output: process.stdout });
  const said = await lines.question(`\nWrite ${file}? [y/N] `);
  lines.close();
  return /^y(es)?$/i.test(said.trim());
}

if (import.meta.main) await runCommand(() => rollout(process.argv.slice(2), process.env));
