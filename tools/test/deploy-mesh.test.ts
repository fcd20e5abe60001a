import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { contractFindings, readContracts } from '../src/deploy/check-contracts.ts';
import { readCountries } from '../src/deploy/countries.ts';
import { renderMesh } from '../src/deploy/mesh.ts';
import { at, list, parseObjects, text, type KubeObject } from '../src/deploy/objects.ts';
import { calls, parseTraffic, readTraffic, type Call } from '../src/deploy/traffic.ts';
import { readWaves } from '../src/deploy/waves.ts';

const workspace = fileURLToPath(new URL('../..', import.meta.url));
const traffic = readTraffic(workspace);
const countries = readCountries(workspace);
const waves = readWaves(workspace).waves;
const files = renderMesh({ traffic, countries, waves });
const below = (...folders: string[]) =>
  [...files]
    .filter(([path]) => folders.some((folder) => path.startsWith(`${folder}/`)))
    .flatMap(([, content]) => parseObjects(content));
const slice = below('slice');

type Answer = 'allowed' | 'denied' | 'not found';

/** What the proxy of a service answers a caller, by Linkerd's rules: routes are a closed list, and policies hang on routes. */
function answer(
  objects: KubeObject[],
  caller: string,
  call: { service: string; port: string; path: string; method: string },
): Answer {
  const route = objects.find(
    (object) =>
      object.kind === 'HTTPRoute' &&
      list(object, 'spec', 'parentRefs').some(
        (ref) => ref['kind'] === 'Server' && ref['name'] === `${call.service}-${call.port}`,
      ) &&
      list(object, 'spec', 'rules')
        .flatMap((rule) => list(rule, 'matches'))
        .some((match) => isMatch(match, call)),
  );
  if (!route) return 'not found';
  const account = traffic.callers[caller]?.serviceAccount ?? caller;
  const isAllowed = objects.some(
    (object) =>
      object.kind === 'AuthorizationPolicy' &&
      text(object, 'spec', 'targetRef', 'name') === route.metadata.name &&
      list(object, 'spec', 'requiredAuthenticationRefs').every((ref) => ref['name'] === account),
  );
  return isAllowed ? 'allowed' : 'denied';
}

function isMatch(match: unknown, { path, method }: { path: string; method: string }): boolean {
  const value = text(match, 'path', 'value') ?? '';
  const isPath = text(match, 'path', 'type') === 'Exact' ? value === path : new RegExp(`^(?:${value})$`).test(path);
  return isPath && at(match, 'method') === method;
}

/** A real request of a call: parameters become ids. */
function request(call: Call) {
  const contract = traffic.services[call.service]?.grpc?.service;
  const [method = '', path = ''] = call.port === 'grpc' ? ['POST', `/${contract}/${call.name}`] : call.name.split(' ');
  return {
    service: call.service,
    port: call.port,
    method,
    path: path.replace(/\{\w+\}/g, '0190b8d2-7f3e-7cc1-9d6e-2f0b7a1c4e55'),
  };
}

const callers = [...Object.keys(traffic.services), ...Object.keys(traffic.callers), 'nobody'];
const inCountries = calls(traffic).filter((call) => !call.only);

test.each(callers)('%s may make the calls that traffic.yaml gives it, and no other', (caller) => {
  const isLocal = traffic.services[caller]?.only !== undefined;
  const expected = inCountries.map((call) => [
    `${call.service} ${call.name}`,
    call.callers.includes(caller) && !isLocal ? 'allowed' : 'denied',
  ]);
  const answers = inCountries.map((call) => [`${call.service} ${call.name}`, answer(slice, caller, request(call))]);
  expect(Object.fromEntries(answers)).toEqual(Object.fromEntries(expected));
});

test('On a laptop the acquirer simulator sends its events to payments, and payments alone asks it', () => {
  const local = below('slice', 'local');
  const event = { service: 'payments', port: 'http', method: 'POST', path: '/v1/provider-events/acquirer' };
  const operation = { service: 'acquirer', port: 'http', method: 'POST', path: '/v1/operations' };
  expect({
    acquirerSendsEvent: answer(local, 'acquirer', event),
    inCountries: answer(slice, 'acquirer', event),
    paymentsAsks: answer(local, 'payments', operation),
    salesAsks: answer(local, 'sales', operation),
  }).toEqual({ acquirerSendsEvent: 'allowed', inCountries: 'denied', paymentsAsks: 'allowed', salesAsks: 'denied' });
});

test.each([
  ['an unknown method', 'grpc', 'POST', '/kassa.payments.v1.PaymentsService/Steal'],
  ['a method of another service', 'grpc', 'POST', '/kassa.inventory.v1.InventoryService/Reserve'],
  ['reflection', 'grpc', 'POST', '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo'],
  ['the API description', 'http', 'GET', '/openapi.json'],
  ['a known path with another verb', 'http', 'DELETE', '/v1/payment-intents'],
  ['a longer path', 'http', 'GET', '/v1/payment-intents/a/b'],
])('The edge finds nothing behind %s', (_, port, method, path) => {
  expect(answer(slice, 'edge', { service: 'payments', port, method, path })).toBe('not found');
});

