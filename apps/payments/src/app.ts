import { setTimeout as sleep } from 'node:timers/promises';
import { uuidv7 } from 'uuidv7';
import { createAuthenticator, type Caller, type Role } from '@kassa/auth';
import { paymentsDefinition, paymentsReflection } from '@kassa/contracts/payments';
import { openDatabase } from '@kassa/database';
import { createGrpcServer } from '@kassa/grpc';
import { createHealth } from '@kassa/health';
import { createHttpServer } from '@kassa/http';
import { createIdempotency, readKey, type Key } from '@kassa/idempotency';
import type { Logger } from '@kassa/telemetry';
import { createAcquirer } from './clients.ts';
import type { Config } from './config.ts';
import { createEvents } from './events.ts';
import { PrismaClient } from './gen/prisma/client.ts';
import { implementation } from './grpc.ts';
import { routes } from './http.ts';
import { testCards } from './http-schemas.ts';
import { expireAuthorisations, resolveDue } from './operations/resolve-unknown.ts';
import type { Deps } from './operations/settle-transaction.ts';
import { createStore, type Timing } from './store.ts';

export interface App {
  /** Opens the ports, begins to resolve what is unknown, and answers the ports. */
  listen(): Promise<{ http: number; grpc: number; health: number }>;
  openapi(): Promise<Record<string, unknown>>;
  /** Finishes what was accepted and closes everything. */
  close(): Promise<void>;
}

/** How long answers to clients' keys and the ids of the provider's events are kept. */
const retentionDays = 30;
const purgeEveryMs = 3_600_000;
/** As often as Prometheus asks. */
const countEveryMs = 15_000;

/** Composition root: everything is opened and introduced to each other here. */
export async function createApp(config: Config, log: Logger): Promise<App> {
  const database = openDatabase({
    url: config.DATABASE_URL,
    poolMax: config.DATABASE_POOL_MAX,
    groupMax: config.DATABASE_GROUP_MAX,
    applicationName: 'payments',
    onError: (error) => log.warn({ err: error }, 'an idle database connection broke'),
  });
  const prisma = new PrismaClient({ adapter: database.prismaAdapter() });
  const idempotency = createIdempotency(database);
  const authenticate = createAuthenticator({
    issuer: config.OIDC_ISSUER,
    audience: config.OIDC_AUDIENCE,
    jwksUri: config.OIDC_JWKS_URI ?? `${config.OIDC_ISSUER}/jwks`,
  });
  const now = () => new Date();
  const deps: Deps = {
    store: createStore(database, prisma, timingOf(config)),
    provider: createAcquirer(acquirerOptions(config)),
    idempotency,
    events: createEvents(log),
    now,
    newId: uuidv7,
    sleep: (ms) => sleep(ms),
    settings: config,
  };

  const http = await createHttpServer<Caller, Key, Role>({
    docs: { title: 'Kassa payments', version: 'v1', description },
    log,
    authenticate,
    readKey: (facts) => readKey({ ...facts, now: now(), retentionDays }),
  });
  routes(http, deps);
  const grpc = createGrpcServer({ log, authenticate, isReady: () => health.isReady() });
  grpc.add(paymentsDefinition, implementation(deps), paymentsReflection);
  const health = createHealth({
    async database() {
      await database.pool.query('SELECT 1');
      return undefined;
    },
    async schema() {
      const missing = await database.missingMigrations(new URL('../prisma/migrations', import.meta.url));
      return missing.length === 0 ? undefined : `migration ${missing.join(', ')} has not run`;
    },
  });

  const stop = new AbortController();
  let loops: Promise<void>[] = [];

  /** Does `work` again and again; while it finds something to do it does not wait. */
  async function keepDoing(what: string, everyMs: number, work: () => Promise<number>): Promise<void> {
    while (!stop.signal.aborted) {
      try {
        if ((await work()) > 0) continue;
      } catch (error) {
        log.warn({ err: error }, `could not ${what}; it is tried again`);
      }
      await sleep(everyMs, undefined, { signal: stop.signal }).catch(() => undefined);
    }
  }

  return {
    async listen() {
      loops = [
        keepDoing('resolve unknown transactions', config.RESOLVE_EVERY_MS, () => resolveDue(deps)),
        keepDoing('expire authorisations', config.EXPIRE_EVERY_MS, () => expireAuthorisations(deps)),
        keepDoing('count what is unknown', countEveryMs, async () => {
          deps.events.unknownCounted(await deps.store.unknownNow());
          return 0;
        }),
        keepDoing('forget old answers', purgeEveryMs, () => idempotency.purge()),
        keepDoing('forget old events', purgeEveryMs, () => deps.store.forgetEvents(retentionDays)),
      ];
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
      await Promise.all(loops);
      await health.close();
      await prisma.$disconnect();
      await database.close();
    },
  };
}

const description = `Money movements, in shops and on the web.

Against the acquirer simulator these test cards and amounts make things happen. On the web the card's token decides; at a terminal the last
four digits of the amount in minor units. The table is for authorise and purchase; a later step has \`tok_capture_…\`, \`tok_refund_…\`,
\`tok_void_…\`, and amounts that end in 52.., 53.., 54.. instead of 51...

${testCards}`;

function timeouts(config: Config): Timing['timeoutMs'] {
  return { cash: 0, terminal: config.TERMINAL_TIMEOUT_MS, online: config.PROVIDER_TIMEOUT_MS };
}

function timingOf(config: Config): Timing {
  return { leaseMs: config.LEASE_MS, timeoutMs: timeouts(config) };
}

function acquirerOptions(config: Config) {
  return {
    url: config.ACQUIRER_URL,
    apiKey: config.ACQUIRER_API_KEY,
    webhookSecrets: config.ACQUIRER_WEBHOOK_SECRET,
    timeoutMs: timeouts(config),
    inquiryTimeoutMs: config.PROVIDER_TIMEOUT_MS,
    connectMs: config.PROVIDER_CONNECT_MS,
  };
}
