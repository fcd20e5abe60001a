import pc from 'picocolors';
import type { ObjectChange } from './diff.ts';
import type { GateResult } from './gates.ts';
import type { Proposal, Standing } from './plan.ts';
import { isSame, short } from './release.ts';
import { countryName } from './shops.ts';

/** Everything a person should see before a wave's file is written. */
export function describe(proposal: Proposal, purpose: 'promotion' | 'rollback'): string {
  const { wave, before, after, changes, objects, renderer } = proposal;
  const arrow = purpose === 'promotion' ? `from ${wave.from}` : 'back to what ran before';
  const versions = `${before.release ? short(before.release.commit) : 'nothing'} → ${short(after.release?.commit)}`;
  return [
    `\n${pc.bold(wave.name)}  ${versions}, ${arrow}`,
    ...section('Shops', shopLines(proposal)),
    ...section(
      `What changes, of ${objects} objects (${renderer})`,
      changes.length === 0 ? ['nothing'] : changes.flatMap(changeLines),
    ),
    ...(purpose === 'rollback' ? section('Mind', rollbackLines(proposal)) : []),
    ...(proposal.soak
      ? section('Soak', [mark(proposal.soak.isReached ? 'green' : 'red', `${proposal.soak.wave}  ${proposal.soak.words}`)])
      : []),
    ...section(purpose === 'rollback' ? 'Gates, which stop no rollback' : 'Gates', gateLines(proposal.gates)),
  ].join('\n');
}

const section = (title: string, lines: string[]) =>
  lines.length === 0 ? [] : ['', `  ${pc.cyan(title)}`, ...lines.map((line) => `    ${line}`)];

function shopLines({ wave, shops: { count, ofCountry, names, atPilot } }: Proposal): string[] {
  const share = wave.percent === undefined ? '' : `, ${wave.percent} % of their calls`;
  const head = `${count} of ${ofCountry} in ${countryName(wave.country)}${share}`;
  const others = atPilot.length > 0 ? [pc.dim(`served by the pilot: ${atPilot.join(', ')}`)] : [];
  return [head, ...inColumns(names).map((line) => pc.dim(line)), ...others];
}

function inColumns(cells: string[]): string[] {
  const width = Math.max(0, ...cells.map((cell) => cell.length)) + 2;
  const perLine = Math.max(1, Math.floor(120 / width));
  const lines = Array.from({ length: Math.ceil(cells.length / perLine) }, (_, n) => cells.slice(n * perLine, (n + 1) * perLine));
  return lines.map((line) =>
    line
      .map((cell) => cell.padEnd(width))
      .join('')
      .trimEnd(),
  );
}

function changeLines({ object, what, fields }: ObjectChange): string[] {
  if (what !== 'changed') return [`${what === 'added' ? pc.green('+') : pc.red('-')} ${object}`];
  return fields.flatMap(({ path, before, after }) => [
    `${pc.bold(object)}  ${path}`,
    ...(before === undefined ? [] : [pc.red(`  - ${shortDigest(before)}`)]),
    ...(after === undefined ? [] : [pc.green(`  + ${shortDigest(after)}`)]),
  ]);
}

/** Twelve digits tell digests apart; the file has them whole. */
const shortDigest = (value: string) => value.replaceAll(/(@sha256:[0-9a-f]{12})[0-9a-f]{52}/g, '$1…');

const rollbackLines = ({ after, wave }: Proposal) => [
  `This is the previous code on the new schema: nothing is migrated back, and the migrations stay those of ${short(after.rolledBack)}.`,
  `${short(after.rolledBack)} is promoted nowhere else until ${wave.name} has another version.`,
];

export const gateLines = (gates: GateResult[]): string[] => {
  const width = (of: (gate: GateResult) => string) => Math.max(0, ...gates.map((gate) => of(gate).length));
  const [waves, names] = [width(({ wave }) => wave), width(({ gate }) => gate)];
  return gates.map(({ wave, gate, verdict, words }) => mark(verdict, `${wave.padEnd(waves)}  ${gate.padEnd(names)}  ${words}`));
};

const marks = { green: pc.green('✓'), red: pc.red('✗'), silent: pc.yellow('?') };
const mark = (verdict: GateResult['verdict'], words: string) => `${marks[verdict]} ${words}`;

export const refusalText = (refusals: string[]) => refusals.map((reason) => `${pc.red('✗')} ${reason}`).join('\n');

export interface StatusRow {
  wave: string;
  shops: string;
  runs: string;
  since: string;
  soak: string;
  gates: string;
  next: string;
}

const headings: StatusRow = {
  wave: 'wave',
  shops: 'shops',
  runs: 'runs',
  since: 'since',
  soak: 'soak',
  gates: 'gates',
  next: 'next',
};

export function statusTable(rows: StatusRow[]): string {
  const columns = Object.keys(headings) as (keyof StatusRow)[];
  const widths = columns.map((column) => Math.max(...[headings, ...rows].map((row) => row[column].length)));
  const line = (row: StatusRow) =>
    columns
      .map((column, n) => row[column].padEnd(widths[n] ?? 0))
      .join('  ')
      .trimEnd();
  return [pc.dim(line(headings)), ...rows.map(line)].join('\n');
}

/** What comes next for a wave, whatever its gates say. */
export function nextStep({ states }: Standing, wave: { name: string; from: string }): string {
  const own = states.get(wave.name);
  if (wave.from === 'build') return own?.release ? 'takes the next build' : 'takes the first build';
  const { release: source, rolledBack } = states.get(wave.from) ?? {};
  if (source === undefined) return `waits for ${wave.from}`;
  if (rolledBack !== undefined) return `waits for ${wave.from}, which was taken back`;
  if (isSame(own?.release, source)) return 'has what it copies';
  return `${short(source.commit)} from ${wave.from}${own?.rolledBack === source.commit ? ', which was taken back here' : ''}`;
}
