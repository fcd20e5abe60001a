/** How long to wait between attempts, in milliseconds. */
export interface Backoff {
  firstMs: number;
  maxMs: number;
}

/**
 * The pause before the attempt after `failures` failed ones: anything between nothing and a ceiling that doubles each time up
 * to maxMs. The whole width is random, so that a hundred readers which lost the same server do not come back together.
 */
export function backoffMs({ firstMs, maxMs }: Backoff, failures: number, chance: number): number {
  const ceiling = Math.min(maxMs, firstMs * 2 ** Math.min(failures, 30));
  return Math.round(ceiling * chance);
}

/** Waits, or returns at once when the signal says so. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
  });
}
