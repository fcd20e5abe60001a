import { createHmac, randomUUID } from 'node:crypto';
import pg from 'pg';
import { uuidv7 } from 'uuidv7';
import { Method, paymentsDefinition } from '@kassa/contracts/payments';
import { createClient, type GrpcClient } from '@kassa/grpc';
import { createLogger } from '@kassa/telemetry';
import {
  eventually,
  freePort,
  roomFolder,
  startApp,
  testDatabase,
  testIssuer,
  type AppProcess,
  type Person,
} from '@kassa/testing';
import { openDatabase } from '@kassa/database';
import { createApp } from '../src/app.ts';
import { readConfig } from '../src/config.ts';
import { PrismaClient } from '../src/gen/prisma/client.ts';
import { createStore } from '../src/store.ts';

export const webhookSecret = `whsec_${Buffer.from('secret-of-the-webhook-tests').toString('base64')}`;
export const apiKey = 'key-of-the-tests-0001';

export interface Reply {
  status: number;
  headers: Headers;
  // Tests look at single members of bodies of many shapes.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  body: any;
}

export type Room = Awaited<ReturnType<typeof openRoom>>;

/** Payments in this process, on a real PostgreSQL, with the real acquirer as a process of its own that can be killed. */
export async function openRoom(env: Record<string, string> = {}, acquirerEnv: Record<string, string> = {}) {
  const [issuer, database, acquirerDatabase] = await Promise.all([
    testIssuer(),
    testDatabase(roomFolder('payments')),
    testDatabase(roomFolder('acquirer')),
  ]);
  const httpPort = await freePort();
  const acquirer: AppProcess = await startApp(roomFolder('acquirer'), {
    DATABASE_URL: acquirerDatabase.url,
    API_KEY: apiKey,
    WEBHOOK_URL: `http://127.0.0.1:${httpPort}/v1/provider-events/acquirer`,
    WEBHOOK_SECRET: webhookSecret,
    LATE_MS: '1200',
    ARRIVAL_MS: '4000',
    EVENT_DELAY_MS: '50',
    EVENT_POLL_MS: '50',
    EVENT_RETRY_MS: '200',
    ...acquirerEnv,
  });
  const config = readConfig({
    NODE_ENV: 'test',
    HOST: '127.0.0.1',
    HTTP_PORT: String(httpPort),
    GRPC_PORT: '0',
    HEALTH_PORT: '0',
    SHUTDOWN_TIMEOUT_MS: '2000',
    DATABASE_URL: database.url,
    DATABASE_POOL_MAX: '20',
    OIDC_ISSUER: issuer.url,
    SERVICE_CLIENT_ID: 'payments',
    SERVICE_CLIENT_SECRET: 'secret-of-the-tests',
    ACQUIRER_URL: acquirer.http,
    ACQUIRER_API_KEY: apiKey,
    ACQUIRER_WEBHOOK_SECRET: webhookSecret,
    PROVIDER_TIMEOUT_MS: '600',
    TERMINAL_TIMEOUT_MS: '600',
    PROVIDER_CONNECT_MS: '300',
    LEASE_MS: '1000',
    REPEAT_WAIT_MS: '1000',
    RESOLVE_EVERY_MS: '100',
    UNKNOWN_GRACE_MS: '500',
    EXPIRE_EVERY_MS: '100',
    ...env,
  });
  const app = await createApp(config, createLogger('payments', 'fatal'));
  const ports = await app.listen();
  const sql = new pg.Client({ connectionString: database.url });
  await sql.connect();
  const acquirerSql = new pg.Client({ connectionString: acquirerDatabase.url });
  await acquirerSql.connect();
  const unlisted = async () =>
    (
      await acquirerSql.query<{ n: number }>(
        'SELECT count(*)::int AS n FROM operations WHERE recorded_in >= pg_snapshot_xmin(pg_current_snapshot())',
      )
    ).rows[0]?.n;
  const own = openDatabase({ url: database.url, poolMax: 5, applicationName: 'payments-tests' });
  const timing = {
    leaseMs: config.LEASE_MS,
    timeoutMs: { cash: 0, terminal: config.TERMINAL_TIMEOUT_MS, online: config.PROVIDER_TIMEOUT_MS },
  };
  const http = `http://127.0.0.1:${ports.http}`;
  const { client, close: closeClient } = createClient(paymentsDefinition, {
    address: `127.0.0.1:${ports.grpc}`,
    token: () => issuer.serviceToken('sales'),
    deadlineMs: 20_000,
  });

  return {
    http,
    issuer,
    acquirer,
    database,
    config,
    grpc: client as GrpcClient<typeof paymentsDefinition>,
    grpcAddress: `127.0.0.1:${ports.grpc}`,
    /** The same statements as the service's, for what a service that died left behind. */
    store: createStore(own, new PrismaClient({ adapter: own.prismaAdapter() }), timing),
    /** A statement on the service's own database. */
    async sql<Row extends object>(text: string, values: unknown[] = []): Promise<Row[]> {
      return (await sql.query<Row>(text, values)).rows;
    },
    /** What the acquirer has on record of a payment, in the order in which it was asked. */
    async operations(originalId: string): Promise<{ providerKey: string; kind: string; status: string; amountMinor: number }[]> {
      // The ledger leaves out what a transaction that still runs, in any database of the server, could put something before.
      await eventually(async () => {
        if ((await unlisted()) !== 0) throw new Error('the acquirer has operations that its ledger does not show yet');
      });
      const items = await ledger(acquirer.http);
      return items.filter((item) => item.providerKey === originalId || item.originalKey === originalId);
    },
    caller: (person: Person = {}) => caller(http, () => issuer.token(person)),
    async close() {
      closeClient();
      await sql.end();
      await acquirerSql.end();
      await own.close();
      await app.close();
      await acquirer.stop();
      await issuer.stop();
      await database.drop();
      await acquirerDatabase.drop();
    },
  };
}

