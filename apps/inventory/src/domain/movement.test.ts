import { describe, expect, test } from 'vitest';
import { bookedLines, documentOf, type MovementLine } from './movement.ts';

describe('a line is booked', () => {
  test.each<[MovementLine, string, number]>([
    [{ type: 'receipt', sku: 'E1', quantity: 5 }, 'RECEIPT', 5],
    [{ type: 'found', sku: 'E1', quantity: 1 }, 'FOUND', 1],
    [{ type: 'damage', sku: 'E1', quantity: 2 }, 'DAMAGE', -2],
    [{ type: 'adjust', sku: 'E1', quantity: -3 }, 'ADJUST', -3],
    [{ type: 'adjust', sku: 'E1', quantity: 3 }, 'ADJUST', 3],
  ])('%j as %s of %i', (line, type, delta) => {
    expect(bookedLines([line])).toEqual([{ sku: 'E1', type, delta, lineKey: '', expectedOnHand: null }]);
  });
});

describe('a line is refused', () => {
  test.each<[MovementLine, string]>([
    [{ type: 'receipt', sku: 'E1', quantity: 0 }, 'of a receipt must be more than 0'],
    [{ type: 'damage', sku: 'E1', quantity: -2 }, 'of a damage must be more than 0'],
    [{ type: 'adjust', sku: 'E1', quantity: 0 }, 'must not be 0'],
  ])('%j: %s', (line, detail) => {
    expect(() => bookedLines([line])).toThrow(
      expect.objectContaining({ facts: { errors: [{ pointer: '/lines/0/quantity', detail }] } }),
    );
  });

  test('where it stands there twice, unless it has a key of its own', () => {
    const line = { type: 'receipt', sku: 'E1', quantity: 1 } as const;
    expect(() => bookedLines([line, line])).toThrow(expect.objectContaining({ code: 'validation-failed' }));
    expect(bookedLines([line, { ...line, lineKey: 'pallet-2' }]).map(({ lineKey }) => lineKey)).toEqual(['', 'pallet-2']);
  });
});

test.each(['not-found', 'unknown-item', 'already-exists', 'stock-changed', 'insufficient-stock'] as const)(
  '%s names its lines',
  (code) => {
    expect(() => documentOf({ outcome: 'refused', code, lines: [{ sku: 'E1' }] })).toThrow(
      expect.objectContaining({ code, facts: expect.objectContaining({ params: { lines: [{ sku: 'E1' }] } }) as unknown }),
    );
  },
);
