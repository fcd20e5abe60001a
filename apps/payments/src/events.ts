import { metrics } from '@opentelemetry/api';
import { methods } from './domain/methods.ts';
import { kinds, type Transaction } from './domain/transaction.ts';

/** As much of a logger as events need. */
interface Log {
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
  error(facts: object, message: string): void;
}

export type Events = ReturnType<typeof createEvents>;

/** What happened to money, counted and logged: ids and amounts, nothing of the card or of whoever holds it. */
export function createEvents(log: Log) {
  const meter = metrics.getMeter('kassa-payments');
  const payments = meter.createCounter('kassa_payments_total', { description: 'Transactions by what became of them' });
  const alarms = meter.createCounter('kassa_payment_integrity_failures_total', {
    description: 'Transactions of which the provider reported something else than was asked for; each needs a person',
  });
  const inquiries = meter.createCounter('kassa_payment_inquiries_total', {
    description: 'Questions to the provider what became of a transaction',
  });
  const acts = meter.createCounter('kassa_payment_operator_acts_total', { description: 'What operators did by hand' });
  const unknown = meter.createObservableGauge('kassa_unknown_payments', {
    description: 'Transactions of which nobody knows whether money moved, in the database',
  });
  const unknownAge = meter.createObservableGauge('kassa_unknown_payment_oldest_age_seconds', {
    description: 'Age of the oldest of them',
    unit: 's',
  });
  let unknownNow: { count: number; oldestAgeSeconds: number } | undefined;
  meter.addBatchObservableCallback(
    (result) => {
      if (unknownNow === undefined) return;
      result.observe(unknown, unknownNow.count);
      result.observe(unknownAge, unknownNow.oldestAgeSeconds);
    },
    [unknown, unknownAge],
  );
  // A counter that begins at 1 shows no increase: the first alarm of a process would be missed.
  for (const kind of kinds) for (const method of methods) alarms.add(0, { kind, method });

  return {
    /** What the books say now; shown until the next count. */
    unknownCounted(now: { count: number; oldestAgeSeconds: number }) {
      unknownNow = now;
    },
    /** Its outcome, or that nobody knows it, was written down. */
    transactionRecorded({ id, intentId, kind, method, status, declineCode, note }: Transaction) {
      payments.add(1, { kind, method, status });
      const facts = { transactionId: id, intentId, kind, method, status, declineCode, note };
      if (status === 'UNKNOWN') log.warn(facts, 'nobody knows what became of a transaction');
      else log.info(facts, 'transaction recorded');
    },
    /** The alarm: the provider says something that cannot be. Nothing completes until a person has looked. */
    integrityFailed({ id, intentId, kind, method, status, note }: Transaction, said: string) {
      alarms.add(1, { kind, method });
      log.error(
        { transactionId: id, intentId, kind, method, status, note, said },
        'the provider reported something else than was asked for',
      );
    },
    inquiryAnswered({ id, kind }: Transaction, outcome: string) {
      inquiries.add(1, { kind, outcome });
      log.info({ transactionId: id, kind, outcome }, 'asked the provider what became of a transaction');
    },
    /** Asked many times without an answer that tells anything. */
    transactionStuck({ id, intentId, kind, method, attempts }: Transaction) {
      log.warn({ transactionId: id, intentId, kind, method, attempts }, 'a transaction needs an operator');
    },
    eventIgnored(facts: { eventId: string; transactionId?: string }, why: string) {
      log.warn({ ...facts, why }, 'an event of the provider changed nothing');
    },
    operatorActed(act: 'resume' | 'resolve' | 'adopt', transactionId: string, actor: string) {
      acts.add(1, { act });
      log.info({ act, transactionId, actor }, 'an operator took a transaction in hand');
    },
  };
}
