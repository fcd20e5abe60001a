import { KassaError } from '@kassa/problem';

/** What a person can book, and which way it goes. An adjustment says itself. */
const signs = { receipt: 1, found: 1, damage: -1, adjust: undefined } as const;
export type MovementKind = keyof typeof signs;
export const movementKinds = Object.keys(signs) as MovementKind[];

export interface MovementLine {
  type: MovementKind;
  sku: string;
  /** Whole units: more than 0; of an adjustment the difference, with its sign. */
  quantity: number;
  /** The stock on hand that the person saw; the line is refused where it is another by now. */
  expectedOnHand?: number | undefined;
  /** Tells apart two lines of one document about the same product. */
  lineKey?: string | undefined;
}

/** A line as it is booked. */
export interface BookedLine {
  sku: string;
  type: Uppercase<MovementKind>;
  delta: number;
  lineKey: string;
  expectedOnHand: number | null;
}

/** A booked document with the levels as they are after it. */
export interface StockDocument {
  shopId: string;
  documentType: string;
  documentId: string;
  movements: {
    movementId: number;
    sku: string;
    type: string;
    delta: number;
    lineKey: string;
    occurredAt: string;
    onHand: number;
    reserved: number;
  }[];
}

export type MovementOutcome =
  | { outcome: 'recorded' | 'repeated'; document: StockDocument }
  | {
      outcome: 'refused';
      code: 'not-found' | 'unknown-item' | 'already-exists' | 'stock-changed' | 'insufficient-stock';
      lines?: object[];
    }
  | { outcome: 'expired-in-the-way' };

/** The lines as they are booked. Error: validation-failed for a quantity with the wrong sign, or a line that stands there twice. */
export function bookedLines(lines: readonly MovementLine[]): BookedLine[] {
  const seen = new Map<string, number>();
  const errors: { pointer: string; detail: string }[] = [];
  const booked = lines.map(({ type, sku, quantity, expectedOnHand, lineKey = '' }, at): BookedLine => {
    const sign = signs[type];
    if (sign === undefined ? quantity === 0 : quantity <= 0) {
      const detail = sign === undefined ? 'must not be 0' : `of a ${type} must be more than 0`;
      errors.push({ pointer: `/lines/${at}/quantity`, detail });
    }
    const key = JSON.stringify([type, sku, lineKey]);
    const earlier = seen.get(key);
    if (earlier !== undefined)
      errors.push({ pointer: `/lines/${at}`, detail: `is line ${earlier} again; give them different lineKeys` });
    seen.set(key, at);
    return {
      sku,
      type: type.toUpperCase() as Uppercase<MovementKind>,
      delta: quantity * (sign ?? 1),
      lineKey,
      expectedOnHand: expectedOnHand ?? null,
    };
  });
  if (errors.length > 0) throw new KassaError('validation-failed', { errors });
  return booked;
}

/** The booked document, or the refusal the outcome stands for. */
export function documentOf(outcome: MovementOutcome): StockDocument {
  switch (outcome.outcome) {
    case 'recorded':
    case 'repeated':
      return outcome.document;
    case 'expired-in-the-way':
      throw new KassaError('write-conflict', {
        detail: 'Expired reservations are being cleared away; ask again.',
        retryAfterSeconds: 1,
      });
    case 'refused': {
      const { code, lines } = outcome;
      throw new KassaError(code, { detail: details[code], ...(lines === undefined ? {} : { params: { lines } }) });
    }
  }
  return outcome satisfies never;
}

const details = {
  'not-found': 'There is no such shop here.',
  'unknown-item': 'No product has the sku of these lines.',
  'already-exists': 'The document is booked already, and says something else about these lines, or has only some of them.',
  'stock-changed': 'The stock on hand is not what these lines expected; count again.',
  'insufficient-stock': 'These lines would take units that are not there or are reserved.',
} as const;
