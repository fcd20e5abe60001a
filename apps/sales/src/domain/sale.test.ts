import { describe, expect, test } from 'vitest';
import {
  allowedMoves,
  moveAfterUndo,
  moveFrom,
  moves,
  nextAction,
  saleStates,
  wrongState,
  type Move,
  type Sale,
  type SaleState,
} from './sale.ts';

/** Written down once more on purpose, state by state: a change of the table must be meant. */
const expected: Record<SaleState, Partial<Record<Move, SaleState>>> = {
  OPEN: { 'change-basket': 'OPEN', park: 'PARKED', abandon: 'ABANDONED', 'add-tender': 'TENDERING', complete: 'COMMITTING' },
  PARKED: { resume: 'OPEN', abandon: 'ABANDONED' },
  TENDERING: { 'add-tender': 'TENDERING', 'remove-tender': 'TENDERING', 'remove-last-tender': 'OPEN', complete: 'COMMITTING' },
  COMMITTING: { finish: 'COMPLETED', undo: 'COMPENSATING' },
  COMPENSATING: { reopen: 'OPEN', abort: 'ABORTED' },
  COMPLETED: {},
  ABORTED: {},
  ABANDONED: {},
};

const pairs = saleStates.flatMap((state) =>
  (Object.keys(moves) as Move[]).map((move) => ({ state, move, leadsTo: expected[state][move] })),
);

describe('the table of moves', () => {
  test('is tested for every pair of state and move', () => {
    expect(pairs).toHaveLength(8 * 12);
  });

  test.each(pairs)('$state and $move: $leadsTo', ({ state, move, leadsTo }) => {
    expect(moveFrom(state, move)).toBe(leadsTo);
    expect(allowedMoves(state).includes(move)).toBe(leadsTo !== undefined);
  });
});

test.each([
  { cause: 'payment-declined', move: 'reopen' },
  { cause: 'payment-failed', move: 'reopen' },
  { cause: 'insufficient-stock', move: 'reopen' },
  { cause: 'reservation-expired', move: 'reopen' },
  { cause: 'operator-abort', move: 'abort' },
] as const)('a checkout undone because of $cause: $move', ({ cause, move }) => {
  expect(moveAfterUndo(cause)).toBe(move);
});

const sale: Sale = {
  id: 's1',
  shopId: 'dk-001',
  registerId: 'dk-001-01',
  country: 'dk',
  currency: 'DKK',
  state: 'OPEN',
  version: 1,
  attempt: 0,
  totalMinor: 0,
  roundingMinor: 0,
  changeMinor: 0,
  businessDate: null,
  refusal: null,
  receiptNumber: null,
  openedAt: '2026-03-02T09:00:00.000Z',
  completedAt: null,
  lines: [],
  tenders: [],
};

test.each([
  { state: 'OPEN', action: 'add-lines' },
  { state: 'PARKED', action: 'resume' },
  { state: 'TENDERING', action: 'complete' },
  { state: 'COMMITTING', action: 'wait' },
  { state: 'COMPENSATING', action: 'wait' },
  { state: 'COMPLETED', action: 'hand-over' },
  { state: 'ABORTED', action: 'none' },
  { state: 'ABANDONED', action: 'none' },
] as const)('the next action of a sale that is $state is $action', ({ state, action }) => {
  expect(nextAction({ ...sale, state }).action).toBe(action);
});

test('while money is moving the till is told where to poll, how often and for how long', () => {
  expect(nextAction({ ...sale, state: 'COMMITTING' }).poll).toEqual({ url: '/v1/sales/s1', everyMs: 1_000, forMs: 300_000 });
});

test('after a declined card the till is asked for another tender, after sold-out stock for another basket', () => {
  const declined = nextAction({
    ...sale,
    refusal: { cause: 'payment-declined', detail: 'There is not enough money on the card.' },
  });
  const soldOut = nextAction({ ...sale, refusal: { cause: 'insufficient-stock', detail: 'There is too little stock.' } });
  expect([declined.action, soldOut.action]).toEqual(['take-another-tender', 'change-basket']);
});

test('a refused move names the state, what it allows, and what to do', () => {
  expect(wrongState({ ...sale, state: 'PARKED' }, 'complete').facts.params).toEqual({
    state: 'PARKED',
    allowed: ['resume', 'abandon'],
    nextAction: { action: 'resume', text: 'Resume the sale to go on with it, at this register or another one of the shop.' },
  });
});
