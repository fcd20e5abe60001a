import {
  compareWitnesses,
  type OperationWitness,
  type SaleWitness,
  type TenderWitness,
  type TransactionWitness,
} from '@kassa/testing';
import { describe, expect, test } from 'vitest';
import type { Books } from './books.ts';
import { leftoversOf } from './leftovers.ts';
import { isSame, mendsOf } from './mends.ts';

const id = (n: number) => `00000000-0000-7000-8000-${String(n).padStart(12, '0')}`;
const [saleId, otherId, reservationId, otherReservationId, intentId, transactionId] = [1, 2, 3, 4, 5, 6].map(id) as [
  string,
  ...string[],
] as [string, string, string, string, string, string];

const tender = (more: Partial<TenderWitness> = {}): TenderWitness => ({
  tenderId: id(7),
  method: 'terminal',
  amountMinor: 10_000,
  intentId,
  transactionIds: [transactionId],
  terminalId: 'pos-dk-001-01',
  status: 'SETTLED',
  ...more,
});
const sale = (more: Partial<SaleWitness> = {}): SaleWitness => ({
  saleId,
  shopId: 'dk-001',
  registerId: 'dk-001-01',
  state: 'COMPLETED',
  receiptNumber: 1,
  country: 'dk',
  channel: 'store',
  totalMinor: 10_000,
  currency: 'DKK',
  roundingMinor: 0,
  reservationId,
  tenders: [tender()],
  lines: [
    { sku: 'E1', quantity: 1 },
    { sku: 'E1', quantity: 2 },
  ],
  ...more,
});
const operation = (more: Partial<OperationWitness> = {}): OperationWitness => ({
  providerKey: transactionId,
  kind: 'purchase',
  status: 'approved',
  amountMinor: 10_000,
  currency: 'DKK',
  ...more,
});
const transaction = (more: Partial<TransactionWitness> = {}): TransactionWitness => ({
  ...{ transactionId, intentId, kind: 'PURCHASE', status: 'SUCCEEDED', amountMinor: 10_000, currency: 'DKK', method: 'terminal' },
  reference: `sale:${saleId}`,
  ...more,
});
const reservation = (more: Partial<Books['reservations'][number]> = {}) => ({
  ...{ reservationId, reference: `sale:${saleId}`, state: 'CONSUMED', shopId: 'dk-001', lines: [{ sku: 'E1', quantity: 3 }] },
  ...more,
});
/** One sale that everyone tells the same of. */
const books = (more: Partial<Books> = {}): Books => ({
  sales: [sale()],
  transactions: [transaction()],
  reservations: [reservation()],
  levels: [{ shopId: 'dk-001', checkedLevels: 1, violations: [] }],
  ledger: [operation()],
  ...more,
});
const undone = { state: 'OPEN', receiptNumber: null, tenders: [tender({ status: 'RETURNED' })] };
const bodies = (given: Books) => mendsOf(given, 'because').map(({ path, body }) => ({ path, ...body }));

test('books that agree need nothing', () => {
  expect(bodies(books())).toEqual([]);
});

describe('payments', () => {
  test('is told what a completed sale was paid with, under the ids it had', () => {
    expect(bodies(books({ transactions: [] }))).toEqual([
      {
        path: '/v1/adopted-transactions',
        ...{ transactionId, intentId, kind: 'PURCHASE', amountMinor: 10_000, currency: 'DKK', reason: 'because' },
        ...{ method: 'terminal', reference: `sale:${saleId}`, country: 'dk', channel: 'store', shopId: 'dk-001' },
        terminalId: 'pos-dk-001-01',
      },
    ]);
  });

  test.each<[string, Partial<Books>]>([
    ['a card movement the acquirer does not know', { ledger: [] }],
    ['one it knows for another amount', { ledger: [operation({ amountMinor: 9_999 })] }],
    ['one it knows as a refund of nothing we know', { ledger: [operation({ kind: 'refund', originalKey: id(99) })] }],
    ['one it has not decided', { ledger: [operation({ status: 'pending' })] }],
    [
      'a refund it has not decided',
      {
        transactions: [transaction()],
        ledger: [operation(), operation({ providerKey: id(8), kind: 'refund', originalKey: transactionId, status: 'pending' })],
      },
    ],
    ['a sale that is still under way', { sales: [sale({ ...undone, state: 'COMMITTING' })] }],
    ['an undoing that is still under way', { sales: [sale({ ...undone, state: 'COMPENSATING' })] }],
    [
      'cash of a sale that came to nothing',
      { sales: [sale({ ...undone, tenders: [tender({ method: 'cash', status: 'RETURNED' })] })], ledger: [] },
    ],
  ])('is not told of %s', (_, given) => {
    expect(bodies(books({ transactions: [], ...given }))).toEqual([]);
  });

  test('is told what was taken and given back for a sale that was undone', () => {
    const back = operation({ providerKey: id(8), kind: 'refund', originalKey: transactionId });
    const told = bodies(books({ transactions: [], sales: [sale(undone)], reservations: [], ledger: [operation(), back] }));
    expect(told).toMatchObject([
      { transactionId, kind: 'PURCHASE' },
      { transactionId: id(8), intentId, kind: 'REFUND' },
    ]);
  });

  test('is told of cash on the word of the receipt, and of cards on that alone where the acquirer shows no ledger', () => {
    const cash = sale({ tenders: [tender({ method: 'cash', terminalId: null })] });
    expect(bodies(books({ transactions: [], sales: [cash], ledger: [] }))).toMatchObject([{ method: 'cash', kind: 'PURCHASE' }]);
    const { ledger: _, ...silent } = books({ transactions: [] });
    expect(bodies({ ...silent, ledger: undefined })).toMatchObject([{ method: 'terminal', kind: 'PURCHASE' }]);
  });
});

