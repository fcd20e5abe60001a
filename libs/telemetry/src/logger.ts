import { trace } from '@opentelemetry/api';
import { pino, type Logger } from 'pino';
import { redact } from './redaction.ts';

export type { Logger } from 'pino';

/** How long a line may wait for others, in milliseconds, and how many bytes are written at once. A line a write is a tenth of a lookup's time. */
const together = { sync: false, minLength: 4_096, periodicFlush: 100 };

/**
 * JSON lines on stdout, each with the trace it belongs to. Its `level` may be changed while running. Lines are written together, at the
 * latest after 100 ms and when the process ends; only one that is killed (SIGKILL) keeps its last ones to itself.
 */
export function createLogger(service: string, level: string): Logger {
  return pino(
    {
      level,
      base: { service },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }), log: redact },
      // redact() has turned errors into plain objects already.
      serializers: { err: (error: unknown) => error },
      mixin: traceIds,
    },
    pino.destination(together),
  );
}

function traceIds(): Record<string, string> {
  const context = trace.getActiveSpan()?.spanContext();
  return context ? { traceId: context.traceId, spanId: context.spanId } : {};
}
