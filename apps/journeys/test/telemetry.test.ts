import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '@kassa/testing';
import { startCollector, type CollectedSpan, type Collector } from './collector.ts';
import { secrets, services, startSystem, type ServiceName, type System } from './system.ts';
import { openTill, type Till } from './till.ts';

let collector: Collector;
let system: System;
let till: Till;
let token: string;

const traceId = randomBytes(16).toString('hex');
const tillSpanId = randomBytes(8).toString('hex');
const traceparent = `00-${traceId}-${tillSpanId}-01`;

/** A number every card reader would accept (ISO/IEC 7812), a person, and a serial number that passes for a card's. */
const cardNumber = '4111111111111111';
const person = 'Ingeborg Testesen';
const serial = '490154203237518';

beforeAll(async () => {
  collector = await startCollector();
  const traced = {
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_TRACES_SAMPLER_ARG: '1',
    KASSA_VERSION: '1.2.3',
    KASSA_COMMIT: 'abc1234',
  };
  system = await startSystem({ env: Object.fromEntries(services.map((name) => [name, traced])) });
  token = await system.issuer.token({ register: 'dk-001-01' });
  till = await openTill(system, 'dk-001-01');

  const sale = await till.open([{ sku: system.demo.products[0]!.sku, serials: [serial] }]);
  const tenders = [{ method: 'terminal', amountMinor: 10_095 }];
  const paid = await till.sales.post(`/v1/sales/${sale.id}/complete`, { tenders }, { headers: { traceparent } });
  expect(paid.status).toBe(200);
  await till.lookup.get(`/v1/availability/${system.demo.products[1]!.sku}`, { headers: { traceparent } });
  await sendWhatMustNotBeKept(sale.id);
});
afterAll(async () => {
  await system.stop();
  await collector.stop();
});

/** Clients send what they should not, wherever there is room for it. */
async function sendWhatMustNotBeKept(saleId: string): Promise<void> {
  const headers = { 'user-agent': person, 'x-customer': person, authorization: `Bearer ${token}` };
  const tenders = [{ method: 'online', amountMinor: 100, cardToken: cardNumber }];
  const body = { tenders, cardNumber, name: person, pan: { number: cardNumber } };
  for (const name of ['sales', 'payments', 'inventory', 'stock-lookup'] as const) {
    const api = system.api(name);
    await api.send('POST', `/v1/sales/${saleId}/complete?card=${cardNumber}`, body, { headers });
    await api.send('POST', '/v1/sales', body, { headers });
    await api.send('POST', '/v1/payment-intents', body, { headers });
    await api.send('POST', '/v1/reservations', body, { headers });
    await api.send('POST', '/v1/availability:batch', { items: [cardNumber], name: person }, { headers });
    await api.get(`/v1/availability/${cardNumber}?name=${person}`, { headers });
    await api.get(`/v1/products?q=${cardNumber}`, { headers: { authorization: `Bearer ${token}x` } });
    await api.send('POST', '/v1/sales', `{"name": "${person}", "card": ${cardNumber}`, { headers });
  }
}

describe("The till's trace", () => {
  let spans: CollectedSpan[];
  beforeAll(async () => {
    const talkative: ServiceName[] = ['sales', 'inventory', 'payments', 'acquirer', 'stock-lookup'];
    await eventually(() => {
      spans = collector.spans.filter((span) => span.traceId === traceId);
      expect(talkative.filter((name) => !spans.some(({ service }) => service === name))).toEqual([]);
      expect(orphans(spans)).toEqual([]);
    }, 15_000);
  });

  test('is one tree, which grows from the span the till sent', () => {
    expect(orphans(spans)).toEqual([]);
    expect(
      spans.filter(({ parentSpanId }) => parentSpanId === tillSpanId).map(({ service, name }) => `${service} ${name}`),
    ).toEqual(expect.arrayContaining(['sales POST /v1/sales/:id/complete', 'stock-lookup GET /v1/availability/:item']));
  });

  test.each([
    ['sales', 'inventory', 'Reserve'],
    ['sales', 'payments', 'Purchase'],
  ])('leads over gRPC from %s to %s', (from, to, method) => {
    const calling = spans.filter(({ service, name, kind }) => service === from && kind === 3 && name.includes(method));
    const called = spans.filter(({ service, name, kind }) => service === to && kind === 2 && name.includes(method));
    expect(called.some(({ parentSpanId }) => calling.some(({ spanId }) => spanId === parentSpanId))).toBe(true);
  });

  test('leads over HTTP from payments to the acquirer', () => {
    const calling = spans.filter(({ service, kind }) => service === 'payments' && kind === 3);
    const called = spans.filter(({ service, name }) => service === 'acquirer' && name === 'POST /v1/operations');
    expect(called.some(({ parentSpanId }) => calling.some(({ spanId }) => spanId === parentSpanId))).toBe(true);
  });

  test.each(['sales', 'inventory', 'payments', 'acquirer'])('reaches the statements of %s', (name) => {
    const statements = spans.filter(
      ({ service, attributes }) => service === name && ('db.statement' in attributes || 'db.query.text' in attributes),
    );
    expect(statements.length).toBeGreaterThan(0);
  });
});

