import { createHash } from 'node:crypto';
import { isExpectation, type Database, type Statement } from '@kassa/database';
import { claimValues, finishValues, keyValues, type Answer, type Key } from '@kassa/idempotency';
import { statesAllowing, type Channel, type Intent } from './domain/intent.ts';
import { instantMethods, type Method } from './domain/methods.ts';
import type { Transaction, Verdict } from './domain/transaction.ts';
import type { PrismaClient } from './gen/prisma/client.ts';
import {
  onlyRow,
  toBegun,
  toFinished,
  toIntent,
  toMovement,
  toTransaction,
  type AnswerRow,
  type Begun,
  type Finished,
  type IntentRow,
  type Movement,
  type TransactionRow,
} from './store/rows.ts';
import * as statements from './store/statements.ts';

export type { Begun, Finished, Movement };

/** Who asked: a token's subject, and the role he or it came as. */
export interface Actor {
  subject: string;
  role: string;
}

/** An attempt to pay: it makes its intent where that is new. */
export interface BeginPayment {
  transactionId: string;
  intentId: string;
  kind: 'AUTHORISE' | 'PURCHASE';
  amountMinor: number;
  currency: string;
  reference: string;
  country: string;
  channel: Channel;
  shopId?: string;
  method: Method;
  instrument: string;
  actor: Actor;
}

/** A later step of a payment. An absent amount means all there is. */
export interface BeginFollowUp {
  transactionId: string;
  intentId: string;
  kind: 'CAPTURE' | 'VOID' | 'REFUND';
  amountMinor?: number;
  currency?: string;
  actor: Actor;
}

/** What an operator did, for the audit log. */
export interface Act {
  act: 'resume' | 'resolve' | 'adopt';
  transactionId: string;
  actor: string;
  outcome?: string;
  reason?: string;
  evidence?: string;
  traceId: string;
}

/** How long things may take, in milliseconds. */
export interface Timing {
  /** How long a worker may be at a transaction before another takes it on. */
  leaseMs: number;
  /** How long the provider may take, by method. */
  timeoutMs: Record<Method, number>;
}

export type Store = ReturnType<typeof createStore>;

/**
 * All SQL of payments. What moves money is one prepared statement each, around the functions of the migrations: they hold the intent's
 * row lock while they decide, so limits hold under any concurrency. Lists are plain reads through Prisma.
 */
