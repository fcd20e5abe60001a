import { trace } from '@opentelemetry/api';
import { pino, type Logger } from 'pino';

export type { Logger } from 'pino';

// Ids are logged, people and secrets are not. What slips into an object under one of these names is taken out.
const secretNames = [
  'authorization',
  'token',
  'access_token',
  'password',
  'secret',
  'name',
  'cardNumber',
  'pan',
  'cvc',
  'instrument',
  'body',
];
const redactPaths = secretNames.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]);

/** JSON lines on stdout, each with the trace it belongs to. Its `level` may be changed while running. */
export function createLogger(service: string, level: string): Logger {
  return pino({
    level,
    base: { service },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: { paths: redactPaths, censor: '[redacted]' },
    mixin: traceIds,
  });
}

function traceIds(): Record<string, string> {
  const context = trace.getActiveSpan()?.spanContext();
  return context ? { traceId: context.traceId, spanId: context.spanId } : {};
}