/** Spans whose parent is neither the till's nor one that was exported. */
function orphans(spans: CollectedSpan[]): string[] {
  const known = new Set([tillSpanId, ...spans.map(({ spanId }) => spanId)]);
  return spans
    .filter(({ parentSpanId }) => parentSpanId === undefined || !known.has(parentSpanId))
    .map(({ service, name }) => `${service} ${name}`);
}

describe.each(services)('%s', (name) => {
  test('logs JSON lines, those of the request with its trace', () => {
    const lines = logOf(name).map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(
      lines.every((line) => line['service'] === name && typeof line['level'] === 'string' && typeof line['time'] === 'string'),
    ).toBe(true);
    expect(lines.some((line) => line['traceId'] === traceId)).toBe(true);
  });

  test('tells Prometheus of its build, requests, pool and event loop', async () => {
    const text = await metricsOf(name);
    expect(text).toMatch(/^kassa_build_info\{.*service="[\w-]+".*version="1\.2\.3".*commit="abc1234".*\} 1$/m);
    for (const metric of ['kassa_http_request_duration_seconds_count', 'kassa_database_pool', 'nodejs_eventloop'])
      expect(text).toContain(metric);
  });

  test('keeps no card number, token, secret or name in its logs, metrics and spans', async () => {
    const logs = logOf(name).flatMap((line) => texts(JSON.parse(line)));
    const labels = [...(await metricsOf(name)).matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, value = '']) => value);
    const traced = collector.spans
      .filter(({ service }) => service === name)
      .flatMap((span) => [span.name, ...texts(span.attributes)]);
    const all = [...logs, ...labels, ...traced];
    expect(all.filter(hasCardNumber)).toEqual([]);
    expect(all.filter((text) => /eyJ[\w-]{10,}\.[\w-]{10,}/.test(text))).toEqual([]);
    const forbidden = [person, encodeURIComponent(person), serial, ...secrets];
    expect(all.filter((text) => forbidden.some((word) => text.includes(word)))).toEqual([]);
  });
});

test.each([
  ['sales', /^kassa_grpc_client_duration_seconds_count\{.*Reserve/m],
  ['inventory', /^kassa_grpc_server_duration_seconds_count\{.*Reserve/m],
  ['payments', /^kassa_grpc_server_duration_seconds_count\{.*Purchase/m],
] as const)('%s measures its gRPC calls', async (name, metric) => {
  expect(await metricsOf(name)).toMatch(metric);
});

test.each(services)('%s counts what happens in the trade', async (name) => {
  const business = (await metricsOf(name)).match(/^# TYPE kassa_(?!http|grpc|database|build|feed)\w+ /gm) ?? [];
  expect(business.length).toBeGreaterThan(0);
});

const logOf = (name: ServiceName): string[] => system.app(name).output().split('\n').filter(Boolean);

async function metricsOf(name: ServiceName): Promise<string> {
  return (await fetch(`${system.app(name).metrics}/metrics`)).text();
}

test.each([
  ['4111111111111111', true],
  ['paid with 4111 1111-1111 1111', true],
  ['4111111111111112', false],
  ['01a204d2-1ea3-7324-917f-8c7fcf86575d', false],
])('The search for card numbers says of %s: %s', (text, isFound) => {
  expect(hasCardNumber(text)).toBe(isFound);
});

/** Every text and number inside a value, names of members included. */
function texts(value: unknown): string[] {
  if (value === null || typeof value !== 'object') return [String(value)];
  return Object.entries(value).flatMap(([name, member]) => [name, ...texts(member)]);
}

/** 13 to 19 digits, blanks and dashes between them allowed, with a right check digit (ISO/IEC 7812-1, Luhn). */
function hasCardNumber(text: string): boolean {
  return [...text.matchAll(/(?<![\w.-])\d(?:[ -]?\d){12,18}(?![\w.-])/g)].some(([found]) => isLuhn(found.replace(/[ -]/g, '')));
}

function isLuhn(digits: string): boolean {
  const sum = [...digits].reverse().reduce((total, digit, n) => {
    const value = n % 2 === 0 ? Number(digit) : Number(digit) * 2;
    return total + (value > 9 ? value - 9 : value);
  }, 0);
  return sum % 10 === 0;
}
