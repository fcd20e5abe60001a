import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { createAuthenticator, createServiceToken, type Caller, type Role } from '@kassa/auth';
import { salesDefinition, salesReflection } from '@kassa/contracts/sales';
import { openDatabase } from '@kassa/database';
import { observeFeed, type FeedState } from '@kassa/feed';
import { createGrpcServer } from '@kassa/grpc';
import { createHealth } from '@kassa/health';
import { createHttpServer } from '@kassa/http';
import { createIdempotency, readKey, type Key } from '@kassa/idempotency';
import type { Logger } from '@kassa/telemetry';
import { uuidv7 } from 'uuidv7';
import { createCatalogue, followCatalogue } from './store/catalogue.ts';
import { connectInventory, connectPayments, createInventory, createPayments, stepId } from './clients.ts';
import type { Config } from './config.ts';
import { createEvents } from './events.ts';
import { PrismaClient } from './gen/prisma/client.ts';
import { implementation } from './grpc.ts';
import { routes, type HttpDeps } from './http.ts';
import { resumeCheckouts } from './operations/resume-checkouts.ts';
import { createRecords } from './store/records.ts';
import { createStore } from './store.ts';

export interface App {
  /** Opens the ports, follows the feed and takes up open checkouts; answers the ports. */
  listen(): Promise<{ http: number; grpc: number; health: number }>;
  openapi(): Promise<Record<string, unknown>>;
  /** Finishes what was accepted; lets go of the checkouts that do not end in time, so that another process takes them up at once. */
  close(): Promise<void>;
}

/** What a test may put in the place of the real thing. */
export interface Overrides {
  now(): Date;
}

const purgeEveryMs = 3_600_000;
const retentionDays = 7;

