import { createLogger } from '@kassa/telemetry';
import {
  roomFolder,
  startApp,
  testDatabase,
  testIssuer,
  type AppProcess,
  type Issuer,
  type Person,
  type TestDatabase,
} from '@kassa/testing';
import { createApp, type App } from '../src/app.ts';
import { readConfig } from '../src/config.ts';
import { TestInventory } from './inventory.ts';

/** A replica of stock-lookup in this process, on real ports. */
export interface Replica {
  http: string;
  grpc: string;
  health: string;
  close(): Promise<void>;
}

/** Stock-lookup with everything around it: a database of its own, an issuer, and an inventory that the test plays. */
export interface Surroundings {
  inventory: TestInventory;
  issuer: Issuer;
  database: TestDatabase;
  env: Record<string, string>;
  open(env?: Record<string, string>): Promise<Replica>;
  /** A replica as a process of its own, which can be killed. */
  spawn(env?: Record<string, string>, waitUntilReady?: boolean): Promise<AppProcess>;
  close(): Promise<void>;
}

export async function surroundings(): Promise<Surroundings> {
  const [issuer, database] = await Promise.all([testIssuer(), testDatabase(roomFolder('stock-lookup'))]);
  const inventory = new TestInventory(issuer.url);
  await inventory.start();
  const env = {
    DATABASE_URL: database.url,
    OIDC_ISSUER: issuer.url,
    INVENTORY_GRPC: inventory.address,
    SERVICE_CLIENT_ID: 'stock-lookup',
    SERVICE_CLIENT_SECRET: 'secret-of-the-tests',
  };
  const opened = new Set<() => Promise<void>>();
  return {
    inventory,
    issuer,
    database,
    env,
    async open(more = {}) {
      const ports = { HOST: '127.0.0.1', HTTP_PORT: '0', GRPC_PORT: '0', HEALTH_PORT: '0', SHUTDOWN_TIMEOUT_MS: '1000' };
      const app = await createApp(readConfig({ ...env, ...ports, ...more }), createLogger('stock-lookup', 'fatal'));
      const replica = await listen(app);
      opened.add(replica.close);
      return { ...replica, close: () => (opened.delete(replica.close), replica.close()) };
    },
    async spawn(more = {}, waitUntilReady = true) {
      const app = await startApp(roomFolder('stock-lookup'), { ...env, ...more }, { waitUntilReady });
      opened.add(() => app.kill());
      return app;
    },
    async close() {
      for (const close of opened) await close();
      await inventory.stop();
      await issuer.stop();
      await database.drop();
    },
  };
}

async function listen(app: App): Promise<Replica> {
  const { http, grpc, health } = await app.listen();
  return {
    http: `http://127.0.0.1:${http}`,
    grpc: `127.0.0.1:${grpc}`,
    health: `http://127.0.0.1:${health}`,
    close: () => app.close(),
  };
}

export interface Reply {
  status: number;
  headers: Headers;
  // Tests look at single members of bodies of many shapes.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  body: any;
}

/** Calls a replica as a person; a cashier of dk-001 unless said otherwise. */
export function caller(issuer: Issuer, person: Person = {}) {
  const token = issuer.token(person);
  return async (url: string, init: RequestInit = {}): Promise<Reply> => {
    const headers = new Headers(init.headers);
    if (!headers.has('authorization')) headers.set('authorization', `Bearer ${await token}`);
    const response = await fetch(url, { ...init, headers });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: text === '' ? undefined : JSON.parse(text) };
  };
}

/** Three shops in and near Copenhagen, one in Aarhus, one closed for a time, one closed. */
export function openShops(inventory: TestInventory): void {
  const shops = [
    ['dk-001', 'Købmagergade', 55.6811, 12.5765, 'open'],
    ['dk-002', 'Frederiksberg', 55.6815, 12.5316, 'open'],
    ['dk-003', 'Lyngby', 55.7704, 12.5038, 'open'],
    ['dk-004', 'Aarhus', 56.1567, 10.2108, 'open'],
    ['dk-005', 'Amager', 55.6611, 12.6014, 'temporarily-closed'],
    ['dk-006', 'Nørrebro', 55.6936, 12.5419, 'closed'],
  ] as const;
  for (const [id, city, latitude, longitude, status] of shops) {
    inventory.shop({ id, name: `Elnord ${city}`, city, latitude, longitude, status, address: 'Gade 1', postalCode: '1000' });
  }
}

/** Valid GTIN-13s of the prefix 952, which GS1 keeps for examples. */
export const gtins = ['9520001000010', '9520001000027', '9520001000034', '9520001000041'];
