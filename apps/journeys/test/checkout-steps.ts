import type { ServiceName } from './system.ts';
import type { StopAt } from './stops.ts';
import type { Tender } from './till.ts';

/** One checkout on its way; every story has a register, a terminal and a product of its own. */
export interface Checkout {
  saleId: string;
  /** Of the register's card terminal. */
  terminalId: string;
  sku: string;
  shopId: string;
}

/** A row that some service writes on the way, as a place to stop at. */
export interface Step {
  title: string;
  in: ServiceName;
  at(checkout: Checkout): StopAt;
}

export interface Story {
  title: string;
  tenders(totalMinor: number): Tender[];
  /** Sold: goods and money change hands. Undone: a card is declined, and everything is given back. */
  ends: 'sold' | 'undone';
  steps: Step[];
}

/** Terminal amounts that end in these four digits are declined (the acquirer's table of test cards). */
const declinedEnding = 5_101;

const inSales = (title: string, table: string, on: StopAt['on'], row: (checkout: Checkout) => object): Step => ({
  title,
  in: 'sales',
  at: (checkout) => ({ table, on, row: { ...row(checkout) } }),
});
const checkoutRow =
  (phase: string) =>
  ({ saleId }: Checkout) => ({ sale_id: saleId, phase });
const saleRow =
  (state: string) =>
  ({ saleId }: Checkout) => ({ id: saleId, state });

const freeze = inSales('the frozen plan', 'checkouts', 'INSERT', checkoutRow('COMMITTING'));
const finish = inSales('the completed sale with its receipt', 'sales', 'UPDATE', saleRow('COMPLETED'));
const mark = inSales('the mark that stock was consumed', 'checkouts', 'UPDATE', checkoutRow('ENDED'));
const beginUndo = inSales('the decision to undo', 'checkouts', 'UPDATE', checkoutRow('COMPENSATING'));
const endUndo = inSales('the sale open again', 'sales', 'UPDATE', saleRow('OPEN'));

const reservation = (title: string, on: StopAt['on'], state: string): Step => ({
  title,
  in: 'inventory',
  at: ({ saleId }) => ({ table: 'reservations', on, row: { reference: `sale:${saleId}`, state } }),
});

type Kind = 'AUTHORISE' | 'CAPTURE' | 'PURCHASE' | 'VOID' | 'REFUND';
/** What payments and the acquirer write about one movement of money, in order. */
function movement(kind: Kind, words: string, status: 'SUCCEEDED' | 'DECLINED' = 'SUCCEEDED'): Step[] {
  const ofCard = ({ terminalId }: Checkout) => ({ instrument: terminalId, kind });
  const outcome = status === 'SUCCEEDED' ? 'approved' : 'declined';
  return [
    {
      title: `${words}, written down before it is sent`,
      in: 'payments',
      at: (c) => ({ table: 'transactions', on: 'INSERT', row: { ...ofCard(c), status: 'INIT' } }),
    },
    {
      title: `${words}, on the acquirer's record`,
      in: 'acquirer',
      at: (c) => ({ table: 'operations', on: 'INSERT', row: { ...ofCard(c), kind: kind.toLowerCase(), outcome } }),
    },
    {
      title: `the outcome of ${words}`,
      in: 'payments',
      at: (c) => ({ table: 'transactions', on: 'UPDATE', row: { ...ofCard(c), status } }),
    },
  ];
}

/** The copy of the level that stock-lookup answers from. */
const copiedLevel: Step = {
  title: 'the copied stock level',
  in: 'stock-lookup',
  at: ({ sku, shopId }) => ({ table: 'levels', on: 'UPDATE', row: { sku, shop_id: shopId } }),
};

const declined = (totalMinor: number): number =>
  Math.floor((totalMinor - declinedEnding) / 10_000) * 10_000 - 10_000 + declinedEnding;

/** Every persisted step of a checkout stands in one of these. */
export const stories: Story[] = [
  {
    title: 'a card at the terminal',
    ends: 'sold',
    tenders: (amountMinor) => [{ method: 'terminal', amountMinor }],
    steps: [
      freeze,
      reservation('the firm reservation', 'INSERT', 'FIRM'),
      ...movement('PURCHASE', 'the purchase'),
      finish,
      reservation('the consumed reservation', 'UPDATE', 'CONSUMED'),
      mark,
      copiedLevel,
    ],
  },
  {
    title: 'a card authorised, then captured',
    ends: 'sold',
    tenders: (amountMinor) => [{ method: 'terminal', capture: 'authorise', amountMinor }],
    steps: [
      reservation('the reservation', 'INSERT', 'ACTIVE'),
      ...movement('AUTHORISE', 'the authorisation'),
      reservation('the reservation made firm', 'UPDATE', 'FIRM'),
      ...movement('CAPTURE', 'the capture'),
    ],
  },
  {
    title: 'cash',
    ends: 'sold',
    tenders: (totalMinor) => [{ method: 'cash', amountMinor: totalMinor + 10_000 }],
    steps: [
      {
        title: 'the cash in the drawer',
        in: 'payments',
        at: ({ saleId }) => ({ table: 'payment_intents', on: 'INSERT', row: { reference: `sale:${saleId}`, method: 'cash' } }),
      },
    ],
  },
  {
    title: 'a card, then a declined one',
    ends: 'undone',
    tenders: (totalMinor) => [
      { method: 'terminal', amountMinor: totalMinor - declined(totalMinor) },
      { method: 'terminal', amountMinor: declined(totalMinor) },
    ],
    steps: [
      ...movement('PURCHASE', 'the declined purchase', 'DECLINED').slice(1),
      beginUndo,
      ...movement('REFUND', 'the refund'),
      reservation('the released reservation', 'UPDATE', 'RELEASED'),
      endUndo,
    ],
  },
  {
    title: 'a card authorised, then a declined one',
    ends: 'undone',
    tenders: (totalMinor) => [
      { method: 'terminal', capture: 'authorise', amountMinor: totalMinor - declined(totalMinor) },
      { method: 'terminal', amountMinor: declined(totalMinor) },
    ],
    steps: movement('VOID', 'the void'),
  },
];

/** The tables rows are stopped at, by service. */
export const stopTables: Record<ServiceName, string[]> = {
  sales: ['sales', 'checkouts'],
  inventory: ['reservations'],
  payments: ['payment_intents', 'transactions'],
  acquirer: ['operations'],
  'stock-lookup': ['levels'],
};