test('Every gRPC method and HTTP route of the contracts is named, and none more', () => {
  expect(contractFindings(traffic, readContracts(workspace))).toEqual([]);
});

test('A new method and a forgotten permission are both found', () => {
  const contracts = readContracts(workspace);
  const offered = new Set([...contracts.offered, 'payments grpc Chargeback']);
  offered.delete('payments grpc Refund');
  const found = contractFindings(traffic, { ...contracts, offered });
  expect(found.map(({ rule, object }) => [rule, object])).toEqual([
    ['traffic-complete', 'payments grpc Chargeback'],
    ['traffic-existing', 'payments grpc Refund'],
  ]);
});

test('A retry is rendered where traffic.yaml says once, and nowhere else', () => {
  const routes = slice.filter((object) => object.kind === 'GRPCRoute' && !object.metadata.name.endsWith('-other'));
  const retried = routes
    .filter((route) => route.metadata.annotations?.['retry.linkerd.io/grpc'] === 'unavailable')
    .map((route) => text(route, 'spec', 'rules', 0, 'matches', 0, 'method', 'method'));
  const expected = inCountries.filter((call) => call.port === 'grpc' && call.isRetried).map((call) => call.name);
  expect(retried.sort()).toEqual(expected.sort());
});

test("A country's edge sends the pilot's shops to the pilot and everybody else to the country", () => {
  const [route] = below('no/full').filter((object) => object.metadata.name === 'sales-edge');
  expect(route?.['spec']).toEqual({
    parentRefs: [{ name: 'edge', sectionName: 'sales' }],
    hostnames: ['sales.no.kassa.example'],
    rules: [
      {
        matches: [{ headers: [{ type: 'Exact', name: 'x-kassa-shop', value: 'no-001' }] }],
        backendRefs: [{ name: 'sales', namespace: 'kassa-no-pilot', port: 8080 }],
      },
      { backendRefs: [{ name: 'sales', port: 8080 }] },
    ],
  });
});

test("A wave may send a part of its shops' calls only", () => {
  const cautious = waves.map((wave) => (wave.name === 'no-pilot' ? { ...wave, percent: 10 } : wave));
  const content = renderMesh({ traffic, countries, waves: cautious }).get('no/full/edge.yaml') ?? '';
  const [route] = parseObjects(content);
  expect(at(route, 'spec', 'rules', 0, 'backendRefs')).toEqual([
    { name: 'sales', namespace: 'kassa-no-pilot', port: 8080, weight: 10 },
    { name: 'sales', port: 8080, weight: 90 },
  ]);
});

test.each([
  ['a duration without unit', /timeout: 6s/, 'timeout: 6', 'cannot be used'],
  ['an unknown field', /retry: once/, 'retries: once', 'cannot be used'],
  ['a caller nobody is', /callers: \[sales\]/, 'callers: [sale]', 'callers that do not exist: sale'],
])('traffic.yaml with %s is refused', (_, part, wrong, sentence) => {
  const given = readFileSync(`${workspace}/deploy/mesh/traffic.yaml`, 'utf8').replace(part, wrong);
  expect(() => parseTraffic(given)).toThrow(sentence);
});

test("A provider's database may be reached through packet filter and mesh, and nothing else of its country changes", () => {
  const networks = ['192.0.2.0/28'];
  const managed = { ...traffic, databases: { ...traffic.databases, no: { managed: { networks, port: 6432 } } } };
  const changed = [...renderMesh({ traffic: managed, countries, waves })].filter(
    ([path, content]) => files.get(path) !== content,
  );
  expect(changed.map(([path]) => path)).toEqual(['no/pilot/databases.yaml', 'no/full/databases.yaml']);
  for (const [, content] of changed) {
    const objects = parseObjects(content);
    const policies = objects.filter(({ kind }) => kind === 'NetworkPolicy');
    const egress = [{ to: [{ ipBlock: { cidr: networks[0] } }], ports: [{ protocol: 'TCP', port: 6432 }] }];
    expect(policies.map((policy) => at(policy, 'spec', 'egress'))).toEqual(Array(4).fill(egress));
    const places = objects.filter(({ kind }) => kind === 'EgressNetwork').map((one) => one['spec']);
    expect(places).toEqual([{ trafficPolicy: 'Allow', networks: [{ cidr: networks[0] }] }]);
  }
});

test('On a laptop the four services ask the simulated token issuer, and nobody else does', () => {
  const policies = below('local').filter((object) => text(object, 'spec', 'targetRef', 'name') === 'issuer');
  const accounts = policies.map((object) => list(object, 'spec', 'requiredAuthenticationRefs').map((ref) => ref['name']));
  expect(accounts).toEqual([['sales'], ['payments'], ['inventory'], ['stock-lookup']]);
});
