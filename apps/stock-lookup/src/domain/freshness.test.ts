import { describe, expect, it } from 'vitest';
import { freshness } from './freshness.ts';

const asOf = new Date('2026-03-02T10:00:00.000Z');
const heardAtMs = 1_000_000;

describe('freshness', () => {
  it.each([
    { title: 'just heard', isConnected: true, afterMs: 0, stalenessMs: 0, degraded: false },
    { title: 'heard within the limit', isConnected: true, afterMs: 5_000, stalenessMs: 5_000, degraded: false },
    { title: 'silent for longer', isConnected: true, afterMs: 5_001, stalenessMs: 5_001, degraded: true },
    { title: 'disconnected, however lately', isConnected: false, afterMs: 1, stalenessMs: 1, degraded: true },
    {
      title: 'heard in the future, by a clock that was set back',
      isConnected: true,
      afterMs: -300,
      stalenessMs: 0,
      degraded: false,
    },
  ])('$title: $stalenessMs ms old, degraded $degraded', ({ isConnected, afterMs, stalenessMs, degraded }) => {
    expect(freshness({ isConnected, asOf, heardAtMs }, heardAtMs + afterMs, 5_000)).toEqual({ asOf, stalenessMs, degraded });
  });
});
