/** Names the formula below in every answer, so that numbers of two versions are never compared. */
export const formulaVersion = 'atp-1';

/** Stock of one product in one shop, in whole units. */
export interface Stock {
  onHand: number;
  reserved: number;
}

export interface Availability extends Stock {
  availableToPromise: number;
}

/** What may still be sold: stock on hand less what open reservations hold, and never less than nothing (formula atp-1). */
export function availability({ onHand, reserved }: Stock): Availability {
  return { onHand, reserved, availableToPromise: Math.max(0, onHand - reserved) };
}
