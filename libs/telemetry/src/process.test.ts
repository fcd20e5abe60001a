import { existsSync } from 'node:fs';
import { totalmem } from 'node:os';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { expect, it } from 'vitest';
import { observeProcess } from './process.ts';

it('tells memory below its limit, processor time, and on Linux the wait for a processor', async () => {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
  const provider = new MeterProvider({ readers: [reader] });
  observeProcess(provider.getMeter('test'));
  await reader.forceFlush();
  const all = exporter.getMetrics()[0]?.scopeMetrics[0]?.metrics ?? [];
  const told = Object.fromEntries(all.map(({ descriptor, dataPoints }) => [descriptor.name, Number(dataPoints[0]?.value)]));
  await provider.shutdown();

  const linux = existsSync('/proc/self/schedstat')
    ? { kassa_process_cpu_waiting_seconds_total: expect.any(Number) as number }
    : {};
  expect(told).toEqual({
    kassa_process_memory_bytes: expect.any(Number) as number,
    kassa_process_memory_limit_bytes: expect.any(Number) as number,
    kassa_process_cpu_seconds_total: expect.any(Number) as number,
    ...linux,
  });
  const { kassa_process_memory_bytes: used = 0, kassa_process_memory_limit_bytes: limit = 0 } = told;
  expect([used > 10_000_000, used < limit, limit <= totalmem()]).toEqual([true, true, true]);
});
