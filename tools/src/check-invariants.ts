import { parseArgs } from 'node:util';
import colors from 'picocolors';
import { compareWitnesses, witnessLaws, type Comparison, type WitnessLaw } from '@kassa/testing';
import { askWitnesses, waitUntilSettled } from './ask-witnesses.ts';
import { Failure, runCommand } from './failure.ts';
import { say } from './progress.ts';
import { targetHelp, targetOf, type Target } from './target.ts';
import { fetchToken } from './token.ts';

const help = `npm run check-invariants [-- options]     do money and stock add up?

  Waits until no checkout and no payment is under way, then asks all services and the acquirer what they have on record of each sale,
  and lists what does not fit together. Ends with code 1 if anything does not.

  --wait 60      seconds to wait for open checkouts and payments
  --help

${targetHelp}`;

export interface CheckOptions {
  /** How long to wait for open checkouts and payments; what is still open then is reported. */
  waitMs: number;
  /** Told in a sentence what is waited for or read; the next sentence replaces it. */
  progress: (sentence: string) => void;
}

/** Asks all witnesses of a Kassa and compares what they say. Throws Failure where one does not answer. */
export async function checkInvariants(target: Target, { waitMs, progress }: CheckOptions): Promise<Comparison> {
  const token = await fetchToken(target, { roles: ['operator'], subject: 'invariant-check' });
  await waitUntilSettled(target, token, { waitMs, progress });
  const comparison = await compareWitnesses(await askWitnesses(target, token, progress));
  progress('');
  return comparison;
}

const shownMax = 40;

/** One line for each law, and below them what breaks it. */
export function invariantReport({ violations, counts }: Comparison): string {
  const laws = Object.entries(witnessLaws) as [WitnessLaw, string][];
  const table = laws.map(([law, words]) => {
    const broken = violations.filter((violation) => violation.law === law).length;
    if (law === 'acquirer-agrees' && counts.operations === 0 && counts.transactions > 0 && broken === 0)
      return `  ${colors.dim('–')} ${words}: no card moved`;
    return broken === 0
      ? `  ${colors.green('✓')} ${words}`
      : `  ${colors.red('✗')} ${words}: ${colors.bold(String(broken))} do not`;
  });
  const number = (count: number) => count.toLocaleString('en');
  const compared = `Compared ${number(counts.sales)} sales (${number(counts.completedSales)} completed), ${number(counts.transactions)} payment transactions, ${number(counts.operations)} operations of the acquirer, ${number(counts.reservations)} reservations and ${number(counts.levels)} levels:`;
  const list = violations.slice(0, shownMax).map(({ law, text }) => `  ${colors.dim(law)} ${text}`);
  const more = violations.length > shownMax ? [`  … and ${number(violations.length - shownMax)} more`] : [];
  const verdict =
    violations.length === 0
      ? colors.green('Money and stock add up.')
      : colors.red(`${number(violations.length)} things do not add up:`);
  return ['', compared, '', ...table, '', verdict, ...list, ...more, ''].join('\n');
}

/** A line that is written over on a terminal, and told once in a while in a log. */
export function statusLine(stream: NodeJS.WriteStream): (sentence: string) => void {
  if (stream.isTTY) return (sentence) => void stream.write(`\r\x1b[2K${sentence}`);
  let toldAt = -Infinity;
  return (sentence) => {
    if (sentence === '' || performance.now() - toldAt < 10_000) return;
    toldAt = performance.now();
    say(sentence);
  };
}

async function main(): Promise<void> {
  const options = { wait: { type: 'string' }, help: { type: 'boolean' } } as const;
  let values;
  try {
    values = parseArgs({ options, strict: true }).values;
  } catch (error) {
    throw new Failure(`${(error as Error).message}\n\n${help}`);
  }
  if (values.help) return console.log(help);
  const waitSeconds = Number(values.wait ?? 60);
  if (!(waitSeconds >= 0 && waitSeconds <= 3600)) throw new Failure('--wait takes seconds, from 0 to 3600.');
  const comparison = await checkInvariants(targetOf(process.env), {
    waitMs: waitSeconds * 1000,
    progress: statusLine(process.stderr),
  });
  console.log(invariantReport(comparison));
  if (comparison.violations.length > 0) process.exitCode = 1;
}

if (import.meta.main) await runCommand(main);
