import { metrics } from '@opentelemetry/api';
import type { FeedState } from './domain/feed.ts';
import type { ImportKind } from './domain/import.ts';
import type { MovementOutcome } from './domain/movement.ts';
import type { ReservationOutcome } from './domain/reservation.ts';

/** As much of a logger as events need. */
interface Log {
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
  error(facts: object, message: string): void;
}

export type Events = ReturnType<typeof createEvents>;

/** What happened to stock, counted and logged. Ids only; the labels are few. */
export function createEvents(log: Log, meter = metrics.getMeter('kassa-inventory')) {
  const reservations = meter.createCounter('kassa_reservations_total', {
    description: 'Commands on reservations by command and outcome',
  });
  const movements = meter.createCounter('kassa_stock_movements_total', { description: 'Stock movements booked, by type' });
  const imported = meter.createCounter('kassa_import_rows_total', { description: 'Rows of imported files by kind and outcome' });
  const sequenced = meter.createCounter('kassa_feed_changes_total', { description: 'Changes given a number by this process' });
  const batches = meter.createCounter('kassa_feed_batches_total', {
    description: 'Transactions in which this process numbered changes',
  });
  const readers = meter.createUpDownCounter('kassa_feed_readers', {
    description: 'Streams of the change feed under way in this process',
  });
  const seq = meter.createObservableGauge('kassa_feed_last_seq', { description: 'Number of the last change' });
  const age = meter.createObservableGauge('kassa_feed_unsequenced_seconds', {
    description: 'Seconds since every committed change was known to have its number',
    unit: 's',
  });
  let feed: FeedState | undefined;
  let drainedAtMs: number | undefined;
  meter.addBatchObservableCallback(
    (result) => {
      if (feed !== undefined) result.observe(seq, feed.lastSeq);
      if (drainedAtMs !== undefined) result.observe(age, Math.max(0, Date.now() - drainedAtMs) / 1000);
    },
    [seq, age],
  );

  return {
    reservationAsked(
      command: 'reserve' | 'firm' | 'extend' | 'consume' | 'release' | 'recover',
      reservationId: string,
      { outcome }: Pick<ReservationOutcome, 'outcome'>,
    ) {
      reservations.add(1, { command, outcome });
      if (outcome === 'expired' || outcome === 'reused')
        log.warn({ reservationId, command, outcome }, 'a reservation was refused');
      else log.info({ reservationId, command, outcome }, 'a reservation was asked for');
    },
    /** The units that were handed over, a movement for each line. */
    sold(lines: number) {
      movements.add(lines, { type: 'sale' });
    },
    reservationsExpired(count: number) {
      reservations.add(count, { command: 'expire', outcome: 'done' });
      log.info({ count }, 'reservations ran out of time');
    },
    movementsBooked(documentId: string, result: MovementOutcome) {
      if (result.outcome !== 'recorded') return;
      for (const { type } of result.document.movements) movements.add(1, { type });
      log.info({ documentId, shopId: result.document.shopId, lines: result.document.movements.length }, 'stock movements booked');
    },
    productChanged(sku: string) {
      log.info({ sku }, 'a product was changed by hand');
    },
    importDone(importId: string, kind: ImportKind, counts: { accepted: number; unchanged: number; refused: number }) {
      const { accepted, unchanged, refused } = counts;
      for (const [outcome, rows] of Object.entries({ accepted, unchanged, refused })) imported.add(rows, { kind, outcome });
      log.info({ importId, kind, accepted, unchanged, refused }, 'a file was imported');
    },
    importFailed(importId: string, kind: ImportKind, error: unknown) {
      log.warn({ importId, kind, err: error }, 'an import broke off; its first rows may have been written');
    },
    changesSequenced(now: FeedState & { sequenced: number }) {
      feed = now;
      if (now.asOf !== undefined) drainedAtMs = now.asOf.getTime();
      if (now.sequenced === 0) return;
      sequenced.add(now.sequenced);
      batches.add(1);
    },
    readerCame() {
      readers.add(1);
    },
    readerWent() {
      readers.add(-1);
    },
    /** A background job failed; it is tried again. */
    jobFailed(job: string, error: unknown) {
      log.error({ job, err: error }, 'a background job failed and is tried again');
    },
  };
}
