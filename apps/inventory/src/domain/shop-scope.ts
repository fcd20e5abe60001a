import { KassaError } from '@kassa/problem';

/** As much of a caller as decides where he may act. */
export interface Person {
  subject: string;
  roles: readonly string[];
  shopId?: string;
}

/** The shop whose stock a person sees; undefined for those who belong to none and see all. Error: forbidden without a shop. */
export function boundShop(person: Person): string | undefined {
  if (person.roles.includes('operator') || person.roles.includes('web-shop')) return undefined;
  if (person.shopId === undefined) throw new KassaError('forbidden', { detail: 'The token names no shop.' });
  return person.shopId;
}

/**
 * The shop a request is about: the caller's own, or the one that somebody who belongs to no shop names.
 * Errors: not-found for another's shop, so that nobody learns of it; validation-failed where none is named and none is given by the token.
 */
export function shopOf(person: Person, named: string | undefined, pointer: string): string {
  const own = boundShop(person);
  if (own !== undefined && named !== undefined && named !== own)
    throw new KassaError('not-found', { detail: 'There is no such shop here.' });
  const shopId = own ?? named;
  if (shopId === undefined) throw new KassaError('validation-failed', { errors: [{ pointer, detail: 'must name a shop' }] });
  return shopId;
}

/** The role a person acts in, for records that name one. */
export function actingRole({ roles }: Person): string {
  return (
    ['operator', 'web-shop', 'stock-clerk', 'supervisor', 'cashier', 'service'].find((role) => roles.includes(role)) ?? 'none'
  );
}
