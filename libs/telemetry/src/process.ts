import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { constrainedMemory, cpuUsage, memoryUsage } from 'node:process';
import { metrics } from '@opentelemetry/api';

/**
 * What this process takes of its pod, read when Prometheus asks: resident memory and what it may have at most (its cgroup's limit, else
 * the machine's memory), processor time, and, on Linux, how long its main thread could have run and had to wait for a processor. The wait
 * holds both throttling by a limit and neighbours on a full node, which a request without limit meets as well.
 */
export function observeProcess(meter = metrics.getMeter('kassa-process')): void {
  const memory = meter.createObservableGauge('kassa_process_memory_bytes', { description: 'Resident memory', unit: 'By' });
  const limit = meter.createObservableGauge('kassa_process_memory_limit_bytes', {
    description: 'Memory the process may have at most',
    unit: 'By',
  });
  const cpu = meter.createObservableCounter('kassa_process_cpu_seconds_total', {
    description: 'Processor time, of all threads',
    unit: 's',
  });
  const waiting = meter.createObservableCounter('kassa_process_cpu_waiting_seconds_total', {
    description: 'Time the main thread could have run and had no processor',
    unit: 's',
  });
  meter.addBatchObservableCallback(
    (result) => {
      const { user, system } = cpuUsage();
      result.observe(memory, memoryUsage.rss());
      result.observe(limit, memoryLimitBytes());
      result.observe(cpu, (user + system) / 1e6);
      const waited = waitedSeconds();
      if (waited !== undefined) result.observe(waiting, waited);
    },
    [memory, limit, cpu, waiting],
  );
}

/** Node answers 0 or an absurdly large number where nothing limits it. */
function memoryLimitBytes(): number {
  const constrained = constrainedMemory();
  return constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
}

/** The second number of schedstat: nanoseconds on the run queue. Undefined where the kernel does not tell. */
function waitedSeconds(): number | undefined {
  try {
    const [, nanoseconds] = readFileSync('/proc/self/schedstat', 'utf8').split(' ');
    return Number(nanoseconds) / 1e9;
  } catch {
    return undefined;
  }
}
