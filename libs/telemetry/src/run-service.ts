import process from 'node:process';
import { createLogger, type Logger } from './logger.ts';
import { serveMetrics } from './metrics.ts';

/** A service, as far as its process is concerned. */
export interface Service {
  /** Opens the ports and answers them by name. */
  listen(): Promise<Record<string, number>>;
  /** Finishes what was accepted and closes everything. */
  close(): Promise<void>;
}

/** The settings every process has; those in milliseconds say how long close() takes at most. */
export interface ProcessSettings {
  LOG_LEVEL: string;
  HOST: string;
  METRICS_PORT: number;
  SHUTDOWN_DELAY_MS?: number;
  SHUTDOWN_TIMEOUT_MS: number;
}

/** After what was under way has had its time, for letting go of the rest and closing connections. */
const closeMs = 5_000;

/**
 * The whole of a main.ts: reads the settings, starts the service with its log and its metrics, and closes it on SIGTERM or SIGINT.
 * What keeps it from starting is one message on stderr and exit code 1; a fault of ours keeps its stack.
 */
export async function runService<Settings extends ProcessSettings>(
  name: string,
  readConfig: () => Settings,
  createApp: (config: Settings, log: Logger) => Promise<Service>,
): Promise<void> {
  const config = readOrExit(readConfig);
  const log = createLogger(name, config.LOG_LEVEL);
  const app = await createApp(config, log);
  try {
    const ports = await app.listen();
    const metrics = await serveMetrics(config.HOST, config.METRICS_PORT);
    log.info({ ...ports, metrics: metrics.port }, 'listening');
  } catch (error) {
    exitWith(`${name} cannot start: ${error instanceof Error ? error.message : String(error)}`);
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      setTimeout(() => process.exit(1), (config.SHUTDOWN_DELAY_MS ?? 0) + config.SHUTDOWN_TIMEOUT_MS + closeMs).unref();
      void app.close().then(() => process.exit(0));
    });
  }
}

function readOrExit<Settings>(readConfig: () => Settings): Settings {
  try {
    return readConfig();
  } catch (error) {
    // By its name, since kits do not know each other.
    if (!(error instanceof Error) || error.name !== 'ConfigError') throw error;
    return exitWith(error.message);
  }
}

function exitWith(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}
