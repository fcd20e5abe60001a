import { parseArgs } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import colors from 'picocolors';
import {
  compareWitnesses,
  witnessLaws,
  type Comparison,
  type LevelsWitness,
  type OperationWitness,
  type ReservationWitness,
  type SaleWitness,
  type TransactionWitness,
  type WitnessLaw,
} from '@kassa/testing';
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
  const { sales, payments, inventory, acquirer } = target.urls;
  await waitUntilSettled(target, token, { waitMs, progress });
  const count = (what: string, read: number) => progress(`${read.toLocaleString('en')} ${what} read`);
  progress('inventory adds up its levels');
  const levels = await read<LevelsWitness>(`${inventory}/v1/audit/levels`, token);
  const comparison = await compareWitnesses({
    transactions: pages<TransactionWitness>(`${payments}/v1/audit/transactions`, token, count.bind(null, 'transactions')),
    ledger:
      target.acquirerApiKey === undefined
        ? undefined
        : pages<OperationWitness>(`${acquirer}/v1/ledger`, target.acquirerApiKey, count.bind(null, 'operations of the acquirer')),
    reservations: pages<ReservationWitness>(`${inventory}/v1/audit/reservations`, token, count.bind(null, 'reservations')),
    sales: pages<SaleWitness>(`${sales}/v1/audit/sales`, token, count.bind(null, 'sales')),
    levels,
  });
  progress('');
  return comparison;
}

async function waitUntilSettled(target: Target, token: string, { waitMs, progress }: CheckOptions): Promise<void> {
  const deadline = performance.now() + waitMs;
  for (;;) {
    const checkouts = await countOf(`${target.urls.sales}/v1/checkouts`, token);
    const transactions = await countOf(`${target.urls.payments}/v1/unknown-payments`, token);
    const left = Math.ceil((deadline - performance.now()) / 1000);
    if ((checkouts === 0 && transactions === 0) || left <= 0) return;
    progress(`${checkouts} checkouts and ${transactions} payments are under way; waiting at most ${left} s for them to settle`);
    await sleep(500);
  }
}

async function countOf(url: string, token: string): Promise<number> {
  let count = 0;
  for await (const _ of pages(url, token)) count++;
  return count;
}

/** All items of a list, page by page. */
async function* pages<T>(url: string, token: string, progress: (read: number) => void = () => undefined): AsyncGenerator<T> {
  let cursor: string | undefined;
  let count = 0;
  do {
    const page: { items: T[]; next?: string } = await read(`${url}?limit=200${cursor ? `&cursor=${cursor}` : ''}`, token);
    yield* page.items;
    progress((count += page.items.length));
    cursor = page.next;
  } while (cursor !== undefined);
}

/** A service that was restarted a moment ago may refuse the first requests. */
async function read<T>(url: string, token: string): Promise<T> {
  for (let tries = 1; ; tries++) {
    const request = { headers: { authorization: `Bearer ${token}` }, signal: AbortSignal.timeout(60_000) };
    const response = await fetch(url, request).catch((error: unknown) => error as Error);
    if (response instanceof Response && response.ok) return (await response.json()) as T;
    const answer = response instanceof Response ? `answered ${response.status} ${await response.text()}` : reasonOf(response);
    const mayRepeat = !(response instanceof Response) || response.status >= 500;
    if (!mayRepeat || tries === 20) throw new Failure(`Not every witness can be asked: ${url} ${answer}.`);
    await sleep(500);
  }
}

const reasonOf = (error: Error) => (error.cause instanceof Error ? error.cause.message : error.message);

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
