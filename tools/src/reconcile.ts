import { randomUUID } from 'node:crypto';
import { userInfo } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import colors from 'picocolors';
import { isBusy, read, waitUntilSettled } from './ask-witnesses.ts';
import { statusLine } from './check-invariants.ts';
import { Failure, runCommand } from './failure.ts';
import { lookAtBooks, type Look } from './reconcile/books.ts';
import { leftoversOf, type Leftover } from './reconcile/leftovers.ts';
import { isSame, mendsOf, type Mend } from './reconcile/mends.ts';
import { amountWords, kindWord } from './reconcile/words.ts';
import { targetHelp, targetOf, type Target } from './target.ts';
import { fetchToken } from './token.ts';

const help = `npm run reconcile [-- options]     after a database was restored: what differs, and what can be mended

  Compares sales, payments, inventory and the acquirer, lists what differs, and changes nothing. Ends with code 1 while anything differs.
  It may be ended and run again at any time; what is under way while it reads is not counted.

  --mend                  mend what is safe: nobody is charged, no goods move; each act is on the audit log under your name
  --as employee-17        who you are; default: your login on this machine
  --restored inventory    whose database was restored. Inventory then tells its readers to begin anew, which a restore from a dump or a
                          copy needs; for the other services there is nothing more to do
  --adopt KEY --reference order:10042 --country dk [--intent ID]
                          what the card movement KEY, of which only the acquirer knows, was for: an order of the web shop
  --wait 60               seconds to wait for open checkouts and payments
  --help

${targetHelp}`;

interface Options {
  mustMend: boolean;
  subject: string;
  restored: string | undefined;
  adopt: { key: string; reference: string; country: string; intentId: string } | undefined;
  waitMs: number;
}

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  if (options === 'help') return console.log(help);
  const target = targetOf(process.env);
  const token = await fetchToken(target, { roles: ['operator'], subject: options.subject });
  const progress = statusLine(process.stderr);
  await waitUntilSettled(target, token, { waitMs: options.waitMs, progress });

  const reason = `npm run reconcile, ${new Date().toISOString()}`;
  const look = await lookTwice(target, token, { progress, reason });
  const mends = [...named(options, look, reason), ...look.mends];
  const leftovers = leftoversOf(look.comparison.violations, mends, look.books);
  console.log(summary(look));
  if (!options.mustMend || mends.length === 0) {
    if (mends.length > 0) console.log(listOf(mends));
    return conclude(leftovers, await stockLookup(target, token), mends.length);
  }
  const refused = await mendAll(mends, target, token);
  await waitUntilSettled(target, token, { waitMs: options.waitMs, progress });
  const after = await lookTwice(target, token, { progress, reason });
  // What was refused a moment ago would be again: it needs a person.
  const remaining = after.mends.filter((mend) => !refused.some((one) => isSame(one, mend)));
  if (remaining.length > 0) console.log(listOf(remaining));
  return conclude(
    leftoversOf(after.comparison.violations, remaining, after.books),
    await stockLookup(target, token),
    remaining.length,
  );
}

function readOptions(args: string[]): Options | 'help' {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  const known = {
    mend: flag,
    help: flag,
    as: text,
    restored: text,
    adopt: text,
    reference: text,
    country: text,
    intent: text,
    wait: text,
  };
  let values;
  try {
    values = parseArgs({ args, options: known, strict: true }).values;
  } catch (error) {
    throw new Failure(`${(error as Error).message}\n\n${help}`);
  }
  if (values.help) return 'help';
  const { restored, adopt: key, reference, country, intent } = values;
  if (restored !== undefined && !['sales', 'payments', 'inventory', 'stock-lookup'].includes(restored))
    throw new Failure('--restored takes sales, payments, inventory or stock-lookup.');
  if (key !== undefined && (reference === undefined || country === undefined))
    throw new Failure('--adopt needs --reference and --country as well: what was paid for, and where.');
  if (key === undefined && (reference ?? country ?? intent) !== undefined)
    throw new Failure('--reference, --country and --intent belong to --adopt.');
  const waitSeconds = Number(values.wait ?? 60);
  if (!(waitSeconds >= 0 && waitSeconds <= 3600)) throw new Failure('--wait takes seconds, from 0 to 3600.');
  return {
    mustMend: values.mend === true,
    subject: values.as ?? userInfo().username,
    restored,
    adopt: key && reference && country ? { key, reference, country, intentId: intent ?? randomUUID() } : undefined,
    waitMs: waitSeconds * 1000,
  };
}

/** What differs, and still does a moment later: where people sell meanwhile, one book is always a little ahead of another. */
async function lookTwice(
  target: Target,
  token: string,
  { progress, reason }: { progress: (sentence: string) => void; reason: string },
): Promise<Look & { mends: Mend[] }> {
  const first = await lookAtBooks(target, token, progress);
  if (first.comparison.violations.length === 0) return { ...first, mends: [] };
  const differed = new Set(first.comparison.violations.map(({ text }) => text));
  const lacked = mendsOf(first.books, reason);
  await sleep(2_000);
  const { books, comparison } = await lookAtBooks(target, token, progress);
  const violations = comparison.violations.filter(({ text }) => differed.has(text));
  const mends = mendsOf(books, reason).filter((mend) => lacked.some((one) => isSame(one, mend)));
  return { books, comparison: { ...comparison, violations }, mends };
}