describe('inventory', () => {
  test.each(['unknown', 'ACTIVE', 'FIRM', 'EXPIRED'])('books what a completed sale took where its reservation is %s', (state) => {
    const reservations = state === 'unknown' ? [] : [reservation({ state })];
    expect(bodies(books({ reservations }))).toEqual([
      {
        path: '/v1/recovered-reservations',
        ...{ reservationId, shopId: 'dk-001', lines: [{ sku: 'E1', quantity: 3 }], reference: `sale:${saleId}` },
        ...{ documentType: 'sale', documentId: saleId, reason: 'because' },
      },
    ]);
  });

  test('is not told what somebody released by hand', () => {
    expect(bodies(books({ reservations: [reservation({ state: 'RELEASED' })] }))).toEqual([]);
  });

  const held = reservation({ state: 'FIRM' });
  test('lets go what it holds for a sale that came to nothing, or for an earlier attempt', () => {
    const release = [{ path: `/v1/reservations/${reservationId}/release` }];
    expect(bodies(books({ sales: [sale(undone)], transactions: [], ledger: [], reservations: [held] }))).toEqual(release);
    const earlier = reservation({ state: 'FIRM', reservationId: otherReservationId });
    expect(bodies(books({ reservations: [reservation(), earlier] }))).toEqual([
      { path: `/v1/reservations/${otherReservationId}/release` },
    ]);
  });

  test.each<[string, Partial<Books>]>([
    ['a sale that sales does not know', { sales: [] }],
    ['a sale whose customer has paid', { sales: [sale({ ...undone, tenders: [] })] }],
    ['a sale that is under way', { sales: [sale({ ...undone, state: 'COMMITTING' })] }],
  ])('keeps what it holds for %s', (_, given) => {
    expect(bodies(books({ reservations: [held], ...given }))).toEqual([]);
  });
});

describe('a person is told', () => {
  const leftovers = async (given: Books) => {
    const { violations } = await compareWitnesses(given);
    return leftoversOf(violations, mendsOf(given, 'because'), given);
  };

  test('nothing of what can be mended', async () => {
    expect(await leftovers(books({ transactions: [], reservations: [] }))).toEqual([]);
  });

  test('nothing of a completed sale whose money a supervisor gave back: all books tell the same', async () => {
    const back = operation({ providerKey: id(8), kind: 'refund', originalKey: transactionId, amountMinor: 4_000 });
    const told = transaction({ transactionId: id(8), kind: 'REFUND', amountMinor: 4_000 });
    expect(await leftovers(books({ transactions: [transaction(), told], ledger: [operation(), back] }))).toEqual([]);
  });

  test('of a sale that sales has lost, once, with its money and its goods', async () => {
    expect(await leftovers(books({ sales: [] }))).toEqual([
      {
        about: `sale ${saleId}, which sales does not know`,
        facts: [expect.stringContaining('keeps 10000'), expect.stringContaining('is CONSUMED')],
        advice: expect.stringContaining('on paper only') as string,
      },
    ]);
  });

  test('how to go on with a sale whose completion was lost', async () => {
    const [leftover] = await leftovers(books({ sales: [sale({ ...undone, tenders: [] })], reservations: [] }));
    expect([leftover?.about, leftover?.advice]).toEqual([
      `sale ${saleId} (open at register dk-001-01, 100,00 DKK)`,
      expect.stringContaining('Complete it at its register'),
    ]);
  });

  test('to give back what an undone checkout keeps, since the sale completed again would be charged again', async () => {
    const [leftover] = await leftovers(books({ sales: [sale(undone)], reservations: [] }));
    expect(leftover?.advice).toContain('A supervisor of its shop gives the money back');
  });

  test('of a card movement that belongs to nothing, with the command that names it', async () => {
    const stray = operation({ providerKey: otherId, amountMinor: 45_500 });
    expect(await leftovers(books({ ledger: [operation(), stray] }))).toMatchObject([
      {
        about: 'purchase of 455,00 DKK by card, approved, of no sale we know',
        advice: expect.stringContaining(`--adopt ${otherId} `),
      },
    ]);
  });
});

test('what was wanted before is known again, whatever its words are now, and what was not is another', () => {
  const [before] = mendsOf(books({ reservations: [] }), 'then');
  const now = mendsOf(books({ reservations: [reservation({ state: 'FIRM' })], transactions: [] }), 'now');
  expect(now.map((mend) => [mend.service, isSame(before!, mend)])).toEqual([
    ['payments', false],
    ['inventory', true],
  ]);
});
