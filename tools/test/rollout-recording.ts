import { execFileSync, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { eventually, freePort } from '@kassa/testing';

// Fills a Prometheus with what recorded proxies and services said, as if many namespaces had been scraped for days. The samples beside
// this file are from one pod on a real mesh (Linkerd 2.20, fifty requests a second), before and after a minute of each fault, and from
// our own services after the demo's shop day; only labels and times are changed.

export type Fault = 'healthy' | 'app-500' | 'policy-deny';

/** A namespace's history, in Unix seconds. */
export interface Life {
  namespace: string;
  commit: string;
  /** From here on each service says the commit in kassa_build_info. */
  runsFrom: number;
  /** Minutes of these spans are filled with the fault's traffic instead of the healthy one. */
  faults: { fault: Exclude<Fault, 'healthy'>; from: number; to: number }[];
}

const services = ['inventory', 'payments', 'sales', 'stock-lookup'];
/** Shorter than the five minutes for which Prometheus takes a sample for the present. */
const everySeconds = 240;

const samples = (name: string): Map<string, number> => {
  const lines = readFileSync(new URL(`./rollout-samples/${name}.prom`, import.meta.url), 'utf8')
    .trim()
    .split('\n');
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]));
};

/** What each series grew by in the recorded minute. */
function growth(fault: Fault): Map<string, number> {
  const [before, after] = [samples(`${fault}-before`), samples(`${fault}-after`)];
  return new Map([...after].map(([series, value]) => [series, value - (before.get(series) ?? 0)]));
}

const recorded = {
  healthy: growth('healthy'),
  'app-500': growth('app-500'),
  // Somebody is denied while everybody else is served.
  'policy-deny': new Map([...growth('healthy'), ...growth('policy-deny')]),
};
const ofSales = samples('sales');
const buildInfo = samples('build-info');

/** Writes all lives as OpenMetrics. Traffic is written only for the windows, `from` to `to`; who runs what, always up to `until`. */
export function writeHistory(
  file: string,
  lives: Life[],
  { windows, until }: { windows: [number, number][]; until: number },
): void {
  const output = openSync(file, 'w');
  for (const life of lives) {
    const lines = [...runs(life, until), ...services.flatMap((service) => traffic(life, service, windows))];
    writeSync(output, lines.map((line) => `${line}\n`).join(''));
  }
  writeSync(output, '# EOF\n');
  closeSync(output);
}

const times = (from: number, to: number) =>
  Array.from({ length: Math.max(0, Math.floor((to - from) / everySeconds) + 1) }, (_, n) => Math.round(from) + n * everySeconds);

function runs({ namespace, commit, runsFrom }: Life, until: number): string[] {
  return [...buildInfo.keys()].flatMap((series) =>
    times(runsFrom, until).map(
      (time) => `${series.replace('commit="unknown"', `commit="${commit}",namespace="${namespace}"`)} 1 ${time}`,
    ),
  );
}

function traffic(life: Life, service: string, windows: [number, number][]): string[] {
  const counters = new Map<string, number>();
  const from = Math.min(...windows.map(([start]) => start));
  return windows
    .flatMap(([start, end]) => times(start, end).filter((time) => time >= life.runsFrom))
    .flatMap((time, n, all) => {
      const minutes = (time - (all[n - 1] ?? from)) / 60;
      const { fault } = life.faults.find((span) => time >= span.from && time < span.to) ?? { fault: 'healthy' as const };
      for (const [series, perMinute] of recorded[fault]) counters.set(series, (counters.get(series) ?? 0) + perMinute * minutes);
      if (service === 'sales')
        for (const [series, value] of ofSales) counters.set(series, (counters.get(series) ?? 0) + value * minutes);
      return [...counters].map(([series, value]) => `${placed(series, life.namespace, service)} ${Math.round(value)} ${time}`);
    });
}

const placed = (series: string, namespace: string, service: string) =>
  series
    .replaceAll('pos-no', namespace)
    .replaceAll('payments-', `${service}-`)
    .replace('{', `{namespace="${namespace}",pod="${service}-0",`);

/** What these tests need and this machine lacks, as a sentence; undefined where it has all. */
export function missingTools(commands: Record<string, string[]>): string | undefined {
  const missing = Object.entries(commands).filter(([command, args]) => {
    try {
      execFileSync(command, args, { stdio: 'ignore' });
      return false;
    } catch {
      return true;
    }
  });
  return missing.length === 0 ? undefined : `needs ${missing.map(([command]) => command).join(', ')} on the PATH`;
}

/** A real Prometheus on the history in a file. */
export async function startPrometheus(folder: string, history: string): Promise<{ address: string; stop(): Promise<void> }> {
  const data = join(folder, 'prometheus');
  mkdirSync(data, { recursive: true });
  execFileSync('promtool', ['tsdb', 'create-blocks-from', '--max-block-duration=500h', '--quiet', 'openmetrics', history, data], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  writeFileSync(join(folder, 'prometheus.yml'), 'global: {}\n');
  const port = await freePort();
  const settings = {
    'config.file': join(folder, 'prometheus.yml'),
    'storage.tsdb.path': data,
    'storage.tsdb.retention.time': '90d',
    'web.listen-address': `127.0.0.1:${port}`,
    'log.level': 'error',
  };
  const server = spawn(
    'prometheus',
    Object.entries(settings).map(([name, value]) => `--${name}=${value}`),
    {
      stdio: ['ignore', 'inherit', 'inherit'],
    },
  );
  const ended = new Promise((done) => server.once('exit', done));
  const address = `http://127.0.0.1:${port}`;
  await eventually(async () => {
    const { ok } = await fetch(`${address}/-/ready`);
    if (!ok) throw new Error('Prometheus is not ready');
  }, 60_000);
  return {
    address,
    async stop() {
      server.kill('SIGTERM');
      await ended;
    },
  };
}
