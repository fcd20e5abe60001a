import http from 'k6/http';

/** Who signs in, with what a token says of them. */
export interface Person {
  sub: string;
  roles: string;
  shop?: string;
  register?: string;
}

const env = __ENV;
/** Short, so that every test of a minute or more also renews its tokens. */
const lifetimeSeconds = 60;
const tryAgainMax = 20;

/**
 * Signs a person in, and returns what gives a token that is good for the next request: the same one, or a new one of the same
 * session when a third of its time is left.
 */
export function signIn(person: Person): () => string {
  const signedInAt = Math.floor(Date.now() / 1000);
  const session = { sid: `${person.sub}-${signedInAt}`, auth_time: String(signedInAt) };
  let token = '';
  let renewAt = 0;
  return () => {
    if (Date.now() < renewAt) return token;
    token = fetchToken({ ...person, ...session });
    renewAt = Date.now() + (lifetimeSeconds * 1000 * 2) / 3;
    return token;
  };
}

function fetchToken(claims: Person & Record<string, string>): string {
  const form = {
    grant_type: 'client_credentials',
    client_id: env['KASSA_CLIENT_ID'] ?? '',
    client_secret: env['KASSA_CLIENT_SECRET'] ?? '',
    expires_in: String(lifetimeSeconds),
    ...claims,
  };
  for (let tries = 1; ; tries++) {
    const response = http.post(env['KASSA_TOKEN_URL'] ?? '', form, { tags: { name: 'POST token' }, timeout: '10s' });
    if (response.status === 200) return (response.json() as { access_token: string }).access_token;
    if (tries === tryAgainMax) throw new Error(`The token issuer answered ${response.status}: ${String(response.body)}`);
  }
}
