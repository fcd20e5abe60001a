import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { caller, levelOf, openRoom, reserving, stateOf, stockShops, violations, type Room } from './room.ts';

let room: Room;
const opening = 6;

beforeAll(async () => {
  room = await openRoom({ SWEEP_EVERY_MS: '3600000' });
});
afterAll(() => room.close());

/** A shelf as a person would keep it on paper: what lies there, and who was promised what. */
interface Shelf {
  onHand: Record<string, number>;
  promises: { id: string; lines: Record<string, number>; state: string }[];
}

type Step =
  | { do: 'reserve'; lines: Record<string, number>; state: 'ACTIVE' | 'FIRM' }
  | { do: 'firm' | 'consume' | 'release' | 'time-out'; which: number }
  | { do: 'sweep' }
  | { do: 'receipt' | 'damage'; sku: string; quantity: number };

const skus = ['A', 'B', 'C'];
const quantity = fc.integer({ min: 1, max: 4 });
const sku = fc.constantFrom(...skus);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('reserve' as const),
      lines: fc.dictionary(sku, quantity, { minKeys: 1 }),
      state: fc.constantFrom('ACTIVE', 'FIRM'),
    }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constantFrom('firm', 'consume', 'release', 'time-out'), which: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('sweep' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('receipt', 'damage'), sku, quantity }) },
);

const held = ({ promises }: Shelf, of: string) =>
  promises
    .filter(({ state }) => ['ACTIVE', 'OVERDUE', 'FIRM'].includes(state))
    .reduce((sum, { lines }) => sum + (lines[of] ?? 0), 0);
const free = (shelf: Shelf, of: string) => (shelf.onHand[of] ?? 0) - held(shelf, of);
const expire = (shelf: Shelf, of?: string[]) => {
  for (const promise of shelf.promises)
    if (promise.state === 'OVERDUE' && (of === undefined || of.some((one) => promise.lines[one] !== undefined)))
      promise.state = 'EXPIRED';
};

/** Does a step on paper, and says what must come of it. */
function onPaper(shelf: Shelf, one: Step, id: string): string {
  switch (one.do) {
    case 'reserve': {
      const wanted = Object.entries(one.lines);
      const isShort = () => wanted.some(([of, units]) => free(shelf, of) < units);
      if (isShort()) expire(shelf, Object.keys(one.lines));
      if (isShort()) return 'insufficient-stock';
      shelf.promises.push({ id, lines: one.lines, state: one.state });
      return one.state;
    }
    case 'receipt':
    case 'damage': {
      const delta = one.do === 'receipt' ? one.quantity : -one.quantity;
      if (free(shelf, one.sku) + delta < 0) expire(shelf, [one.sku]);
      if (free(shelf, one.sku) + delta < 0) return '409';
      shelf.onHand[one.sku] = (shelf.onHand[one.sku] ?? 0) + delta;
      return '201';
    }
    case 'sweep':
      expire(shelf);
      return 'swept';
    default: {
      const promise = shelf.promises[one.which % shelf.promises.length];
      if (promise === undefined) return 'nothing';
      return ends[one.do](shelf, promise);
    }
  }
}

const ends = {
  firm: (_shelf: Shelf, promise: { state: string }) => {
    if (promise.state === 'ACTIVE') promise.state = 'FIRM';
    return { FIRM: 'FIRM', CONSUMED: 'CONSUMED', RELEASED: 'reservation-closed' }[promise.state] ?? 'reservation-expired';
  },
  consume: (shelf: Shelf, promise: { state: string; lines: Record<string, number> }) => {
    if (promise.state === 'FIRM') {
      promise.state = 'CONSUMED';
      for (const [of, units] of Object.entries(promise.lines)) shelf.onHand[of] = (shelf.onHand[of] ?? 0) - units;
    }
    return (
      { CONSUMED: 'CONSUMED', ACTIVE: 'wrong-state', RELEASED: 'reservation-closed' }[promise.state] ?? 'reservation-expired'
    );
  },
  release: (_shelf: Shelf, promise: { state: string }) => {
    if (['ACTIVE', 'OVERDUE', 'FIRM'].includes(promise.state)) promise.state = 'RELEASED';
    return promise.state === 'CONSUMED' ? 'reservation-closed' : promise.state;
  },
  'time-out': (_shelf: Shelf, promise: { state: string }) => {
    if (promise.state === 'ACTIVE') promise.state = 'OVERDUE';
    return 'timed out';
  },
};

/** Does the step on the service, with products of this run's own, and says what came of it. */
async function inService(shelf: Shelf, one: Step, id: string, named: (of: string) => string): Promise<string> {
  switch (one.do) {
    case 'reserve': {
      const lines = Object.entries(one.lines).map(([of, units]) => ({ sku: named(of), quantity: units }));
      return stateOf(room.grpc.reserve(reserving({ reservationId: id, lines, state: one.state, ttlMs: 3_600_000 })));
    }
    case 'receipt':
    case 'damage': {
      const line = { type: one.do, sku: named(one.sku), quantity: one.quantity };
      const body = { shopId: 'dk-001', documentType: 'model', documentId: id, lines: [line] };
      return String((await caller(room)('/v1/movements', { method: 'POST', body })).status);
    }
    case 'sweep':
      await room.db.query('SELECT expire_reservations_v1(1000, NULL, NULL)');
      return 'swept';
    default: {
      const reservationId = shelf.promises[one.which % shelf.promises.length]?.id;
      if (reservationId === undefined) return 'nothing';
      if (one.do === 'time-out') {
        await room.db.query(
          `UPDATE reservations SET expires_at = now() - interval '1 second' WHERE id = $1 AND state = 'ACTIVE'`,
          [reservationId],
        );
        return 'timed out';
      }
      if (one.do === 'consume')
        return stateOf(room.grpc.consume({ reservationId, documentType: 'model', documentId: reservationId }));
      return stateOf(room.grpc[one.do]({ reservationId }));
    }
  }
}

test('whatever is done in whatever order, the service answers and holds what the paper says', { timeout: 120_000 }, async () => {
  let run = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
      run += 1;
      const named = (of: string) => `${of}${run}`;
      await stockShops(room, ['dk-001'], Object.fromEntries(skus.map((of, at) => [named(of), opening + at])), run * skus.length);
      const shelf: Shelf = { onHand: Object.fromEntries(skus.map((of, at) => [of, opening + at])), promises: [] };
      for (const one of steps) {
        const id = randomUUID();
        const came = await inService(shelf, one, id, named);
        expect([one, came]).toEqual([one, onPaper(shelf, one, id)]);
      }
      for (const of of skus)
        expect(await levelOf(room, named(of))).toEqual({ onHand: shelf.onHand[of], reserved: held(shelf, of) });
      expect(await violations(room)).toEqual([]);
    }),
    { numRuns: 25 },
  );
});
