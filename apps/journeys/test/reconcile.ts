import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { acquirerKey, type System } from './system.ts';

export interface Reconciled {
  /** The code it ended with; null where it was killed. */
  code: number | null;
  /** What it printed, without colours. */
  output: string;
  /** Lines with this sign: `+` can be mended, `✓` was mended, `✗` was refused, `→` is advice for a person. */
  lines(sign: '+' | '✓' | '✗' | '→'): string[];
}

const command = fileURLToPath(new URL('../../../tools/src/reconcile.ts', import.meta.url));

export interface How {
  /** Kills it with -9 as soon as this is so. */
  killWhen?: () => Promise<boolean>;
  /** False where the acquirer answers questions and shows no ledger, as a real one. */
  showsLedger?: boolean;
}

/** Runs `npm run reconcile` against a system as an operator does from elsewhere. */
export async function reconcile(
  system: System,
  args: string[] = [],
  { killWhen, showsLedger = true }: How = {},
): Promise<Reconciled> {
  const ledger = showsLedger ? { KASSA_ACQUIRER_URL: system.app('acquirer').http, KASSA_ACQUIRER_API_KEY: acquirerKey } : {};
  const child = spawn(process.execPath, [command, '--as', 'employee-17', ...args], {
    env: { PATH: process.env['PATH'], ...addresses(system), ...ledger, NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  }
  const ended = new Promise<number | null>((done) => child.once('close', done));
  if (killWhen !== undefined) {
    while (child.exitCode === null && !(await killWhen())) await sleep(50);
    child.kill('SIGKILL');
  }
  const code = await ended;
  const all = output.split('\n').map((line) => line.trim());
  return { code, output, lines: (sign) => all.filter((line) => line.startsWith(`${sign} `)).map((line) => line.slice(2)) };
}

function addresses(system: System): Record<string, string> {
  return {
    KASSA_SALES_URL: system.app('sales').http,
    KASSA_PAYMENTS_URL: system.app('payments').http,
    KASSA_INVENTORY_URL: system.app('inventory').http,
    KASSA_STOCK_LOOKUP_URL: system.app('stock-lookup').http,
    KASSA_TOKEN_URL: `${system.issuer.url}/token`,
    KASSA_CLIENT_ID: 'desk',
    KASSA_CLIENT_SECRET: 'secret-of-the-tests',
  };
}
