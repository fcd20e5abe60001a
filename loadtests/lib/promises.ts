import { toKill } from './outage.ts';

/** A threshold that fails the run, and what it promises to whom. */
export interface Promised {
  /** A k6 metric, with tags where it has any: `http_req_duration{name:POST /v1/sales}`. */
  metric: string;
  /** A k6 threshold: `rate==1`, `p(95)<500`. */
  limit: string;
  promise: string;
}

/** Holds for every test; a run in which services are killed is allowed an outage, and owes a recovery. */
export const always: Promised[] = [
  { metric: 'kassa_unexpected_answers', limit: 'count==0', promise: 'a till knows what to do with every answer it gets' },
  ...(toKill.length === 0
    ? [{ metric: 'kassa_unavailable', limit: 'rate==0', promise: 'no request goes unanswered or gets 5xx' }]
    : [
        { metric: 'kassa_unavailable', limit: 'rate<0.4', promise: 'the outage of a service stays an outage of what needs it' },
        { metric: 'kassa_recovery_ms', limit: 'min>0', promise: 'a service is killed at all' },
        {
          metric: 'kassa_recovery_ms',
          limit: 'max<20000',
          promise: 'all is as before 20 s after a killed service may start again',
        },
      ]),
];

/** Where nothing is killed, an answer in time is owed too. */
export const unlessKilled = (promises: Promised[]): Promised[] => (toKill.length === 0 ? promises : []);

export function thresholdsOf(promises: Promised[]): Record<string, string[]> {
  const thresholds: Record<string, string[]> = {};
  for (const { metric, limit } of promises) (thresholds[metric] ??= []).push(limit);
  return thresholds;
}
