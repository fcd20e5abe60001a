import http from 'k6/http';

/** Who signs in, with what a token says of them. */
export interface Person {
  sub: string;
  roles: string;
  shop?: string;
  register?: string;
}

/** The headers of someone who is signed in. */
export type SignedIn = () => Record<string, string>;

const env = __ENV;
/** Short, so that every test of a minute or more also renews its tokens. */
const lifetimeSeconds = 60;
const tryAgainMax = 20;

/**
 * Signs a person in, and returns what gives the headers of their next request: with the same token, or a new one of the same session
 * when a third of its time is left, and with the shop, by which the edge finds its pilot.
 */
export function signIn(person: Person): SignedIn {
  const signedInAt = Math.floor(Date.now() / 1000);
  const session = { sid: `${person.sub}-${signedInAt}`, auth_time: String(signedInAt) };
  const shop = person.shop === undefined ? {} : { 'x-kassa-shop': person.shop };
  let headers: Record<string, string> = {};
  let renewAt = 0;
  return () => {
    if (Date.now() < renewAt) return headers;
    headers = { authorization: `Bearer ${fetchToken({ ...person, ...session })}`, ...shop };
    renewAt = Date.now() + (lifetimeSeconds * 1000 * 2) / 3;
    return headers;
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
