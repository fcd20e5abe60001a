import { expect, test } from 'vitest';
import { SeenKeys } from './seen-keys.ts';

test('the second row with a key is told of the first, across all growth', () => {
  const seen = new SeenKeys();
  const keys = Array.from({ length: 300_000 }, (_, n) => `dk-${String(n % 60).padStart(3, '0')}|ELK-${n}`);
  expect(keys.filter((key, index) => seen.firstRowOf(key, index + 1) !== undefined)).toEqual([]);
  expect(keys.every((key, index) => seen.firstRowOf(key, 900_000) === index + 1)).toBe(true);
});
