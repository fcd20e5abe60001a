/** What the audit of one shop's levels found. */
export interface ShopAudit {
  shopId: string;
  checkedLevels: number;
  /** At most 1,000. */
  violations: LevelViolation[];
}

/** A level that is not what it is the sum of; all numbers are units. */
export interface LevelViolation {
  shopId: string;
  sku: string;
  problem: 'on-hand-is-not-the-sum-of-movements' | 'reserved-is-not-the-sum-of-reservations' | 'negative';
  onHand: number;
  reserved: number;
  movements: number;
  reservations: number;
}
