import { expect, test } from 'vitest';
import {
  compareWitnesses,
  type LevelsWitness,
  type OperationWitness,
  type ReservationWitness,
  type SaleWitness,
  type TransactionWitness,
} from './witnesses.ts';

interface World {
  sales: SaleWitness[];
  transactions: TransactionWitness[];
  reservations: ReservationWitness[];
  levels: LevelsWitness[];
  ledger: OperationWitness[];
}

/**
 * Four sales of register dk-001-01 that went as they should: paid by card and cash with rounding, authorised and captured, declined and
 * open again, and one never tendered; and a web-shop order that is no sale.
 */
function agreeing(): World {
  const sale = (saleId: string, more: Partial<SaleWitness>): SaleWitness => ({
    saleId,
    shopId: 'dk-001',
    registerId: 'dk-001-01',
    state: 'COMPLETED',
    totalMinor: 10_000,
    currency: 'DKK',
    roundingMinor: 0,
    reservationId: `reservation-of-${saleId}`,
    tenders: [],
    lines: [{ sku: 'E1', quantity: 2 }],
    ...more,
  });
  const transaction = (transactionId: string, intentId: string, more: Partial<TransactionWitness>): TransactionWitness => ({
    transactionId,
    intentId,
    kind: 'PURCHASE',
    status: 'SUCCEEDED',
    amountMinor: 10_000,
    currency: 'DKK',
    method: 'terminal',
    reference: 'sale:split',
    ...more,
  });
  const operation = (providerKey: string, more: Partial<OperationWitness>): OperationWitness => ({
    providerKey,
    kind: 'purchase',
    status: 'approved',
    amountMinor: 10_000,
    currency: 'DKK',
    ...more,
  });
  const reservation = (saleId: string, more: Partial<ReservationWitness>): ReservationWitness => ({
    reservationId: `reservation-of-${saleId}`,
    reference: `sale:${saleId}`,
    state: 'CONSUMED',
    shopId: 'dk-001',
    lines: [{ sku: 'E1', quantity: 2 }],
    ...more,
  });
  return {
    sales: [
      sale('split', {
        receiptNumber: 1,
        totalMinor: 12_524,
        roundingMinor: -24,
        tenders: [
          {
            tenderId: 'card',
            method: 'terminal',
            amountMinor: 10_000,
            intentId: 'i-card',
            transactionIds: ['t-card'],
            status: 'SETTLED',
          },
          {
            tenderId: 'coins',
            method: 'cash',
            amountMinor: 2_500,
            intentId: 'i-coins',
            transactionIds: ['t-coins'],
            status: 'SETTLED',
          },
        ],
      }),
      sale('captured', {
        receiptNumber: 2,
        lines: [
          { sku: 'E1', quantity: 1 },
          { sku: 'E1', quantity: 1 },
        ],
        tenders: [
          {
            tenderId: 'web',
            method: 'online',
            amountMinor: 10_000,
            intentId: 'i-web',
            transactionIds: ['t-auth', 't-capture'],
            status: 'SETTLED',
          },
        ],
      }),
      sale('reopened', {
        state: 'OPEN',
        tenders: [
          {
            tenderId: 'first',
            method: 'terminal',
            amountMinor: 6_000,
            intentId: 'i-first',
            transactionIds: ['t-first'],
            status: 'RETURNED',
          },
          {
            tenderId: 'second',
            method: 'terminal',
            amountMinor: 4_000,
            intentId: 'i-second',
            transactionIds: ['t-second'],
            status: 'DECLINED',
          },
        ],
      }),
      sale('given-up', { state: 'ABANDONED', reservationId: null }),
    ],
    transactions: [
      transaction('t-card', 'i-card', {}),
      transaction('t-coins', 'i-coins', { amountMinor: 2_500, method: 'cash' }),
      transaction('t-auth', 'i-web', { kind: 'AUTHORISE', method: 'online', reference: 'sale:captured' }),
      transaction('t-capture', 'i-web', { kind: 'CAPTURE', method: 'online', reference: 'sale:captured' }),
      transaction('t-first', 'i-first', { amountMinor: 6_000, reference: 'sale:reopened' }),
      transaction('t-refund', 'i-first', { kind: 'REFUND', amountMinor: 6_000, reference: 'sale:reopened' }),
      transaction('t-second', 'i-second', { status: 'DECLINED', amountMinor: 4_000, reference: 'sale:reopened' }),
      transaction('t-order', 'i-order', { method: 'online', reference: 'order:7' }),
    ],
    reservations: [reservation('split', {}), reservation('captured', {}), reservation('reopened', { state: 'RELEASED' })],
    levels: [
      { shopId: 'dk-001', checkedLevels: 2, violations: [] },
      { shopId: 'dk-002', checkedLevels: 1, violations: [] },
    ],
    ledger: [
      operation('t-card', {}),
      operation('t-auth', { kind: 'authorise' }),
      operation('t-capture', { kind: 'capture' }),
      operation('t-first', { amountMinor: 6_000 }),
      operation('t-refund', { kind: 'refund', amountMinor: 6_000 }),
      operation('t-second', { status: 'declined', amountMinor: 0 }),
      operation('t-order', {}),
    ],
  };
}

