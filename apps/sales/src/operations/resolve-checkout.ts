import type { Caller } from '@kassa/auth';
import type { Answer, Idempotency, Key } from '@kassa/idempotency';
import { KassaError } from '@kassa/problem';
import { resolve, undoOf, type Resolution } from '../domain/checkout.ts';
import type { Refusal, Sale } from '../domain/sale.ts';
import type { LoadedSale, Store } from '../store.ts';
import type { Act, Checkout } from '../store/checkouts.ts';
import { saleNotFound } from './at-register.ts';
import { refusalAnswer, runCheckout, type CheckoutDeps } from './run-checkout.ts';

export interface ResolveDeps extends CheckoutDeps {
  store: CheckoutDeps['store'] &
    Pick<Store, 'loadSale' | 'openCheckout' | 'takeCheckout' | 'recordAct' | 'abortByHand' | 'endByHand'>;
  idempotency: Idempotency;
  newId(): string;
}

export interface ResolveInput {
  saleId: string;
  /** Why, in the operator's words; kept with the act. */
  reason: string;
  caller: Caller;
  key: Key;
}

/**
 * Takes a checkout up at once instead of when it is due. 202 with the act; what becomes of it is asked with GET /v1/sales/{id}.
 * Errors: not-found where the sale has no open checkout.
 */
export async function resumeCheckout(deps: ResolveDeps, input: ResolveInput): Promise<Answer> {
  return deps.idempotency.once(input.key, async () => {
    const { checkout } = await openCheckoutOf(deps, input.saleId);
    const act = actOn(deps, 'resume', checkout, input);
    const answer = actAnswer(act, checkout);
    await deps.store.recordAct(act, input.key, answer);
    deps.events.operatorActed('resume', input.saleId, act.subject);
    deps.background(async () => {
      const taken = await deps.store.takeCheckout(input.saleId);
      const found = taken && (await deps.store.loadSale(input.saleId, anywhere));
      if (found) await runCheckout(deps, taken, found, 0);
    });
    return answer;
  });
}

/**
 * Decides a checkout by hand. `abort` takes everything back, and the sale ends ABORTED; possible until the sale is paid for. `finish` says that
 * what is left was done by hand: the rest of an undo (then ABORTED), or the booking of stock for a completed sale. 202 with the act.
 * Errors: not-found where the sale has no open checkout, wrong-state where its phase does not allow the decision, write-conflict.
 */
export async function resolveCheckout(deps: ResolveDeps, input: ResolveInput & { action: Resolution }): Promise<Answer> {
  const { action, saleId, key } = input;
  return deps.idempotency.once(key, async () => {
    const { checkout, found } = await openCheckoutOf(deps, saleId);
    const decision = resolve(checkout.phase, action);
    const act = actOn(deps, action, checkout, input);
    const answer = actAnswer(act, checkout);
    switch (decision) {
      case undefined:
        throw new KassaError('wrong-state', {
          detail: `A checkout that is ${checkout.phase} cannot be decided by ${action}.`,
          params: { phase: checkout.phase },
        });
      case 'undo':
        await abort(deps, act, checkout, found, key, answer);
        break;
      case 'end-undone':
      case 'end-consumed':
        await deps.store.endByHand(
          act,
          checkout,
          refusalAnswer(checkout, checkout.refusal ?? byOperator, aborted(found.sale)),
          key,
          answer,
        );
        break;
      default:
        decision satisfies never;
    }
    deps.events.operatorActed(action, saleId, act.subject);
    return answer;
  });
}

/** Operators belong to no shop. */
const anywhere = { shopId: null, registerId: null };

const byOperator: Refusal = { cause: 'operator-abort', detail: 'An operator aborted the sale.' };

async function abort(
  deps: ResolveDeps,
  act: Act,
  checkout: Checkout,
  found: LoadedSale,
  key: Key,
  answer: Answer,
): Promise<void> {
  const undo = undoOf(checkout.plan.steps);
  await deps.store.abortByHand(act, byOperator, undo, key, answer);
  const { sale, shop } = found;
  const undone: Sale = { ...sale, state: 'COMPENSATING', version: sale.version + 1, refusal: byOperator };
  deps.background(() =>
    runCheckout(deps, { ...checkout, phase: 'COMPENSATING', refusal: byOperator, undo }, { sale: undone, shop }, 0),
  );
}

function aborted(sale: Sale): Sale {
  return { ...sale, state: 'ABORTED', version: sale.version + 1 };
}

async function openCheckoutOf({ store }: ResolveDeps, saleId: string): Promise<{ checkout: Checkout; found: LoadedSale }> {
  const checkout = await store.openCheckout(saleId);
  const found = checkout && (await store.loadSale(saleId, anywhere));
  if (!checkout || !found) {
    const known = await store.loadSale(saleId, anywhere);
    throw known
      ? new KassaError('not-found', { detail: `The sale is ${known.sale.state} and has no open checkout.` })
      : saleNotFound(saleId);
  }
  return { checkout, found };
}

function actOn({ newId }: ResolveDeps, act: Act['act'], checkout: Checkout, { saleId, reason, caller }: ResolveInput): Act {
  const { attempt, phase, tries, refusal, undo } = checkout;
  return { id: newId(), subject: caller.subject, act, saleId, attempt, reason, facts: { phase, tries, refusal, undo } };
}

function actAnswer({ id, act, saleId, attempt }: Act, { phase }: Checkout): Answer {
  return {
    status: 202,
    body: { actId: id, act, saleId, attempt, phaseBefore: phase },
    headers: { location: `/v1/sales/${saleId}` },
  };
}
