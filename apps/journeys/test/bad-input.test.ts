import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openApi, type Api, type Reply, type RequestOptions } from './api.ts';
import { contentsOf } from './contents.ts';
import { operationsOf, type Operation } from './operations.ts';
import { services, startSystem, type ServiceName, type System } from './system.ts';
import { bodyFor, makeThings, pathTo, type Things } from './things.ts';

// Whatever is sent to a write that should not have been sent gets a problem document with a 4xx status, and leaves every table as it was.

let system: System;
let things: Things;
const before = new Map<ServiceName, Record<string, string>>();

beforeAll(async () => {
  system = await startSystem();
  things = await makeThings(system);
  for (const name of services) before.set(name, await contentsOf(system.databaseUrl(name)));
});
afterAll(() => system.stop());

interface BadRequest {
  title: string;
  statuses: number[];
  body?: unknown;
  options?: RequestOptions;
  /** Sent by someone whose token ran out a minute ago. */
  isExpired?: true;
  /** Instead of the operation's own address. */
  path?: (path: string) => string;
}

const tenMegabytes = 'x'.repeat(10 * 1_024 * 1_024);
const json = { 'content-type': 'application/json' };

/** What every write is sent. */
const everywhere = (body: unknown): BadRequest[] => [
  { title: 'no key', statuses: [400], body, options: { key: null } },
  { title: 'a key that is too short', statuses: [400], body, options: { key: 'short' } },
  { title: 'an expired token', statuses: [401], body, isExpired: true },
  { title: '10 MB of JSON', statuses: [413], body: JSON.stringify({ more: tenMegabytes }), options: { headers: json } },
];

/** What a write with a JSON body is sent besides, each made of a body that would do. */
function instead(body: unknown, members: string[]): BadRequest[] {
  const each = (value: unknown) => Object.fromEntries(members.map((name) => [name, value]));
  const mistyped: BadRequest[] = [
    { title: 'wrong types', statuses: [400], body: each({ not: 'this' }) },
    { title: 'null in every place', statuses: [400], body: each(null) },
    { title: 'a number beyond all numbers', statuses: [400], body: `{"${members[0]}": 1e999}`, options: { headers: json } },
  ];
  return [
    { title: 'JSON that breaks off', statuses: [400], body: '{"lines": [{"sku": ', options: { headers: json } },
    {
      title: 'no JSON at all',
      statuses: [415],
      body: 'sku=J000001',
      options: { headers: { 'content-type': 'application/x-www-form-urlencoded' } },
    },
    { title: 'a list where an object belongs', statuses: [400], body: [body] },
    { title: 'a member nobody knows', statuses: [400], body: { ...(body as object), surprise: true } },
    {
      title: 'a member named __proto__',
      statuses: [400],
      body: `{"__proto__": {"role": "operator"}}`,
      options: { headers: json },
    },
    { title: 'a member twice', statuses: [400], body: `{"surprise": 1, "surprise": 2}`, options: { headers: json } },
    {
      title: 'bytes that are not UTF-8',
      statuses: [400],
      body: Buffer.from('{"\xe6": 1}', 'latin1'),
      options: { headers: json },
    },
    { title: 'a packed body', statuses: [415], body, options: { headers: { ...json, 'content-encoding': 'gzip' } } },
    ...(members.length > 0 ? mistyped : []),
    ...['\0', '\ud800'].flatMap((broken) =>
      spoilt(body, broken).map((worse, n) => ({
        title: `${JSON.stringify(broken)} in text ${n + 1}`,
        statuses: [400],
        body: worse,
      })),
    ),
  ];
}

/** The value once for each text in it, behind which is then something that no database keeps. */
function spoilt(value: unknown, broken: string): unknown[] {
  if (typeof value === 'string') return [value + broken];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, member]) =>
    spoilt(member, broken).map((worse) => (Array.isArray(value) ? value.with(Number(name), worse) : { ...value, [name]: worse })),
  );
}

/** What a write about a named thing is sent besides. */
const elsewhere = (body: unknown): BadRequest[] => [
  { title: 'an id that is none', statuses: [400, 404], body, path: (path) => path.replace(/\{\w+\}/g, '%27%20OR%201%3D1') },
  { title: 'a NUL in the address', statuses: [400, 404], body, path: (path) => path.replace(/\{\w+\}/g, '%00') },
  { title: 'the id of nothing', statuses: [404], body, path: (path) => path.replace(/\{\w+\}/g, randomUUID()) },
];

const csv = { 'content-type': 'text/csv' };
const files: BadRequest[] = [
  { title: 'no key', statuses: [400], body: 'a\n', options: { key: null, headers: csv } },
  { title: 'an expired token', statuses: [401], body: 'a\n', options: { headers: csv }, isExpired: true },
  { title: 'a file without its columns', statuses: [400], body: 'one,two\n1,2\n', options: { headers: csv } },
  { title: 'a file that is none', statuses: [400], body: Buffer.alloc(65_536, 0xff), options: { headers: csv } },
  { title: '10 MB of one line', statuses: [400], body: tenMegabytes, options: { headers: csv } },
  {
    title: 'an encoding nobody reads',
    statuses: [415],
    body: 'a\n',
    options: { headers: { 'content-type': 'text/csv; charset=ebcdic' } },
  },
  { title: 'nothing', statuses: [400], body: '', options: { headers: csv } },
  { title: 'nothing at all', statuses: [400] },
  { title: 'JSON', statuses: [415], body: { rows: [] } },
];

function badRequests(operation: Operation): BadRequest[] {
  if (operation.takesCsv) return files;
  const body = bodyFor(operation);
  return [
    ...everywhere(body),
    ...(body === undefined ? [] : instead(body, operation.members)),
    ...(operation.path.includes('{') ? elsewhere(body) : []),
  ];
}

/** A caller whom the operation lets in. */
async function callerOf(operation: Operation, expired: boolean): Promise<Api> {
  if (operation.service === 'acquirer' && !expired) return system.api('acquirer');
  const token = await system.issuer.token({
    roles: operation.roles as never,
    shop: 'dk-001',
    register: 'dk-001-01',
    sub: 'employee-dk-001-01',
    expired,
  });
  return openApi(() => system.app(operation.service).http, token);
}

async function send(operation: Operation, bad: BadRequest): Promise<Reply> {
  const path = bad.path ? bad.path(operation.path) : pathTo(operation, things);
  const headers = { ...(operation.headers.includes('If-Match') ? { 'if-match': '"99999"' } : {}), ...bad.options?.headers };
  return (await callerOf(operation, bad.isExpired === true)).send(operation.method, path, bad.body, { ...bad.options, headers });
}

describe.each(services)('%s', (service) => {
  const writes = operationsOf(service).filter(
    ({ method, path, roles }) => method !== 'GET' && roles !== 'public' && !path.endsWith('/log-level'),
  );
  const cases = writes.flatMap((operation) =>
    badRequests(operation)
      .filter((bad) => !('key' in (bad.options ?? {})) || operation.headers.includes('Idempotency-Key'))
      .map((bad) => ({ name: operation.name, title: bad.title, operation, bad })),
  );

  test.each(cases)('$name with $title', async ({ operation, bad }) => {
    const answer = await send(operation, bad);
    expect(bad.statuses).toContain(answer.status);
    expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(answer.body).toMatchObject({
      status: answer.status,
      code: expect.any(String) as string,
      title: expect.any(String) as string,
    });
  });

  test('has every table as it was', async () => {
    expect(await contentsOf(system.databaseUrl(service))).toEqual(before.get(service));
  });
});
