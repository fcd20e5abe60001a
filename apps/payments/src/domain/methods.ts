/** How a customer pays. */
export const methods = ['cash', 'terminal', 'online'] as const;
export type Method = (typeof methods)[number];

export interface MethodFacts {
  /** Who moves the money: this service by itself, or the provider behind clients.ts. */
  settledBy: 'kassa' | 'provider';
  channels: readonly ('store' | 'web')[];
  /** Whether the amount can be held first and taken later. */
  canAuthorise: boolean;
  /** Milliseconds an authorisation can be captured; absent where there are none. */
  authorisationTtlMs?: number;
}

const dayMs = 86_400_000;

/**
 * The methods as data. Card authorisations hold seven days, the shortest of the schemes' terms for card-present and e-commerce
 * (Visa Core Rules, Mastercard Transaction Processing Rules).
 */
export const methodFacts: Record<Method, MethodFacts> = {
  cash: { settledBy: 'kassa', channels: ['store'], canAuthorise: false },
  terminal: { settledBy: 'provider', channels: ['store'], canAuthorise: true, authorisationTtlMs: 7 * dayMs },
  online: { settledBy: 'provider', channels: ['web'], canAuthorise: true, authorisationTtlMs: 7 * dayMs },
};

/** The methods whose movements are final as soon as they are written down. */
export const instantMethods: readonly Method[] = methods.filter((method) => methodFacts[method].settledBy === 'kassa');

/** Why a method cannot be used like that, in words for the client; undefined where it can. */
export function methodFault(method: Method, channel: 'store' | 'web', command: 'authorise' | 'purchase'): string | undefined {
  const facts = methodFacts[method];
  if (!facts.channels.includes(channel)) return `${method} is not taken in the channel ${channel}.`;
  if (command === 'authorise' && !facts.canAuthorise) return `${method} is paid at once; it cannot be authorised first.`;
  return undefined;
}
