import { ConfigError } from '@kassa/config';
import { createLogger, serveMetrics } from '@kassa/telemetry';
import { createApp } from './app.ts';
import { readConfig, type Config } from './config.ts';

const config = readConfigOrExit();
const log = createLogger('payments', config.LOG_LEVEL);
const app = await createApp(config, log);

try {
  const ports = await app.listen();
  const metrics = await serveMetrics(config.HOST, config.METRICS_PORT);
  log.info({ ...ports, metrics: metrics.port }, 'listening');
} catch (error) {
  process.stderr.write(`payments cannot start: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => {
    setTimeout(() => process.exit(1), config.SHUTDOWN_DELAY_MS + config.SHUTDOWN_TIMEOUT_MS).unref();
    void app.close().then(() => process.exit(0));
  });
}

function readConfigOrExit(): Config {
  try {
    return readConfig(process.env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  }
}
