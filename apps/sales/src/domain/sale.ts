import type { Currency } from '@kassa/money';
import { KassaError, type ErrorCode } from '@kassa/problem';

/** The states of a sale. OPEN to TENDERING belong to the till, COMMITTING and COMPENSATING to the checkout, the others are final. */
export const saleStates = [
  'OPEN',
  'PARKED',
  'TENDERING',
  'COMMITTING',
  'COMPENSATING',
  'COMPLETED',
  'ABORTED',
  'ABANDONED',
] as const;
export type SaleState = (typeof saleStates)[number];

/**
 * The table of moves: what may happen in which state, and where it leads. What is not here is refused with wrong-state.
 *
 * A checkout that was refused leads back to OPEN, since the customer is still there: another card, or a basket without what is sold
 * out, needs no second scan. ABORTED is the end only where an operator decided so; then nobody may take the sale up again.
 */
export const moves = {
  'change-basket': { OPEN: 'OPEN' },
  park: { OPEN: 'PARKED' },
  resume: { PARKED: 'OPEN' },
  abandon: { OPEN: 'ABANDONED', PARKED: 'ABANDONED' },
  'add-tender': { OPEN: 'TENDERING', TENDERING: 'TENDERING' },
  'remove-tender': { TENDERING: 'TENDERING' },
  'remove-last-tender': { TENDERING: 'OPEN' },
  complete: { OPEN: 'COMMITTING', TENDERING: 'COMMITTING' },
  finish: { COMMITTING: 'COMPLETED' },
  undo: { COMMITTING: 'COMPENSATING' },
  reopen: { COMPENSATING: 'OPEN' },
  abort: { COMPENSATING: 'ABORTED' },
} as const satisfies Record<string, Partial<Record<SaleState, SaleState>>>;

export type Move = keyof typeof moves;

/** Where a move leads, or undefined where the state does not allow it. */
export function moveFrom(state: SaleState, move: Move): SaleState | undefined {
  const table: Partial<Record<SaleState, SaleState>> = moves[move];
  return table[state];
}

/** Every move a state allows, in the order of the table. */
export function allowedMoves(state: SaleState): Move[] {
  return (Object.keys(moves) as Move[]).filter((move) => moveFrom(state, move) !== undefined);
}

/** A method says who moves the money: the drawer, the terminal beside the register, or the web's gateway. */
export const tenderMethods = ['cash', 'terminal', 'online'] as const;
export type TenderMethod = (typeof tenderMethods)[number];

/** `purchase` takes the money in one step; `authorise` holds it first and captures when everything else is sure. */
export type CaptureMode = 'purchase' | 'authorise';

/** PENDING until the checkout ends; SETTLED: paid; DECLINED: refused by the issuer; RETURNED: nothing of it was kept. */
export type TenderStatus = 'PENDING' | 'SETTLED' | 'DECLINED' | 'RETURNED';

/** One line of the basket. Amounts in minor units of the sale's currency, VAT included unless they say otherwise. */
export interface Line {
  lineId: string;
  /** Order on the receipt; numbers may be missing after a removal. */
  position: number;
  sku: string;
  gtin: string;
  name: string;
  itemGroup: string;
  isSerialised: boolean;
  /** Whole units, 1 to 999. */
  quantity: number;
  serials: string[];
  /** The shelf price when the line was added; it stays until the sale ends. */
  unitMinor: number;
  discountMinor: number;
  /** The VAT rate in basis points; see taxOn for when it is fixed. */
  vatBp: number;
  grossMinor: number;
  vatMinor: number;
  netMinor: number;
}

export interface Tender {
  tenderId: string;
  /** The checkout it belongs to, counted from 1. */
  attempt: number;
  position: number;
  method: TenderMethod;
  capture: CaptureMode;
  /** What it pays of the sale. Until the checkout begins, what was handed over. */
  amountMinor: number;
  /** What was handed over; the rest of it is change. */
  tenderedMinor: number;
  /** The terminal's id or the gateway's token; never shown. */
  instrument: string | null;
  intentId: string | null;
  transactionIds: string[];
  status: TenderStatus;
  declineCode: string | null;
  authorisationCode: string | null;
  cardLabel: string | null;
}

export interface Sale {
  id: string;
  shopId: string;
  registerId: string;
  country: string;
  currency: Currency;
  state: SaleState;
  /** Raised by every write; the ETag. */
  version: number;
  /** Checkouts begun so far. */
  attempt: number;
  totalMinor: number;
  /** Cash rounding, signed: what is due is total + rounding. */
  roundingMinor: number;
  changeMinor: number;
  /** The shop's date on which the checkout began (YYYY-MM-DD). */
  businessDate: string | null;
  refusal: Refusal | null;
  receiptNumber: number | null;
  openedAt: string;
  completedAt: string | null;
  lines: Line[];
  tenders: Tender[];
}

