import { cashRounding, cashRules, type CountryCode } from '@kassa/countries';
import type { Currency } from '@kassa/money';
import type { ErrorCode } from '@kassa/problem';
import { taxOn, totalOf } from './pricing.ts';
import { liveTenders, moveFrom, type CaptureMode, type Line, type Sale, type TenderMethod } from './sale.ts';

/** Tenders a sale takes at most. */
export const tendersMax = 8;

/** Where the sale is completed. */
export interface Till {
  registerId: string;
  kind: 'desktop' | 'mobile' | 'web';
  /** The card terminal beside the register, or null. */
  terminalId: string | null;
}

/** The person it is done for; travels as data, so that a resumed checkout outlives the token it began with. */
export interface Actor {
  subject: string;
  role: string;
  shopId: string;
  registerId: string;
}

export interface TenderRequest {
  method: TenderMethod;
  /** What is handed over, in minor units; for cash it may be more than is due. */
  amountMinor: number;
  /** Absent: a terminal purchases, the gateway authorises. */
  capture?: CaptureMode | undefined;
  /** The gateway's token of the card; for `online` only. */
  cardToken?: string | undefined;
}

/** A tender with the ids its steps will have. */
export interface PlannedTender {
  tenderId: string;
  position: number;
  method: TenderMethod;
  capture: CaptureMode;
  amountMinor: number;
  tenderedMinor: number;
  instrument: string | null;
  intentId: string;
  transactionIds: string[];
}

export interface StockLine {
  sku: string;
  quantity: number;
}

export type Undo = { undo: 'release'; reservationId: string } | { undo: 'return-payment'; tenderId: string; intentId: string };

type PaymentStep<Kind extends string> = {
  step: Kind;
  tenderId: string;
  intentId: string;
  transactionId: string;
  method: TenderMethod;
  amountMinor: number;
  instrument: string | null;
};

/** A step stands beside what takes it back. Firm and capture have none of their own: what they confirm has. */
export type Step =
  | { step: 'reserve'; reservationId: string; state: 'ACTIVE' | 'FIRM'; lines: StockLine[]; undo: Undo }
  | (PaymentStep<'authorise'> & { undo: Undo })
  | { step: 'firm'; reservationId: string }
  | (PaymentStep<'purchase'> & { undo: Undo })
  | { step: 'capture'; tenderId: string; intentId: string; transactionId: string; amountMinor: number }
  | { step: 'finish' }
  | { step: 'consume'; reservationId: string };

/** All that a checkout will do, fixed before it does anything. It is written down whole and walked from its start after a crash. */
export interface Plan {
  saleId: string;
  attempt: number;
  shopId: string;
  country: CountryCode;
  currency: Currency;
  channel: 'store' | 'web';
  actor: Actor;
  /** The instant of the freeze (RFC 3339, UTC): the time on the receipt, also where a crash delays the end. */
  soldAt: string;
  /** Its date in the shop's zone: the tax point. */
  businessDate: string;
  totalMinor: number;
  roundingMinor: number;
  changeMinor: number;
  reservationId: string;
  tenders: PlannedTender[];
  steps: Step[];
}

export interface CheckoutRequest {
  sale: Sale;
  /** Added to those the sale has already. */
  tenders: TenderRequest[];
  /** What the till thinks the sale costs. */
  expectedTotalMinor?: number | undefined;
  till: Till;
  country: CountryCode;
  /** RFC 3339, UTC. */
  soldAt: string;
  /** soldAt in the shop's zone. */
  businessDate: string;
  /** The rate of the business date. */
  vatBp: number;
  actor: Actor;
  /** The id of a step of this attempt: the same name gives the same id, whoever asks and however often. */
  idOf: (...name: string[]) => string;
}

export type CheckoutRefusal = {
  code: Extract<ErrorCode, 'wrong-state' | 'sale-empty' | 'price-changed' | 'tender-not-allowed' | 'overpaid' | 'underpaid'>;
  detail: string;
  params: Record<string, unknown>;
};

export type Planned = { plan: Plan; lines: Line[] } | { refusal: CheckoutRefusal };