test('witnesses that agree leave nothing to report', async () => {
  expect(await compareWitnesses(agreeing())).toEqual({
    violations: [],
    counts: { sales: 4, completedSales: 2, transactions: 8, reservations: 3, levels: 3, operations: 7 },
  });
});

test('the acquirer is left out where it does not show its ledger', async () => {
  const { violations, counts } = await compareWitnesses({ ...agreeing(), ledger: undefined });
  expect([violations, counts.operations]).toEqual([[], 0]);
});

test('witnesses may come page by page', async () => {
  const world = agreeing();
  async function* pages<T>(items: T[]) {
    for (const item of items) yield await Promise.resolve(item);
  }
  const paged = {
    ...world,
    sales: pages(world.sales),
    transactions: pages(world.transactions),
    reservations: pages(world.reservations),
    ledger: pages(world.ledger),
  };
  expect(await compareWitnesses(paged)).toEqual(await compareWitnesses(world));
});

const sale = (world: World, id: string) => world.sales.find(({ saleId }) => saleId === id)!;
const tender = (world: World, id: string) =>
  world.sales.flatMap(({ tenders }) => tenders).find(({ tenderId }) => tenderId === id)!;
const transaction = (world: World, id: string) => world.transactions.find(({ transactionId }) => transactionId === id)!;
const operation = (world: World, id: string) => world.ledger.find(({ providerKey }) => providerKey === id)!;
const reservation = (world: World, id: string) => world.reservations.find(({ reference }) => reference === `sale:${id}`)!;
const without = <T>(items: T[], item: T) => void items.splice(items.indexOf(item), 1);

