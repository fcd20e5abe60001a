import { setTimeout as sleep } from 'node:timers/promises';
import { uuidv7 } from 'uuidv7';
import { createAuthenticator, type Caller, type Role } from '@kassa/auth';
import { inventoryDefinition, inventoryReflection } from '@kassa/contracts/inventory';
import { openDatabase } from '@kassa/database';
import { createGrpcServer } from '@kassa/grpc';
import { createHealth } from '@kassa/health';
import { createHttpServer } from '@kassa/http';
import { createIdempotency, readKey, type Key } from '@kassa/idempotency';
import type { Logger } from '@kassa/telemetry';
import type { Config } from './config.ts';
import { createEvents } from './events.ts';
import { PrismaClient } from './gen/prisma/client.ts';
import { implementation } from './grpc.ts';
import { routes } from './http.ts';
import { expireReservations } from './operations/end-reservation.ts';
import { keepHouse } from './operations/keep-house.ts';
import { ChangeFeed } from './operations/sequence-changes.ts';
import { createStore } from './store.ts';

export interface App {
  /** Opens the ports, answers them, and begins to number changes and to end reservations. */
  listen(): Promise<{ http: number; grpc: number; health: number }>;
  openapi(): Promise<Record<string, unknown>>;
  /** Finishes what was accepted and closes everything. */
  close(): Promise<void>;
}

/** What a test may put in the place of the real thing. */
export interface Overrides {
  newId(): string;
}

/** Composition root: everything is opened and introduced to each other here. */
export async function createApp(config: Config, log: Logger, overrides: Partial<Overrides> = {}): Promise<App> {
  const database = openDatabase({
    url: config.DATABASE_URL,
    poolMax: config.DATABASE_POOL_MAX,
    groupMax: config.DATABASE_GROUP_MAX,
    applicationName: 'inventory',
    onError: (error) => log.warn({ err: error }, 'an idle database connection broke'),
  });
  const prisma = new PrismaClient({ adapter: database.prismaAdapter() });
  const idempotency = createIdempotency(database);
  const authenticate = createAuthenticator({
    issuer: config.OIDC_ISSUER,
    audience: config.OIDC_AUDIENCE,
    jwksUri: config.OIDC_JWKS_URI ?? `${config.OIDC_ISSUER}/jwks`,
  });
  const store = createStore(database, prisma);
  const events = createEvents(log);
  const feed = new ChangeFeed({ store, events, pollMs: config.FEED_POLL_MS });
  const grpc = createGrpcServer({ log, authenticate, isReady: () => health.isReady() });
  const deps = {
    store,
    events,
    feed,
    idempotency,
    newId: overrides.newId ?? uuidv7,
    reservationTtlMs: config.RESERVATION_TTL_MS,
    importLeaseMs: config.IMPORT_LEASE_MS,
    snapshotsUnderWay: { count: 0 },
    draining: grpc.draining,
    retainMs: config.FEED_RETENTION_MS,
  };

  const http = await createHttpServer<Caller, Key, Role>({
    docs: {
      title: 'Kassa inventory',
      version: 'v1',
      description: 'Shops, products, and the stock of one in the other: movements, levels and reservations.',
    },
    log,
    authenticate,
    readKey: (facts) => readKey({ ...facts, now: new Date(), retentionDays: 7 }),
  });
  routes(http, deps);
  grpc.add(inventoryDefinition, implementation(deps), inventoryReflection);
  const health = createHealth({
    async database() {
      await store.isThere();
      return undefined;
    },
    async schema() {
      const missing = await database.missingMigrations(new URL('../prisma/migrations', import.meta.url));
      return missing.length === 0 ? undefined : `migration ${missing.join(', ')} has not run`;
    },
  });

  const stop = new AbortController();
  let jobs: Promise<unknown> | undefined;

  /** Does a job again and again until the process ends; what fails is done at the next turn. */
  async function every(pauseMs: number, name: string, job: () => Promise<void>): Promise<void> {
    while (!stop.signal.aborted) {
      await job().catch((error: unknown) => events.jobFailed(name, error));
      await sleep(pauseMs, undefined, { signal: stop.signal }).catch(() => undefined);
    }
  }

  return {
    async listen() {
      const ports = {
        http: await http.listen(config.HOST, config.HTTP_PORT),
        grpc: await grpc.listen(config.HOST, config.GRPC_PORT),
        health: await health.listen(config.HOST, config.HEALTH_PORT),
      };
      jobs = Promise.all([
        feed.run(stop.signal),
        every(config.SWEEP_EVERY_MS, 'expire-reservations', () => expireReservations(deps)),
        every(config.HOUSEKEEPING_EVERY_MS, 'keep-house', () => keepHouse(deps)),
      ]);
      return ports;
    },
    openapi: () => http.openapi(),
    async close() {
      health.drain();
      await sleep(config.SHUTDOWN_DELAY_MS);
      await Promise.all([http.close(), grpc.close(config.SHUTDOWN_TIMEOUT_MS)]);
      stop.abort();
      await jobs;
      await prisma.$disconnect();
      await health.close();
      await database.close();
    },
  };
}
