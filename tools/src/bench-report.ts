import { cpus, loadavg, release, totalmem, type } from 'node:os';
import colors from 'picocolors';

/** The middle one of several rounds, and how far they lie apart. */
export interface Spread {
  median: number;
  min: number;
  max: number;
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const at = (index: number) => sorted[index] ?? NaN;
  const median = Number.isInteger(middle) ? (at(middle - 1) + at(middle)) / 2 : at(Math.floor(middle));
  return { median, min: at(0), max: at(sorted.length - 1) };
}

export interface Row {
  what: string;
  unit: string;
  rounds: readonly number[];
  /** Set where `rounds` are a before and an after instead. */
  isPair?: true;
  /** What the median shall be, where that was promised. */
  target?: { words: string; isMet: (median: number) => boolean };
}

/** A table of medians with the lowest and the highest round beside them. A row without rounds is a heading. */
export function tableOf(rows: readonly Row[]): string {
  const width = Math.max(...rows.map(({ what }) => what.length));
  const lines = rows.map(({ what, unit, rounds, target, isPair }) => {
    if (rounds.length === 0) return `\n${colors.bold(what)}`;
    if (isPair)
      return `  ${what.padEnd(width)} ${digits(rounds[1] ?? NaN).padStart(9)} ${unit.padEnd(12)} ${colors.dim(`from ${digits(rounds[0] ?? NaN)}`)}`;
    const { median, min, max } = spreadOf(rounds);
    const range = rounds.length > 1 ? `${digits(min)} to ${digits(max)}` : '';
    const verdict = target && (target.isMet(median) ? colors.green(`✓ ${target.words}`) : colors.red(`✗ ${target.words}`));
    return `  ${what.padEnd(width)} ${digits(median).padStart(9)} ${unit.padEnd(12)} ${colors.dim(range.padEnd(20))}${verdict ?? ''}`.trimEnd();
  });
  return lines.join('\n');
}

/** Three digits that matter, and no more. */
function digits(value: number): string {
  if (Number.isNaN(value)) return '–';
  const decimals = value >= 100 ? 0 : value >= 10 ? 1 : value >= 1 ? 2 : 3;
  return value >= 1000 ? Math.round(value).toLocaleString('en') : value.toFixed(decimals);
}

/** What the numbers were measured on. */
export function machineLine(): string {
  const all = cpus();
  const gigabytes = Math.round(totalmem() / 2 ** 30);
  const load = loadavg()
    .map((value) => value.toFixed(1))
    .join(' ');
  return `${all[0]?.model.trim() ?? 'unknown processor'}, ${all.length} cores, ${gigabytes} GB, ${type()} ${release()}, load before the run ${load}, Node ${process.version}`;
}
