import type { PoolClient } from 'pg';
import { uuidv7 } from 'uuidv7';
import type { Database, Statement } from '@kassa/database';
import type { PlannedEvent } from './domain/behaviour.ts';
import { beginsPayment, type Operation, type OperationRequest, type Original } from './domain/operation.ts';

/** What is to be written for a request, decided while its original is locked. */
export interface Decision {
  outcome: 'approved' | 'declined';
  declineCode?: string;
  authorisationCode?: string;
  cardLabel?: string;
  takenMinor: number;
  /** Milliseconds until the operation is no longer pending. */
  completesAfterMs: number;
  /** Events with the milliseconds from now after which each is due. */
  events: (PlannedEvent & { dueAfterMs: number })[];
}

/** An operation with its outcome, which a pending one does not tell yet. */
export interface Recorded {
  operation: Operation;
  outcome: 'approved' | 'declined';
}

export interface DueEvent {
  id: string;
  providerKey: string;
  copies: number;
}

export interface Position {
  recordedIn: string;
  sequence: number;
}

export type Store = ReturnType<typeof createStore>;

/** All SQL of the acquirer. Whatever is answered was committed before. */
export function createStore(db: Database) {
  /** Locks the original, decides, and writes. The first request of a key wins; any later one finds what that wrote. */
  async function recordFollowUp(request: OperationRequest, decide: (original: Original | undefined) => Decision) {
    return db.transaction(async (client) => {
      const original = await lockOriginal(client, request.originalKey);
      const seen = await client.query<OperationRow>(findOperation.text, [request.providerKey]);
      if (seen.rows[0]) return { ...toRecorded(seen.rows[0]), isNew: false };
      const decision = decide(original);
      const { rows } = await client.query<OperationRow>(insertOperation.text, insertValues(request, decision));
      if (rows[0] && decision.outcome === 'approved') {
        await client.query(moveBalance, [request.originalKey, request.kind, decision.takenMinor]);
      }
      return rows[0] ? { ...toRecorded(rows[0]), isNew: true } : undefined;
    });
  }

  async function find(providerKey: string): Promise<Recorded | undefined> {
    const { rows } = await db.query<OperationRow>(findOperation, [providerKey]);
    return rows[0] && toRecorded(rows[0]);
  }

  return {
    find,

    /** Puts an operation on record at most once per provider key; `isNew` is false where the key was there before. */
    async record(
      request: OperationRequest,
      decide: (original: Original | undefined) => Decision,
    ): Promise<Recorded & { isNew: boolean }> {
      if (!beginsPayment(request.kind)) {
        const followUp = await recordFollowUp(request, decide);
        if (followUp) return followUp;
      } else {
        const { rows } = await db.write<OperationRow>(insertOperation, insertValues(request, decide(undefined)));
        if (rows[0]) return { ...toRecorded(rows[0]), isNew: true };
      }
      const seen = await find(request.providerKey);
      if (!seen) throw new Error(`operation ${request.providerKey} was refused as a duplicate and is not there`);
      return { ...seen, isNew: false };
    },

    /** The ledger after a position, oldest first; only what no running transaction can still put something before. */
    async ledger(after: Position | undefined, limit: number): Promise<{ operation: Operation; position: Position }[]> {
      const { rows } = await db.query<OperationRow & { recorded_in: string; sequence: number }>(ledgerPage, [
        after?.recordedIn ?? '0',
        after?.sequence ?? 0,
        limit,
      ]);
      return rows.map((row) => ({
        operation: toRecorded(row).operation,
        position: { recordedIn: row.recorded_in, sequence: row.sequence },
      }));
    },

    /** Takes all events that are due, or those of one operation, and schedules each again in case this process dies while it delivers them. */
    async claimEvents(claim: { providerKey?: string; retryMs: number; attemptsMax: number }): Promise<DueEvent[]> {
      const { rows } = await db.query<{ id: string; provider_key: string; copies: number }>(claimDueEvents, [
        claim.providerKey ?? null,
        claim.retryMs,
        claim.attemptsMax,
      ]);
      return rows.map((row) => ({ id: row.id, providerKey: row.provider_key, copies: row.copies }));
    },

    async markDelivered(eventId: string): Promise<void> {
      await db.query(markEventDelivered, [eventId]);
    },
  };
}

interface OperationRow {
  provider_key: string;
  kind: Operation['kind'];
  channel: Operation['channel'];
  instrument: string;
  amount_minor: number;
  currency: string;
  original_key: string | null;
  outcome: 'approved' | 'declined';
  taken_minor: number;
  decline_code: string | null;
  authorisation_code: string | null;
  card_label: string | null;
  provider_ref: string;
  is_pending: boolean;
}

// clock_timestamp(), since a transaction that waited for a lock may have begun (now()) before the operation it then finds.
const columns = `provider_key, kind, channel, instrument, amount_minor, currency, original_key, outcome, taken_minor, decline_code,
  authorisation_code, card_label, provider_ref, completes_at > clock_timestamp() AS is_pending`;

