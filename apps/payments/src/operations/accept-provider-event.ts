import type { Headers } from '../clients.ts';
import { judgeAnswer } from '../domain/transaction.ts';
import { tell, type Deps } from './settle-transaction.ts';

/**
 * Takes an event of the provider: what it says of a transaction is written down once, however often and in whatever order events come,
 * before or after the provider's reply. An event about a transaction that is not ours, or about nothing we know, changes nothing and is
 * taken all the same: sending it again would not help.
 * Errors: signature-invalid.
 */
export async function acceptProviderEvent(deps: Deps, { headers, body }: { headers: Headers; body: Buffer }): Promise<void> {
  const event = deps.provider.readEvent(headers, body, deps.now());
  if (event === undefined)
    return deps.events.eventIgnored({ eventId: String(headers['webhook-id']) }, 'it is not about an operation');
  const about = { eventId: event.id, transactionId: event.transactionId };
  const found = await deps.store.find(event.transactionId);
  if (!found) return deps.events.eventIgnored(about, 'it is about a transaction that is not ours');
  const verdict = judgeAnswer(found.transaction, event.answer);
  if (verdict.status === 'UNKNOWN') return deps.events.eventIgnored(about, verdict.note);
  const finished = await deps.store.finishByEvent({ provider: deps.provider.name, id: event.id }, found.transaction, verdict);
  if (finished) tell(deps, finished, verdict);
}
