import { expect, it } from 'vitest';
import { emptyShelf, noShelves, peekShelf, putShelf, setStock, stockOn, takeShelf } from './shelf.ts';

it('a shelf grows with its shops, and a shop that never had the product has none', () => {
  const shelf = emptyShelf();
  setStock(shelf, 3, { onHand: 7, reserved: 2 }, 12);
  setStock(shelf, 0, { onHand: 1, reserved: 0 }, 9);
  expect([0, 1, 3, 99].map((number) => stockOn(shelf, number))).toEqual([
    { onHand: 1, reserved: 0 },
    { onHand: 0, reserved: 0 },
    { onHand: 7, reserved: 2 },
    { onHand: 0, reserved: 0 },
  ]);
  expect(shelf.seq).toBe(12);
});

it('shelves that are asked for stay, others are forgotten, and never more are kept than may be', () => {
  const shelves = noShelves(6);
  const kept = () => ['a', 'b', 'c', 'd', 'e', 'f'].filter((sku) => peekShelf(shelves, sku) !== undefined).join('');
  const seen: string[] = [];
  for (const sku of ['a', 'b', 'c', 'd', 'e', 'f']) {
    putShelf(shelves, sku, emptyShelf());
    takeShelf(shelves, 'a');
    seen.push(kept());
    expect(shelves.recent.size + shelves.older.size).toBeLessThanOrEqual(6);
  }
  expect(seen).toEqual(['a', 'ab', 'abc', 'abcd', 'ade', 'adef']);
});
