import { metrics, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import type pg from 'pg';

const tracer = trace.getTracer('kassa-database');

const duration = metrics.getMeter('kassa-database').createHistogram('kassa_database_statement_duration_seconds', {
  description: 'Time a statement took as the service saw it, the wait for a connection included',
  unit: 's',
  advice: { explicitBucketBoundaries: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10] },
});

/**
 * Does work of the database in a span of its own where the request it serves is sampled; most are not, and pay nothing for it.
 * `text` holds no values. OpenTelemetry's package for pg costs as much as a statement itself, sampled or not.
 */
export async function inSpan<T>(name: string, text: string, work: () => Promise<T>): Promise<T> {
  if (trace.getActiveSpan()?.isRecording() !== true) return work();
  const attributes = { 'db.system.name': 'postgresql', 'db.query.text': text };
  const span = tracer.startSpan(name, { kind: SpanKind.CLIENT, attributes });
  try {
    return await work();
  } catch (error) {
    span.setStatus({ code: SpanStatusCode.ERROR });
    span.setAttribute('db.response.status_code', (error as { code?: string }).code ?? 'none');
    throw error;
  } finally {
    span.end();
  }
}

/** Runs a statement in its span, and notes how long it took. */
export function timed<T>(name: string, text: string, work: () => Promise<T>): Promise<T> {
  const startedAt = performance.now();
  return inSpan(name, text, work).finally(() => duration.record((performance.now() - startedAt) / 1000, { statement: name }));
}

/** The same pool, whose statements are timed and traced, Prisma's too. A transaction is traced by whoever runs it. */
export function traced(pool: pg.Pool): pg.Pool {
  const query = pool.query.bind(pool) as (...args: unknown[]) => Promise<unknown>;
  const tracedQuery = (statement: string | { name?: string; text: string }, ...rest: unknown[]) => {
    const { name = 'unnamed', text } = typeof statement === 'string' ? { text: statement } : statement;
    return timed(name, text, () => query(statement, ...rest));
  };
  pool.query = tracedQuery as typeof pool.query;
  return pool;
}

/** Gauges of a pool, until the function it answers is called. */
export function observePool(pool: pg.Pool): () => void {
  const meter = metrics.getMeter('kassa-database');
  const connections = meter.createObservableGauge('kassa_database_pool_connections', {
    description: 'Connections of the pool by state',
  });
  const waiting = meter.createObservableGauge('kassa_database_pool_waiting', {
    description: 'Statements waiting for a connection',
  });
  const observe = (result: { observe(gauge: typeof connections, value: number, labels?: Record<string, string>): void }) => {
    result.observe(connections, pool.totalCount - pool.idleCount, { state: 'busy' });
    result.observe(connections, pool.idleCount, { state: 'idle' });
    result.observe(waiting, pool.waitingCount);
  };
  meter.addBatchObservableCallback(observe, [connections, waiting]);
  return () => meter.removeBatchObservableCallback(observe, [connections, waiting]);
}
