import type { Caller, Role } from '@kassa/auth';
import type { Answer, HttpServer } from '@kassa/http';
import type { Key } from '@kassa/idempotency';
import { KassaError } from '@kassa/problem';
import { actingRole } from '../domain/shop-scope.ts';
import type { ImportFileDeps } from '../operations/import-file.ts';
import type { Actor, Keyed } from '../store.ts';

export type Server = HttpServer<Caller, Key, Role>;

export interface HttpDeps extends ImportFileDeps {
  reservationTtlMs: number;
}

// Who may call.
export const sellers = ['cashier', 'supervisor', 'web-shop', 'operator'] as const;
export const readers = [...sellers, 'stock-clerk'] as const;
export const clerks = ['stock-clerk', 'operator'] as const;
export const operators = ['operator'] as const;

/** A write at most once per key. The act carries the key, with the answer it records, in its own statement. */
export function writer({ idempotency }: HttpDeps) {
  return (key: Key, status: number, headers: Record<string, string>, act: (keyed: Keyed) => Promise<unknown>): Promise<Answer> =>
    idempotency.once(key, async () => ({ status, headers, body: await act({ key, status, headers }) }));
}

export function actor(caller: Caller): Actor {
  return { subject: caller.subject, role: actingRole(caller) };
}

export function missing(thing: string): never {
  throw new KassaError('not-found', { detail: `There is no such ${thing} here.` });
}