/** Composition root: everything is opened and introduced to each other here. */
export async function createApp(config: Config, log: Logger, overrides: Partial<Overrides> = {}): Promise<App> {
  const closing = new AbortController();
  const database = openDatabase({
    url: config.DATABASE_URL,
    poolMax: config.DATABASE_POOL_MAX,
    groupMax: config.DATABASE_GROUP_MAX,
    applicationName: 'sales',
    onError: (error) => log.warn({ err: error }, 'an idle database connection broke'),
  });
  const prisma = new PrismaClient({ adapter: database.prismaAdapter() });
  const idempotency = createIdempotency(database);
  const authenticate = createAuthenticator({
    issuer: config.OIDC_ISSUER,
    audience: config.OIDC_AUDIENCE,
    jwksUri: config.OIDC_JWKS_URI ?? `${config.OIDC_ISSUER}/jwks`,
  });
  const token = createServiceToken({
    tokenUrl: config.OIDC_TOKEN_URL ?? `${config.OIDC_ISSUER}/token`,
    clientId: config.SERVICE_CLIENT_ID,
    clientSecret: config.SERVICE_CLIENT_SECRET,
  });
  const inventory = connectInventory({ address: config.INVENTORY_GRPC, token, deadlineMs: config.CALL_DEADLINE_MS });
  const payments = connectPayments({ address: config.PAYMENTS_GRPC, token, deadlineMs: config.PAYMENT_DEADLINE_MS });
  const events = createEvents(log);
  const store = createStore(database, {
    owner: randomUUID(),
    leaseMs: config.CHECKOUT_LEASE_MS,
    isGathering: config.CONSUME_GATHER_MS > 0,
  });
  const catalogue = createCatalogue(database, { leaseMs: config.IMPORT_LEASE_MS });
  const work = trackWork(log);

  const deps: HttpDeps = {
    store,
    catalogue,
    records: createRecords(prisma),
    inventory: createInventory(inventory.client, { gatherMs: config.CONSUME_GATHER_MS }),
    payments: createPayments(payments.client),
    idempotency,
    events,
    now: overrides.now ?? (() => new Date()),
    newId: uuidv7,
    stepId,
    importId: (key: Key) => stepId(key.scope, 0, 'import'),
    sleep: (ms) => pause(ms, true, { signal: closing.signal }).catch(() => false),
    background: work.add,
    settings: {
      leaseMs: config.CHECKOUT_LEASE_MS,
      waitMs: config.CHECKOUT_WAIT_MS,
      stuckAfterMs: config.CHECKOUT_STUCK_AFTER_MS,
      retry: { firstMs: config.CHECKOUT_RESUME_EVERY_MS, maxMs: config.CHECKOUT_BACKOFF_MAX_MS },
    },
  };

  const http = await createHttpServer<Caller, Key, Role>({
    docs: {
      title: 'Kassa sales',
      version: 'v1',
      description: 'Baskets, tenders, receipts. Amounts are minor units of the currency they stand beside; prices include VAT.',
    },
    log,
    authenticate,
    readKey: (facts) => readKey({ ...facts, now: new Date(), retentionDays }),
  });
  routes(http, deps);
  const grpc = createGrpcServer({ log, authenticate, isReady: () => health.isReady() });
  grpc.add(salesDefinition, implementation(deps), salesReflection);

  const health = createHealth({
    async database() {
      await database.pool.query('SELECT 1');
      return undefined;
    },
    async schema() {
      const missing = await database.missingMigrations(new URL('../prisma/migrations', import.meta.url));
      return missing.length === 0 ? undefined : `migration ${missing.join(', ')} has not run`;
    },
    async catalogue() {
      return (await catalogue.position()) ? undefined : 'products and shops have not come from inventory yet';
    },
  });
  const loops: Promise<void>[] = [];
  let feed: FeedState = { connection: 'connecting', position: undefined, asOf: undefined, heardAtMs: undefined };
  const feedChanged = (now: FeedState) => {
    feed = now;
    events.feedChanged(now);
  };
  const unobserve = observeFeed(() => feed);

  return {
    async listen() {
      const ports = {
        http: await http.listen(config.HOST, config.HTTP_PORT),
        grpc: await grpc.listen(config.HOST, config.GRPC_PORT),
        health: await health.listen(config.HOST, config.HEALTH_PORT),
      };
      loops.push(
        followCatalogue(inventory.client, catalogue, feedChanged, closing.signal),
        repeat('open checkouts could not be taken up', config.CHECKOUT_RESUME_EVERY_MS, () => resumeCheckouts(deps)),
        repeat('old answers could not be forgotten', purgeEveryMs, async () => (await idempotency.purge()) > 0),
      );
      return ports;
    },
    openapi: () => http.openapi(),
    async close() {
      health.drain();
      await pause(config.SHUTDOWN_DELAY_MS);
      const drained = Promise.all([http.close(), grpc.close(config.SHUTDOWN_TIMEOUT_MS)]).then(() => work.done());
      await Promise.race([drained, pause(config.SHUTDOWN_TIMEOUT_MS, undefined, { ref: false })]);
      closing.abort();
      await Promise.all(loops);
      await Promise.race([work.done(), pause(1_000)]);
      await store
        .releaseLeases()
        .catch((error: unknown) => log.warn({ err: error }, 'leases could not be given back; they run out'));
      unobserve();
      inventory.close();
      payments.close();
      await health.close();
      await prisma.$disconnect();
      await database.close();
    },
  };

  /** Does the work now and then until the process ends, again at once where there is more; a failure is met again at the next time. */
  async function repeat(failure: string, everyMs: number, doWork: () => Promise<boolean>): Promise<void> {
    while (!closing.signal.aborted) {
      try {
        if (await doWork()) continue;
      } catch (error) {
        log.error({ err: error }, failure);
      }
      await pause(everyMs, undefined, { signal: closing.signal }).catch(() => undefined);
    }
  }
}

/** Work nobody waits for, until the process ends: then everybody does. */
function trackWork(log: Logger) {
  const running = new Set<Promise<unknown>>();
  return {
    add(start: () => Promise<unknown>): void {
      const work = start().catch((error: unknown) => log.error({ err: error }, 'work in the background failed'));
      running.add(work);
      void work.then(() => running.delete(work));
    },
    async done(): Promise<void> {
      while (running.size > 0) await Promise.all(running);
    },
  };
}