export function createStore(db: Database, prisma: PrismaClient, timing: Timing) {
  const timeouts = JSON.stringify(timing.timeoutMs);

  function paymentValues(command: BeginPayment): unknown[] {
    const { kind, amountMinor, currency, reference, country, channel, method, instrument } = command;
    return [
      command.transactionId,
      command.intentId,
      kind,
      amountMinor,
      currency,
      reference,
      country,
      channel,
      command.shopId ?? null,
      method,
      instrument,
      fingerprint([kind, command.intentId, amountMinor, currency, reference, country, channel, method, instrument]),
      command.actor.subject,
      command.actor.role,
      instantMethods.includes(method),
      statesAllowing(kind === 'AUTHORISE' ? 'authorise' : 'purchase'),
      timing.leaseMs,
      timing.timeoutMs[method],
    ];
  }

  function followUpValues(command: BeginFollowUp): unknown[] {
    const { kind, amountMinor = null, currency = null } = command;
    return [
      command.transactionId,
      command.intentId,
      kind,
      amountMinor,
      currency,
      fingerprint([kind, command.intentId, amountMinor, currency]),
      command.actor.subject,
      command.actor.role,
      statesAllowing(commandOf[kind]),
      instantMethods,
      timing.leaseMs,
      timeouts,
    ];
  }

  async function begin(statement: Statement, values: unknown[], read: (row: AnswerRow) => Begun = toBegun): Promise<Begun> {
    try {
      const { rows } = await db.write<{ result: AnswerRow }>(statement, values);
      return read(onlyRow(rows).result);
    } catch (error) {
      if (isExpectation(error, 'transaction-id-reused')) return { verdict: 'reused' };
      if (isExpectation(error, 'refused')) return { verdict: 'not-allowed' };
      throw error;
    }
  }

  return {
    /**
     * Writes an intent nobody has tried to pay yet, with the answer to its maker. Throws ExpectationFailed key-seen.
     */
    async createIntent(intent: Intent, actor: Actor, key: Key, answer: Answer): Promise<void> {
      const { id, reference, country, channel, shopId, captureMode, amountMinor, currency, createdAt } = intent;
      await db.query(statements.insertIntent, [
        ...keyValues(key, answer),
        id,
        reference,
        country,
        channel,
        shopId ?? null,
        captureMode,
        amountMinor,
        currency,
        actor.subject,
        createdAt,
      ]);
    },

    /** Writes an attempt to pay down before the provider hears of it. One statement; for cash it is the whole payment. */
    beginPayment: (command: BeginPayment): Promise<Begun> => begin(statements.beginPayment, paymentValues(command)),

    /** Writes a capture, void or refund down before the provider hears of it. */
    beginFollowUp: (command: BeginFollowUp): Promise<Begun> => begin(statements.beginFollowUp, followUpValues(command)),

    /**
     * The same two, with the client's key claimed for this transaction in the same statement. Where the intent does not allow it
     * (not-allowed), or the key was seen (thrown: ExpectationFailed key-seen), nothing is left behind.
     */
    beginPaymentOnce: (command: BeginPayment, key: Key): Promise<Begun> =>
      begin(statements.beginPaymentOnce, [...claimValues(key, command.transactionId), ...paymentValues(command)]),
    beginFollowUpOnce: (command: BeginFollowUp, key: Key): Promise<Begun> =>
      begin(statements.beginFollowUpOnce, [...claimValues(key, command.transactionId), ...followUpValues(command)]),

    /** Records the answer to a claimed key. Whoever comes first wins; the answer is the same in substance. */
    async recordAnswer(key: Key, answer: Answer): Promise<void> {
      await db.query(statements.recordAnswer, finishValues(key.scope, answer));
    },

    /** Writes down what became of a transaction. It is final afterwards unless nobody knows. */
    async finish(transaction: Pick<Transaction, 'id' | 'sends' | 'attempts'>, verdict: Verdict): Promise<Finished> {
      const { rows } = await db.write<{ result: AnswerRow }>(
        statements.finishTransaction,
        statements.finishTransactionValues(transaction, verdict),
      );
      return toFinished(onlyRow(rows).result);
    },

    /** The same by an operator's word, with the audit row and the client's key in the same statement. Throws ExpectationFailed key-seen. */
    async finishByHand(
      transaction: Pick<Transaction, 'id' | 'attempts'>,
      verdict: Verdict,
      act: Act,
      key: Key,
    ): Promise<Finished> {
      const values = statements.finishTransactionValues({ ...transaction, sends: null }, verdict);
      const { rows } = await db.query<{ result: AnswerRow }>(statements.finishByHand, [
        ...claimValues(key, act.transactionId),
        ...values,
        ...statements.actValues(act),
      ]);
      return toFinished(onlyRow(rows).result);
    },

    /**
     * Writes a movement down that took place and that these books have lost, as it ended, with the audit row and the client's key in the
     * same statement. Where the intent does not allow it (not-allowed), or the key was seen (thrown: ExpectationFailed key-seen), nothing
     * is left behind.
     */
    adopt(command: BeginPayment | BeginFollowUp, verdict: Verdict, act: Act, key: Key): Promise<Begun> {
      const isPayment = 'reference' in command;
      const once = claimValues(key, command.transactionId);
      const end = statements.finishTransactionValues({ id: command.transactionId, sends: 1, attempts: 0 }, verdict);
      const values = [
        ...once,
        ...(isPayment ? paymentValues(command) : followUpValues(command)),
        ...statements.actValues(act),
        ...end,
      ];
      return begin(isPayment ? statements.adoptPayment : statements.adoptFollowUp, values, (row) => ({
        ...toFinished(row),
        verdict: 'claimed',
      }));
    },

    /** Takes away the mark of a cancel that came when this intent was not known here, so that a payment it turns away can be adopted. */
    async forgetCancelMark(intentId: string): Promise<void> {
      await db.query(statements.forgetCancelMark, [intentId]);
    },

    /** Notes an operator's act that is done by what follows it, and claims the client's key. Throws ExpectationFailed key-seen. */
    async noteAct(act: Act, key: Key): Promise<void> {
      await db.query(statements.noteAct, [...claimValues(key, act.transactionId), ...statements.actValues(act)]);
    },

    /**
     * Takes an event of the provider once, with what it says of a transaction. Undefined where the event was here before, or its
     * transaction is not one of ours.
     */
    async finishByEvent(
      event: { provider: string; id: string },
      transaction: Transaction,
      verdict: Verdict,
    ): Promise<Finished | undefined> {
      const { rows } = await db.query<{ result: AnswerRow | null }>(statements.finishByEvent, [
        event.provider,
        event.id,
        ...statements.finishTransactionValues(transaction, verdict),
      ]);
      const { result } = onlyRow(rows);
      return result === null ? undefined : toFinished(result);
    },

    /** A transaction with its intent; undefined where there is none. */
    async find(transactionId: string): Promise<(Movement & { transaction: Transaction }) | undefined> {
      const { rows } = await db.query<{ result: AnswerRow }>(statements.findMovement, [transactionId]);
      const movement = rows[0] && toMovement(rows[0].result);
      return movement?.transaction && { ...movement, transaction: movement.transaction };
    },

    /** An intent with all its transactions, oldest first; undefined where there is none. */
    async findIntent(intentId: string): Promise<{ intent: Intent; transactions: Transaction[]; now: Date } | undefined> {
      const { rows } = await db.query<{ result: { intent: IntentRow; transactions: TransactionRow[]; now: string } }>(
        statements.findIntent,
        [intentId],
      );
      const result = rows[0]?.result;
      return (
        result && {
          intent: toIntent(result.intent),
          transactions: result.transactions.map(toTransaction),
          now: new Date(result.now),
        }
      );
    },

    /** Takes a transaction on whose worker did not come back, to tell the provider again. Undefined where someone else was faster. */
    async takeOn(transaction: Transaction): Promise<Transaction | undefined> {
      const { id, sends, method } = transaction;
      const { rows } = await db.query<{ result: TransactionRow }>(statements.takeOn, [
        id,
        sends,
        timing.leaseMs,
        timing.timeoutMs[method],
      ]);
      return rows[0] && toTransaction(rows[0].result);
    },

    /** Takes transactions whose outcome is due to be asked for, and puts the next question off in case this one tells nothing. */
    async claimDue(limit: number): Promise<{ transaction: Transaction; now: Date }[]> {
      const { rows } = await db.query<{ result: TransactionRow; now: Date }>(statements.claimDue, [limit]);
      return rows.map((row) => ({ transaction: toTransaction(row.result), now: row.now }));
    },

    /** Forgets events that came so many days ago, at most 1,000 a call; answers how many. One that comes again after that changes nothing either. */
    async forgetEvents(afterDays: number): Promise<number> {
      return (await db.query(statements.forgetEvents, [afterDays])).rows.length;
    },

    /** Marks authorisations that are still held and ran out of time, and begins to void what is left of them. */
    async expireAuthorisations(limit: number): Promise<(Movement & { transaction: Transaction })[]> {
      const { rows } = await db.query<{ result: AnswerRow }>(statements.expireAuthorisations, [limit, timing.leaseMs, timeouts]);
      return rows.flatMap((row) => {
        const movement = toMovement(row.result);
        return movement.transaction ? [{ ...movement, transaction: movement.transaction }] : [];
      });
    },

    /** Intents for a reference, by id: of one shop, of the web shop (channel web), or all. */
    async intentsFor(filter: {
      reference: string;
      shopId?: string;
      isWeb?: boolean;
      after?: string;
      limit: number;
    }): Promise<Intent[]> {
      const { rows } = await db.query<{ result: IntentRow }>(statements.findByReference, [
        filter.reference,
        filter.after ?? null,
        filter.shopId ?? null,
        filter.isWeb ?? false,
        filter.limit,
      ]);
      return rows.map((row) => toIntent(row.result));
    },

    /** Transactions whose outcome is not known, by id. */
    openTransactions: (after: string | undefined, limit: number) =>
      prisma.transaction.findMany({
        where: { status: { in: ['INIT', 'UNKNOWN'] }, ...(after === undefined ? {} : { id: { gt: after } }) },
        orderBy: { id: 'asc' },
        take: limit,
        include: { intent: { select: { reference: true, status: true, method: true, shopId: true } } },
      }),

    /** How many sent transactions nobody knows the outcome of, and the age of the oldest, in seconds; both 0 where there are none. */
    async unknownNow(): Promise<{ count: number; oldestAgeSeconds: number }> {
      const { rows } = await db.query<{ count: number; oldestAgeSeconds: number }>(statements.unknownNow, []);
      return onlyRow(rows);
    },

    /** All transactions, by id. */
    auditTransactions: (after: string | undefined, limit: number) =>
      prisma.transaction.findMany({
        where: after === undefined ? {} : { id: { gt: after } },
        orderBy: { id: 'asc' },
        take: limit,
        include: { intent: { select: { reference: true } } },
      }),

    /** What operators did, oldest first: the ids are made in the order of time. */
    acts: (after: string | undefined, limit: number) =>
      prisma.auditAct.findMany({ where: after === undefined ? {} : { id: { gt: after } }, orderBy: { id: 'asc' }, take: limit }),
  };
}

const commandOf = { CAPTURE: 'capture', VOID: 'cancel', REFUND: 'refund' } as const;

/** The content of a command; who asked is not part of it, since a checkout is resumed by whoever finds it. */
function fingerprint(content: unknown[]): string {
  return createHash('sha256').update(JSON.stringify(content)).digest('base64url');
}