/**
 * Decides whether a sale can be completed, and how. Refusals in order of precedence: wrong-state, sale-empty, price-changed,
 * tender-not-allowed (too many, not at this register, or cash beyond the law), overpaid, underpaid.
 * The order of steps follows from the tenders: nothing that cannot be taken back easily comes before what may still be refused, and
 * cash, which opens the drawer, comes last.
 */
export function planCheckout(request: CheckoutRequest): Planned {
  const { sale, till, country, businessDate, actor, idOf } = request;
  if (moveFrom(sale.state, 'complete') === undefined)
    return refuse('wrong-state', `The sale is ${sale.state}.`, { state: sale.state });
  if (sale.lines.length === 0) return refuse('sale-empty', 'Scan an item first.', {});

  const lines = taxOn(sale.lines, request.vatBp);
  const totalMinor = totalOf(lines);
  const { currency } = sale;
  if (request.expectedTotalMinor !== undefined && request.expectedTotalMinor !== totalMinor) {
    const params = { expectedTotalMinor: request.expectedTotalMinor, totalMinor, currency };
    return refuse('price-changed', 'Read the sale again and show the customer its total.', params);
  }

  const handed = [
    ...liveTenders(sale).map(fromSale),
    ...request.tenders.map((tender, n) => fromRequest(tender, till, idOf('tender', String(n)))),
  ];
  if (handed.length > tendersMax)
    return refuse('tender-not-allowed', `A sale takes at most ${tendersMax} tenders.`, { tendersMax });
  for (const [tender, { method, capture }] of handed.entries()) {
    const fault = tenderFault(method, capture, till);
    if (fault) return refuse('tender-not-allowed', fault, { tender, method });
  }

  const settled = settle(totalMinor, handed, country);
  if ('refusal' in settled) return { refusal: { ...settled.refusal, params: { ...settled.refusal.params, currency } } };
  const cashFault = cashLawFault(country, businessDate, settled.cashMinor);
  if (cashFault) return refuse('tender-not-allowed', cashFault, { method: 'cash', amountMinor: settled.cashMinor });

  const tenders = settled.tenders.map((tender, position) => withIds(tender, position, idOf));
  const reservationId = idOf('reservation');
  const plan: Plan = {
    saleId: sale.id,
    attempt: sale.attempt + 1,
    shopId: sale.shopId,
    country,
    currency,
    channel: till.kind === 'web' ? 'web' : 'store',
    actor,
    soldAt: request.soldAt,
    businessDate,
    totalMinor,
    roundingMinor: settled.roundingMinor,
    changeMinor: settled.changeMinor,
    reservationId,
    tenders,
    steps: stepsOf(tenders, { reservationId, lines: stockOf(lines), idOf }),
  };
  return { plan, lines };
}

interface Handed {
  tenderId: string;
  method: TenderMethod;
  capture: CaptureMode;
  tenderedMinor: number;
  instrument: string | null;
}

function fromSale({ tenderId, method, capture, tenderedMinor, instrument }: Handed): Handed {
  return { tenderId, method, capture, tenderedMinor, instrument };
}

/** A tender as the sale keeps it until the checkout. */
export function fromRequest(tender: TenderRequest, till: Till, tenderId: string): Handed {
  const { method, amountMinor, cardToken } = tender;
  const capture = tender.capture ?? (method === 'online' ? 'authorise' : 'purchase');
  const instrument = method === 'terminal' ? till.terminalId : method === 'online' ? (cardToken ?? null) : null;
  return { tenderId, method, capture, tenderedMinor: amountMinor, instrument };
}

/** Why this kind of tender cannot be taken at this register, or undefined. */
export function tenderFault(method: TenderMethod, capture: CaptureMode, till: Till): string | undefined {
  if (method === 'terminal' && till.terminalId === null) return `Register ${till.registerId} has no card terminal.`;
  if (method === 'cash' && till.kind === 'web') return `Register ${till.registerId} is a web shop's and takes no cash.`;
  if (method === 'cash' && capture === 'authorise') return 'Cash is taken at once and cannot be authorised.';
  return undefined;
}

