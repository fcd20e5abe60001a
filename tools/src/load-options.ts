import { parseArgs } from 'node:util';
import { Failure } from './failure.ts';
import { serviceNames, type ServiceName } from './services.ts';
import { targetHelp } from './target.ts';

export const loadTests = ['smoke', 'checkout', 'stock-lookup', 'web-payment'] as const;
export type LoadTest = (typeof loadTests)[number];
export const shapeNames = ['smoke', 'average', 'stress', 'spike', 'soak'] as const;

export interface LoadOptions {
  test: LoadTest;
  /** How the load rises and falls; undefined leaves it to the test. */
  shape: (typeof shapeNames)[number] | undefined;
  /** Users at once, instead of the shape's. */
  vus: number | undefined;
  /** Seconds under full load, instead of the shape's. */
  durationSeconds: number | undefined;
  /** Killed and restarted in turn while the test runs. */
  kill: ServiceName[];
  /** Whether the run starts a system for itself, and ends it. */
  isOwn: boolean;
}

export const loadHelp = `npm run load -- <test> [options]     k6 as tills, then a check that money and stock add up

  smoke            a little of everything, in half a minute
  checkout         tills that sell: one or many requests a sale; cards, cash, both, declined cards
  stock-lookup     associates who ask what is in stock
  web-payment      web-shop payments: authorised, captured, refunded in part

  --shape average  smoke, average, stress, spike or soak
  --vus 50         users at once (tills: one register each, at most 239)
  --duration 60    seconds under full load, or 90s, 5m, 1h
  --kill payments  kill -9 that service once in 20 s and start it again; payments,sales takes turns, all takes all five
  --own            start a system for this run alone, on free ports, and end it afterwards
  --help

Ends with a code other than 0 when a threshold is missed, or when money and stock do not add up afterwards.

${targetHelp}
  KASSA_K6=/path/to/k6       which k6 to use; else the one on the PATH, else it is built once with Go`;

/** Reads the command line of npm run load. Throws Failure for anything it does not understand. */
export function readLoadOptions(args: string[]): LoadOptions | 'help' {
  const { values, positionals } = parse(args);
  if (values.help) return 'help';
  const [test, ...more] = positionals;
  if (test === undefined) throw new Failure(`Which test? There are ${loadTests.join(', ')}; npm run load -- --help tells more.`);
  if (more.length > 0) throw new Failure(`One test at a time; "${more.join(' ')}" is too much.`);
  return {
    test: oneOf(loadTests, test, 'There is no load test'),
    shape: values.shape === undefined ? undefined : oneOf(shapeNames, values.shape, '--shape knows no'),
    vus: values.vus === undefined ? undefined : wholeNumber(values.vus, '--vus', 10_000),
    durationSeconds: values.duration === undefined ? undefined : seconds(values.duration),
    kill: values.kill === undefined ? [] : services(values.kill),
    isOwn: values.own ?? false,
  };
}

function parse(args: string[]) {
  const [text, flag] = [{ type: 'string' }, { type: 'boolean' }] as const;
  const options = { shape: text, vus: text, duration: text, kill: text, own: flag, help: flag };
  try {
    return parseArgs({ args, options, strict: true, allowPositionals: true });
  } catch (error) {
    throw new Failure(`${(error as Error).message.split('.')[0]}; npm run load -- --help tells all options.`);
  }
}

function oneOf<Name extends string>(names: readonly Name[], text: string, words: string): Name {
  const name = names.find((candidate) => candidate === text);
  if (name === undefined) throw new Failure(`${words} "${text}"; there are ${names.join(', ')}.`);
  return name;
}

function wholeNumber(text: string, option: string, max: number): number {
  const number = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (number < 1 || number > max) throw new Failure(`${option} takes a whole number from 1 to ${max}, not "${text}".`);
  return number;
}

function seconds(text: string): number {
  const [, number = '', unit = 's'] = /^(\d+)([smh]?)$/.exec(text) ?? [];
  const value = Number(number) * { s: 1, m: 60, h: 3600, '': 1 }[unit as 's' | 'm' | 'h' | ''];
  if (!(value >= 1 && value <= 86_400))
    throw new Failure(`--duration takes 1 second to 24 hours, as 90, 90s, 5m or 1h, not "${text}".`);
  return value;
}

function services(text: string): ServiceName[] {
  if (text === 'all') return serviceNames;
  return text.split(',').map((name) => oneOf(serviceNames, name, '--kill knows no service'));
}