/** Why a checkout was undone, or is being undone. */
export interface Refusal {
  cause: RefusalCause;
  /** Safe for the client. */
  detail: string;
  /** The tender at fault. */
  tenderId?: string;
  /** What the issuer said: insufficient-funds, expired-card, do-not-honour, … */
  declineCode?: string;
  /** The lines that are short, where the cause is insufficient-stock. */
  lines?: unknown;
}

/** A code of the catalogue, as the neighbour gave it, or an operator's decision. */
export type RefusalCause = ErrorCode | 'operator-abort';

/** How a sale goes on when its checkout has been undone. */
export function moveAfterUndo(cause: RefusalCause): Extract<Move, 'reopen' | 'abort'> {
  return cause === 'operator-abort' ? 'abort' : 'reopen';
}

/** The tenders of the checkout that runs or comes next; those of earlier ones are closed. */
export function liveTenders(sale: Sale): Tender[] {
  return sale.tenders.filter((tender) => tender.status === 'PENDING');
}

/** What a till should do now: one word to act upon, and a sentence to show. */
export interface NextAction {
  action:
    'add-lines' | 'take-tender' | 'take-another-tender' | 'change-basket' | 'complete' | 'resume' | 'wait' | 'hand-over' | 'none';
  text: string;
  /** Where to ask again, how often and for how long, where the action is `wait`. */
  poll?: { url: string; everyMs: number; forMs: number };
}

/** A checkout that is still open after that long is in an operator's hands. */
const pollForMs = 300_000;

/** Exhaustive over the states. */
export function nextAction(sale: Sale): NextAction {
  const url = `/v1/sales/${sale.id}`;
  switch (sale.state) {
    case 'OPEN':
      return sale.refusal === null ? openAction(sale) : refusedAction(sale.refusal);
    case 'PARKED':
      return { action: 'resume', text: 'Resume the sale to go on with it, at this register or another one of the shop.' };
    case 'TENDERING':
      return {
        action: 'complete',
        text: 'Add tenders until they cover the total, then complete the sale. To change the basket, remove the tenders first.',
      };
    case 'COMMITTING':
      return {
        action: 'wait',
        text: `The payment is under way and its outcome is not known yet. Do not take it again. Ask GET ${url} every second, for up to five minutes; after that call an operator.`,
        poll: { url, everyMs: 1_000, forMs: pollForMs },
      };
    case 'COMPENSATING':
      return {
        action: 'wait',
        text: `The sale could not be completed and is being undone; money that was taken is given back. Ask GET ${url} every second, for up to five minutes; after that call an operator.`,
        poll: { url, everyMs: 1_000, forMs: pollForMs },
      };
    case 'COMPLETED':
      return {
        action: 'hand-over',
        text: `The sale is paid. Print its receipt and hand over the goods. The receipt is in the answer to the request that completed the sale; where that was lost, or was 202, send it again with its key. GET ${url}/receipt prints copies.`,
      };
    case 'ABORTED':
      return { action: 'none', text: 'The sale was undone by an operator; nothing is owed. Begin a new sale.' };
    case 'ABANDONED':
      return { action: 'none', text: 'The sale was given up. Begin a new sale.' };
    default:
      return sale.state satisfies never;
  }
}

function openAction(sale: Sale): NextAction {
  if (sale.lines.length === 0) return { action: 'add-lines', text: 'Scan the first item.' };
  return { action: 'take-tender', text: 'Scan on, or complete the sale with its tenders.' };
}

/** Causes that another basket cures, and another card does not. */
const basketCauses: RefusalCause[] = ['insufficient-stock', 'unknown-item', 'product-inactive'];

function refusedAction(refusal: Refusal): NextAction {
  if (basketCauses.includes(refusal.cause)) {
    return {
      action: 'change-basket',
      text: `${refusal.detail} Nothing was taken. Change the basket and complete the sale again.`,
    };
  }
  return {
    action: 'take-another-tender',
    text: `${refusal.detail} Nothing was taken, or it was given back. Take another tender and complete the sale again.`,
  };
}

/** The refusal of a move the table does not have, with what is possible instead. */
export function wrongState(sale: Sale, move: Move): KassaError {
  const next = nextAction(sale);
  return new KassaError('wrong-state', {
    detail: `The sale is ${sale.state}; ${move} is not possible now. ${next.text}`,
    params: { state: sale.state, allowed: allowedMoves(sale.state), nextAction: next },
  });
}
