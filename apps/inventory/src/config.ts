import { commonSettings, durationMs, loadConfig } from '@kassa/config';

/** Every setting of inventory. */
export const settings = {
  ...commonSettings,
  RESERVATION_TTL_MS: durationMs().default(900_000).describe('how long a reservation lives whose request does not say; ms'),
  SWEEP_EVERY_MS: durationMs().default(1_000).describe('pause between looks for reservations that ran out of time; ms'),
  FEED_POLL_MS: durationMs()
    .refine((ms) => ms <= 1_000, 'must be at most 1000, or readers would hear nothing for longer than a heartbeat')
    .default(100)
    .describe('pause between looks for changes that other processes wrote; ms, at most 1000'),
  FEED_RETENTION_MS: durationMs()
    .default(86_400_000)
    .describe('how long changes are kept; a reader of the feed that was away longer takes a snapshot; ms'),
  HOUSEKEEPING_EVERY_MS: durationMs().default(60_000).describe('pause between removals of what is past its time; ms'),
  IMPORT_LEASE_MS: durationMs()
    .default(30_000)
    .describe('silence after which an import whose process died may be taken over; ms'),
};

export const readConfig = (env: Record<string, string | undefined>) => loadConfig(settings, env);
export type Config = ReturnType<typeof readConfig>;
