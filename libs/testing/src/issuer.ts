import { randomUUID } from 'node:crypto';
import {
  OAuth2Server,
  type MutableResponse,
  type MutableToken,
  type Payload,
  type TokenRequestIncomingMessage,
} from 'oauth2-mock-server';
import type { Role } from '@kassa/auth';

/** Who a token speaks for. All fields may be left out: a cashier of register dk-001-01, logged in just now. */
export interface Person {
  role?: Role;
  roles?: Role[];
  /** Id of a shop, such as `dk-001`; null leaves the claim out. */
  shop?: string | null;
  /** Id of a register, such as `dk-001-01`; null leaves the claim out. */
  register?: string | null;
  sub?: string;
  /** Id of the login session. */
  sid?: string;
  /** Login time in seconds since 1970. */
  authTime?: number;
  audience?: string;
  /** A token whose time ran out a minute ago. */
  expired?: boolean;
  expiresInSeconds?: number;
}

export interface Issuer {
  /** Value of OIDC_ISSUER; its keys are at /jwks, its token endpoint at /token. */
  url: string;
  /** A signed access token. */
  token(person?: Person): Promise<string>;
  /** A token of a service calling another one. */
  serviceToken(service: string): Promise<string>;
  /** The signing key with its private part, to be kept by whoever starts the same issuer again. */
  key: Record<string, unknown>;
  stop(): Promise<void>;
}

export interface IssuerOptions {
  /** The address it listens on; default: 127.0.0.1, which only this machine reaches. */
  host?: string;
  /** 0, the default, takes any free port. */
  port?: number;
  /** A key from an earlier `Issuer.key`; a new one is made otherwise. */
  key?: Record<string, unknown>;
  /** Secret by client id. The client `desk` may ask for tokens of persons, every other one for its own service token only. Absent: nobody is checked. */
  secrets?: Record<string, string>;
}

/**
 * An OIDC issuer for tests and development: RS256 keys at /jwks, the client credentials grant at /token. A token of a
 * person is asked for with the extra form fields roles (separated by blanks), sub, shop, register, sid, auth_time and expires_in.
 */
export async function startIssuer(options: IssuerOptions = {}): Promise<Issuer> {
  const server = new OAuth2Server();
  const key = options.key
    ? await server.issuer.keys.add(options.key)
    : await server.issuer.keys.generate('RS256', { kid: `kassa-${randomUUID().slice(0, 8)}` });
  const host = options.host ?? '127.0.0.1';
  await server.start(options.port ?? 0, host);
  const url = `http://${host}:${server.address().port}`;
  server.issuer.url = url;

  server.service.on('beforeTokenSigning', (token: MutableToken, request: TokenRequestIncomingMessage) => {
    const form = formOf(request);
    const claims = form['roles'] === undefined ? serviceClaims(credentials(request).id) : personClaims(personOf(form));
    Object.assign(token.payload, claims, { exp: Math.floor(Date.now() / 1000) + lifetimeOf(form) });
  });
  server.service.on('beforeResponse', (response: MutableResponse, request: TokenRequestIncomingMessage) => {
    Object.assign(response.body as object, { expires_in: lifetimeOf(formOf(request)) });
    if (options.secrets && !mayAsk(request, options.secrets))
      Object.assign(response, { statusCode: 401, body: { error: 'invalid_client' } });
  });

  const sign = (claims: Payload | object, expiresIn: number) =>
    server.issuer.buildToken({ expiresIn, scopesOrTransform: (_header, payload) => void Object.assign(payload, claims) });
  return {
    url,
    key,
    token: (person = {}) => sign(personClaims(person), person.expired ? -60 : (person.expiresInSeconds ?? 3600)),
    serviceToken: (service) => sign(serviceClaims(service), 3600),
    stop: () => server.stop(),
  };
}

/** An issuer that signs for every client, whatever its secret. */
export const testIssuer = (): Promise<Issuer> => startIssuer();

function personClaims(person: Person): object {
  const shop = person.shop === undefined ? 'dk-001' : person.shop;
  const register = person.register === undefined && shop !== null ? `${shop}-01` : person.register;
  return {
    sub: person.sub ?? 'employee-1',
    aud: person.audience ?? 'kassa',
    roles: person.roles ?? [person.role ?? 'cashier'],
    ...(shop === null ? {} : { shop }),
    ...(register ? { register } : {}),
    sid: person.sid ?? randomUUID(),
    auth_time: person.authTime ?? Math.floor(Date.now() / 1000),
  };
}

function serviceClaims(service: string): object {
  return { sub: service, aud: 'kassa', roles: ['service'], auth_time: Math.floor(Date.now() / 1000) };
}

function personOf(form: Record<string, string | undefined>): Person {
  return {
    roles: (form['roles'] ?? '').split(' ').filter(Boolean) as Role[],
    shop: form['shop'] ?? null,
    register: form['register'] ?? null,
    ...(form['sub'] ? { sub: form['sub'] } : {}),
    ...(form['sid'] ? { sid: form['sid'] } : {}),
    ...(form['auth_time'] ? { authTime: Number(form['auth_time']) } : {}),
  };
}

const formOf = (request: TokenRequestIncomingMessage) => request.body as unknown as Record<string, string | undefined>;

/** Seconds, an hour if the form does not say. */
function lifetimeOf(form: Record<string, string | undefined>): number {
  const asked = Number(form['expires_in'] ?? 3600);
  return Number.isInteger(asked) && asked > 0 ? asked : 3600;
}

/** From the form, or from HTTP Basic (RFC 6749 §2.3.1). */
function credentials(request: TokenRequestIncomingMessage): { id: string; secret: string } {
  const form = formOf(request);
  const [scheme, encoded] = (request.headers.authorization ?? '').split(' ');
  if (scheme?.toLowerCase() !== 'basic') return { id: form['client_id'] ?? '', secret: form['client_secret'] ?? '' };
  const [id = '', secret = ''] = Buffer.from(encoded ?? '', 'base64')
    .toString()
    .split(':')
    .map(decodeURIComponent);
  return { id, secret };
}

function mayAsk(request: TokenRequestIncomingMessage, secrets: Record<string, string>): boolean {
  const { id, secret } = credentials(request);
  const form = formOf(request);
  const isPerson = form['roles'] !== undefined;
  const isRight = Object.hasOwn(secrets, id) && secrets[id] === secret;
  return isRight && isPerson === (id === 'desk') && !form['roles']?.split(' ').includes('service');
}
