import type { Alert, Severity } from './alerts.ts';
import { objectiveNames, objectiveOf, type ObjectiveName } from './objectives.ts';
import { intervalSeconds, type Window } from './recording.ts';

/**
 * Burn rates of the SRE workbook, chapter 5, table 5-8, for a budget of 30 days: 2 % of it within an hour or 5 % within six wakes someone,
 * 10 % within a day or at its end in three days is a ticket. The short window ends the alert soon after the fault.
 */
const burns: Record<Severity, { rate: number; long: Window; short: Window }[]> = {
  page: [
    { rate: 14.4, long: '1h', short: '5m' },
    { rate: 6, long: '6h', short: '30m' },
  ],
  ticket: [
    { rate: 3, long: '1d', short: '2h' },
    { rate: 1, long: '3d', short: '6h' },
  ],
};

/** In a pilot of four shops one failed request is a hundredth of an hour; fewer than these in the long window burn nothing. */
const eventsMin = 5;

function burning(kind: 'failures' | 'slow', objective: ObjectiveName, budget: number, severity: Severity): string {
  return burns[severity]
    .map(({ rate, long, short }) => {
      const over = (window: Window) => `kassa:${kind}:ratio_rate${window}{objective="${objective}"} > ${rate} * ${budget}`;
      const enough = `sum_over_time(kassa:${kind}:rate5m{objective="${objective}"}[${long}]) * ${intervalSeconds} >= ${eventsMin}`;
      return `(${over(long)} and ${over(short)} and ${enough})`;
    })
    .join(' or ');
}

const severities: Severity[] = ['page', 'ticket'];
const percent = (share: number) => `${+(share * 100).toFixed(3)} %`;

const failing: Alert[] = objectiveNames
  .filter((name) => name !== 'mesh')
  .flatMap((objective) =>
    severities.map((severity) => ({
      name: 'KassaRequestsFail',
      severity,
      labels: { objective },
      expr: burning('failures', objective, objectiveOf(objective).failuresMax, severity),
      summary:
        '{{ $labels.service_name }} fails {{ $value | humanizePercentage }} of {{ $labels.route }} in {{ $labels.namespace }}',
      description: `${objectiveOf(objective).why} ${percent(objectiveOf(objective).failuresMax)} may fail in 30 days; at this rate the budget is gone before.`,
      runbook: 'requests-fail',
    })),
  );

const slow: Alert[] = objectiveNames.flatMap((objective) => {
  const { why, slow: limit } = objectiveOf(objective);
  if (limit === undefined) return [];
  return severities.map((severity) => ({
    name: 'KassaRequestsSlow',
    severity,
    labels: { objective },
    expr: burning('slow', objective, limit.max, severity),
    summary: `{{ $labels.service_name }} takes over ${limit.overSeconds} s for {{ $value | humanizePercentage }} of {{ $labels.route }} in {{ $labels.namespace }}`,
    description: `${why} ${percent(limit.max)} may take longer than ${limit.overSeconds} s in 30 days; at this rate the budget is gone before.`,
    runbook: 'requests-slow',
  }));
});

const lost: Alert[] = severities.map((severity) => ({
  name: 'KassaCallsLost',
  severity,
  labels: { objective: 'mesh' },
  expr: burning('failures', 'mesh', objectiveOf('mesh').failuresMax, severity),
  summary:
    'The mesh loses {{ $value | humanizePercentage }} of the calls {{ $labels.view }} at {{ $labels.service_name }} in {{ $labels.namespace }} ({{ $labels.route }})',
  description:
    'Requests end with 502 to 504 or UNAVAILABLE that the service did not say: it is dead, not reachable, or too late.',
  runbook: 'calls-lost',
}));

/** One page and one ticket for each objective and each way to break it. */
export const burnAlerts: Alert[] = [...failing, ...slow, ...lost];
