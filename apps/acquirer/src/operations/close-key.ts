import type { Operation, OperationRequest } from '../domain/operation.ts';
import type { TakeOperationDeps } from './take-operation.ts';
import { repetition } from './take-operation.ts';

/**
 * Closes the key of an operation: answers what became of it, and where it never came, puts it on record as declined, so that it is
 * refused when it comes later. Whichever is recorded first wins; the database's unique key decides.
 * Errors: idempotency-key-reused where the key is that of another operation.
 */
export async function closeKey(deps: Pick<TakeOperationDeps, 'store' | 'events'>, request: OperationRequest): Promise<Operation> {
  const { isNew, ...recorded } = await deps.store.record(request, () => ({
    outcome: 'declined',
    declineCode: 'closed',
    takenMinor: request.amountMinor,
    completesAfterMs: 0,
    events: [],
  }));
  if (isNew) deps.events.operationTaken(recorded.operation, recorded.outcome);
  return repetition(request, recorded);
}
