import { afterAll, beforeAll, expect, test } from 'vitest';
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

test('A migration the schema has not seen is named', async () => {
  const folder = new URL('../../../apps/sales/prisma/migrations/', import.meta.url);
  expect((await db.missingMigrations(folder)).length).toBeGreaterThan(0);
});
