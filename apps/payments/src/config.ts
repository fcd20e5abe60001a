import { commonSettings, count, durationMs, loadConfig, secret, secrets, url } from '@kassa/config';

/** Every setting of payments. */
export const settings = {
  ...commonSettings,
  ACQUIRER_URL: url().describe('base address of the acquirer'),
  ACQUIRER_API_KEY: secret().describe('our key there'),
  ACQUIRER_WEBHOOK_SECRET: secrets().describe(
    'its events are signed with this: whsec_ and base64 (Standard Webhooks), or any text; two while it is being changed',
  ),
  PROVIDER_TIMEOUT_MS: durationMs()
    .default(10_000)
    .describe('how long the provider may take with a card on the web, or to answer a question'),
  TERMINAL_TIMEOUT_MS: durationMs().default(90_000).describe('how long it may take at a terminal, where a person types a PIN'),
  PROVIDER_CONNECT_MS: durationMs()
    .default(3_000)
    .describe('how long to go on trying to reach it before saying that nothing was sent'),
  LEASE_MS: durationMs()
    .default(30_000)
    .describe('how long a worker may be at a transaction before a repeated command takes it on'),
  REPEAT_WAIT_MS: durationMs().default(2_000).describe('how long a repeated command waits for the worker that is at it'),
  RESOLVE_EVERY_MS: durationMs().default(1_000).describe('how often transactions of unknown outcome are looked for'),
  RESOLVE_ATTEMPTS_ALARM: count()
    .default(10)
    .describe('questions without an answer that tells, after which an operator is called'),
  UNKNOWN_GRACE_MS: durationMs()
    .default(30_000)
    .describe('how long after our last word a transaction the provider does not know is closed there'),
  EXPIRE_EVERY_MS: durationMs().default(60_000).describe('how often authorisations out of time are looked for'),
};

export const readConfig = (env: Record<string, string | undefined>) => loadConfig(settings, env);
export type Config = ReturnType<typeof readConfig>;
