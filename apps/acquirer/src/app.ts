import { createHash, timingSafeEqual } from 'node:crypto';
import { openDatabase } from '@kassa/database';
import { createHealth } from '@kassa/health';
import { createHttpServer } from '@kassa/http';
import { KassaError } from '@kassa/problem';
import type { Logger } from '@kassa/telemetry';
import { createMerchant } from './clients.ts';
import type { Config } from './config.ts';
import { testCards, testCardsMarkdown } from './domain/behaviour.ts';
import { createEvents } from './events.ts';
import { routes, type Merchant, type Role } from './http.ts';
import { deliverEvents } from './operations/deliver-events.ts';
import { createStore } from './store.ts';

export interface App {
  /** Opens the ports and begins to deliver events; answers the ports. */
  listen(): Promise<{ http: number; health: number }>;
  openapi(): Promise<Record<string, unknown>>;
  /** Finishes what was accepted, and ends whoever waits for an answer that never comes. */
  close(): Promise<void>;
}

/** Composition root: everything is opened and introduced to each other here. */
export async function createApp(config: Config, log: Logger): Promise<App> {
  const closing = new AbortController();
  const database = openDatabase({
    url: config.DATABASE_URL,
    poolMax: config.DATABASE_POOL_MAX,
    groupMax: config.DATABASE_GROUP_MAX,
    applicationName: 'acquirer',
    onError: (error) => log.warn({ err: error }, 'an idle database connection broke'),
  });
  const store = createStore(database);
  const events = createEvents(log);
  const merchant = createMerchant({
    url: config.WEBHOOK_URL,
    secrets: config.WEBHOOK_SECRET,
    timeoutMs: config.WEBHOOK_TIMEOUT_MS,
  });
  const delivery = { store, merchant, events, settings: config };

  const http = await createHttpServer<Merchant, string, Role>({
    docs: {
      title: 'Kassa acquirer simulator',
      version: 'v1',
      description: `The outside card world for development and tests: an online gateway and in-shop terminals.\n\n${testCardsMarkdown(testCards())}`,
    },
    doKeysExpire: false,
    log,
    authenticate: apiKeyAuthenticator(config.API_KEY),
    readKey({ header }) {
      if (header === undefined)
        throw new KassaError('idempotency-key-missing', { detail: 'Send Idempotency-Key with the providerKey.' });
      return header.replaceAll('"', '');
    },
  });
  routes(http, {
    store,
    events,
    deliverEvents: async (providerKey) => void (await deliverEvents(delivery, providerKey)),
    wait: (ms, signal) => wait(ms, AbortSignal.any([signal, closing.signal])),
    settings: config,
  });

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
  let delivering: Promise<void> | undefined;

  return {
    async listen() {
      const ports = {
        http: await http.listen(config.HOST, config.HTTP_PORT),
        health: await health.listen(config.HOST, config.HEALTH_PORT),
      };
      delivering = keepDelivering();
      return ports;
    },
    openapi: () => http.openapi(),
    async close() {
      health.drain();
      closing.abort();
      await http.close();
      await delivering;
      await health.close();
      await database.close();
    },
  };

  /** Events go on being delivered until the process ends; a lost database or merchant is met again at the next look. */
  async function keepDelivering(): Promise<void> {
    while (!closing.signal.aborted) {
      try {
        if ((await deliverEvents(delivery)) > 0) continue;
      } catch (error) {
        log.error({ err: error }, 'events could not be delivered');
      }
      await wait(config.EVENT_POLL_MS, closing.signal).catch(() => undefined);
    }
  }
}

/** The merchant's key as a bearer token. It may look at everything here, since all of it is his. */
function apiKeyAuthenticator(apiKeys: () => string[]): (authorization: string | undefined) => Promise<Merchant> {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  const merchant: Merchant = Object.freeze({ subject: 'merchant', roles: ['merchant', 'operator'] as const });
  return async (authorization) => {
    const given = digest(authorization ?? '');
    if (!apiKeys().some((apiKey) => timingSafeEqual(given, digest(`Bearer ${apiKey}`)))) {
      throw new KassaError('unauthenticated', { detail: 'Send Authorization: Bearer <API key>.' });
    }
    return merchant;
  };
}

/** Resolves after `ms` (Infinity: never). Rejects with unavailable when there is no one left to wait for. */
function wait(ms: number, signal: AbortSignal): Promise<void> {
  if (ms === 0) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const giveUp = () => {
      clearTimeout(timer);
      reject(new KassaError('unavailable', { detail: 'The card world closed before it answered.' }));
    };
    const timer = Number.isFinite(ms)
      ? setTimeout(() => {
          signal.removeEventListener('abort', giveUp);
          resolve();
        }, ms)
      : undefined;
    if (signal.aborted) giveUp();
    else signal.addEventListener('abort', giveUp, { once: true });
  });
}
