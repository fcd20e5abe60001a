export { createLogger, type Logger } from './logger.ts';
export { serveMetrics } from './metrics.ts';
export { setup, type TelemetryOptions } from './setup.ts';
