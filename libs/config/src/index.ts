import { z } from 'zod';
import { constant, mounted, readValue, type Secret } from './secret.ts';

export type { Secret } from './secret.ts';

/** Thrown by loadConfig with every fault at once; its message is what the operator should read. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

type Environment = Record<string, string | undefined>;

/**
 * Reads the settings named in `shape` from the environment, checks them whole and freezes them.
 * `NAME_FILE` names a file that holds the value of `NAME` (a mounted secret); setting both is a fault. A setting of type Secret that
 * comes from a file is read from it anew each time it is called.
 * A wrong value stops the start with ConfigError and never falls back to a default. Values of settings are never printed.
 */
export function loadConfig<Shape extends z.ZodRawShape>(shape: Shape, env: Environment): Readonly<z.infer<z.ZodObject<Shape>>> {
  const faults: string[] = [];
  const values = Object.fromEntries(Object.keys(shape).map((name) => [name, readSetting(name, env, faults)]));
  const parsed = z.object(shape).safeParse(values);
  if (!parsed.success) {
    for (const issue of parsed.error.issues) {
      const name = String(issue.path[0]);
      const about = (shape[name] as z.ZodType | undefined)?.description;
      faults.push(
        `${name} ${values[name] === undefined ? 'is not set' : `is wrong: ${issue.message}`}${about ? ` (${about})` : ''}`,
      );
    }
  }
  if (faults.length > 0 || !parsed.success) throw new ConfigError(`The configuration is not usable:\n  ${faults.join('\n  ')}`);
  const settings: Record<string, unknown> = parsed.data;
  for (const [name, setting] of Object.entries(settings)) {
    const path = env[`${name}_FILE`];
    if (path && typeof setting === 'function') settings[name] = mounted(name, path, shape[name] as z.ZodType<Secret<unknown>>);
  }
  return Object.freeze(parsed.data);
}

function readSetting(name: string, env: Environment, faults: string[]): string | undefined {
  const path = env[`${name}_FILE`];
  const value = env[name] === '' ? undefined : env[name];
  if (path === undefined || path === '') return value;
  if (value !== undefined) {
    faults.push(`${name} and ${name}_FILE are both set; set one`);
    return undefined;
  }
  try {
    return readValue(path);
  } catch (error) {
    faults.push(`${name}_FILE cannot be read: ${(error as NodeJS.ErrnoException).code ?? 'unknown error'}`);
    return undefined;
  }
}

const wholeNumber = z
  .string()
  .regex(/^\d{1,15}$/, 'must be a whole number')
  .transform(Number);

/** A TCP port, 0 for any free one. */
export const port = () => wholeNumber.pipe(z.number().max(65_535, 'must be a port, 0 to 65535'));
/** A span of time in milliseconds. */
export const durationMs = () => wholeNumber;
/** A count. */
export const count = () => wholeNumber;
/** An absolute URL. */
export const url = () => z.url('must be an absolute URL');
/** host:port of a gRPC neighbour. */
export const address = () => z.string().regex(/^[^\s/:]+:\d{1,5}$/, 'must be host:port');
/** A secret; give it by NAME_FILE where it is mounted. */
export const secret = () => secretText.transform(constant);
/** A secret that is being changed may be two, separated by blanks or lines, the newer one first; usually it is one. */
export const secrets = () =>
  z
    .string()
    .transform((text) => text.split(/\s+/))
    .pipe(z.array(secretText))
    .transform(constant);

const secretText = z.string().min(16, 'must have at least 16 characters');

/** The settings every service has. Ports are the pod's; on a laptop they are given. */
export const commonSettings = {
  NODE_ENV: z
    .enum(['development', 'test', 'production'])
    .default('development')
    .describe('production refuses simulators and development issuers'),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal']).default('info'),
  HOST: z.string().default('0.0.0.0').describe('address the servers listen on'),
  HTTP_PORT: port().default(8080),
  GRPC_PORT: port().default(9000),
  HEALTH_PORT: port().default(9090).describe('/livez and /readyz, plain HTTP'),
  METRICS_PORT: port().default(9091).describe('/metrics for Prometheus'),
  DATABASE_URL: z
    .string()
    .regex(/^postgres(ql)?:\/\//, 'must begin with postgresql://')
    .transform(constant)
    .describe("this service's own database"),
  DATABASE_POOL_MAX: count().default(10).describe('connections at most'),
  DATABASE_GROUP_MAX: count().default(16).describe('statements that are committed together at most; 1: each by itself'),
  OIDC_ISSUER: url().describe('the `iss` of tokens we accept'),
  OIDC_JWKS_URI: url().optional().describe('where its keys are; default: issuer/jwks'),
  OIDC_AUDIENCE: z.string().default('kassa').describe('the `aud` of tokens we accept'),
  OIDC_TOKEN_URL: url().optional().describe('where this service gets its own token; default: issuer/token'),
  SERVICE_CLIENT_ID: z.string().min(1).describe("this service's client id at the issuer"),
  SERVICE_CLIENT_SECRET: secret(),
  SHUTDOWN_DELAY_MS: durationMs().default(0).describe('how long to go on serving after SIGTERM, until no one sends any more'),
  SHUTDOWN_TIMEOUT_MS: durationMs().default(20_000).describe('how long accepted requests may take to finish after that'),
} as const;
