import { createRemoteJWKSet, errors, jwtVerify, type JWTPayload, type JWTVerifyGetKey } from 'jose';
import { KassaError } from '@kassa/problem';

/** What people and services may be. A role is a claim of the token; which role may call a route stands at the route. */
export const roles = ['cashier', 'supervisor', 'stock-clerk', 'web-shop', 'operator', 'service'] as const;
export type Role = (typeof roles)[number];

/** Who calls, as the token says. */
export interface Caller {
  /** An opaque id, never a name. */
  subject: string;
  roles: readonly Role[];
  shopId?: string;
  registerId?: string;
  /** The sign-in at a register; a later one (by authTime) ends the earlier. */
  sessionId?: string;
  /** Seconds since the epoch at which the person signed in. */
  authTime: number;
}

export interface AuthenticatorOptions {
  issuer: string;
  audience: string;
  jwksUri: string;
  /** Seconds by which clocks may differ. */
  clockToleranceSeconds?: number;
}

const cacheMax = 10_000;

/**
 * Checks bearer tokens (RFC 6750, RFC 9068) against the issuer's keys, which are fetched once and again when an unknown key id shows up.
 * A token that was valid is remembered until it expires, so that a till's next request costs no signature check.
 * Errors: unauthenticated; unavailable where the issuer's keys cannot be fetched.
 */
export function createAuthenticator(options: AuthenticatorOptions): (authorization: string | undefined) => Promise<Caller> {
  const keys = createRemoteJWKSet(new URL(options.jwksUri), { cooldownDuration: 5_000, timeoutDuration: 3_000 });
  const seen = new Map<string, { caller: Caller; expiresAtMs: number }>();
  const tolerance = options.clockToleranceSeconds ?? 5;

  return async (authorization) => {
    const header = authorization ?? '';
    const known = seen.get(header);
    if (known && known.expiresAtMs > Date.now()) return known.caller;
    const token = /^Bearer ([\w.~+/-]+=*)$/i.exec(header)?.[1];
    if (token === undefined) throw new KassaError('unauthenticated', { detail: 'Send Authorization: Bearer <token>.' });
    const payload = await verify(token, keys, options, tolerance);
    const caller = toCaller(payload);
    if (seen.size >= cacheMax) seen.delete(seen.keys().next().value as string);
    seen.set(header, { caller, expiresAtMs: ((payload.exp ?? 0) + tolerance) * 1000 });
    return caller;
  };
}

async function verify(
  token: string,
  keys: JWTVerifyGetKey,
  options: AuthenticatorOptions,
  clockTolerance: number,
): Promise<JWTPayload> {
  try {
    const { payload } = await jwtVerify(token, keys, {
      issuer: options.issuer,
      audience: options.audience,
      algorithms: ['RS256', 'ES256', 'PS256'],
      requiredClaims: ['exp', 'sub', 'iat'],
      clockTolerance,
    });
    return payload;
  } catch (cause) {
    if (cause instanceof errors.JWKSTimeout || !(cause instanceof errors.JOSEError) || cause.code === 'ERR_JOSE_GENERIC') {
      throw new KassaError('unavailable', {
        detail: 'The keys of the token issuer cannot be fetched.',
        retryAfterSeconds: 2,
        cause,
      });
    }
    const detail =
      cause instanceof errors.JWTExpired ? 'The token has expired; fetch a new one.' : 'The token is not valid here.';
    throw new KassaError('unauthenticated', { detail, cause });
  }
}

function toCaller(payload: JWTPayload): Caller {
  const claimed = Array.isArray(payload['roles']) ? payload['roles'] : [];
  const authTime = payload['auth_time'];
  return Object.freeze({
    subject: payload.sub as string,
    roles: roles.filter((role) => claimed.includes(role)),
    ...claim('shopId', payload['shop']),
    ...claim('registerId', payload['register']),
    ...claim('sessionId', payload['sid']),
    authTime: typeof authTime === 'number' ? authTime : (payload.iat as number),
  });
}

function claim<Name extends string>(name: Name, value: unknown): { [N in Name]?: string } {
  return typeof value === 'string' && value !== '' ? ({ [name]: value } as { [N in Name]?: string }) : {};
}
