import type { Answer } from '@kassa/idempotency';
import { KassaError, isKassaError, toProblem } from '@kassa/problem';
import type { Inventory, Payments, PaymentSaid, Said, Unknown } from '../clients.ts';
import { howToReturn, retryDelayMs, undoOf, type Plan, type Step, type Undo } from '../domain/checkout.ts';
import { issueReceipt, renderReceipt, type Paid } from '../domain/receipt.ts';
import { moveAfterUndo, moveFrom, nextAction, type Refusal, type Sale, type Tender } from '../domain/sale.ts';
import type { Events } from '../events.ts';
import type { LoadedSale, Store } from '../store.ts';
import type { Checkout, Finished } from '../store/checkouts.ts';
import { saleAnswer, saleBody } from './get-sale.ts';

export interface CheckoutDeps {
  store: Pick<Store, 'finish' | 'beginUndo' | 'endUndo' | 'endConsume' | 'keepLease' | 'postpone'>;
  inventory: Inventory;
  payments: Payments;
  events: Events;
  now(): Date;
  /** False at once when the process is about to end. */
  sleep(ms: number): Promise<boolean>;
  /** The id of a step: the same for the same sale, attempt and name, in every process. */
  stepId(saleId: string, attempt: number, ...name: string[]): string;
  /** Work nobody waits for; the process finishes it before it ends. */
  background(work: () => Promise<unknown>): void;
  settings: CheckoutSettings;
}

export interface CheckoutSettings {
  /** How long a checkout belongs to a process that may have died. */
  leaseMs: number;
  /** How long a till's request waits for the end before it is answered 202. */
  waitMs: number;
  /** First and longest pause before a checkout that got no further is looked at again. */
  retry: { firstMs: number; maxMs: number };
}

/** What a checkout works on: its sale as frozen, and the shop for the receipt. */
export type Frozen = Pick<LoadedSale, 'sale' | 'shop'>;

type Advance = { ended: Answer } | { stopped: string };

/**
 * Walks a checkout from wherever it stands to its end: paid and finished, or refused and undone. Every call may be repeated, so it begins at
 * the plan's first step, whoever walked it before and wherever they died. The answer is recorded under the key of the till's request.
 *
 * Where an outcome stays unknown, it tries again for `patienceMs`, and is then put off: undefined, and resume-checkouts goes on with it.
 * The same where someone else ended the checkout meanwhile. It never throws.
 */
export async function runCheckout(
  deps: CheckoutDeps,
  checkout: Checkout,
  frozen: Frozen,
  patienceMs: number,
): Promise<Answer | undefined> {
  const { store, events, settings } = deps;
  const giveUpAt = deps.now().getTime() + patienceMs;
  const hold = holdLease(deps, checkout);
  try {
    for (let tries = 0; ; tries++) {
      const advance = await advanceCheckout(deps, checkout, frozen);
      if ('ended' in advance) return advance.ended;
      const pauseMs = retryDelayMs(tries, { firstMs: 100, maxMs: 2_000 });
      const isPatient = deps.now().getTime() + pauseMs <= giveUpAt && (await deps.sleep(pauseMs));
      if (isPatient) continue;
      events.checkoutPostponed(checkout, advance.stopped, checkout.tries);
      await store.postpone(checkout, retryDelayMs(checkout.tries, settings.retry), advance.stopped);
      return undefined;
    }
  } catch (error) {
    // Someone else moved it on, or our own world failed. Either way the lease runs out, and the plan says all that is needed.
    if (!isKassaError(error, 'write-conflict')) events.checkoutBroke(checkout, error);
    return undefined;
  } finally {
    hold.release();
  }
}

/** Keeps the checkout ours while it is worked on. Most end before the first renewal, and cost no statement. */
function holdLease({ store, events, settings }: CheckoutDeps, checkout: Checkout): { release(): void } {
  const timer = setInterval(() => {
    store.keepLease(checkout).catch((error: unknown) => events.checkoutBroke(checkout, error));
  }, settings.leaseMs / 3);
  return { release: () => clearInterval(timer) };
}

