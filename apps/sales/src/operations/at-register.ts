import type { Caller } from '@kassa/auth';
import { KassaError } from '@kassa/problem';
import type { Actor } from '../domain/checkout.ts';
import type { SignedIn } from '../store.ts';

/** The caller as one who stands at a register. Error: register-required. */
export function atRegister(caller: Caller): SignedIn {
  const { subject, shopId, registerId, sessionId, authTime } = caller;
  if (shopId === undefined || registerId === undefined) {
    throw new KassaError('register-required', { detail: 'The token must name a shop and a register.' });
  }
  return { subject, shopId, registerId, sessionId: sessionId ?? subject, authTime };
}

/** The shop whose sales a caller may see; null for an operator, who sees all. Error: register-required. */
export function shopOf(caller: Caller): string | null {
  if (caller.roles.includes('operator')) return null;
  if (caller.shopId === undefined) throw new KassaError('register-required', { detail: 'The token must name a shop.' });
  return caller.shopId;
}

/** The person as data, for neighbours and for a checkout that outlives the token. */
export function actorOf(caller: Caller, by: SignedIn): Actor {
  return { subject: caller.subject, role: caller.roles[0] ?? 'cashier', shopId: by.shopId, registerId: by.registerId };
}

export function saleNotFound(saleId: string): KassaError {
  return new KassaError('not-found', { detail: `There is no sale ${saleId} in this shop.` });
}
