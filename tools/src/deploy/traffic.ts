import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { Failure } from '../failure.ts';

const duration = z.string().regex(/^\d+(ms|s|m|h)$/, 'is a whole number and ms, s, m or h');
const timeout = z.union([duration, z.literal('none')]);
const callers = z.array(z.string());
const rule = z.strictObject({ callers: callers.optional(), timeout: timeout.optional(), retry: z.literal('once').optional() });
const rateLimit = z.strictObject({ total: z.int().positive(), identity: z.int().positive() });

const port = { callers, timeout, rateLimit };
const service = z.strictObject({
  only: z.literal('local').optional(),
  http: z.strictObject({
    ...port,
    routes: z.record(z.string().regex(/^(GET|PUT|POST|PATCH|DELETE) \/v1\//, 'is METHOD /v1/path'), rule),
  }),
  grpc: z.strictObject({ ...port, service: z.string(), methods: z.record(z.string(), rule) }).optional(),
});
const databaseKind = z.union([
  z.enum(['cloudnative-pg', 'shared-postgres']),
  z.strictObject({ managed: z.strictObject({ networks: z.array(z.string()).min(1), port: z.int().default(5432) }) }),
]);

const schema = z.strictObject({
  callers: z.record(z.string(), z.strictObject({ namespace: z.string(), serviceAccount: z.string() })),
  breaker: z.strictObject({ maxFailures: z.int().positive(), minPenalty: duration, maxPenalty: duration }),
  services: z.record(z.string(), service),
  outside: z.record(
    z.string(),
    z.strictObject({ hosts: z.array(z.string()).min(1), port: z.int(), networks: z.array(z.string()).min(1), callers }),
  ),
  telemetry: z.strictObject({ namespace: z.string(), port: z.int(), callers }),
  databases: z.record(z.string(), databaseKind),
});

export type Traffic = z.infer<typeof schema>;
export type DatabaseKind = z.infer<typeof databaseKind>;
export type Port = 'http' | 'grpc';

/** One thing that can be called, with everything traffic.yaml says of it filled in. */
export interface Call {
  service: string;
  port: Port;
  /** `GET /v1/sales/{id}` or the name of a gRPC method. */
  name: string;
  callers: string[];
  timeout: string;
  isRetried: boolean;
  /** Absent for every namespace; otherwise the one overlay that has the service. */
  only: 'local' | undefined;
}

export const trafficFile = 'deploy/mesh/traffic.yaml';

/** Throws Failure with every fault of the file at once. */
export function readTraffic(workspace: string): Traffic {
  return parseTraffic(readFileSync(join(workspace, trafficFile), 'utf8'));
}

export function parseTraffic(text: string): Traffic {
  const parsed = schema.safeParse(parse(text));
  if (!parsed.success) {
    const faults = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
    throw new Failure(`${trafficFile} cannot be used.`, faults.join('\n'));
  }
  const strangers = unknownCallers(parsed.data);
  if (strangers.length > 0) throw new Failure(`${trafficFile} names callers that do not exist: ${strangers.join(', ')}.`);
  return parsed.data;
}

function unknownCallers(traffic: Traffic): string[] {
  const known = new Set([...Object.keys(traffic.callers), ...Object.keys(traffic.services)]);
  const named = [
    ...calls(traffic).flatMap((call) => call.callers),
    ...Object.values(traffic.outside).flatMap((place) => place.callers),
    ...traffic.telemetry.callers,
  ];
  return [...new Set(named)].filter((caller) => !known.has(caller));
}

/** Every call of the system, one row each. */
export function calls(traffic: Traffic): Call[] {
  return Object.entries(traffic.services).flatMap(([name, service]) => {
    const row = (port: Port, own: { callers: string[]; timeout: string }, call: string, given: z.infer<typeof rule>): Call => ({
      service: name,
      port,
      name: call,
      callers: given.callers ?? own.callers,
      timeout: given.timeout ?? own.timeout,
      isRetried: given.retry === 'once',
      only: service.only,
    });
    const { http, grpc } = service;
    return [
      ...Object.entries(http.routes).map(([call, given]) => row('http', http, call, given)),
      ...(grpc ? Object.entries(grpc.methods).map(([call, given]) => row('grpc', grpc, call, given)) : []),
    ];
  });
}
