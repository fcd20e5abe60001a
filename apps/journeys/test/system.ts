import { randomUUID } from 'node:crypto';
import {
  eventually,
  freePort,
  roomFolder,
  startApp,
  testDatabase,
  testIssuer,
  type AppProcess,
  type Issuer,
  type TestDatabase,
} from '@kassa/testing';
import { makeDemo, type Demo, type ImportKind } from './demo.ts';
import { openApi, type Api } from './api.ts';

export const services = ['acquirer', 'payments', 'inventory', 'stock-lookup', 'sales'] as const;
export type ServiceName = (typeof services)[number];

export interface SystemOptions {
  /** Processes to start; all five when absent. */
  only?: readonly ServiceName[];
  /** Settings of a service beyond those of every test. */
  env?: Partial<Record<ServiceName, Record<string, string>>>;
  demo?: Demo;
  /** `production` leaves leases and pauses as a deployment has them; by default they are short. */
  pace?: 'short' | 'production';
}

/** Kassa as it runs in a shop: real processes on real databases, with an issuer of tokens of its own and a small retailer in it. */
export interface System {
  issuer: Issuer;
  demo: Demo;
  /** The running process of a service; throws for one that was left out. */
  app(name: ServiceName): AppProcess;
  /** The service's HTTP API, spoken to with an operator's token unless another is given. */
  api(name: ServiceName, token?: string): Api;
  /** postgresql:// address of the service's database, as superuser. */
  databaseUrl(name: ServiceName): string;
  /** kill -9. */
  kill(name: ServiceName): Promise<void>;
  /** Starts a killed service again, and waits until it is ready. */
  restart(name: ServiceName): Promise<void>;
  stop(): Promise<void>;
}

/** Milliseconds five processes may take to start beside each other on a busy machine. */
const startMs = 90_000;
export const acquirerKey = 'acquirer-key-of-the-journeys';
const webhookSecret = 'whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=';
const clientSecret = 'client-secret-of-the-journeys';

/** What no log, metric or span may show. */
export const secrets = [acquirerKey, webhookSecret, clientSecret];

/** Short, so that what a crash left open is taken up within a second. */
const waits: Record<ServiceName, Record<string, string>> = {
  acquirer: { LATE_MS: '1500', EVENT_DELAY_MS: '50', EVENT_POLL_MS: '200', EVENT_RETRY_MS: '200' },
  payments: {
    PROVIDER_TIMEOUT_MS: '1500',
    TERMINAL_TIMEOUT_MS: '1500',
    LEASE_MS: '1000',
    RESOLVE_EVERY_MS: '200',
    UNKNOWN_GRACE_MS: '500',
  },
  inventory: { SWEEP_EVERY_MS: '500', FEED_POLL_MS: '50' },
  'stock-lookup': { FEED_STALE_AFTER_MS: '1500' },
  sales: {
    CHECKOUT_LEASE_MS: '1000',
    CHECKOUT_RESUME_EVERY_MS: '200',
    CHECKOUT_BACKOFF_MAX_MS: '1000',
    CHECKOUT_WAIT_MS: '5000',
    PAYMENT_DEADLINE_MS: '10000',
  },
};

/** Starts the services side by side, as a cluster does, and imports the demo through their own doors. */
export async function startSystem(options: SystemOptions = {}): Promise<System> {
  const names = services.filter((name) => (options.only ?? services).includes(name));
  const demo = options.demo ?? makeDemo();
  const issuer = await testIssuer();
  const databases = new Map<ServiceName, TestDatabase>();
  for (const name of names) databases.set(name, await testDatabase(roomFolder(name)));
  const apps = new Map<ServiceName, AppProcess>();

  const found = <T>(map: Map<ServiceName, T>, name: ServiceName): T => {
    const value = map.get(name);
    if (value === undefined) throw new Error(`${name} was left out of this system`);
    return value;
  };
  const operator = await issuer.token({ role: 'operator', shop: null, sub: 'operator-1', expiresInSeconds: 7_200 });
  const system: System = {
    issuer,
    demo,
    app: (name) => found(apps, name),
    api: (name, token = operator) => openApi(() => found(apps, name).http, name === 'acquirer' ? acquirerKey : token),
    databaseUrl: (name) => found(databases, name).url,
    kill: (name) => found(apps, name).kill(),
    async restart(name) {
      await found(apps, name).restart();
      await found(apps, name).ready(startMs);
    },
    async stop() {
      await Promise.all([...apps.values()].map((app) => app.kill()));
      await Promise.all([...databases.values()].map((database) => database.drop()));
      await issuer.stop();
    },
  };
  const ports = await allPorts();
  const start = async (name: ServiceName) => {
    const own = {
      HTTP_PORT: String(ports[name].http),
      GRPC_PORT: String(ports[name].grpc),
      DATABASE_URL: found(databases, name).url,
    };
    const env = {
      ...own,
      OIDC_ISSUER: issuer.url,
      ...neighbours(ports)[name],
      ...(options.pace === 'production' ? {} : waits[name]),
      ...options.env?.[name],
    };
    const app = await startApp(roomFolder(name), env, { waitUntilReady: false });
    apps.set(name, app);
    await app.ready(startMs);
  };
  await Promise.all(names.map(start));
  await seed(system, names);
  return system;
}

interface Ports {
  http: number;
  grpc: number;
}

/** Chosen before anything runs, since payments and the acquirer call each other. */
async function allPorts(): Promise<Record<ServiceName, Ports>> {
  const ports: Partial<Record<ServiceName, Ports>> = {};
  for (const name of services) ports[name] = { http: await freePort(), grpc: await freePort() };
  return ports as Record<ServiceName, Ports>;
}

/** What each service is told of the others. */
function neighbours(ports: Record<ServiceName, Ports>): Record<ServiceName, Record<string, string>> {
  const http = (name: ServiceName) => `http://127.0.0.1:${ports[name].http}`;
  const grpc = (name: ServiceName) => `127.0.0.1:${ports[name].grpc}`;
  return {
    acquirer: {
      API_KEY: acquirerKey,
      WEBHOOK_SECRET: webhookSecret,
      WEBHOOK_URL: `${http('payments')}/v1/provider-events/acquirer`,
    },
    payments: { ACQUIRER_URL: http('acquirer'), ACQUIRER_API_KEY: acquirerKey, ACQUIRER_WEBHOOK_SECRET: webhookSecret },
    inventory: {},
    'stock-lookup': { INVENTORY_GRPC: grpc('inventory') },
    sales: { INVENTORY_GRPC: grpc('inventory'), PAYMENTS_GRPC: grpc('payments') },
  };
}

const kindsOf: Partial<Record<ServiceName, ImportKind[]>> = {
  inventory: ['shops', 'products', 'opening-stock'],
  sales: ['registers', 'prices'],
};

/** Imports what the started services keep; sales hears of shops and products from inventory's feed, a moment later. */
async function seed(system: System, names: readonly ServiceName[]): Promise<void> {
  for (const name of names) {
    for (const kind of kindsOf[name] ?? []) {
      await eventually(async () => {
        const report = await system
          .api(name)
          .post(`/v1/imports/${kind}`, system.demo.csv[kind], { headers: { 'content-type': 'text/csv' }, key: randomUUID() });
        if (report.status >= 300 || report.body['refused'] !== 0)
          throw new Error(`${name} refused ${kind}: ${report.status} ${JSON.stringify(report.body)}`);
      }, 20_000);
    }
  }
}
