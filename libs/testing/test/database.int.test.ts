import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { isExpectation, openDatabase, type Database } from '@kassa/database';
import { testDatabase, type TestDatabase } from '../src/index.ts';

let own: TestDatabase;
let db: Database;

beforeAll(async () => {
  own = await testDatabase();
  db = openDatabase({ url: own.url, poolMax: 4, applicationName: 'test', statementTimeoutMs: 500 });
  await db.pool.query('CREATE TABLE counters (id int PRIMARY KEY, n bigint NOT NULL, day date)');
  await db.pool.query(
    `INSERT INTO counters VALUES (1, 9007199254740991, '2026-11-22'), (2, 0, NULL), (3, 9007199254740992, NULL)`,
  );
  await db.pool.query(`CREATE FUNCTION kassa_expect(ok boolean, reason text) RETURNS boolean LANGUAGE plpgsql AS $$
    BEGIN IF ok IS NOT TRUE THEN RAISE EXCEPTION USING ERRCODE = 'KA001', MESSAGE = reason; END IF; RETURN true; END $$`);
});
afterAll(async () => {
  await db.close();
  await own.drop();
});

test('Amounts are safe integers and a business date is the text it is', async () => {
  const { rows } = await db.query({ name: 'read', text: 'SELECT n, day FROM counters WHERE id = $1' }, [1]);
  expect(rows).toEqual([{ n: 9_007_199_254_740_991, day: '2026-11-22' }]);
});

test('A number beyond the safe integers is never rounded in silence', async () => {
  await expect(db.query({ name: 'read', text: 'SELECT n, day FROM counters WHERE id = $1' }, [3])).rejects.toThrow(
    'beyond a safe integer',
  );
});

test('A statement that refuses itself changes nothing and says why', async () => {
  const text = `WITH up AS (UPDATE counters SET n = n + 1 WHERE id = $1 RETURNING n) SELECT kassa_expect((SELECT n FROM up) > 5, 'too-small')`;
  const error = await db.query({ name: 'guarded', text }, [2]).catch((thrown: unknown) => thrown);
  expect(isExpectation(error, 'too-small')).toBe(true);
  expect((await db.query({ name: 'two', text: 'SELECT n FROM counters WHERE id = 2' }, [])).rows).toEqual([{ n: 0 }]);
});

test('A statement that takes too long is unavailable, not a bug', async () => {
  await expect(db.query({ name: 'sleep', text: 'SELECT pg_sleep(3)' }, [])).rejects.toMatchObject({ code: 'unavailable' });
});

test('A server that is not there is unavailable', async () => {
  const nowhere = openDatabase({ url: 'postgresql://a:b@127.0.0.1:1/x', poolMax: 1, applicationName: 'test' });
  await expect(nowhere.query({ name: 'one', text: 'SELECT 1' }, [])).rejects.toMatchObject({ code: 'unavailable' });
  await nowhere.close();
});

test('Two transactions that deadlock are repeated until both are done', async () => {
  const add = (first: number, second: number) =>
    db.transaction(async (client) => {
      await client.query('UPDATE counters SET day = now() WHERE id = $1', [first]);
      await client.query('SELECT pg_sleep(0.05)');
      await client.query('UPDATE counters SET day = now() WHERE id = $1', [second]);
      return 'done';
    });
  await db.pool.query('ALTER SYSTEM SET deadlock_timeout = 100').then(() => db.pool.query('SELECT pg_reload_conf()'));
  expect(await Promise.all([add(1, 2), add(2, 1)])).toEqual(['done', 'done']);
  await db.pool.query('ALTER SYSTEM RESET deadlock_timeout').then(() => db.pool.query('SELECT pg_reload_conf()'));
});

const add = { name: 'add', text: 'UPDATE counters SET n = n + $2 WHERE id = $1 RETURNING n' };
const addUpTo = {
  name: 'add_up_to',
  text: `WITH up AS (UPDATE counters SET n = n + $2 WHERE id = $1 RETURNING n) SELECT n, kassa_expect(n <= $3, 'too-many') FROM up`,
};
const countersFrom = async (id: number) =>
  (await db.pool.query<{ n: number; xmin: string }>('SELECT n, xmin::text FROM counters WHERE id >= $1 ORDER BY id', [id])).rows;

