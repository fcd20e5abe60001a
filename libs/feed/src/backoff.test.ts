import { describe, expect, it } from 'vitest';
import { backoffMs } from './backoff.ts';

describe('backoffMs', () => {
  it.each([
    { failures: 0, chance: 1, ms: 200 },
    { failures: 1, chance: 1, ms: 400 },
    { failures: 4, chance: 1, ms: 3_200 },
    { failures: 5, chance: 1, ms: 5_000 },
    { failures: 9_999, chance: 1, ms: 5_000 },
    { failures: 9_999, chance: 0.5, ms: 2_500 },
    { failures: 3, chance: 0, ms: 0 },
  ])('after $failures failures, with chance $chance: $ms ms', ({ failures, chance, ms }) => {
    expect(backoffMs({ firstMs: 200, maxMs: 5_000 }, failures, chance)).toBe(ms);
  });
});