/** One attempt to reach the end. The checkout and the frozen sale are moved on as the database moves. */
async function advanceCheckout(deps: CheckoutDeps, checkout: Checkout, frozen: Frozen): Promise<Advance> {
  switch (checkout.phase) {
    case 'COMMITTING': {
      const walked = await walk(deps, checkout.plan);
      if (walked.outcome === 'unknown') return { stopped: walked.problem };
      if (walked.outcome === 'paid') return { ended: await finish(deps, checkout, frozen, walked.paid) };
      checkout.refusal = walked.refusal;
      checkout.undo = undoOf(checkout.plan.steps);
      await deps.store.beginUndo(checkout, checkout.refusal, checkout.undo);
      checkout.phase = 'COMPENSATING';
      frozen.sale = { ...frozen.sale, state: 'COMPENSATING', version: frozen.sale.version + 1, refusal: checkout.refusal };
      return advanceCheckout(deps, checkout, frozen);
    }
    case 'COMPENSATING':
      return undo(deps, checkout, frozen);
    case 'CONSUMING':
      return consume(deps, checkout, frozen);
    case 'ENDED':
      return { ended: saleAnswer(frozen.sale) };
    default:
      return checkout.phase satisfies never;
  }
}

type Walked = { outcome: 'paid'; paid: Paid[] } | { outcome: 'refused'; refusal: Refusal } | Unknown;

/** Takes the plan's steps in order, up to the finish. */
async function walk(deps: CheckoutDeps, plan: Plan): Promise<Walked> {
  const paid: Paid[] = [];
  for (const step of plan.steps) {
    if (step.step === 'finish') break;
    const said = await take(deps, plan, step);
    if (said.outcome === 'unknown') return said;
    const tenderId = 'tenderId' in step ? step.tenderId : undefined;
    if (said.outcome === 'refused') {
      const { code, detail, declineCode, lines } = said;
      const facts = {
        ...(tenderId && { tenderId }),
        ...(declineCode && { declineCode }),
        ...(lines === undefined ? {} : { lines }),
      };
      return { outcome: 'refused', refusal: { cause: code, detail, ...facts } };
    }
    if (tenderId !== undefined && 'cardLabel' in said)
      paid.push({ tenderId, authorisationCode: said.authorisationCode, cardLabel: said.cardLabel });
  }
  return { outcome: 'paid', paid: latestPerTender(paid) };
}

function take(
  { inventory, payments }: CheckoutDeps,
  plan: Plan,
  step: Exclude<Step, { step: 'finish' }>,
): Promise<Said | PaymentSaid> {
  switch (step.step) {
    case 'reserve':
      return inventory.reserve(plan, step);
    case 'authorise':
      return payments.authorise(plan, step);
    case 'firm':
      return inventory.firm(step.reservationId);
    case 'purchase':
      return payments.purchase(plan, step);
    case 'capture':
      return payments.capture(plan, step);
    case 'consume':
      return inventory.consume(step.reservationId, plan.saleId);
    default:
      return step satisfies never;
  }
}

/** A capture may repeat what its authorisation said, or leave it out. */
function latestPerTender(paid: Paid[]): Paid[] {
  const byTender = new Map<string, Paid>();
  for (const { tenderId, authorisationCode, cardLabel } of paid) {
    const before = byTender.get(tenderId);
    byTender.set(tenderId, {
      tenderId,
      authorisationCode: authorisationCode ?? before?.authorisationCode ?? null,
      cardLabel: cardLabel ?? before?.cardLabel ?? null,
    });
  }
  return [...byTender.values()];
}

/** Receipt, number, answer and what is left to consume in one statement; the stock is consumed after the till has its answer. */
async function finish(deps: CheckoutDeps, checkout: Checkout, frozen: Frozen, paid: Paid[]): Promise<Answer> {
  const { plan } = checkout;
  const completedAt = deps.now().toISOString();
  const sale = { ...frozen.sale, state: 'COMPLETED' as const, version: frozen.sale.version + 1, completedAt };
  const draft = (number: number) => finished(sale, plan, frozen, paid, number);
  const { number, answer } = await deps.store.finish(checkout, completedAt, draft);
  deps.events.saleCompleted({ ...plan, registerId: plan.actor.registerId, number }, secondsSince(checkout, deps));
  const rest = { ...checkout, phase: 'CONSUMING' as const, tries: 0 };
  deps.background(() => runCheckout(deps, rest, { ...frozen, sale }, 0));
  return answer;
}

function finished(sale: Sale, plan: Plan, { shop }: Frozen, paid: Paid[], number: number): Finished {
  const receipt = issueReceipt({ number, plan, lines: sale.lines, paid, shop });
  const tenders = sale.tenders.map((tender) => settled(tender, plan, paid));
  const { headers } = saleAnswer(sale);
  const body = {
    ...saleBody({ ...sale, tenders, receiptNumber: number }),
    receipt,
    receiptText: renderReceipt(receipt, { isCopy: false }),
  };
  return { receipt, answer: { status: 200, body, headers: headers ?? {} } };
}

