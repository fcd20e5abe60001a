import { describe, expect, test } from 'vitest';
import { batchOf, canReadOn, isDense, type Change, type FeedState } from './feed.ts';

const feed: FeedState = { epoch: 'e:1', lastSeq: 100, prunedThrough: 40, asOf: new Date('2026-01-01T12:00:00Z') };
const change = (seq: number, topic: 'PRODUCT' | 'SHOP' = 'PRODUCT'): Change =>
  ({ seq, topic, payload: {}, changedAt: new Date('2026-01-01T11:00:00Z') }) as Change;

describe('a reader goes on', () => {
  test.each([
    ['in the middle', { epoch: 'e:1', afterSeq: 70 }, true],
    ['at the end', { epoch: 'e:1', afterSeq: 100 }, true],
    ['at the oldest change that is kept', { epoch: 'e:1', afterSeq: 40 }, true],
    ['before it', { epoch: 'e:1', afterSeq: 39 }, false],
    ['ahead of the feed', { epoch: 'e:1', afterSeq: 101 }, false],
    ['in another epoch', { epoch: 'e:2', afterSeq: 70 }, false],
  ])('%s', (_where, reader, goesOn) => {
    expect(canReadOn(feed, reader)).toBe(goesOn);
  });
});

test.each([
  [[], true],
  [[change(6), change(7)], true],
  [[change(7)], false],
  [[change(6), change(8)], false],
])('%# is dense: %s', (changes, dense) => {
  expect(isDense(changes, 5)).toBe(dense);
});

describe('a batch', () => {
  const all = new Set(['PRODUCT', 'SHOP'] as const);

  test('to the end is as fresh as the look that found the end', () => {
    expect(batchOf(feed, 98, [change(99), change(100)], all)).toEqual({
      epoch: 'e:1',
      afterSeq: 98,
      throughSeq: 100,
      changes: [change(99), change(100)],
      asOf: feed.asOf,
    });
  });

  test.each([
    ['short of the end', feed, 50],
    ['where more waits for a number', { ...feed, asOf: undefined }, 99],
  ])('%s is as old as its last change', (_where, state, after) => {
    expect(batchOf(state, after, [change(after + 1)], all).asOf).toEqual(new Date('2026-01-01T11:00:00Z'));
  });

  test('counts changes of other topics in its range only', () => {
    const batch = batchOf(feed, 50, [change(51), change(52, 'SHOP')], new Set(['PRODUCT'] as const));
    expect([batch.throughSeq, batch.changes]).toEqual([52, [change(51)]]);
  });
});
