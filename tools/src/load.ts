import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { checkInvariants, invariantReport, statusLine } from './check-invariants.ts';
import { Failure, runCommand } from './failure.ts';
import { findK6 } from './k6.ts';
import { loadHelp, readLoadOptions, type LoadOptions } from './load-options.ts';
import { startOwnSystem } from './own-system.ts';
import { say } from './progress.ts';
import { environmentOf, onThisMachine, targetOf, type Target } from './target.ts';

const workspace = resolve(import.meta.dirname, '../..');
/** How long checkouts and payments may take to come to rest after the last user has gone. */
const settleMs = 60_000;

async function main(): Promise<void> {
  const options = readLoadOptions(process.argv.slice(2));
  if (options === 'help') return console.log(loadHelp);
  const k6 = findK6({ env: process.env, workspace, say });
  const own = options.isOwn ? await startOwnSystem(['--ephemeral'], say) : undefined;
  try {
    const target = own ? onThisMachine(own.system) : targetOf(process.env);
    if (options.kill.length > 0 && !target.control)
      throw new Failure('--kill works on a Kassa that npm start runs on this machine.');
    process.exitCode = await loadAndCheck(k6, options, target);
  } finally {
    await own?.stop();
  }
}

/** 0 where every threshold was kept and all witnesses agree. */
async function loadAndCheck(k6: string, options: LoadOptions, target: Target): Promise<0 | 1> {
  const isKept = await runK6(k6, options, target);
  const comparison = await checkInvariants(target, { waitMs: settleMs, progress: statusLine(process.stderr) });
  console.log(invariantReport(comparison));
  if (!isKept) console.error(`The load test ${options.test} failed: see the thresholds above.`);
  return isKept && comparison.violations.length === 0 ? 0 : 1;
}

/** Runs the test with its output on ours, and tells whether its thresholds were kept. Throws Failure where it could not run. */
async function runK6(k6: string, options: LoadOptions, target: Target): Promise<boolean> {
  const { test, shape, vus, durationSeconds, kill } = options;
  const env = {
    ...process.env,
    ...environmentOf(target),
    KASSA_KILL: kill.join(','),
    ...(shape === undefined ? {} : { KASSA_SHAPE: shape }),
    ...(vus === undefined ? {} : { KASSA_VUS: String(vus) }),
    ...(durationSeconds === undefined ? {} : { KASSA_SECONDS: String(durationSeconds) }),
  };
  const quietly = process.stderr.isTTY ? [] : ['--quiet'];
  say(
    `k6 runs loadtests/${test}.ts${kill.length > 0 ? `, while ${kill.join(', ')} ${kill.length > 1 ? 'are' : 'is'} killed` : ''} …`,
  );
  const args = ['run', '--no-usage-report', '--log-format', 'json', ...quietly, join(workspace, 'loadtests', `${test}.ts`)];
  const child = spawn(k6, args, { env, stdio: ['inherit', 'inherit', 'pipe'] });
  const log = relayLog(child.stderr);
  // Ctrl-C reaches k6 too, which then lets its users end; the check comes all the same.
  const stay = () => undefined;
  process.on('SIGINT', stay);
  const code = await new Promise<number | null>((done, fail) => {
    child.once('error', fail);
    child.once('exit', done);
  });
  process.off('SIGINT', stay);
  await log;
  if (code === 0 || code === thresholdsMissed || code === interrupted) return code === 0;
  throw new Failure(`k6 could not run loadtests/${test}.ts: it ended with code ${code ?? 'unknown'}.`);
}

/** Shows what k6 logs, but for requests without an answer: of these the first, and how many, since an outage brings thousands. */
async function relayLog(stream: Readable): Promise<void> {
  let unanswered = 0;
  for await (const line of createInterface({ input: stream })) {
    const { msg = line, error } = jsonOf(line);
    if (msg !== 'Request Failed') console.error(msg);
    else if (unanswered++ === 0) console.error(`The first request without an answer: ${error}`);
  }
  if (unanswered > 0) say(`${unanswered.toLocaleString('en')} requests got no answer, and were sent again.`);
}

function jsonOf(line: string): { msg?: string; error?: string } {
  try {
    return JSON.parse(line) as { msg?: string; error?: string };
  } catch {
    return {}; // What k6 says before it has read how to log.
  }
}

/** Exit codes of k6 (github.com/grafana/k6, errext/exitcodes). */
const thresholdsMissed = 99;
const interrupted = 105;

if (import.meta.main) await runCommand(main);
