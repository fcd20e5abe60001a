import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { availability } from './availability.ts';

describe('available to promise (formula atp-1)', () => {
  it.each([
    { onHand: 10, reserved: 3, availableToPromise: 7 },
    { onHand: 10, reserved: 0, availableToPromise: 10 },
    { onHand: 10, reserved: 10, availableToPromise: 0 },
    { onHand: 3, reserved: 10, availableToPromise: 0 },
    { onHand: 0, reserved: 0, availableToPromise: 0 },
  ])('of $onHand on hand and $reserved reserved is $availableToPromise', (given) => {
    expect(availability(given)).toEqual(given);
  });

  it('is never below nothing and never more than what is there', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(), (onHand, reserved) => {
        const { availableToPromise } = availability({ onHand, reserved });
        expect(availableToPromise >= 0 && availableToPromise <= onHand).toBe(true);
        expect(availableToPromise === 0 || availableToPromise + reserved === onHand).toBe(true);
      }),
    );
  });
});