describe('writes that come at once', () => {
  beforeEach(async () => {
    await db.pool.query('DELETE FROM counters WHERE id >= 10');
    for (const id of [10, 11, 12, 13]) await db.pool.query('INSERT INTO counters VALUES ($1, 0)', [id]);
  });

  test('are one transaction, and each has its own answer', async () => {
    const answers = await Promise.all([10, 11, 12, 13].map((id) => db.write(add, [id, id])));
    expect(answers.map(({ rows }) => rows)).toEqual([[{ n: 10 }], [{ n: 11 }], [{ n: 12 }], [{ n: 13 }]]);
    expect(new Set((await countersFrom(10)).map(({ xmin }) => xmin)).size).toBe(1);
  });

  test('and one refuses itself: it says why, and the others are written once', async () => {
    const tooMany = db.write(addUpTo, [11, 6, 5]).catch((error: unknown) => error);
    const [first, refused, last] = await Promise.all([db.write(addUpTo, [10, 5, 5]), tooMany, db.write(add, [12, 7])]);
    expect([first, last]).toMatchObject([{ rows: [{ n: 5 }] }, { rows: [{ n: 7 }] }]);
    expect(isExpectation(refused, 'too-many')).toBe(true);
    expect((await countersFrom(10)).map(({ n }) => n)).toEqual([5, 0, 7, 0]);
  });

  test('and one waits for a lock: those that come later do not', async () => {
    const holder = await db.pool.connect();
    await holder.query('BEGIN; UPDATE counters SET n = 1 WHERE id = 10');
    const waiting = db.write(add, [10, 1]);
    await setTimeout(20);
    expect(await db.write(add, [11, 1])).toMatchObject({ rows: [{ n: 1 }] });
    await holder.query('COMMIT');
    holder.release();
    expect(await waiting).toMatchObject({ rows: [{ n: 2 }] });
  });

  test('and the connection is lost: none of them is written, and the next one is', async () => {
    const die = { name: 'die', text: 'SELECT pg_terminate_backend(pg_backend_pid())' };
    const lost = await Promise.allSettled([db.write(add, [10, 1]), db.write(die, []), db.write(add, [11, 1])]);
    expect(lost.map((one) => one.status === 'rejected' && (one.reason as { code: string }).code)).toEqual([
      'unavailable',
      'unavailable',
      'unavailable',
    ]);
    expect((await countersFrom(10)).map(({ n }) => n)).toEqual([0, 0, 0, 0]);
    expect(await db.write(add, [10, 1])).toMatchObject({ rows: [{ n: 1 }] });
  });

  test('in two processes, which stand in each other’s way: all are written', async () => {
    const other = openDatabase({ url: own.url, poolMax: 4, applicationName: 'other', statementTimeoutMs: 3_000 });
    const slowly = { name: 'add_slowly', text: `${add.text}, pg_sleep(0.05)` };
    await db.pool.query('ALTER SYSTEM SET deadlock_timeout = 100').then(() => db.pool.query('SELECT pg_reload_conf()'));
    const [up, down] = [
      [10, 11],
      [11, 10],
    ] as const;
    await Promise.all([...up.map((id) => db.write(slowly, [id, 1])), ...down.map((id) => other.write(slowly, [id, 1]))]);
    await db.pool.query('ALTER SYSTEM RESET deadlock_timeout').then(() => db.pool.query('SELECT pg_reload_conf()'));
    await other.close();
    expect((await countersFrom(10)).map(({ n }) => n)).toEqual([2, 2, 0, 0]);
  });

  test('and may be kept apart', async () => {
    const apart = openDatabase({ url: own.url, poolMax: 4, groupMax: 1, applicationName: 'apart' });
    await Promise.all([10, 11, 12, 13].map((id) => apart.write(add, [id, 1])));
    await apart.close();
    expect(new Set((await countersFrom(10)).map(({ xmin }) => xmin)).size).toBe(4);
  });
});

test('Reads that come at once go over one connection, and one that fails is alone with it', async () => {
  const where = { name: 'where', text: 'SELECT pg_backend_pid() AS pid, 1 / $1::int AS n' };
  const [first, failed, last] = await Promise.allSettled([1, 0, 1].map((n) => db.read<{ pid: number }>(where, [n])));
  expect(failed).toMatchObject({ status: 'rejected', reason: { code: '22012' } });
  const pids = [first, last].map((one) => one?.status === 'fulfilled' && one.value.rows[0]?.pid);
  expect(pids).toEqual([expect.any(Number), pids[0]]);
});

test('A migration the schema has not seen is named', async () => {
  const folder = new URL('../../../apps/sales/prisma/migrations/', import.meta.url);
  expect((await db.missingMigrations(folder)).length).toBeGreaterThan(0);
});
