import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Calls `look` every 25 ms, or every `pauseMs`, until it returns without throwing, and returns what it returned; an assertion is a good `look`.
 * After `timeoutMs` it throws what `look` threw last.
 */
export async function eventually<T>(look: () => Promise<T> | T, timeoutMs = 20_000, pauseMs = 25): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await look();
    } catch (error) {
      if (performance.now() >= deadline) throw error;
      await sleep(pauseMs);
    }
  }
}