/** The law on cash for one purchase (the rule's source says which); only a ban concerns us, since we never refuse cash otherwise. */
function cashLawFault(country: CountryCode, date: string, cashMinor: number): string | undefined {
  const ban = cashRules(country, date).find(({ rule, amountMinor }) => rule === 'must-refuse' && cashMinor >= amountMinor);
  return ban && `Cash of ${ban.amountMinor} minor units or more may not be taken (${ban.source}).`;
}

type Settled = { tenders: (Handed & { amountMinor: number })[]; cashMinor: number; roundingMinor: number; changeMinor: number };

/**
 * Sets tenders against the total. Whatever is not cash pays exactly. Where cash pays the rest, the rest is rounded to coins that exist,
 * and what was handed over beyond it is change, from the cash tender handed over last.
 */
export function settle(totalMinor: number, handed: Handed[], country: CountryCode): Settled | { refusal: CheckoutRefusal } {
  const isCash = (tender: Handed) => tender.method === 'cash';
  const sumOf = (tenders: Handed[]) => tenders.reduce((sum, tender) => sum + tender.tenderedMinor, 0);
  const cash = handed.filter(isCash);
  const remainingMinor = totalMinor - sumOf(handed.filter((tender) => !isCash(tender)));
  const tooMuch = (byMinor: number) =>
    refuse('overpaid', `The tenders exceed the amount due by ${byMinor} minor units, and only cash gives change.`, {
      dueMinor: totalMinor,
      excessMinor: byMinor,
    });
  if (remainingMinor < 0) return tooMuch(-remainingMinor);
  if (remainingMinor === 0 && sumOf(cash) > 0) return tooMuch(sumOf(cash));

  const handedCashMinor = sumOf(cash);
  const { dueMinor, roundingMinor } = cash.length > 0 ? cashRounding(country, remainingMinor) : { dueMinor: 0, roundingMinor: 0 };
  const missingMinor = (cash.length > 0 ? dueMinor : remainingMinor) - handedCashMinor;
  if (missingMinor > 0) {
    return refuse('underpaid', `${missingMinor} minor units are missing.`, {
      dueMinor: totalMinor + roundingMinor,
      missingMinor,
    });
  }
  let openMinor = dueMinor;
  const tenders = handed.map((tender) => {
    if (!isCash(tender)) return { ...tender, amountMinor: tender.tenderedMinor };
    const amountMinor = Math.min(openMinor, tender.tenderedMinor);
    openMinor -= amountMinor;
    return { ...tender, amountMinor };
  });
  return { tenders, cashMinor: dueMinor, roundingMinor, changeMinor: handedCashMinor - dueMinor };
}

function withIds(
  { tenderId, ...tender }: Handed & { amountMinor: number },
  position: number,
  idOf: CheckoutRequest['idOf'],
): PlannedTender {
  const kinds = tender.amountMinor === 0 ? [] : tender.capture === 'authorise' ? ['authorise', 'capture'] : ['purchase'];
  return {
    ...tender,
    tenderId,
    position,
    intentId: idOf('intent', tenderId),
    transactionIds: kinds.map((kind) => idOf(kind, tenderId)),
  };
}

/** What is taken off the shelf: a sku stands once, however many lines sell it; in order of sku, as stock is locked. */
function stockOf(lines: readonly Line[]): StockLine[] {
  const quantities = new Map<string, number>();
  for (const { sku, quantity } of lines) quantities.set(sku, (quantities.get(sku) ?? 0) + quantity);
  return [...quantities].map(([sku, quantity]) => ({ sku, quantity })).sort((a, b) => (a.sku < b.sku ? -1 : 1));
}

interface StepFacts {
  reservationId: string;
  lines: StockLine[];
  idOf: CheckoutRequest['idOf'];
}

