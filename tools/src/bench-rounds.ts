import { fork, spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { nodeFlags } from '@kassa/testing';
import type { Done, Job } from './bench-client.ts';
import { countersOf } from './bench-counters.ts';
import { makeLimitDatabase } from './bench-limit.ts';
import type { Row } from './bench-report.ts';
import { cpuMsOf, memoryMbOf } from './bench-usage.ts';
import { Failure } from './failure.ts';
import { serviceNames, type ServiceName } from './services.ts';
import type { System } from './system.ts';
import { fetchToken } from './token.ts';

/** Connections to PostgreSQL, and of whoever looks up. */
const connections = 16;
/** As many as keep two cores busy: a sale waits for the disk six times, and for those before it. */
const tills = 32;

export interface RoundOptions {
  workspace: string;
  rounds: number;
  /** How long each thing is measured in a round. */
  seconds: number;
  /** Told what is measured, and what came out. */
  progress: (sentence: string) => void;
}

type Part = ServiceName | 'PostgreSQL';
const parts: Part[] = [...serviceNames, 'PostgreSQL'];

/** What one round found. */
interface Round {
  sale: Measured;
  /** At as many tills as the limit has connections. */
  saleAtFewer: Measured;
  floor: Done;
  limit: Done;
  limitAtOnce: Done;
  lookup: Measured;
  hello: Measured;
  select: Measured;
}

/** What was done, and the processor time each part of it took meanwhile, in milliseconds. */
interface Measured extends Done {
  cpuMs: Partial<Record<Part | 'server', number>>;
}

/**
 * Measures everything in turn, round after round, after a warm-up that does not count. All that is compared runs within seconds of each
 * other, so that whatever else the machine does falls on both sides of a ratio.
 */
export async function measureRounds(system: System, { workspace, rounds, seconds, progress }: RoundOptions): Promise<Row[]> {
  const bench = await prepare(system, workspace);
  try {
    const readyMb = serviceNames.map((name) => memoryMbOf(pidOf(system, name)));
    progress('Warming up for two and a half minutes …');
    // A process is as fast as it will be when it has compiled what it does all day; a sale runs through five, and takes some 5,000.
    await measureSale(bench, 75);
    await measureOnce(bench, 11);
    const found: Round[] = [];
    for (let round = 1; round <= rounds; round++) {
      const one = await measureOnce(bench, seconds);
      found.push(one);
      const [sales, limit, lookups] = [one.sale, one.limit, one.lookup].map((done) => Math.round(rateOf(done)));
      progress(`Round ${round} of ${rounds}: ${sales} sales a second of ${limit} at most, ${lookups} lookups`);
    }
    const loadedMb = serviceNames.map((name) => memoryMbOf(pidOf(system, name)));
    return [...rowsOf(found), ...memoryRows(readyMb, loadedMb)];
  } finally {
    bench.close();
  }
}

interface Bench {
  system: System;
  pids: Record<Part, number>;
  counters: Job['counters'];
  limitUrl: string;
  floor: Server;
  hello: Server;
  select: Server;
  client: ChildProcess;
  close(): void;
}

interface Server {
  url: string;
  pid: number;
}

async function prepare(system: System, workspace: string): Promise<Bench> {
  const counters = await Promise.all(
    countersOf(workspace, tills).map(async (counter) => {
      const { shopId: shop, registerId: register } = counter;
      return {
        ...counter,
        token: await fetchToken(system, { roles: ['cashier'], shop, register, subject: `bench-${register}` }),
      };
    }),
  );
  const limitUrl = await makeLimitDatabase(system.postgresUrl, counters);
  const children: ChildProcess[] = [];
  const floor = await startFloor(children, limitUrl);
  const hello = await startServer(children, 'bench-server.ts', ['hello']);
  const select = await startServer(children, 'bench-server.ts', ['select', limitUrl]);
  const client = fork(join(import.meta.dirname, 'bench-client.ts'));
  children.push(client);
  const postgres = Number(readFileSync(join(system.dataFolder, 'postgres/postmaster.pid'), 'utf8').split('\n')[0]);
  const services = serviceNames.map((name) => [name, pidOf(system, name)]);
  const pids = { ...Object.fromEntries(services), PostgreSQL: postgres } as Record<Part, number>;
  return {
    system,
    pids,
    counters,
    limitUrl,
    floor,
    hello,
    select,
    client,
    close: () => children.forEach((child) => child.kill()),
  };
}

/** The processes of a sale that sells nothing; answers the one that tills ask. */
async function startFloor(children: ChildProcess[], limitUrl: string): Promise<Server> {
  const start = (role: string, ...neighbours: Server[]) =>
    startServer(children, 'bench-floor.ts', [role, limitUrl, ...neighbours.map(({ url }) => url)]);
  const [inventory, acquirer] = [await start('inventory'), await start('acquirer')];
  return start('sales', inventory, await start('payments', acquirer));
}

/** What a service is compared with runs as a service does, with the heap of a pod. */
async function startServer(children: ChildProcess[], file: string, args: string[]): Promise<Server> {
  const child = spawn(process.execPath, [...nodeFlags, join(import.meta.dirname, file), ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  children.push(child);
  const url = await new Promise<string>((ready, fail) => {
    createInterface({ input: child.stdout }).once('line', ready);
    child.once('exit', () => fail(new Failure('The server to compare with did not start; see above.')));
  });
  return { url, pid: child.pid ?? 0 };
}

function pidOf(system: System, name: ServiceName): number {
  const { pid } = system.services[name];
  if (pid === undefined) throw new Error(`${name} has no process`);
  return pid;
}

function measureSale(bench: Bench, seconds: number, atOnce = tills): Promise<Measured> {
  const { system, counters, pids } = bench;
  return measure(bench, { what: 'sale', connections: atOnce, seconds, counters, url: system.services.sales.http }, pids);
}

async function measureOnce(bench: Bench, seconds: number): Promise<Round> {
  const { system, counters, limitUrl, floor, hello, select, pids } = bench;
  const job = { connections, seconds, counters };
  const row = '/{shop}/{sku}';
  return {
    sale: await measureSale(bench, seconds),
    limit: await measure(bench, { ...job, what: 'limit', url: limitUrl }, {}),
    saleAtFewer: await measureSale(bench, seconds, connections),
    floor: await measure(bench, { ...job, connections: tills, what: 'sale', url: floor.url }, {}),
    limitAtOnce: await measure(bench, { ...job, what: 'limit-at-once', url: limitUrl }, {}),
    lookup: await measure(
      bench,
      { ...job, what: 'lookup', url: system.services['stock-lookup'].http },
      { server: pids['stock-lookup'] },
    ),
    select: await measure(bench, { ...job, what: 'get', url: select.url, path: row }, { server: select.pid }),
    hello: await measure(bench, { ...job, what: 'get', url: hello.url }, { server: hello.pid }),
  };
}

/**
 * Lets the load generator do a job, and adds what the processes used for it, what they do after the last answer included. A second of the
 * same goes before it and does not count: who has rested while others were measured is not yet what it is at work.
 */
async function measure(bench: Bench, job: Job, pids: Measured['cpuMs']): Promise<Measured> {
  await ask(bench.client, { ...job, seconds: 1 });
  const used = () => Object.entries(pids).map(([part, pid]) => [part, cpuMsOf([pid], part === 'PostgreSQL')] as const);
  const before = Object.fromEntries(used());
  const done = await ask(bench.client, job);
  await sleep(300);
  return { ...done, cpuMs: Object.fromEntries(used().map(([part, ms]) => [part, ms - (before[part] ?? 0)])) };
}

function ask(client: ChildProcess, job: Job): Promise<Done> {
  return new Promise((done, fail) => {
    client.once('message', (answer: { done: Done } | { error: string }) => {
      if ('done' in answer) done(answer.done);
      else fail(new Failure(`The benchmark's ${job.what} failed: ${answer.error}`));
    });
    client.send(job);
  });
}

const rateOf = ({ count, seconds }: Done) => count / seconds;

function rowsOf(found: Round[]): Row[] {
  const each = (value: (round: Round) => number) => found.map(value);
  const cpuOf = ({ sale }: Round, part: Part) => (sale.cpuMs[part] ?? 0) / sale.count;
  const micros = ({ cpuMs, count }: Measured) => ((cpuMs.server ?? 0) * 1000) / count;
  const heading = (what: string): Row => ({ what, unit: '', rounds: [] });
  return [
    heading(`A sale: two HTTP requests, two lines, card at the terminal, ${tills} tills`),
    { what: 'sales', unit: 'a second', rounds: each(({ sale }) => rateOf(sale)) },
    { what: 'time of a sale, median', unit: 'ms', rounds: each(({ sale }) => sale.medianMs) },
    { what: 'time of a sale, 95 %', unit: 'ms', rounds: each(({ sale }) => sale.p95Ms) },
    {
      what: `limit: its rows in one prepared transaction, ${connections} connections`,
      unit: 'a second',
      rounds: each(({ limit }) => rateOf(limit)),
    },
    {
      what: 'sales ÷ limit',
      unit: '',
      rounds: each(({ sale, limit }) => rateOf(sale) / rateOf(limit)),
      target: { words: '0.10 or better', isMet: (median) => median >= 0.1 },
    },
    {
      what: `the same at ${connections} tills`,
      unit: '',
      rounds: each(({ saleAtFewer, limit }) => rateOf(saleAtFewer) / rateOf(limit)),
    },
    {
      what: 'a sale that sells nothing: same requests, calls and statements',
      unit: 'a second',
      rounds: each(({ floor }) => rateOf(floor)),
    },
    { what: 'that ÷ limit', unit: '', rounds: each(({ floor, limit }) => rateOf(floor) / rateOf(limit)) },
    { what: 'sales ÷ that', unit: '', rounds: each(({ sale, floor }) => rateOf(sale) / rateOf(floor)) },
    {
      what: 'its rows in one prepared statement',
      unit: 'a second',
      rounds: each(({ limitAtOnce }) => rateOf(limitAtOnce)),
    },
    {
      what: 'sales ÷ that statement',
      unit: '',
      rounds: each(({ sale, limitAtOnce }) => rateOf(sale) / rateOf(limitAtOnce)),
    },
    {
      what: 'processor time a sale, all processes',
      unit: 'ms',
      rounds: each((round) => parts.reduce((sum, part) => sum + cpuOf(round, part), 0)),
    },
    ...parts.map((part) => ({ what: `  of it ${part}`, unit: 'ms', rounds: each((round) => cpuOf(round, part)) })),
    heading(`A stock lookup, ${connections} connections`),
    { what: 'lookups', unit: 'a second', rounds: each(({ lookup }) => rateOf(lookup)) },
    { what: 'bare Fastify', unit: 'a second', rounds: each(({ hello }) => rateOf(hello)) },
    { what: 'Fastify with one prepared SELECT', unit: 'a second', rounds: each(({ select }) => rateOf(select)) },
    { what: 'lookup ÷ bare Fastify', unit: '', rounds: each(({ lookup, hello }) => rateOf(lookup) / rateOf(hello)) },
    {
      what: 'lookup ÷ Fastify with a SELECT',
      unit: '',
      rounds: each(({ lookup, select }) => rateOf(lookup) / rateOf(select)),
      target: { words: 'above 1', isMet: (median) => median > 1 },
    },
    { what: 'processor time a lookup', unit: 'µs', rounds: each(({ lookup }) => micros(lookup)) },
    { what: 'processor time of bare Fastify', unit: 'µs', rounds: each(({ hello }) => micros(hello)) },
    { what: 'processor time of Fastify with a SELECT', unit: 'µs', rounds: each(({ select }) => micros(select)) },
  ];
}

function memoryRows(readyMb: number[], loadedMb: number[]): Row[] {
  return [
    { what: 'Resident memory, from ready to after the load', unit: '', rounds: [] },
    ...serviceNames.map((name, index) => ({
      what: name,
      unit: 'MB',
      rounds: [readyMb[index] ?? NaN, loadedMb[index] ?? NaN],
      isPair: true as const,
    })),
  ];
}