/** What went wrong, the change that makes it so, and the reports: the law and a part of the sentence. */
const faults: [what: string, change: (world: World) => void, reports: [law: string, text: string][]][] = [
  [
    'a checkout that never ended',
    (world) => {
      sale(world, 'given-up').state = 'COMPENSATING';
    },
    [['all-settled', 'sale given-up is still COMPENSATING']],
  ],
  [
    'a payment nobody knows the outcome of',
    (world) => {
      world.transactions.push({ ...transaction(world, 't-second'), transactionId: 't-lost', status: 'UNKNOWN' });
    },
    [['all-settled', 't-lost (PURCHASE for sale:reopened) is still UNKNOWN']],
  ],
  [
    'an operation that waits for a PIN',
    (world) => {
      operation(world, 't-second').status = 'pending';
    },
    [['all-settled', "the acquirer's purchase t-second of 0 DKK is still pending"]],
  ],
  [
    'a completed sale nobody paid',
    (world) => {
      without(world.transactions, transaction(world, 't-coins'));
    },
    [
      ['tenders-paid', 'tender coins (cash, intent i-coins) of COMPLETED sale split was paid 0 times'],
      ['tenders-paid', 'is 2500, and payments keeps 0 of it'],
      ['tenders-paid', 'names transaction t-coins, which is unknown in payments'],
    ],
  ],
  [
    'a card charged twice for one tender',
    (world) => {
      world.transactions.push({ ...transaction(world, 't-card'), transactionId: 't-again' });
      world.ledger.push({ ...operation(world, 't-card'), providerKey: 't-again' });
    },
    [
      ['tenders-paid', 'intent i-card) of COMPLETED sale split was paid 2 times'],
      ['tenders-paid', 'is 10000, and payments keeps 20000 of it'],
    ],
  ],
  [
    'a tender paid in another currency',
    (world) => {
      transaction(world, 't-coins').currency = 'SEK';
    },
    [['tenders-paid', 'is in DKK, and was paid in SEK']],
  ],
  [
    'an authorisation left open on a completed sale',
    (world) => {
      transaction(world, 't-capture').amountMinor = 9_000;
      operation(world, 't-capture').amountMinor = 9_000;
    },
    [
      ['tenders-paid', 'is 10000, and payments keeps 9000 of it'],
      ['tenders-paid', 'still holds 1000 on the card'],
    ],
  ],
  [
    'money of a completed sale that was given back',
    (world) => {
      world.transactions.push({ ...transaction(world, 't-card'), transactionId: 't-back', kind: 'REFUND', amountMinor: 4_000 });
      world.ledger.push({ ...operation(world, 't-card'), providerKey: 't-back', kind: 'refund', amountMinor: 4_000 });
    },
    [['nothing-given-back', 'is 10000, and 4000 was given back']],
  ],
  [
    'tenders that miss the total',
    (world) => {
      sale(world, 'split').roundingMinor = 0;
    },
    [['tenders-add-up', 'completed sale split costs 12524 with 0 rounding, and its tenders pay 12500']],
  ],
  [
    'money kept for a checkout that was undone',
    (world) => {
      without(world.transactions, transaction(world, 't-refund'));
      without(world.ledger, operation(world, 't-refund'));
    },
    [
      [
        'money-returned',
        'tender first (terminal, intent i-first) of OPEN sale reopened is RETURNED, and payments keeps 6000 and holds 0 of it',
      ],
    ],
  ],
  [
    'money taken for a sale sales does not know',
    (world) => {
      Object.assign(transaction(world, 't-order'), { reference: 'sale:ghost' });
    },
    [['money-returned', 'intent i-order keeps 10000 and holds 0 for sale:ghost']],
  ],
  [
    'a settled tender on a sale that is not completed',
    (world) => {
      tender(world, 'second').status = 'SETTLED';
    },
    [['money-returned', 'tender second (terminal, intent i-second) of OPEN sale reopened is SETTLED']],
  ],
  [
    'a completed sale without a reservation',
    (world) => {
      without(world.reservations, reservation(world, 'split'));
    },
    [['stock-consumed', 'completed sale split (reservation reservation-of-split) has no reservation in inventory']],
  ],
  [
    'goods handed over and still on the shelf',
    (world) => {
      reservation(world, 'split').state = 'FIRM';
    },
    [['stock-consumed', 'has its reservation FIRM']],
  ],
  [
    'other goods taken than sold',
    (world) => {
      reservation(world, 'captured').lines = [{ sku: 'E1', quantity: 1 }];
    },
    [['stock-consumed', 'sold 2 × E1 and took 1 × E1']],
  ],
  [
    'goods taken from another shop',
    (world) => {
      reservation(world, 'captured').shopId = 'dk-002';
    },
    [['stock-consumed', 'is of dk-001 and took stock of dk-002']],
  ],
  [
    'goods taken for another document',
    (world) => {
      reservation(world, 'captured').reference = 'order:7';
    },
    [['stock-consumed', 'has a reservation for order:7']],
  ],
  [
    'goods held for a checkout that was undone',
    (world) => {
      reservation(world, 'reopened').state = 'ACTIVE';
    },
    [['stock-released', 'reservation reservation-of-reopened for sale:reopened is ACTIVE']],
  ],
  [
    'goods taken twice for one sale',
    (world) => {
      world.reservations.push({ ...reservation(world, 'split'), reservationId: 'second' });
    },
    [['stock-released', 'reservation second for sale:split is CONSUMED, and no completed sale took it']],
  ],
  [
    'a receipt number used twice, and so one missing',
    (world) => {
      sale(world, 'captured').receiptNumber = 1;
    },
    [['receipts-gapless', 'sales split and captured have the same receipt dk-001-01/1']],
  ],
  [
    'a gap in the receipt numbers',
    (world) => {
      sale(world, 'captured').receiptNumber = 4;
    },
    [['receipts-gapless', 'register dk-001-01 has 2 receipts up to 4; missing: 2, 3']],
  ],
  [
    'a completed sale without a receipt',
    (world) => {
      sale(world, 'captured').receiptNumber = null;
    },
    [['receipts-gapless', 'completed sale captured has no receipt number']],
  ],
  [
    'a receipt for a sale that is not completed',
    (world) => {
      sale(world, 'given-up').receiptNumber = 3;
    },
    [['receipts-gapless', 'sale given-up is ABANDONED and has receipt dk-001-01/3']],
  ],
  [
    'money taken that payments has no record of',
    (world) => {
      world.ledger.push({ ...operation(world, 't-card'), providerKey: 't-unrecorded' });
    },
    [['acquirer-agrees', "the acquirer's purchase t-unrecorded of 10000 DKK, approved, is not on record in payments"]],
  ],
  [
    'money recorded that the acquirer never moved',
    (world) => {
      without(world.ledger, operation(world, 't-card'));
    },
    [['acquirer-agrees', 'payment transaction t-card (PURCHASE of 10000 DKK) succeeded, and the acquirer has no such operation']],
  ],
  [
    'a decline that was an approval',
    (world) => {
      operation(world, 't-second').status = 'approved';
      operation(world, 't-second').amountMinor = 4_000;
    },
    [['acquirer-agrees', "the acquirer's purchase t-second of 4000 DKK is approved, and DECLINED in payments"]],
  ],
  [
    'another amount at the acquirer',
    (world) => {
      operation(world, 't-card').amountMinor = 9_999;
    },
    [['acquirer-agrees', "the acquirer's purchase t-card of 9999 DKK is a PURCHASE of 10000 DKK in payments"]],
  ],
  [
    'an operation that stands twice in the ledger',
    (world) => {
      world.ledger.push(operation(world, 't-card'));
    },
    [['acquirer-agrees', "the acquirer's purchase t-card of 10000 DKK stands twice in its ledger"]],
  ],
  [
    'cash at the acquirer',
    (world) => {
      world.ledger.push({ ...operation(world, 't-card'), providerKey: 't-coins', amountMinor: 2_500 });
    },
    [['acquirer-agrees', "the acquirer's purchase t-coins of 2500 DKK is cash in payments"]],
  ],
  [
    'levels that do not add up',
    (world) => {
      world.levels[1]?.violations.push({ shopId: 'dk-002', sku: 'E1', problem: 'on hand 3, movements 4' });
    },
    [['levels-add-up', 'E1 in shop dk-002: on hand 3, movements 4']],
  ],
];

test.each(faults)('reports %s', async (_what, change, reports) => {
  const world = agreeing();
  change(world);
  const { violations } = await compareWitnesses(world);
  expect(violations).toEqual(reports.map(([law, text]) => ({ law, text: expect.stringContaining(text) as string })));
});
