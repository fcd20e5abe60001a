import { address, commonSettings, durationMs, loadConfig } from '@kassa/config';

/** Every setting of sales. */
export const settings = {
  ...commonSettings,
  INVENTORY_GRPC: address().describe('inventory, host:port'),
  PAYMENTS_GRPC: address().describe('payments, host:port'),
  CALL_DEADLINE_MS: durationMs().default(5_000).describe('how long a neighbour may take to answer'),
  PAYMENT_DEADLINE_MS: durationMs()
    .default(100_000)
    .describe('how long a payment may take: a customer at a terminal has 90 seconds'),
  CHECKOUT_LEASE_MS: durationMs().default(30_000).describe('after how long without a sign another process takes a checkout over'),
  CHECKOUT_RESUME_EVERY_MS: durationMs()
    .default(2_000)
    .describe('how often is looked for checkouts nobody works on; also the first pause of one that got no further'),
  CHECKOUT_BACKOFF_MAX_MS: durationMs().default(15_000).describe('longest pause of a checkout that got no further'),
  CHECKOUT_WAIT_MS: durationMs()
    .default(20_000)
    .describe('how long a till waits for the end of a checkout before it is answered 202'),
  CHECKOUT_STUCK_AFTER_MS: durationMs().default(300_000).describe('age from which an open checkout is listed as stuck'),
  CONSUME_GATHER_MS: durationMs()
    .default(100)
    .describe('how long the goods of a sale wait for those of others, to be consumed together; 0: each alone'),
  IMPORT_LEASE_MS: durationMs().default(30_000).describe('after how long without a sign a broken import may be sent again'),
};

export const readConfig = (env: Record<string, string | undefined>) => loadConfig(settings, env);
export type Config = ReturnType<typeof readConfig>;
