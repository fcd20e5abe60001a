import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually, roomFolder, startApp, type AppProcess } from '@kassa/testing';
import { startSystem, type ServiceName, type System } from './system.ts';
import { openTill, type Till } from './till.ts';

// Every secret a service has comes from a mounted volume here, and is changed while the processes run, as a secret store changes it.
const volume = mkdtempSync(join(tmpdir(), 'kassa-secrets-'));
let system: System;
let door: Awaited<ReturnType<typeof tokenDoor>>;
let till: Till;
const apps: AppProcess[] = [];
const databases: pg.Client[] = [];
const role = `changing_${randomUUID().slice(0, 8)}`;

beforeAll(async () => {
  system = await startSystem();
  door = await tokenDoor(system.issuer.url, 'the-client-secret-before');
  mount({
    'client-secret': 'the-client-secret-before',
    'api-key': 'the-api-key-before',
    'webhook-secret': 'the-webhook-secret-before',
    ...(await databaseAddresses('before')),
  });
  const { http: acquirer } = await replace('acquirer', {
    API_KEY_FILE: at('api-key'),
    WEBHOOK_SECRET_FILE: at('webhook-secret'),
    WEBHOOK_URL: `${system.app('payments').http}/v1/provider-events/acquirer`,
    EVENT_DELAY_MS: '50',
    EVENT_POLL_MS: '200',
    EVENT_RETRY_MS: '200',
  });
  const { grpc: payments } = await replace('payments', {
    ACQUIRER_URL: acquirer,
    ACQUIRER_API_KEY_FILE: at('api-key'),
    ACQUIRER_WEBHOOK_SECRET_FILE: at('webhook-secret'),
  });
  await replace('sales', {
    INVENTORY_GRPC: system.app('inventory').grpc,
    PAYMENTS_GRPC: payments,
    OIDC_TOKEN_URL: door.url,
    SERVICE_CLIENT_SECRET: '',
    SERVICE_CLIENT_SECRET_FILE: at('client-secret'),
  });
  till = await openTill(system, `${system.demo.shops[0]!.id}-01`);
});
afterAll(async () => {
  await Promise.all(apps.map((app) => app.kill()));
  door?.server.close();
  for (const database of databases) await database.query(`DROP OWNED BY ${role}`);
  await databases[0]?.query(`DROP ROLE ${role}`);
  await Promise.all(databases.map((database) => database.end()));
  await system?.stop();
  rmSync(volume, { recursive: true });
});

test('Passwords, client secrets, keys and signing secrets change while tills sell, and no process restarts', async () => {
  await sellByCard();
  await eventually(async () => expect(await eventsTaken()).toBeGreaterThan(0));

  // First whoever checks a signature learns the new secret beside the old one, then whoever signs.
  const before = await eventsTaken();
  mount({ 'webhook-secret': 'the-webhook-secret-after the-webhook-secret-before' });
  await sellByCard();
  await eventually(async () => expect(await eventsTaken()).toBeGreaterThan(before));

  door.expects('the-client-secret-after');
  mount({
    'client-secret': 'the-client-secret-after',
    'api-key': 'the-api-key-after',
    'webhook-secret': 'the-webhook-secret-after',
    ...(await databaseAddresses('after')),
  });
  for (const database of databases)
    await database.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1', [role]);
  const between = await eventsTaken();
  await sellByCard();
  await eventually(async () => expect(await eventsTaken()).toBeGreaterThan(between));
  expect(door.granted()).toContain('the-client-secret-after');
  expect(await loggedInAs(role)).toBeGreaterThan(0);
});

/** By card and in cash: for an amount that ends in 51.12 the acquirer also sends an event. */
async function sellByCard(): Promise<void> {
  const open = await till.open([{ sku: system.demo.products[1]!.sku }]);
  const tenders = [
    { method: 'terminal', amountMinor: 5_112 },
    { method: 'cash', amountMinor: Math.ceil(open.totalMinor / 10_000) * 10_000 },
  ] as const;
  const { sale } = await till.complete(open.id, [...tenders]);
  expect(sale.state).toBe('COMPLETED');
}

const at = (name: string) => join(volume, name);
const mounted: Record<string, string> = {};
let version = 0;

/** Swaps the volume's files as kubelet does: all at once, behind the symbolic link `..data`. */
function mount(changes: Record<string, string>): void {
  const folder = `..${version++}`;
  mkdirSync(at(folder));
  for (const [name, value] of Object.entries(Object.assign(mounted, changes))) {
    writeFileSync(join(volume, folder, name), `${value}\n`);
    if (version === 1) symlinkSync(`..data/${name}`, at(name));
  }
  symlinkSync(folder, at('..new'));
  renameSync(at('..new'), at('..data'));
}

/** The addresses of the databases for a role whose password this sets. */
async function databaseAddresses(password: string): Promise<Record<string, string>> {
  const addresses: Record<string, string> = {};
  for (const name of ['acquirer', 'payments', 'sales'] as const) {
    const url = new URL(system.databaseUrl(name));
    if (databases.length < 3) databases.push(await connect(url.href, databases.length === 0));
    [url.username, url.password] = [role, password];
    addresses[`${name}-database`] = url.href;
  }
  await databases[0]?.query(`ALTER ROLE ${role} PASSWORD '${password}'`);
  return addresses;
}

async function connect(url: string, isFirst: boolean): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  if (isFirst) await client.query(`CREATE ROLE ${role} LOGIN`);
  await client.query(
    `GRANT ALL ON ALL TABLES IN SCHEMA public TO ${role}; GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO ${role}`,
  );
  return client;
}

const loggedInAs = async (user: string) =>
  (await databases[0]!.query('SELECT FROM pg_stat_activity WHERE usename = $1', [user])).rowCount;

/** Events whose signature payments found right. */
const eventsTaken = async () => Number((await databases[1]!.query('SELECT count(*) FROM provider_events')).rows[0].count);

/** Starts a service again at the same addresses, with its secrets from the volume. */
async function replace(name: ServiceName, env: Record<string, string>): Promise<AppProcess> {
  const { http, grpc } = system.app(name);
  await system.kill(name);
  const app = await startApp(roomFolder(name), {
    HTTP_PORT: new URL(http).port,
    GRPC_PORT: grpc.split(':')[1]!,
    OIDC_ISSUER: system.issuer.url,
    DATABASE_URL_FILE: at(`${name}-database`),
    ...env,
  });
  apps.push(app);
  return app;
}

/** A token endpoint that lets in one client secret, and whose tokens are about to end, so that each call asks for a new one. */
async function tokenDoor(issuer: string, first: string) {
  let expected = first;
  const granted: string[] = [];
  const server: Server = createServer(async (request, response) => {
    const form = new URLSearchParams(await new Response(request as never).text());
    const secret = form.get('client_secret') ?? '';
    if (secret !== expected) return void response.writeHead(401).end();
    granted.push(secret);
    form.set('expires_in', '60');
    const answer = await fetch(`${issuer}/token`, { method: 'POST', body: form });
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(await answer.text());
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return {
    server,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`,
    granted: () => granted,
    expects: (secret: string) => void (expected = secret),
  };
}