/** What a person asked for by name and is not done yet. Throws Failure where the acquirer has no such movement, or it is another's. */
function named({ restored, adopt }: Options, { books }: Look, reason: string): Mend[] {
  const mends: Mend[] = [];
  if (restored === 'inventory') {
    const words = 'inventory tells all readers of its change feed to begin anew';
    mends.push({ words, ids: [], service: 'inventory', path: '/v1/feed/epoch', body: { reason } });
  }
  if (adopt === undefined) return mends;
  const { key: transactionId, reference, country, intentId } = adopt;
  if (books.ledger === undefined)
    throw new Failure(
      "--adopt reads the movement in the acquirer's ledger, which this one does not show: POST /v1/adopted-transactions in payments.",
    );
  const known = books.transactions.find((transaction) => transaction.transactionId === transactionId);
  if (known?.reference === reference) return mends;
  if (known !== undefined) throw new Failure(`Payments has ${transactionId} on record, for ${known.reference}.`);
  const operation = books.ledger.find(({ providerKey }) => providerKey === transactionId);
  if (operation === undefined) throw new Failure(`The acquirer's ledger has no operation ${transactionId}.`);
  if (operation.originalKey !== undefined)
    throw new Failure(`${transactionId} belongs to ${operation.originalKey}; name that one.`);
  const { amountMinor, currency } = operation;
  const kind = operation.kind.toUpperCase();
  const body = {
    transactionId,
    intentId,
    kind,
    method: 'online',
    channel: 'web',
    amountMinor,
    currency,
    reference,
    country,
    reason,
  };
  const words = `payments lacks the ${kindWord(kind)} of ${amountWords(amountMinor, currency)} for ${reference}`;
  return [...mends, { words, ids: [transactionId], service: 'payments', path: '/v1/adopted-transactions', body }];
}

/** Answers which were refused. */
async function mendAll(mends: Mend[], target: Target, token: string): Promise<Mend[]> {
  console.log('');
  const refused: Mend[] = [];
  for (const mend of mends) {
    const refusal = await post(`${target.urls[mend.service]}${mend.path}`, token, mend.body);
    if (refusal === undefined) console.log(`  ${colors.green('✓')} ${mend.words}`);
    else {
      refused.push(mend);
      console.log(`  ${colors.red('✗')} ${mend.words}\n    ${mend.service} refused: ${refusal}`);
    }
  }
  return refused;
}

/** Undefined where it was done; else why it was refused. What does not arrive is sent again under the same key. Throws Failure. */
async function post(url: string, token: string, body: object): Promise<string | undefined> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json', 'idempotency-key': randomUUID() };
  for (let tries = 1; ; tries++) {
    const request = { method: 'POST', headers, body: JSON.stringify(body), signal: AbortSignal.timeout(30_000) };
    const response = await fetch(url, request).catch((error: unknown) => error as Error);
    if (response instanceof Response && response.ok) return undefined;
    const problem = response instanceof Response ? ((await response.json().catch(() => ({}))) as Problem) : undefined;
    const mayRepeat = problem === undefined || (problem.retryable ?? isBusy((response as Response).status));
    // One that the acquirer says nothing of must not keep the rest from being mended.
    if (problem && (!mayRepeat || (tries === 20 && problem.detail))) return problem.detail ?? problem.title ?? 'no reason given';
    if (tries === 20) throw new Failure(`${url} does not answer. What was mended stays mended; run this again.`);
    await sleep(500);
  }
}

interface Problem {
  title?: string;
  detail?: string;
  retryable?: boolean;
}

/** What is wrong with stock-lookup, which mends itself: it only has to follow. */
async function stockLookup(target: Target, token: string): Promise<Leftover[]> {
  let connection = '';
  for (let tries = 0; tries < 20 && connection !== 'following'; tries++) {
    if (tries > 0) await sleep(500);
    ({ connection } = await read<{ connection: string }>(`${target.urls['stock-lookup']}/v1/freshness`, token));
  }
  if (connection === 'following') return [];
  const advice = 'It takes a snapshot by itself once it reaches inventory; see that it does.';
  return [{ about: 'stock-lookup', facts: [`It does not follow inventory's change feed: ${connection}.`], advice }];
}

const number = (count: number) => count.toLocaleString('en');

function summary({ comparison: { counts } }: Look): string {
  return `\nCompared ${number(counts.sales)} sales (${number(counts.completedSales)} completed), ${number(counts.transactions)} payment transactions, ${number(counts.operations)} operations of the acquirer, ${number(counts.reservations)} reservations and ${number(counts.levels)} levels.`;
}

function listOf(mends: Mend[]): string {
  const lines = mends.map(({ words }) => `  ${colors.yellow('+')} ${words}`);
  return [`\n${number(mends.length)} can be mended; nobody is charged and no goods move:\n`, ...lines].join('\n');
}

/** Says what is left, and ends with code 1 if anything is. */
function conclude(leftovers: Leftover[], lookup: Leftover[], mendable: number): void {
  const left = [...leftovers, ...lookup];
  if (left.length > 0) {
    console.log(`\n${colors.red(`${number(left.length)} ${left.length === 1 ? 'needs' : 'need'} a person:`)}\n`);
    for (const { about, facts, advice } of left)
      console.log(
        [`  ${colors.bold(about)}`, ...facts.map((fact) => `    ${fact}`), `    ${colors.cyan('→')} ${advice}`, ''].join('\n'),
      );
  }
  if (mendable > 0) console.log(`\nNothing of the first list was mended yet: npm run reconcile -- --mend`);
  if (left.length + mendable === 0) console.log(`\n${colors.green('Sales, payments, inventory and the acquirer agree.')}\n`);
  else process.exitCode = 1;
}

if (import.meta.main) await runCommand(main);
