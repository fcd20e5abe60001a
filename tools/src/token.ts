import { parseArgs } from 'node:util';
import { randomUUID } from 'node:crypto';
import { Failure, runCommand } from './failure.ts';
import { readSystem, type System } from './system.ts';

export interface TokenRequest {
  roles: string[];
  shop?: string;
  register?: string;
  /** Opaque id of the person. */
  subject?: string;
  expiresInSeconds?: number;
}

/** Asks an issuer for a token of a person who logs in now: a new session each time. Throws Failure. */
export async function fetchToken({ issuer }: { issuer: Omit<System['issuer'], 'url'> }, request: TokenRequest): Promise<string> {
  const { tokenUrl, clientId, clientSecret } = issuer;
  const form = new URLSearchParams({
    grant_type: 'client_credentials',
    client_id: clientId,
    client_secret: clientSecret,
    roles: request.roles.join(' '),
    sub: request.subject ?? 'employee-1',
    sid: randomUUID(),
    expires_in: String(request.expiresInSeconds ?? workday),
  });
  if (request.shop) form.set('shop', request.shop);
  if (request.register) form.set('register', request.register);
  const response = await fetch(tokenUrl, { method: 'POST', body: form, signal: AbortSignal.timeout(5_000) }).catch(
    (error: Error) => {
      throw new Failure(`The token issuer at ${tokenUrl} cannot be reached: ${error.message}.`);
    },
  );
  if (!response.ok) throw new Failure(`The token issuer at ${tokenUrl} answered ${response.status}: ${await response.text()}`);
  return ((await response.json()) as { access_token: string }).access_token;
}

/** Seconds a token is good for: a person logs in once a working day. */
const workday = 8 * 3600;

const help = `npm run -s token -- --role cashier --shop dk-001 --register dk-001-01

  --role       cashier (default), supervisor, stock-clerk, web-shop or operator; several separated by commas
  --shop       default dk-001 for roles that work in a shop
  --register   default: the shop's first
  --sub        id of the person, default employee-1
  --hours      how long it is good for, default 8`;

const roles = ['cashier', 'supervisor', 'stock-clerk', 'web-shop', 'operator'];
const inShop = ['cashier', 'supervisor', 'stock-clerk'];

async function main(): Promise<void> {
  const text = { type: 'string' } as const;
  const options = { role: text, shop: text, register: text, sub: text, hours: text, help: { type: 'boolean' } } as const;
  let values;
  try {
    values = parseArgs({ options, strict: true }).values;
  } catch (error) {
    throw new Failure(`${(error as Error).message}\n\n${help}`);
  }
  if (values.help) return console.log(help);
  const wanted = (values.role ?? 'cashier').split(',');
  const unknown = wanted.find((role) => !roles.includes(role));
  if (unknown !== undefined) throw new Failure(`There is no role "${unknown}"; there are ${roles.join(', ')}.`);
  const hours = Number(values.hours ?? 8);
  if (!(hours > 0 && hours <= 24 * 365)) throw new Failure('--hours takes a number above 0.');
  const shop = values.shop ?? (wanted.some((role) => inShop.includes(role)) ? 'dk-001' : undefined);
  const register = values.register ?? (shop === undefined ? undefined : `${shop}-01`);
  const token = await fetchToken(readSystem(process.env), {
    roles: wanted,
    expiresInSeconds: Math.round(hours * 3600),
    ...(shop === undefined ? {} : { shop }),
    ...(register === undefined ? {} : { register }),
    ...(values.sub === undefined ? {} : { subject: values.sub }),
  });
  console.log(token);
}

if (import.meta.main) await runCommand(main);