function stepsOf(tenders: PlannedTender[], { reservationId, lines, idOf }: StepFacts): Step[] {
  const paying = tenders.filter((tender) => tender.amountMinor > 0);
  const authorised = paying.filter((tender) => tender.capture === 'authorise');
  const purchased = paying.filter((tender) => tender.capture === 'purchase');
  const cards = purchased.filter((tender) => tender.method !== 'cash');
  const cash = purchased.filter((tender) => tender.method === 'cash');
  const needsTime = authorised.length > 0;
  return [
    { step: 'reserve', reservationId, state: needsTime ? 'ACTIVE' : 'FIRM', lines, undo: { undo: 'release', reservationId } },
    ...authorised.map((tender) => payment('authorise', tender, idOf)),
    ...(needsTime ? [{ step: 'firm' as const, reservationId }] : []),
    ...cards.map((tender) => payment('purchase', tender, idOf)),
    ...authorised.map(({ tenderId, intentId, amountMinor }) => ({
      step: 'capture' as const,
      tenderId,
      intentId,
      transactionId: idOf('capture', tenderId),
      amountMinor,
    })),
    ...cash.map((tender) => payment('purchase', tender, idOf)),
    { step: 'finish' },
    { step: 'consume', reservationId },
  ];
}

function payment<Kind extends 'authorise' | 'purchase'>(step: Kind, tender: PlannedTender, idOf: CheckoutRequest['idOf']) {
  const { tenderId, intentId, method, amountMinor, instrument } = tender;
  const undo: Undo = { undo: 'return-payment', tenderId, intentId };
  return { step, tenderId, intentId, transactionId: idOf(step, tenderId), method, amountMinor, instrument, undo };
}

/**
 * All that takes a plan back, the latest first, whichever step was refused: an earlier walk may have got further, before its reservation
 * ran out of time or its process fell asleep. Undoing what never was leaves a mark with the neighbour, on which a late copy of the call is
 * turned away.
 */
export function undoOf(steps: readonly Step[]): Undo[] {
  return steps.flatMap((step) => ('undo' in step ? [step.undo] : [])).reverse();
}

/** As much of a payment intent as its undo depends on. */
export interface IntentBalance {
  /** As payments names it: requires_method, processing, authorised, captured, declined, unknown, … */
  status: string;
  authorisedMinor: number;
  capturedMinor: number;
  refundedMinor: number;
  voidedMinor: number;
}

/**
 * How to take a payment back, given what became of it; null for an intent payments never saw. Money that was taken goes back, also where a
 * refund of ours is in doubt: repeating that one tells what became of it. An intent that is still moving, or whose amounts are in doubt,
 * is not touched before payments has found out.
 */
export function howToReturn(intent: IntentBalance | null): 'cancel' | 'refund' | 'nothing' | 'wait' {
  if (intent === null || intent.status === 'requires_method') return 'cancel';
  if (intent.status === 'integrity_failed') return 'wait';
  if (intent.capturedMinor > intent.refundedMinor) return 'refund';
  if (intent.status === 'processing' || intent.status === 'unknown') return 'wait';
  return intent.authorisedMinor > intent.capturedMinor + intent.voidedMinor && intent.status !== 'expired' ? 'cancel' : 'nothing';
}

/** Milliseconds until a checkout that got no further is looked at again: doubling with each time it was put off. */
export function retryDelayMs(tries: number, { firstMs, maxMs }: { firstMs: number; maxMs: number }): number {
  return Math.min(firstMs * 2 ** Math.min(tries, 20), maxMs);
}

export type Phase = 'COMMITTING' | 'COMPENSATING' | 'CONSUMING' | 'ENDED';
export type Resolution = 'abort' | 'finish';

/**
 * What an operator may decide about a stuck checkout, by phase. `undo`: take everything back, then ABORTED. `end-undone`: what is left
 * of the undo was done by hand; ABORTED. `end-consumed`: what is left of the stock was booked by hand. While money may still be moving,
 * nobody can know that a sale may be finished: that is found out by resuming it.
 */
export function resolve(phase: Phase, resolution: Resolution): 'undo' | 'end-undone' | 'end-consumed' | undefined {
  if (phase === 'COMMITTING' && resolution === 'abort') return 'undo';
  if (phase === 'COMPENSATING' && resolution === 'finish') return 'end-undone';
  if (phase === 'CONSUMING' && resolution === 'finish') return 'end-consumed';
  return undefined;
}

function refuse(code: CheckoutRefusal['code'], detail: string, params: Record<string, unknown>): { refusal: CheckoutRefusal } {
  return { refusal: { code, detail, params } };
}
