import type { Store } from '../store.ts';
import type { Checkout } from '../store/checkouts.ts';
import { runCheckout, type CheckoutDeps } from './run-checkout.ts';

export interface ResumeDeps extends CheckoutDeps {
  store: CheckoutDeps['store'] & Pick<Store, 'takeDue' | 'loadSale'>;
}

/** How many are taken at once; they are worked on side by side. */
const atOnce = 8;

/**
 * Goes on with checkouts nobody works on: those a dead process left, those that were put off, and completed sales whose stock is still to
 * be consumed. Any replica may do it, on the database's clock. Where nothing is due this is one statement. Answers whether there may be more.
 */
export async function resumeCheckouts(deps: ResumeDeps): Promise<boolean> {
  const { taken, oldestAgeSeconds } = await deps.store.takeDue(atOnce);
  deps.events.oldestCheckout(oldestAgeSeconds);
  await Promise.all(taken.map((checkout) => resume(deps, checkout)));
  return taken.length === atOnce;
}

async function resume(deps: ResumeDeps, checkout: Checkout): Promise<void> {
  const found = await deps.store.loadSale(checkout.saleId, { shopId: null, registerId: null });
  if (!found) throw new Error(`checkout of ${checkout.saleId} has no sale, or its shop is not known here`);
  await runCheckout(deps, checkout, found, 0);
}
