import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { eventually } from '@kassa/testing';
import { startSystem, type ServiceName, type System } from './system.ts';
import { openTill } from './till.ts';

interface Metric {
  type: string;
  labels?: string[];
  buckets?: string[];
  services: ServiceName[];
  linuxOnly?: boolean;
}

/** What queries of rules, dashboards and gates may name; tools hold the queries against it. */
const catalogue = parse(
  readFileSync(fileURLToPath(new URL('../../../deploy/observability/metrics/services.yaml', import.meta.url)), 'utf8'),
) as Record<string, Metric>;
const isLinux = existsSync('/proc/self/schedstat');
const serving = ['sales', 'payments', 'inventory', 'stock-lookup'] as const;
const cases = Object.entries(catalogue).flatMap(([name, metric]) =>
  metric.services.map((service) => ({ name, service, metric })),
);

/** One exposition: what each metric is, and with which labels and buckets its series come. */
type Scrape = Map<string, { type: string; labels: Set<string>; buckets: Set<string> }>;

let system: System;
const scrapes = new Map<ServiceName, Scrape>();

beforeAll(async () => {
  system = await startSystem();
  const till = await openTill(system, 'dk-001-01');
  const sku = system.demo.products[1]!.sku;
  const paid = await till.open([{ sku }]);
  await till.complete(paid.id, [{ method: 'terminal', amountMinor: paid.totalMinor }]);
  await till.lookup.get(`/v1/availability/${sku}`);
  // The terminal charges and never answers, so that payments has to ask.
  const asked = await till.open([{ sku: system.demo.products[2]!.sku, quantity: 2 }]);
  await till.complete(asked.id, [
    { method: 'terminal', amountMinor: 15_107 },
    { method: 'terminal', amountMinor: asked.totalMinor - 15_107 },
  ]);
  await eventually(async () => {
    for (const name of serving) scrapes.set(name, await scrape(name));
    expect(scrapes.get('payments')?.has('kassa_payment_inquiries_total')).toBe(true);
    expect(scrapes.get('payments')?.has('kassa_unknown_payments')).toBe(true);
  }, 20_000);
});
afterAll(() => system?.stop());

test.each(cases)('$service shows $name, as the catalogue says', ({ name, service, metric }) => {
  if (metric.linuxOnly && !isLinux) return void console.log(`not seen: ${name}, which only Linux tells`);
  const shown = scrapes.get(service)?.get(name);
  const named = [...(metric.labels ?? []), 'service_name'];
  expect(
    shown && { type: shown.type, labels: named.filter((label) => shown.labels.has(label)), buckets: [...shown.buckets] },
  ).toEqual({
    type: metric.type,
    labels: named,
    buckets: metric.buckets ?? [],
  });
});

async function scrape(name: ServiceName): Promise<Scrape> {
  const text = await (await fetch(`${system.app(name).metrics}/metrics`)).text();
  const found: Scrape = new Map();
  for (const line of text.split('\n')) {
    const [, typed, type = ''] = /^# TYPE (\S+) (\S+)$/.exec(line) ?? [];
    if (typed !== undefined) found.set(typed, { type, labels: new Set(), buckets: new Set() });
    const [, series = '', labels = ''] = /^(\w+)(?:\{(.*)\})? \S+$/.exec(line) ?? [];
    const metric = found.get(series) ?? found.get(series.replace(/_(bucket|sum|count)$/, ''));
    for (const [, label = '', value = ''] of labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) {
      if (label === 'le') metric?.buckets.add(value);
      // Who made the instrument; dropped on the way into Prometheus.
      else if (!label.startsWith('otel_scope_')) metric?.labels.add(label);
    }
  }
  return found;
}
