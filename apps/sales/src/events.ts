import { metrics } from '@opentelemetry/api';
import type { FeedState } from '@kassa/feed';
import type { Receipt } from './domain/receipt.ts';

/** As much of a logger as events need. */
export interface Log {
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
  error(facts: object, message: string): void;
}

/** Which checkout; ids only. */
export interface CheckoutIds {
  saleId: string;
  attempt: number;
  phase: string;
}

export type Events = ReturnType<typeof createEvents>;

/** What happens in sales, counted with few labels and logged by ids. */
export function createEvents(log: Log) {
  const meter = metrics.getMeter('kassa-sales');
  const opened = meter.createCounter('kassa_sales_opened_total', { description: 'Sales opened, by country' });
  const completed = meter.createCounter('kassa_sales_completed_total', { description: 'Sales completed, by country' });
  const abandoned = meter.createCounter('kassa_sales_abandoned_total', {
    description: 'Sales given up before they were tendered',
  });
  const checkouts = meter.createCounter('kassa_checkouts_total', {
    description: 'Checkouts ended, by outcome: completed, aborted, or the code they were refused with',
  });
  const postponed = meter.createCounter('kassa_checkouts_postponed_total', {
    description: 'Times a checkout got no further for now, by problem',
  });
  const notReturned = meter.createCounter('kassa_money_not_returned_total', {
    description: 'Times the return of money was refused; it is tried again, and each is to be looked into',
  });
  const imported = meter.createCounter('kassa_imported_rows_total', {
    description: 'Rows imported, by kind and result: accepted, unchanged, refused',
  });
  const acts = meter.createCounter('kassa_operator_acts_total', { description: 'Decisions of operators, by act' });
  const duration = meter.createHistogram('kassa_checkout_duration_seconds', {
    description: 'From the freeze to the end of a checkout, by outcome: completed, refused, aborted',
    unit: 's',
    advice: { explicitBucketBoundaries: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900] },
  });
  const oldest = meter.createObservableGauge('kassa_checkout_oldest_age_seconds', {
    description: 'Age of the oldest checkout with something left to do',
    unit: 's',
  });
  let oldestAgeSeconds = 0;
  oldest.addCallback((result) => result.observe(oldestAgeSeconds));
  let feed: FeedState['connection'] = 'connecting';
  // A counter that begins at 1 shows no increase: the first time would be missed.
  notReturned.add(0);
  abandoned.add(0);

  return {
    saleOpened(saleId: string, country: string) {
      opened.add(1, { country });
      log.info({ saleId }, 'sale opened');
    },
    saleAbandoned(saleId: string) {
      abandoned.add(1);
      log.info({ saleId }, 'sale abandoned');
    },
    saleCompleted(
      { saleId, registerId, number, country }: Pick<Receipt, 'saleId' | 'registerId' | 'number' | 'country'>,
      seconds: number,
    ) {
      completed.add(1, { country });
      checkouts.add(1, { outcome: 'completed' });
      duration.record(seconds, { outcome: 'completed' });
      log.info({ saleId, registerId, receiptNumber: number }, 'sale completed');
    },
    /** A checkout was refused and is undone: money and stock are where they were. */
    checkoutUndone({ saleId, attempt }: CheckoutIds, cause: string, seconds: number) {
      const isAborted = cause === 'operator-abort';
      checkouts.add(1, { outcome: isAborted ? 'aborted' : cause });
      duration.record(seconds, { outcome: isAborted ? 'aborted' : 'refused' });
      log.info({ saleId, attempt, cause }, 'checkout undone');
    },
    checkoutPostponed({ saleId, attempt, phase }: CheckoutIds, problem: string, tries: number) {
      postponed.add(1, { problem });
      log.warn({ saleId, attempt, phase, problem, tries }, 'a checkout got no further and is tried again later');
    },
    moneyNotReturned({ saleId, attempt }: CheckoutIds, tenderId: string, problem: string) {
      notReturned.add(1);
      log.error({ saleId, attempt, tenderId, problem }, 'the return of money was refused; it is tried again');
    },
    checkoutBroke({ saleId, attempt, phase }: CheckoutIds, error: unknown) {
      log.error({ saleId, attempt, phase, err: error }, 'a checkout met an error and is taken up again later');
    },
    oldestCheckout(ageSeconds: number) {
      oldestAgeSeconds = ageSeconds;
    },
    fileImported(importId: string, kind: string, report: { rows: number; accepted: number; unchanged: number; refused: number }) {
      for (const result of ['accepted', 'unchanged', 'refused'] as const) imported.add(report[result], { kind, result });
      log.info({ importId, kind, ...report }, 'file imported');
    },
    operatorActed(act: string, saleId: string, subject: string) {
      acts.add(1, { act });
      log.warn({ act, saleId, subject }, 'an operator decided on a checkout');
    },
    /** Said once when the feed is found and when it is lost, not at each attempt to find it again. */
    feedChanged({ connection, position, failure }: FeedState) {
      if (connection === feed || (connection !== 'following' && connection !== 'lost')) return;
      feed = connection;
      if (connection === 'following') log.info({ ...position }, 'the feed of inventory is heard');
      else log.warn({ ...position, err: failure }, 'the feed of inventory is lost; products and shops stay as they are');
    },
  };
}
