import type { Merchant } from '../clients.ts';
import { toMerchant } from '../domain/operation.ts';
import type { Events } from '../events.ts';
import type { DueEvent, Store } from '../store.ts';

export interface DeliverEventsDeps {
  store: Store;
  merchant: Merchant;
  events: Events;
  settings: {
    /** Milliseconds before the second attempt; doubles with each one, up to an hour. */
    EVENT_RETRY_MS: number;
    /** Attempts after which an event is given up. */
    EVENT_ATTEMPTS_MAX: number;
  };
}

/**
 * Delivers all events that are due, or those of one operation; answers how many there were. An event is marked only after the merchant took it, so he
 * may see one twice, never not at all. One he refuses is due again later.
 */
export async function deliverEvents(deps: DeliverEventsDeps, providerKey?: string): Promise<number> {
  const { EVENT_RETRY_MS: retryMs, EVENT_ATTEMPTS_MAX: attemptsMax } = deps.settings;
  const due = await deps.store.claimEvents({ ...(providerKey === undefined ? {} : { providerKey }), retryMs, attemptsMax });
  await Promise.all(due.map((event) => deliver(deps, event)));
  return due.length;
}

async function deliver(deps: DeliverEventsDeps, event: DueEvent): Promise<void> {
  const recorded = await deps.store.find(event.providerKey);
  if (!recorded) throw new Error(`event ${event.id} has no operation`);
  // An event says how an operation ended; one that comes before the end of a pending operation would say nothing.
  const payload = {
    id: event.id,
    type: 'operation.updated',
    operation: toMerchant({ ...recorded.operation, status: recorded.outcome }),
  };
  try {
    for (let copy = 0; copy < event.copies; copy += 1) await deps.merchant.send({ id: event.id, payload });
  } catch (error) {
    deps.events.eventRefused(event, error);
    return;
  }
  await deps.store.markDelivered(event.id);
  deps.events.eventDelivered();
}
