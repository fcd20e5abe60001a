import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { createAuthenticator } from '@kassa/auth';
import { createLogger } from '@kassa/telemetry';
import { eventually, testDatabase, testIssuer, type Issuer, type Person } from '@kassa/testing';
import pg from 'pg';
import { createApp, type App, type Overrides } from '../src/app.ts';
import { readConfig } from '../src/config.ts';
import { startInventory, startPayments, type TestInventory, type TestPayments } from './neighbours.ts';

export interface Reply {
  status: number;
  body: any; // eslint-disable-line @typescript-eslint/no-explicit-any -- a test looks into replies as a client does
  headers: Headers;
  text: string;
}

export interface Send {
  body?: unknown;
  key?: string;
  ifMatch?: number | string;
  headers?: Record<string, string>;
}

/** A client with one token. Every write gets a key of its own unless the test names one. */
export interface Client {
  get(path: string): Promise<Reply>;
  post(path: string, body?: unknown, send?: Send): Promise<Reply>;
  patch(path: string, body: unknown, send?: Send): Promise<Reply>;
  delete(path: string, send?: Send): Promise<Reply>;
  request(method: string, path: string, send?: Send): Promise<Reply>;
}

export interface Room {
  url: string;
  grpc: string;
  /** A second process of the service on the same database, as a replica is. */
  replica(): Promise<{ url: string; close(): Promise<void> }>;
  issuer: Issuer;
  inventory: TestInventory;
  payments: TestPayments;
  db: pg.Pool;
  as(person?: Person): Promise<Client>;
  close(): Promise<void>;
}

export const folder = fileURLToPath(new URL('..', import.meta.url));

/** The room on a real PostgreSQL, with a real issuer and neighbours behind real gRPC. `settings` go on top of short times. */
export async function openRoom(settings: Record<string, string> = {}, overrides: Partial<Overrides> = {}): Promise<Room> {
  const database = await testDatabase(folder);
  const issuer = await testIssuer();
  const authenticate = createAuthenticator({ issuer: issuer.url, audience: 'kassa', jwksUri: `${issuer.url}/jwks` });
  const inventory = await startInventory(authenticate);
  const payments = await startPayments(authenticate);
  const config = readConfig({
    NODE_ENV: 'test',
    HOST: '127.0.0.1',
    HTTP_PORT: '0',
    GRPC_PORT: '0',
    HEALTH_PORT: '0',
    DATABASE_URL: database.url,
    OIDC_ISSUER: issuer.url,
    SERVICE_CLIENT_ID: 'sales',
    SERVICE_CLIENT_SECRET: 'secret-of-the-tests',
    INVENTORY_GRPC: inventory.address,
    PAYMENTS_GRPC: payments.address,
    CALL_DEADLINE_MS: '1000',
    PAYMENT_DEADLINE_MS: '2000',
    CHECKOUT_LEASE_MS: '600',
    CHECKOUT_RESUME_EVERY_MS: '100',
    CHECKOUT_BACKOFF_MAX_MS: '200',
    CHECKOUT_WAIT_MS: '2000',
    CHECKOUT_STUCK_AFTER_MS: '1000',
    ...settings,
  });
  const start = async (): Promise<{ app: App; url: string; grpc: string }> => {
    const app = await createApp(config, createLogger('sales', 'fatal'), overrides);
    const ports = await app.listen();
    return { app, url: `http://127.0.0.1:${ports.http}`, grpc: `127.0.0.1:${ports.grpc}` };
  };
  const { app, url, grpc } = await start();
  const db = new pg.Pool({ connectionString: database.url, max: 4 });
  await eventually(async () => {
    const { rows } = await db.query('SELECT 1 FROM feed_position');
    if (rows.length === 0) throw new Error('the catalogue has not come');
  });
  const room: Room = {
    url,
    grpc,
    issuer,
    inventory,
    payments,
    db,
    replica: async () => {
      const other = await start();
      return { url: other.url, close: () => other.app.close() };
    },
    as: async (person) => client(url, await issuer.token(person)),
    async close() {
      await app.close();
      await db.end();
      await inventory.close();
      await payments.close();
      await issuer.stop();
      await database.drop();
    },
  };
  const operator = await room.as({ role: 'operator', shop: null });
  await importCsv(operator, 'registers', registersCsv);
  await importCsv(operator, 'prices', pricesCsv);
  return room;
}

export const importCsv = (operator: Client, kind: string, csv: string | Uint8Array, send: Send = {}): Promise<Reply> =>
  operator.request('POST', `/v1/imports/${kind}`, {
    ...send,
    body: csv,
    headers: { 'content-type': 'text/csv', ...send.headers },
  });

export function client(url: string, token: string): Client {
  const request = async (method: string, path: string, { body, key, ifMatch, headers = {} }: Send = {}): Promise<Reply> => {
    const isRaw = typeof body === 'string' || body instanceof Uint8Array;
    const response = await fetch(url + path, {
      method,
      headers: {
        ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
        ...(method === 'GET' ? {} : { 'idempotency-key': key ?? randomUUID() }),
        ...(ifMatch === undefined ? {} : { 'if-match': typeof ifMatch === 'number' ? `"${ifMatch}"` : ifMatch }),
        ...(body === undefined || isRaw ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: isRaw ? (body as string) : JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.includes('json') === true;
    return { status: response.status, body: isJson ? JSON.parse(text) : undefined, headers: response.headers, text };
  };
  return {
    request,
    get: (path) => request('GET', path),
    post: (path, body, send) => request('POST', path, { ...send, body }),
    patch: (path, body, send) => request('PATCH', path, { ...send, body }),
    delete: (path, send) => request('DELETE', path, send),
  };
}

export const registersCsv = `register_id,shop_id,name,kind,terminal_id
dk-001-01,dk-001,Kasse 1,desktop,pos-dk-001-01
dk-001-02,dk-001,Kasse 2,mobile,
dk-001-03,dk-001,Kasse 3,desktop,pos-dk-001-03
dk-001-web,dk-001,Webshop,web,
dk-002-01,dk-002,Kasse 1,desktop,pos-dk-002-01
dk-999-01,dk-999,Kasse 1,desktop,pos-dk-999-01
no-001-01,no-001,Kasse 1,desktop,pos-no-001-01
`;

export const pricesCsv = `country,sku,price_minor,currency,valid_from,valid_to
dk,E1,12900,DKK,2024-01-01,2026-01-01
dk,E1,14924,DKK,2026-01-01,
dk,E2,999900,DKK,2024-01-01,
dk,E3,5000,DKK,2024-01-01,
dk,E5,3995,DKK,2024-01-01,
no,E1,29540,NOK,2024-01-01,
`;

/** One line and one card: 149.24 DKK at the terminal. */
export const cable = { lines: [{ gtin: '4006381333931' }] };
export const byCard = (amountMinor: number) => ({ tenders: [{ method: 'terminal', amountMinor }] });
