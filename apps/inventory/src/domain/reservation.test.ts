import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { requestText, reservationOf, sortedLines, type Reservation, type ReserveRequest } from './reservation.ts';

const request: ReserveRequest = {
  reservationId: '0190b1a0-0000-7000-8000-000000000001',
  shopId: 'dk-001',
  lines: [
    { sku: 'E2', quantity: 1 },
    { sku: 'E1', quantity: 2 },
  ],
  state: 'ACTIVE',
  ttlMs: 900_000,
  reference: 'sale:1',
};

test('lines are taken by sku', () => {
  expect(sortedLines(request.lines).map(({ sku }) => sku)).toEqual(['E1', 'E2']);
});

test('a sku in two lines is refused where it stands again', () => {
  expect(() => sortedLines([...request.lines, { sku: 'E2', quantity: 3 }])).toThrow(
    expect.objectContaining({
      facts: { errors: [{ pointer: '/lines/2/sku', detail: 'E2 stands in an earlier line; add up the quantities' }] },
    }),
  );
});

describe('two requests under one id are the same', () => {
  test('in any order of lines, and however long they may live', () => {
    const lines = fc.uniqueArray(fc.record({ sku: fc.string({ minLength: 1 }), quantity: fc.integer({ min: 1 }) }), {
      selector: ({ sku }) => sku,
      minLength: 1,
    });
    fc.assert(
      fc.property(lines, fc.nat(), (some, ttlMs) => {
        expect(requestText({ ...request, lines: some.toReversed(), ttlMs })).toBe(requestText({ ...request, lines: some }));
      }),
    );
  });

  test.each<Partial<ReserveRequest>>([
    { shopId: 'dk-002' },
    { state: 'FIRM' },
    { reference: 'sale:2' },
    { lines: [{ sku: 'E1', quantity: 2 }] },
    { lines: [request.lines[0]!, { sku: 'E1', quantity: 3 }] },
  ])('but not with %j', (other) => {
    expect(requestText({ ...request, ...other })).not.toBe(requestText(request));
  });
});

describe('an outcome is a reservation or a refusal', () => {
  const reservation: Reservation = {
    reservationId: request.reservationId,
    shopId: 'dk-001',
    state: 'FIRM',
    reference: '',
    lines: [],
  };

  test.each(['reserved', 'done', 'repeated'] as const)('%s gives the reservation', (outcome) => {
    expect(reservationOf({ outcome, reservation })).toBe(reservation);
  });

  test.each([
    [{ outcome: 'short', lines: [{ sku: 'E1', requested: 2, available: 1 }] }, 'insufficient-stock'],
    [{ outcome: 'not-found' }, 'not-found'],
    [{ outcome: 'expired' }, 'reservation-expired'],
    [{ outcome: 'reused' }, 'idempotency-key-reused'],
    [{ outcome: 'closed', state: 'RELEASED' }, 'reservation-closed'],
    [{ outcome: 'wrong-state', state: 'ACTIVE' }, 'wrong-state'],
    [{ outcome: 'expired-in-the-way' }, 'write-conflict'],
  ] as const)('%j is %s', (outcome, code) => {
    expect(() => reservationOf(structuredClone(outcome) as never)).toThrow(expect.objectContaining({ code }));
  });
});
