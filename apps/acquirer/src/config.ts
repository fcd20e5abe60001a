import type { z } from 'zod';
import { commonSettings, ConfigError, count, durationMs, loadConfig, secrets, url } from '@kassa/config';

const {
  NODE_ENV,
  LOG_LEVEL,
  HOST,
  HTTP_PORT,
  HEALTH_PORT,
  METRICS_PORT,
  DATABASE_URL,
  DATABASE_POOL_MAX,
  DATABASE_GROUP_MAX,
  SHUTDOWN_TIMEOUT_MS,
} = commonSettings;

/** Every setting of the acquirer simulator. It has no tokens of its own and asks none of anyone: merchants come with an API key. */
export const settings = {
  NODE_ENV,
  LOG_LEVEL,
  HOST,
  HTTP_PORT,
  HEALTH_PORT,
  METRICS_PORT,
  DATABASE_URL,
  DATABASE_POOL_MAX,
  DATABASE_GROUP_MAX,
  SHUTDOWN_TIMEOUT_MS,
  API_KEY: secrets().describe("the merchant's key; he sends it as a bearer token. Two while it is being changed"),
  WEBHOOK_URL: url().optional().describe('where events go; absent: events are kept and not sent'),
  WEBHOOK_SECRET: secrets().describe(
    'signs events: whsec_ and base64 (Standard Webhooks), or any text. Two sign while it is being changed',
  ),
  WEBHOOK_TIMEOUT_MS: durationMs().default(5_000).describe('how long the merchant may take to take an event'),
  TERMINAL_DELAY_MS: durationMs().default(0).describe('how long a card holder takes at the terminal'),
  LATE_MS: durationMs().default(4_000).describe('how late a late answer is'),
  ARRIVAL_MS: durationMs().default(60_000).describe('how late an operation arrives that was under way for long'),
  EVENT_DELAY_MS: durationMs().default(100).describe('how long after its reply an event is sent'),
  EVENT_POLL_MS: durationMs().default(1_000).describe('how often events that are due are looked for'),
  EVENT_RETRY_MS: durationMs().default(5_000).describe('wait before the second attempt at an event; doubles, up to an hour'),
  EVENT_ATTEMPTS_MAX: count().default(20).describe('attempts after which an event is given up'),
};

export type Config = z.infer<z.ZodObject<typeof settings>>;

/** Throws ConfigError where a setting is wrong, and in production, where there is a real card world. */
export function readConfig(env: Record<string, string | undefined>): Readonly<Config> {
  if (env['NODE_ENV'] === 'production') {
    throw new ConfigError('The acquirer is a simulator of card payments and does not run with NODE_ENV=production.');
  }
  return loadConfig(settings, env);
}
