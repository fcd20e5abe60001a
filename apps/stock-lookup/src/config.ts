import { address, commonSettings, count, durationMs, loadConfig } from '@kassa/config';

/** Every setting of stock-lookup. */
export const settings = {
  ...commonSettings,
  INVENTORY_GRPC: address().describe('inventory, host:port'),
  FEED_STALE_AFTER_MS: durationMs().default(5_000).describe('silence of the feed after which answers say degraded; ms'),
  SHELVES_MAX: count()
    .default(20_000)
    .describe('products whose stock in all shops is kept in memory, 8 bytes a shop each; others are read from the database'),
};

export const readConfig = (env: Record<string, string | undefined>) => loadConfig(settings, env);
export type Config = ReturnType<typeof readConfig>;
