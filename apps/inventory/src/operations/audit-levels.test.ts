import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { auditLevels } from './audit-levels.ts';

// The clock is the test's: each shop takes a second.
beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));
afterEach(() => void vi.useRealTimers());

const shops = ['dk-001', 'dk-002', 'dk-003', 'dk-004'];
const store = {
  auditShopAfter(after: string) {
    vi.advanceTimersByTime(1_000);
    const shopId = shops.find((shop) => shop > after);
    return Promise.resolve(shopId === undefined ? undefined : { shopId, checkedLevels: 1, violations: [] });
  },
};
const page = async (after: string, limit: number) => {
  const { shops, isLast } = await auditLevels({ store }, { after, limit });
  return [...shops.map(({ shopId }) => shopId), isLast ? 'end' : 'more'];
};

test.each([
  ['at its limit', '', 1, ['dk-001', 'more']],
  ['once two seconds are over', '', 50, ['dk-001', 'dk-002', 'more']],
  ['after the last shop', 'dk-003', 50, ['dk-004', 'end']],
  ['empty, where the last shop filled the page before', 'dk-004', 50, ['end']],
])('a page ends %s', async (_where, after, limit, expected) => {
  expect(await page(after, limit)).toEqual(expected);
});
