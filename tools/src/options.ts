import { parseArgs } from 'node:util';
import { resolve } from 'node:path';
import { Failure } from './failure.ts';
import { services, type ServiceName } from './services.ts';

export interface StartOptions {
  /** Absolute path; undefined for an ephemeral system, which gets a temporary one. */
  dataFolder: string | undefined;
  isEphemeral: boolean;
  mustReset: boolean;
  /** Services this command runs itself. */
  run: ServiceName[];
  /** Added to every port of the README's table. */
  portShift: number;
  /** Superuser address of a PostgreSQL that is not ours, from KASSA_DATABASE_URL. */
  externalPostgres: string | undefined;
  isVerbose: boolean;
  asJson: boolean;
}

export const help = `npm start [-- options]     runs all of Kassa on this machine

  --only payments,acquirer   run these services and no others
  --except sales             run all but these; nx serve sales joins with that one
  --ports 18080              shift all ports: the token issuer gets this one, sales the next (default 8080)
  --reset                    throw the kept data away first
  --ephemeral                temporary folder, free ports, no fsync, gone at exit; may run beside another system
  --verbose                  show the services' logs here as well
  --json                     one line of JSON on standard output when ready, instead of the table
  --help

  KASSA_DATA=/folder         where data is kept (default .kassa in this workspace)
  KASSA_DATABASE_URL=postgresql://admin:…@host/postgres
                             use that PostgreSQL; databases and roles are made on it, each named kassa_…`;

const defaultPort = 8080;

/** Reads the command line and environment of npm start. Throws Failure for anything it does not understand. */
export function readOptions(args: string[], env: NodeJS.ProcessEnv, workspace: string): StartOptions | 'help' {
  const values = parse(args);
  if (values.help) return 'help';
  if (values.only !== undefined && values.except !== undefined) throw new Failure('Say either --only or --except, not both.');
  if (values.ephemeral && values.reset) throw new Failure('An ephemeral system has nothing to --reset.');
  if (values.ephemeral && values.ports !== undefined)
    throw new Failure('An ephemeral system takes free ports; leave out --ports.');
  if (values.ephemeral && env['KASSA_DATABASE_URL'])
    throw new Failure('An ephemeral system brings its own PostgreSQL, which goes with it; leave out KASSA_DATABASE_URL.');
  const all = Object.keys(services) as ServiceName[];
  const except = values.except === undefined ? [] : names(values.except, '--except');
  const run = values.only === undefined ? all.filter((name) => !except.includes(name)) : names(values.only, '--only');
  return {
    dataFolder: values.ephemeral ? undefined : resolve(workspace, env['KASSA_DATA'] ?? '.kassa'),
    isEphemeral: values.ephemeral ?? false,
    mustReset: values.reset ?? false,
    run,
    portShift: values.ports === undefined ? 0 : port(values.ports) - defaultPort,
    externalPostgres: env['KASSA_DATABASE_URL'] ? databaseUrl(env['KASSA_DATABASE_URL']) : undefined,
    isVerbose: values.verbose ?? false,
    asJson: values.json ?? false,
  };
}

function parse(args: string[]) {
  const flag = { type: 'boolean' } as const;
  const text = { type: 'string' } as const;
  const options = { only: text, except: text, ports: text, reset: flag, ephemeral: flag, verbose: flag, json: flag, help: flag };
  try {
    return parseArgs({ args, options, strict: true }).values;
  } catch (error) {
    throw new Failure(`${(error as Error).message.split('.')[0]}; npm start -- --help tells all options.`);
  }
}

function names(list: string, option: string): ServiceName[] {
  return list.split(',').map((name) => {
    if (!Object.hasOwn(services, name)) {
      throw new Failure(`${option} knows no service "${name}"; there are ${Object.keys(services).join(', ')}.`);
    }
    return name as ServiceName;
  });
}

/** The highest port in use is 1205 above the first, PostgreSQL's 2592 below it. */
function port(text: string): number {
  const value = /^\d{1,5}$/.test(text) ? Number(text) : NaN;
  if (value >= 3700 && value <= 64_000) return value;
  throw new Failure(`--ports takes a number from 3700 to 64000, not "${text}".`);
}

function databaseUrl(text: string): string {
  if (URL.canParse(text) && /^postgres(ql)?:$/.test(new URL(text).protocol)) return text;
  throw new Failure('KASSA_DATABASE_URL is not an address like postgresql://user:password@host:5432/postgres.');
}
