import type { Promised } from './promises.ts';
import type { Shape } from './shapes.ts';

/** As much as we read of what k6 hands to handleSummary. */
interface Data {
  metrics: Record<string, { contains: string; values: Record<string, number>; thresholds?: Record<string, { ok: boolean }> }>;
  state: { testRunDurationMs: number };
}

/** A handleSummary that shows each promise with what was measured, and below it how much was done. */
export function summaryOf(test: string, shape: Shape, promises: Promised[]) {
  return (data: Data): { stdout: string } => {
    const rows = promises.map((promised) => rowOf(data, promised));
    const width = Math.max(...rows.map(({ measured }) => measured.length));
    const lines = rows.map(
      ({ isKept, measured, promised: { promise, metric, limit } }) =>
        `  ${isKept ? '✓' : '✗'} ${measured.padStart(width)}  ${promise}  (${metric} ${limit})`,
    );
    const requests = data.metrics['http_reqs']?.values ?? {};
    const done = `${count(requests['count'])} requests in ${Math.round(data.state.testRunDurationMs / 1000)} s, ${count(requests['rate'])} a second`;
    return { stdout: `\n${test}: ${shape.name}\n\n${lines.join('\n')}\n\n  ${done}\n\n` };
  };
}

function rowOf(data: Data, promised: Promised) {
  const metric = data.metrics[promised.metric];
  const [, statistic = '', , wanted = ''] = /^([^<>=]+)(<=?|>=?|==)(.+)$/.exec(promised.limit) ?? [];
  const isKept = metric?.thresholds?.[promised.limit]?.ok ?? false;
  const value = metric?.values[statistic];
  const measured = metric === undefined || value === undefined ? 'nothing' : inWords(value, statistic, metric.contains, wanted);
  return { isKept, measured, promised };
}

function inWords(value: number, statistic: string, contains: string, wanted: string): string {
  // So many decimals that a miss does not look like a hit.
  if (statistic === 'rate') return `${(value * 100).toFixed(wanted.includes('0.00') || value > 0.999 ? 3 : 1)} %`;
  return contains === 'time' ? `${value.toFixed(value < 10 ? 1 : 0)} ms` : count(value);
}

function count(value = 0): string {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ',');
}
