import { businessDate, isCountryCode, vatRate } from '@kassa/countries';
import type { Caller } from '@kassa/auth';
import type { Answer, Idempotency, Key } from '@kassa/idempotency';
import { isKassaError, KassaError } from '@kassa/problem';
import { planCheckout, type Plan, type PlannedTender, type TenderRequest } from '../domain/checkout.ts';
import { wrongState, type Line, type Sale, type Tender } from '../domain/sale.ts';
import type { LoadedSale, SignedIn, Store } from '../store.ts';
import type { Checkout } from '../store/checkouts.ts';
import { actorOf, atRegister, saleNotFound } from './at-register.ts';
import { saleBody } from './get-sale.ts';
import { runCheckout, type CheckoutDeps, type Frozen } from './run-checkout.ts';

export interface CompleteDeps extends CheckoutDeps {
  store: CheckoutDeps['store'] & Pick<Store, 'loadSale' | 'freeze' | 'takeCheckout'>;
  idempotency: Idempotency;
}

export interface CompleteSaleInput {
  saleId: string;
  /** Beside those the sale has already. */
  tenders: TenderRequest[];
  expectedTotalMinor?: number | undefined;
  caller: Caller;
  key: Key;
}

/**
 * Completes a sale: freezes basket and plan, reserves the goods, takes the money, issues the receipt. 200 with the receipt; or 202 with
 * where to ask, where that takes longer than a till should wait, and the checkout goes on by itself.
 *
 * A declined card, or goods that are gone, undo what was done and leave the sale OPEN (409 payment-declined, insufficient-stock, …), so that
 * the customer may pay otherwise. An unknown outcome is never guessed: the sale stays COMMITTING and the same calls are repeated.
 * The same key sent again gets the recorded answer; before there is one, it takes up a checkout that nobody works on, or is told
 * request-in-progress.
 * Errors: not-found, wrong-state, sale-empty, price-changed, tender-not-allowed, overpaid, underpaid, session-superseded, register-unknown,
 * register-required, payment-declined, payment-failed, insufficient-stock, reservation-expired, request-in-progress.
 */
export async function completeSale(deps: CompleteDeps, input: CompleteSaleInput): Promise<Answer> {
  const by = atRegister(input.caller);
  return deps.idempotency.once(
    input.key,
    async () => {
      const { checkout, frozen } = await freeze(deps, by, input);
      return answerWithin(deps, checkout, frozen);
    },
    async (saleId) => {
      const checkout = await deps.store.takeCheckout(saleId);
      const found = checkout && (await deps.store.loadSale(saleId, { shopId: by.shopId, registerId: null }));
      if (!found)
        throw new KassaError('request-in-progress', {
          detail: `The sale is being completed. Ask GET /v1/sales/${saleId}.`,
          retryAfterSeconds: 1,
        });
      return answerWithin(deps, checkout, found);
    },
  );
}

async function freeze(
  deps: CompleteDeps,
  by: SignedIn,
  input: CompleteSaleInput,
): Promise<{ checkout: Checkout; frozen: Frozen }> {
  for (let attempt = 1; ; attempt++) {
    const found = await deps.store.loadSale(input.saleId, by);
    if (!found) throw saleNotFound(input.saleId);
    const { plan, lines } = planFor(deps, by, input, found);
    const sale = frozenSale(found.sale, plan, lines);
    try {
      const checkout = await deps.store.freeze(found.sale, sale, plan, by, input.key);
      return { checkout, frozen: { sale, shop: found.shop } };
    } catch (error) {
      if (attempt === 3 || !isKassaError(error, 'write-conflict')) throw error;
    }
  }
}

function planFor(
  deps: CompleteDeps,
  by: SignedIn,
  input: CompleteSaleInput,
  { sale, shop, till }: LoadedSale,
): { plan: Plan; lines: Line[] } {
  if (till === null) throw new KassaError('register-unknown', { detail: `${by.registerId} is no register of ${shop.id}.` });
  const { country } = sale;
  if (!isCountryCode(country)) throw new Error(`sale ${sale.id} is in ${country}`);
  const at = deps.now();
  const date = businessDate(at, shop.timeZone);
  const planned = planCheckout({
    sale,
    tenders: input.tenders,
    expectedTotalMinor: input.expectedTotalMinor,
    till,
    country,
    soldAt: at.toISOString(),
    businessDate: date,
    vatBp: vatRate(country, 'standard', date).bp,
    actor: actorOf(input.caller, by),
    idOf: (...name) => deps.stepId(sale.id, sale.attempt + 1, ...name),
  });
  if (!('refusal' in planned)) return planned;
  const { code, detail, params } = planned.refusal;
  throw code === 'wrong-state' ? wrongState(sale, 'complete') : new KassaError(code, { detail, params });
}

/** The sale as the freeze writes it: the plan's amounts, and its tenders with the ids of their steps. */
function frozenSale(sale: Sale, plan: Plan, lines: Line[]): Sale {
  const planned = new Set(plan.tenders.map(({ tenderId }) => tenderId));
  return {
    ...sale,
    state: 'COMMITTING',
    version: sale.version + 1,
    attempt: plan.attempt,
    registerId: plan.actor.registerId,
    totalMinor: plan.totalMinor,
    roundingMinor: plan.roundingMinor,
    changeMinor: plan.changeMinor,
    businessDate: plan.businessDate,
    refusal: null,
    lines,
    tenders: [
      ...sale.tenders.filter(({ tenderId }) => !planned.has(tenderId)),
      ...plan.tenders.map((tender) => pending(tender, plan.attempt)),
    ],
  };
}

function pending(tender: PlannedTender, attempt: number): Tender {
  return { ...tender, attempt, status: 'PENDING', declineCode: null, authorisationCode: null, cardLabel: null };
}

/** The end of the checkout, or 202 where it takes longer than a till should wait; it goes on either way. */
async function answerWithin(deps: CompleteDeps, checkout: Checkout, frozen: Frozen): Promise<Answer> {
  const running = runCheckout(deps, checkout, frozen, deps.settings.waitMs);
  deps.background(() => running);
  const ended = await within(deps.settings.waitMs, running);
  if (ended) return ended;
  const found = await deps.store.loadSale(checkout.saleId, { shopId: null, registerId: null });
  if (!found) throw saleNotFound(checkout.saleId);
  const headers = { location: `/v1/sales/${checkout.saleId}`, 'retry-after': '1' };
  return { status: 202, body: saleBody(found.sale), headers };
}

function within<T>(ms: number, work: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}
