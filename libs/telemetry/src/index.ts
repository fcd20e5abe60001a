export { createLogger, type Logger } from './logger.ts';
export { serveMetrics } from './metrics.ts';
export { runService, type ProcessSettings, type Service } from './run-service.ts';
export { setup, type TelemetryOptions } from './setup.ts';
