import { Failure } from '../failure.ts';
import { releaseServices, short } from './release.ts';
import type { Prometheus, Series } from './prometheus.ts';

// How long a wave has really run what its file says. The file's time is only a floor: what counts is every minute in which each
// service was scraped and said, in kassa_build_info, the commit of the release and no other.

export interface Soak {
  soakedMs: number;
  isReached: boolean;
  /** `has run it for at least 73 h, 72 h are asked`, or what is missing. */
  words: string;
}

export interface SoakAsked {
  namespace: string;
  commit: string | undefined;
  /** When the wave's file was written; nothing before counts. */
  since: Date | undefined;
  neededMs: number;
  at: Date;
}

const minute = 60;

export async function askSoak(prometheus: Prometheus | undefined, asked: SoakAsked): Promise<Soak> {
  const { namespace, commit, since, neededMs, at } = asked;
  const never = (words: string): Soak => ({ soakedMs: 0, isReached: false, words });
  if (prometheus === undefined) return never('cannot be told without a Prometheus');
  if (commit === undefined) return never('cannot be told, since the file does not say which commit its digests were built from');
  // Prometheus answers at most 11,000 points a series.
  const step = minute * Math.max(1, Math.ceil(neededMs / 1000 / minute / 5_000));
  const to = Math.floor(at.getTime() / 1000 / step) * step;
  const from = Math.max(to - (neededMs / 1000) * 1.25 - 2 * 3600, (since?.getTime() ?? 0) / 1000);
  const window = { from: Math.min(to, Math.ceil(from / step) * step), to, step };
  try {
    const seen = await prometheus.range(`count by (service, commit) (kassa_build_info{namespace="${namespace}"})`, window);
    return judgeSoak(seen, { commit, neededMs, ...window });
  } catch (error) {
    if (error instanceof Failure) return never(`cannot be told: ${error.message}`);
    throw error;
  }
}

/**
 * Walks back from now to the first moment at which another commit was seen. Moments without a sample of each service (Prometheus
 * restarted, a shop's night without pods) count nothing and forgive nothing. `from`, `to` and `step` are seconds.
 */
export function judgeSoak(
  seen: Series[],
  { commit, neededMs, from, to, step }: { commit: string; neededMs: number; from: number; to: number; step: number },
): Soak {
  const at = new Map<number, { ours: Set<string>; others: string[] }>();
  for (const { labels, points } of seen) {
    for (const [time] of points) {
      const moment = at.get(time) ?? { ours: new Set<string>(), others: [] };
      at.set(time, moment);
      if (labels['commit'] === commit) moment.ours.add(labels['service'] ?? '');
      else moment.others.push(`${labels['service']} at ${short(labels['commit'])}`);
    }
  }
  const isWhole = (time: number) => releaseServices.every((service) => at.get(time)?.ours.has(service));
  let moments = 0;
  for (let time = to; time >= from; time -= step) {
    if ((at.get(time)?.others.length ?? 0) > 0) break;
    if (isWhole(time)) moments++;
  }
  const soakedMs = Math.max(0, moments - 1) * step * 1000;
  const { ours = new Set<string>(), others = [] } = at.get(to) ?? {};
  const missing = releaseServices.filter((service) => !ours.has(service));
  const now = [
    ...(others.length > 0 ? [`other code still runs: ${others.join(', ')}`] : []),
    ...(missing.length > 0 ? [`${missing.join(', ')} ${missing.length > 1 ? 'are' : 'is'} not seen running it`] : []),
  ];
  const isReached = now.length === 0 && soakedMs >= neededMs;
  // Nobody looks further back than is asked for, so a wave that has run for weeks is known to have run for long enough.
  const known = `${isReached ? 'at least ' : ''}${hours(soakedMs)}`;
  const words = now.length > 0 ? now.join('; ') : `has run it for ${known}, ${hours(neededMs)} are asked`;
  return { soakedMs, isReached, words };
}

/** `72 h`, `3 h 20 min`, `0 min`. */
export function hours(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  const parts = [
    Math.floor(minutes / 60) > 0 ? `${Math.floor(minutes / 60)} h` : '',
    minutes % 60 > 0 ? `${minutes % 60} min` : '',
  ];
  return parts.filter(Boolean).join(' ') || '0 min';
}