const findOperation: Statement = { name: 'operation_find', text: `SELECT ${columns} FROM operations WHERE provider_key = $1` };

const insertOperation: Statement = {
  name: 'operation_insert',
  text: `WITH operation AS (
      INSERT INTO operations (provider_key, kind, channel, instrument, amount_minor, currency, original_key, outcome, taken_minor,
        decline_code, authorisation_code, card_label, provider_ref, authorised_minor, captured_minor, completes_at)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, now() + $16 * interval '1 ms')
      ON CONFLICT (provider_key) DO NOTHING
      RETURNING ${columns}
    ), planned AS (
      INSERT INTO events (id, provider_key, copies, due_at)
      SELECT event.id, operation.provider_key, event.copies, now() + event.due_after_ms * interval '1 ms'
      FROM operation, unnest($17::uuid[], $18::integer[], $19::integer[]) AS event (id, copies, due_after_ms)
    )
    SELECT * FROM operation`,
};

function insertValues(request: OperationRequest, decision: Decision): unknown[] {
  const begun = beginsPayment(request.kind) && decision.outcome === 'approved' ? decision.takenMinor : 0;
  return [
    request.providerKey,
    request.kind,
    request.channel,
    request.instrument,
    request.amountMinor,
    request.currency,
    request.originalKey ?? null,
    decision.outcome,
    decision.takenMinor,
    decision.declineCode ?? null,
    decision.authorisationCode ?? null,
    decision.cardLabel ?? null,
    `acq_${uuidv7().replaceAll('-', '')}`,
    begun,
    request.kind === 'purchase' ? begun : 0,
    decision.completesAfterMs,
    decision.events.map(() => uuidv7()),
    decision.events.map((event) => event.copies),
    decision.events.map((event) => event.dueAfterMs),
  ];
}

async function lockOriginal(client: PoolClient, key: string | undefined): Promise<Original | undefined> {
  const { rows } = await client.query<{
    outcome: string;
    currency: string;
    authorised_minor: number;
    captured_minor: number;
    voided_minor: number;
    refunded_minor: number;
  }>(
    `SELECT outcome, currency, authorised_minor, captured_minor, voided_minor, refunded_minor
     FROM operations WHERE provider_key = $1 AND kind IN ('authorise', 'purchase') FOR UPDATE`,
    [key],
  );
  const [row] = rows;
  return (
    row && {
      isApproved: row.outcome === 'approved',
      currency: row.currency,
      balances: {
        authorisedMinor: row.authorised_minor,
        capturedMinor: row.captured_minor,
        voidedMinor: row.voided_minor,
        refundedMinor: row.refunded_minor,
      },
    }
  );
}

const moveBalance = `UPDATE operations SET
    captured_minor = captured_minor + CASE WHEN $2 = 'capture' THEN $3::bigint ELSE 0 END,
    voided_minor = voided_minor + CASE WHEN $2 = 'void' THEN $3::bigint ELSE 0 END,
    refunded_minor = refunded_minor + CASE WHEN $2 = 'refund' THEN $3::bigint ELSE 0 END
  WHERE provider_key = $1`;

const ledgerPage: Statement = {
  name: 'operation_ledger',
  text: `SELECT ${columns}, recorded_in::text AS recorded_in, sequence FROM operations
    WHERE (recorded_in, sequence) > ($1::xid8, $2) AND recorded_in < pg_snapshot_xmin(pg_current_snapshot())
    ORDER BY operations.recorded_in, sequence LIMIT $3`,
};

const claimDueEvents: Statement = {
  name: 'event_claim',
  text: `UPDATE events SET attempts = attempts + 1, due_at = now() + LEAST($2 * 2 ^ attempts, 3600000) * interval '1 ms'
    WHERE id IN (
      SELECT id FROM events
      WHERE delivered_at IS NULL AND attempts < $3 AND CASE WHEN $1::uuid IS NULL THEN due_at <= now() ELSE provider_key = $1 END
      ORDER BY due_at LIMIT 20 FOR UPDATE SKIP LOCKED)
    RETURNING id, provider_key, copies`,
};

const markEventDelivered: Statement = { name: 'event_delivered', text: 'UPDATE events SET delivered_at = now() WHERE id = $1' };

function toRecorded(row: OperationRow): Recorded {
  return {
    outcome: row.outcome,
    operation: {
      providerKey: row.provider_key,
      kind: row.kind,
      channel: row.channel,
      instrument: row.instrument,
      amountMinor: row.amount_minor,
      currency: row.currency,
      ...(row.original_key === null ? {} : { originalKey: row.original_key }),
      status: row.is_pending ? 'pending' : row.outcome,
      ...(row.decline_code === null ? {} : { declineCode: row.decline_code }),
      ...(row.authorisation_code === null ? {} : { authorisationCode: row.authorisation_code }),
      ...(row.card_label === null ? {} : { cardLabel: row.card_label }),
      providerRef: row.provider_ref,
      takenMinor: row.taken_minor,
    },
  };
}