interface LedgerItem {
  providerKey: string;
  originalKey?: string;
  kind: string;
  status: string;
  amountMinor: number;
}

async function ledger(url: string): Promise<LedgerItem[]> {
  const items: LedgerItem[] = [];
  for (let cursor: string | undefined = ''; cursor !== undefined;) {
    const response = await fetch(`${url}/v1/ledger?limit=200${cursor === '' ? '' : `&cursor=${cursor}`}`, {
      headers: { authorization: `Bearer ${apiKey}` },
    });
    const page = (await response.json()) as { items: LedgerItem[]; next?: string };
    items.push(...page.items);
    cursor = page.next;
  }
  return items;
}

/** Calls payments over HTTP; a write gets a fresh key unless one is named. */
function caller(http: string, token: () => Promise<string>) {
  return async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Reply> => {
    const response = await fetch(http + path, {
      method,
      headers: {
        authorization: `Bearer ${await token()}`,
        ...(method === 'GET' ? {} : { 'idempotency-key': randomUUID(), 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: text === '' ? undefined : JSON.parse(text) };
  };
}

export const actor = { subject: 'employee-1', role: 'cashier', shopId: 'dk-001', registerId: 'dk-001-01' };

/** What of a purchase a test may want otherwise. */
interface PurchaseChanges {
  transactionId?: string;
  method?: Method;
  channel?: string;
  country?: string;
  instrument?: string;
}

/** A purchase at a terminal in Copenhagen. */
export function purchase(amountMinor: number, changes: PurchaseChanges = {}) {
  return {
    transactionId: uuidv7(),
    intentId: uuidv7(),
    amount: { minor: BigInt(amountMinor), currency: 'DKK' },
    country: 'dk',
    channel: 'store',
    method: Method.TERMINAL,
    instrument: 'pos-dk-001-01',
    reference: `sale:${uuidv7()}`,
    actor,
    ...changes,
  };
}

/** An event as the acquirer sends it. */
export function signedEvent(operation: object, options: { id?: string; at?: Date; secret?: string } = {}) {
  const { id = uuidv7(), at = new Date(), secret = webhookSecret } = options;
  const body = JSON.stringify({ id, type: 'operation.updated', operation });
  const timestamp = String(Math.floor(at.getTime() / 1000));
  const key = secret.startsWith('whsec_') ? Buffer.from(secret.slice(6), 'base64') : Buffer.from(secret);
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64');
  const headers = {
    'content-type': 'application/json',
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': `v1,${signature}`,
  };
  return { body, headers };
}
