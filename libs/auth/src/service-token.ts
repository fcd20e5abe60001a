import { KassaError } from '@kassa/problem';

export interface ServiceTokenOptions {
  /** The issuer's token endpoint. */
  tokenUrl: string;
  clientId: string;
  /** A function is asked at each new token, so that a changed secret is taken up. */
  clientSecret: string | (() => string);
  /** Milliseconds the issuer may take to answer. */
  timeoutMs?: number;
}

// A token is renewed this long before it ends, so that none expires on its way.
const renewBeforeMs = 60_000;

/**
 * This service's own token by client credentials (RFC 6749 §4.4), fetched when first needed and renewed before it expires.
 * While the issuer is away a token that still holds goes on being used.
 * Error: unavailable where there is none to use.
 */
export function createServiceToken(options: ServiceTokenOptions): () => Promise<string> {
  let token: { value: string; expiresAtMs: number } | undefined;
  let pending: Promise<string> | undefined;

  async function renew(): Promise<string> {
    try {
      token = await fetchToken(options);
      return token.value;
    } catch (cause) {
      if (token && token.expiresAtMs > Date.now()) return token.value;
      throw new KassaError('unavailable', { detail: 'The token issuer does not answer.', retryAfterSeconds: 2, cause });
    } finally {
      pending = undefined;
    }
  }

  return () => {
    if (token && token.expiresAtMs - renewBeforeMs > Date.now()) return Promise.resolve(token.value);
    pending ??= renew();
    return pending;
  };
}

async function fetchToken(options: ServiceTokenOptions): Promise<{ value: string; expiresAtMs: number }> {
  const { clientSecret } = options;
  const form = new URLSearchParams({
    grant_type: 'client_credentials',
    client_id: options.clientId,
    client_secret: typeof clientSecret === 'string' ? clientSecret : clientSecret(),
  });
  const response = await fetch(options.tokenUrl, {
    method: 'POST',
    body: form,
    signal: AbortSignal.timeout(options.timeoutMs ?? 3_000),
  });
  if (!response.ok) throw new Error(`the token endpoint answered ${response.status}`);
  const reply = (await response.json()) as { access_token?: unknown; expires_in?: unknown };
  if (typeof reply.access_token !== 'string' || typeof reply.expires_in !== 'number')
    throw new Error('the token endpoint answered no token');
  return { value: reply.access_token, expiresAtMs: Date.now() + reply.expires_in * 1000 };
}
