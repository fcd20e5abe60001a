import { metrics } from '@opentelemetry/api';
import type { Operation } from './domain/operation.ts';

/** As much of a logger as events need. */
interface Log {
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
}

export type Events = ReturnType<typeof createEvents>;

/** What happened in the card world, counted and logged. */
export function createEvents(log: Log) {
  const meter = metrics.getMeter('kassa-acquirer');
  const operations = meter.createCounter('kassa_acquirer_operations_total', { description: 'Operations put on record' });
  const deliveries = meter.createCounter('kassa_acquirer_events_total', { description: 'Attempts to deliver an event' });
  return {
    operationTaken({ providerKey, kind, channel }: Operation, outcome: string) {
      operations.add(1, { kind, channel, outcome });
      log.info({ providerKey, kind, channel, outcome }, 'operation taken');
    },
    eventDelivered() {
      deliveries.add(1, { outcome: 'taken' });
    },
    eventRefused({ id, providerKey }: { id: string; providerKey: string }, error: unknown) {
      deliveries.add(1, { outcome: 'refused' });
      log.warn({ eventId: id, providerKey, err: error }, 'the merchant did not take an event; it is sent again later');
    },
  };
}
