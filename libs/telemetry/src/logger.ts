import { trace } from '@opentelemetry/api';
import { pino, type Logger } from 'pino';
import { redact } from './redaction.ts';

export type { Logger } from 'pino';

/** JSON lines on stdout, each with the trace it belongs to. Its `level` may be changed while running. */
export function createLogger(service: string, level: string): Logger {
  return pino({
    level,
    base: { service },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }), log: redact },
    // redact() has turned errors into plain objects already.
    serializers: { err: (error: unknown) => error },
    mixin: traceIds,
  });
}

function traceIds(): Record<string, string> {
  const context = trace.getActiveSpan()?.spanContext();
  return context ? { traceId: context.traceId, spanId: context.spanId } : {};
}
