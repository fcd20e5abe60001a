import { KassaError } from '@kassa/problem';
import { behaviourOf, type Behaviour } from '../domain/behaviour.ts';
import {
  beginsPayment,
  issuerFacts,
  isSameRequest,
  refusalOf,
  type Operation,
  type OperationRequest,
  type Original,
} from '../domain/operation.ts';
import type { Events } from '../events.ts';
import type { Decision, Recorded, Store } from '../store.ts';

export interface TakeOperationDeps {
  store: Store;
  events: Events;
  /** Delivers the events of one operation now. */
  deliverEvents(providerKey: string): Promise<void>;
  /** Resolves after so many milliseconds; rejects with unavailable when the caller is gone or the process ends. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
  settings: TimingSettings;
}

export interface TimingSettings {
  /** How long a card holder takes at the terminal. */
  TERMINAL_DELAY_MS: number;
  /** How late a late answer is. */
  LATE_MS: number;
  /** How late an operation arrives that was under way for long. */
  ARRIVAL_MS: number;
  /** How long after its reply an operation's event is sent. */
  EVENT_DELAY_MS: number;
  /** After how long an event nobody took is sent again. */
  EVENT_RETRY_MS: number;
}

/**
 * Takes an operation the way its test card or amount says. It is on record before anyone hears of it, an event first included, and
 * a key seen before gets the recorded operation: nothing happens twice, whatever the behaviour.
 * Errors: idempotency-key-reused where the key came with other content; unavailable where the card world is down.
 */
export async function takeOperation(deps: TakeOperationDeps, request: OperationRequest, signal: AbortSignal): Promise<Operation> {
  const behaviour = await behaviourFor(deps, request);
  const seen = behaviour.outcome === 'nothing' ? await deps.store.find(request.providerKey) : undefined;
  if (behaviour.outcome === 'nothing' && !seen) return nothingHappens(deps, behaviour, signal);
  // It is on its way, and goes on being so when whoever sent it has gone.
  if (behaviour.arrivesLate) await deps.wait(deps.settings.ARRIVAL_MS, new AbortController().signal);

  const completesAfterMs = durationOf(request, behaviour, deps.settings);
  const { isNew, ...recorded } =
    seen === undefined
      ? await deps.store.record(request, (original) => decide(request, behaviour, original, completesAfterMs, deps.settings))
      : { ...seen, isNew: false };
  if (!isNew) return repetition(request, recorded);

  deps.events.operationTaken(recorded.operation, recorded.outcome);
  if (behaviour.events.some((event) => event.when === 'before-reply')) await deps.deliverEvents(request.providerKey);
  if (behaviour.reply === 'never') await deps.wait(forever, signal);
  await deps.wait(completesAfterMs, signal);
  return { ...recorded.operation, status: recorded.outcome };
}

const forever = Number.POSITIVE_INFINITY;

/** On the web the card that began the payment decides its later steps, too; a capture carries no card. */
async function behaviourFor(deps: TakeOperationDeps, request: OperationRequest): Promise<Behaviour> {
  if (beginsPayment(request.kind) || request.channel === 'terminal' || request.originalKey === undefined)
    return behaviourOf(request);
  const original = await deps.store.find(request.originalKey);
  return behaviourOf({ ...request, instrument: original?.operation.instrument ?? request.instrument });
}

async function nothingHappens(deps: TakeOperationDeps, behaviour: Behaviour, signal: AbortSignal): Promise<never> {
  if (behaviour.isDown !== true) await deps.wait(forever, signal);
  throw new KassaError('unavailable', { detail: 'The card world is down; nothing took place.', retryAfterSeconds: 5 });
}

/** What is answered for a key that is on record. Error: idempotency-key-reused where it came with other content. */
export function repetition(request: OperationRequest, recorded: Recorded): Operation {
  if (isSameRequest(request, recorded.operation)) return recorded.operation;
  throw new KassaError('idempotency-key-reused', { detail: `Operation ${request.providerKey} is another one.` });
}

function durationOf(request: OperationRequest, behaviour: Behaviour, settings: TimingSettings): number {
  if (behaviour.reply === 'late') return settings.LATE_MS;
  return request.channel === 'terminal' && beginsPayment(request.kind) ? settings.TERMINAL_DELAY_MS : 0;
}

function decide(
  request: OperationRequest,
  behaviour: Behaviour,
  original: Original | undefined,
  completesAfterMs: number,
  settings: TimingSettings,
): Decision {
  const events = behaviour.events.map((event) => ({
    ...event,
    // One that comes before the reply is delivered below; it is due by itself only in case this process dies before that.
    dueAfterMs: event.when === 'before-reply' ? settings.EVENT_RETRY_MS : completesAfterMs + settings.EVENT_DELAY_MS,
  }));
  const declineCode = beginsPayment(request.kind)
    ? behaviour.declineCode
    : (refusalOf(request, original) ?? behaviour.declineCode);
  if (declineCode !== undefined)
    return { outcome: 'declined', declineCode, takenMinor: request.amountMinor, completesAfterMs, events };
  const takenMinor = behaviour.takesOtherAmount ? Math.max(request.amountMinor - 1, 0) : request.amountMinor;
  return { outcome: 'approved', ...issuerFacts(request), takenMinor, completesAfterMs, events };
}
