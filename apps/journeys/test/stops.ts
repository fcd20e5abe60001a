import pg from 'pg';
import { eventually } from '@kassa/testing';

/** A row that is about to be written: every member of `row` stands in it. */
export interface StopAt {
  table: string;
  on: 'INSERT' | 'UPDATE';
  row: Record<string, unknown>;
}

export interface Stop {
  /** Settles when a statement has written the row and waits before its transaction can commit. */
  reached(timeoutMs?: number): Promise<void>;
  /** Lets the transaction commit, whether or not the process behind it still lives; later writes do not wait. */
  commit(): Promise<void>;
  /** Ends the waiting transaction without a trace, as if the database had never heard of it. */
  lose(): Promise<void>;
}

export interface Stops {
  arm(at: StopAt): Promise<Stop>;
  close(): Promise<void>;
}

/**
 * Stops a service at a persisted step without a hook in its code: a trigger in the test's database waits on an advisory lock that the test
 * holds. Triggers are laid on `tables` once; what they wait for is data, so that arming a stop locks nothing a service needs.
 */
export async function layStops(databaseUrl: string, tables: readonly string[]): Promise<Stops> {
  const holder = new pg.Client({ connectionString: databaseUrl, application_name: 'journeys-stops' });
  await holder.connect();
  await holder.query(schema);
  for (const table of tables) {
    await holder.query(
      `CREATE TRIGGER journeys_stop AFTER INSERT OR UPDATE ON ${table} FOR EACH ROW EXECUTE FUNCTION journeys.wait_here()`,
    );
  }

  // One statement after the other, in the order they are asked for.
  let last: Promise<unknown> = Promise.resolve();
  const query = (text: string, values: unknown[]) => {
    const next = last.then(() => holder.query(text, values));
    last = next.catch(() => undefined);
    return next;
  };

  let lastLock = 0;
  return {
    async arm({ table, on, row }) {
      const lock = ++lastLock;
      await query('SELECT pg_advisory_lock($1, $2)', [lockSpace, lock]);
      await query('INSERT INTO journeys.stops VALUES ($1, $2, $3, $4)', [lock, table, on, row]);
      const disarm = () => query('DELETE FROM journeys.stops WHERE lock = $1', [lock]);
      const release = () => query('SELECT pg_advisory_unlock($1, $2)', [lockSpace, lock]);
      return {
        reached: (timeoutMs = 8_000) =>
          eventually(async () => {
            const { rowCount } = await query(waiters, [lockSpace, lock]);
            if (rowCount === 0) throw new Error(`no statement waits at ${on} of ${table} ${JSON.stringify(row)}`);
          }, timeoutMs),
        async commit() {
          await disarm();
          await release();
        },
        async lose() {
          await disarm();
          const { rowCount } = await query(`SELECT pg_terminate_backend(pid, 5000) FROM (${waiters}) AS waiting`, [
            lockSpace,
            lock,
          ]);
          if (rowCount === 0) throw new Error(`nothing waits any more at ${on} of ${table} ${JSON.stringify(row)}`);
          await release();
        },
      };
    },
    close: () => holder.end(),
  };
}

/** Keeps these locks apart from those services take for themselves. */
const lockSpace = 711_000;

const schema = `
  CREATE SCHEMA journeys;
  CREATE TABLE journeys.stops (lock integer PRIMARY KEY, tbl text NOT NULL, op text NOT NULL, row jsonb NOT NULL);
  CREATE FUNCTION journeys.wait_here() RETURNS trigger LANGUAGE plpgsql AS $$
  DECLARE
    stop record;
  BEGIN
    FOR stop IN SELECT lock FROM journeys.stops WHERE tbl = TG_TABLE_NAME AND op = TG_OP AND to_jsonb(NEW) @> row LOOP
      PERFORM pg_advisory_xact_lock_shared(${lockSpace}, stop.lock);
    END LOOP;
    RETURN NULL;
  END $$;`;

const waiters = `SELECT pid FROM pg_locks
  WHERE locktype = 'advisory' AND NOT granted AND classid = $1 AND objid = $2
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;
