import { setTimeout as sleep } from 'node:timers/promises';
import { createAuthenticator, createServiceToken, type Caller, type Role } from '@kassa/auth';
import { stockLookupDefinition, stockLookupReflection } from '@kassa/contracts/stock-lookup';
import { openDatabase } from '@kassa/database';
import { observeFeed, type FeedState } from '@kassa/feed';
import { createGrpcServer } from '@kassa/grpc';
import { createHealth } from '@kassa/health';
import { createHttpServer } from '@kassa/http';
import { readKey, type Key } from '@kassa/idempotency';
import type { Logger } from '@kassa/telemetry';
import { createInventory, type Inventory } from './clients.ts';
import type { Config } from './config.ts';
import { createEvents } from './events.ts';
import { implementation } from './grpc.ts';
import { routes } from './http.ts';
import type { Deps } from './operations/get-freshness.ts';
import { createStore } from './store.ts';

export interface App {
  /** Begins to follow inventory, opens the ports and answers them. */
  listen(): Promise<{ http: number; grpc: number; health: number }>;
  openapi(): Promise<Record<string, unknown>>;
  /** Finishes what was accepted and closes everything. */
  close(): Promise<void>;
}

/** What a test may put in the place of the real thing. */
export interface Overrides {
  inventory: Inventory;
  now(): Date;
}

/** Composition root: everything is opened and introduced to each other here. */
export async function createApp(config: Config, log: Logger, overrides: Partial<Overrides> = {}): Promise<App> {
  const database = openDatabase({
    url: config.DATABASE_URL,
    poolMax: config.DATABASE_POOL_MAX,
    groupMax: config.DATABASE_GROUP_MAX,
    applicationName: 'stock-lookup',
    onError: (error) => log.warn({ err: error }, 'an idle database connection broke'),
  });
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
  const inventory = overrides.inventory ?? createInventory({ address: config.INVENTORY_GRPC, token });
  const store = createStore(database, config.SHELVES_MAX);
  const events = createEvents(log);

  let feed: FeedState = { connection: 'connecting', position: undefined, asOf: undefined, heardAtMs: undefined };
  const onState = (now: FeedState) => {
    feed = now;
    events.feedChanged(now);
  };
  const deps: Deps = {
    store,
    feed: () => feed,
    staleAfterMs: config.FEED_STALE_AFTER_MS,
    now: overrides.now ?? (() => new Date()),
    events,
  };

  const http = await createHttpServer<Caller, Key, Role>({
    docs: {
      title: 'Kassa stock lookup',
      version: 'v1',
      description: 'Stock of every item in every shop, here and nearby, and how fresh the answer is.',
    },
    log,
    authenticate,
    readKey: (facts) => readKey({ ...facts, now: new Date(), retentionDays: 7 }),
  });
  routes(http, deps);
  const grpc = createGrpcServer({ log, authenticate, isReady: () => health.isReady() });
  grpc.add(stockLookupDefinition, implementation(deps), stockLookupReflection);
  const health = createHealth({
    async database() {
      await database.pool.query('SELECT 1');
      return undefined;
    },
    async schema() {
      const missing = await database.missingMigrations(new URL('../prisma/migrations', import.meta.url));
      return missing.length === 0 ? undefined : `migration ${missing.join(', ')} has not run`;
    },
    // A copy that is old is ready, and says in each answer that it is old; one that was never filled is not.
    readModel: async () => (store.isFilled() ? undefined : 'nothing has been read from inventory yet'),
  });

  const stop = new AbortController();
  let following: Promise<void> | undefined;
  const unobserve = observeFeed(() => feed);

  return {
    async listen() {
      following = inventory.follow(store, onState, stop.signal);
      return {
        http: await http.listen(config.HOST, config.HTTP_PORT),
        grpc: await grpc.listen(config.HOST, config.GRPC_PORT),
        health: await health.listen(config.HOST, config.HEALTH_PORT),
      };
    },
    openapi: () => http.openapi(),
    async close() {
      health.drain();
      await sleep(config.SHUTDOWN_DELAY_MS);
      await Promise.all([http.close(), grpc.close(config.SHUTDOWN_TIMEOUT_MS)]);
      stop.abort();
      await following;
      unobserve();
      inventory.close();
      await health.close();
      await database.close();
    },
  };
}
