import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Finding } from './rule.ts';
import { calls, trafficFile, type Traffic } from './traffic.ts';

/** What the contracts offer, as traffic.yaml would name it: `service grpc Method` and `service http METHOD /path`. */
export interface Contracts {
  offered: Set<string>;
  /** Services whose HTTP contract is there; the routes of others are not judged. */
  withHttp: Set<string>;
}

export function readContracts(workspace: string): Contracts {
  const folder = join(workspace, 'libs/contracts/proto');
  const protos = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.proto'));
  const grpc = protos.flatMap((file) => rpcsOf(readFileSync(join(folder, file), 'utf8')));
  const rooms = readdirSync(join(workspace, 'apps')).filter((room) => existsSync(join(workspace, 'apps', room, 'openapi.json')));
  const http = rooms.flatMap((room) => routesOf(room, readFileSync(join(workspace, 'apps', room, 'openapi.json'), 'utf8')));
  return { offered: new Set([...grpc, ...http]), withHttp: new Set(rooms) };
}

function rpcsOf(proto: string): string[] {
  const contract = /^package ([\w.]+);/m.exec(proto)?.[1] ?? '';
  const service = contract.split('.')[1]?.replaceAll('_', '-') ?? '';
  return [...proto.matchAll(/^\s+rpc (\w+)\(/gm)].map((match) => `${service} grpc ${match[1]}`);
}

function routesOf(room: string, openapi: string): string[] {
  const { paths } = JSON.parse(openapi) as { paths: Record<string, Record<string, unknown>> };
  const verbs = ['get', 'put', 'post', 'patch', 'delete'];
  return Object.entries(paths).flatMap(([path, operations]) =>
    Object.keys(operations)
      .filter((verb) => verbs.includes(verb))
      .map((verb) => `${room} http ${verb.toUpperCase()} ${path}`),
  );
}

/** Both ways: a call that nobody may make by accident, and a permission for something that is not there. */
export function contractFindings(traffic: Traffic, contracts: Contracts): Finding[] {
  const rows = calls(traffic).filter((call) => call.port === 'grpc' || contracts.withHttp.has(call.service));
  const named = new Set(rows.map((call) => `${call.service} ${call.port} ${call.name}`));
  const finding = (call: string, rule: string, what: string, why: string, mend: string): Finding => ({
    file: trafficFile,
    object: call,
    rule,
    what,
    why,
    mend,
  });
  return [
    ...[...contracts.offered]
      .filter((call) => !named.has(call))
      .map((call) =>
        finding(
          call,
          'traffic-complete',
          'is in the contract and not in traffic.yaml',
          'The mesh answers 404 to every call of it.',
          'Name it with its callers; `callers: []` keeps it closed.',
        ),
      ),
    ...[...named]
      .filter((call) => !contracts.offered.has(call))
      .map((call) =>
        finding(
          call,
          'traffic-existing',
          'is in traffic.yaml and in no contract',
          'A permission for what does not exist waits for whoever takes the name.',
          'Remove it, or correct its name.',
        ),
      ),
  ];
}