function settled(tender: Tender, plan: Plan, paid: Paid[]): Tender {
  if (tender.attempt !== plan.attempt) return tender;
  const { authorisationCode = null, cardLabel = null } = paid.find(({ tenderId }) => tenderId === tender.tenderId) ?? {};
  return { ...tender, status: 'SETTLED', authorisationCode, cardLabel };
}

/**
 * Takes back what was done, the latest first; what cannot be taken back now does not keep the rest from it. A return that the provider
 * refused is tried again under a new id, and again, for as long as it takes: it is never dropped.
 */
async function undo(deps: CheckoutDeps, checkout: Checkout, frozen: Frozen): Promise<Advance> {
  const { refusal } = checkout;
  if (refusal === null) throw new Error('an undo without a reason');
  const problems: string[] = [];
  let isRefused = false;
  for (const step of checkout.undo ?? []) {
    const said = await takeBack(deps, checkout, step);
    if (said.outcome === 'done') continue;
    problems.push(said.outcome === 'unknown' ? said.problem : said.code);
    // What is in doubt payments finds out; only a return that was refused may need a person.
    if (step.undo !== 'return-payment' || said.outcome === 'unknown') continue;
    deps.events.moneyNotReturned(checkout, step.tenderId, said.code);
    isRefused = true;
  }
  if (isRefused) checkout.undoRound += 1;
  const [problem] = problems;
  if (problem !== undefined) return { stopped: problem };

  const state = moveFrom('COMPENSATING', moveAfterUndo(refusal.cause)) === 'ABORTED' ? 'ABORTED' : 'OPEN';
  const sale = { ...frozen.sale, state, version: frozen.sale.version + 1, refusal } satisfies Sale;
  const answer = refusalAnswer(checkout, refusal, sale);
  await deps.store.endUndo(checkout, state, refusal, answer);
  deps.events.checkoutUndone(checkout, refusal.cause, secondsSince(checkout, deps));
  return { ended: answer };
}

async function takeBack(deps: CheckoutDeps, { saleId, attempt, undoRound, plan }: Checkout, undo: Undo): Promise<Said> {
  if (undo.undo === 'release') return released(await deps.inventory.release(undo.reservationId));
  const { tenderId, intentId } = undo;
  const balance = await deps.payments.balance(intentId);
  if (balance !== null && 'outcome' in balance) return balance;
  const idOf = (way: string) => deps.stepId(saleId, attempt, way, tenderId, String(undoRound));
  const how = howToReturn(balance);
  switch (how) {
    case 'cancel':
      return deps.payments.cancel(plan, { intentId, transactionId: idOf('void') });
    case 'refund':
      return deps.payments.refund(plan, { intentId, transactionId: idOf('refund') });
    case 'nothing':
      return { outcome: 'done' };
    case 'wait':
      return { outcome: 'unknown', problem: 'payment-unknown' };
    default:
      return how satisfies never;
  }
}

/** A reservation that ended by itself holds nothing any more. */
function released(said: Said): Said {
  const isOver = said.outcome === 'refused' && (said.code === 'reservation-closed' || said.code === 'reservation-expired');
  return isOver ? { outcome: 'done' } : said;
}

async function consume(deps: CheckoutDeps, checkout: Checkout, { sale }: Frozen): Promise<Advance> {
  const said = await deps.inventory.consume(checkout.plan.reservationId, checkout.saleId);
  if (said.outcome !== 'done') return { stopped: said.outcome === 'unknown' ? said.problem : said.code };
  await deps.store.endConsume(checkout);
  return { ended: saleAnswer(sale) };
}

/** What the till is answered when its checkout was undone: the neighbour's code, and what to do now. */
export function refusalAnswer(checkout: Checkout, refusal: Refusal, sale: Sale): Answer {
  const { cause, detail, ...facts } = refusal;
  const params = { ...facts, saleId: sale.id, state: sale.state, nextAction: nextAction(sale) };
  const code = cause === 'operator-abort' ? 'wrong-state' : cause;
  const error = new KassaError(code, { detail, params });
  return { status: error.kind.status, body: toProblem(error, checkout.traceId, checkout.instance) };
}

function secondsSince({ startedAt }: Checkout, { now }: CheckoutDeps): number {
  return Math.max(0, now().getTime() - Date.parse(startedAt)) / 1_000;
}
