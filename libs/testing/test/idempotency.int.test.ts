import { readFileSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openDatabase, type Database } from '@kassa/database';
import {
  claimValues,
  createIdempotency,
  finishCte,
  finishValues,
  keyCte,
  keyExpected,
  keyValues,
  readKey,
  type Answer,
  type Idempotency,
  type Key,
} from '@kassa/idempotency';
import { KassaError } from '@kassa/problem';
import { testDatabase, type TestDatabase } from '../src/index.ts';

let own: TestDatabase;
let db: Database;
let idempotency: Idempotency;

beforeAll(async () => {
  own = await testDatabase();
  db = openDatabase({ url: own.url, poolMax: 10, applicationName: 'test' });
  await db.pool.query(readFileSync(new URL('../../database/sql/kassa.sql', import.meta.url), 'utf8'));
  await db.pool.query('CREATE TABLE effects (id uuid PRIMARY KEY, amount int NOT NULL)');
  idempotency = createIdempotency(db);
});
afterAll(async () => {
  await db.close();
  await own.drop();
});

const keyOf = (header: string, body: unknown): Key =>
  readKey({
    header,
    subject: 'till',
    method: 'POST',
    path: '/v1/effects',
    body,
    traceId: 'trace-1',
    now: new Date(),
    retentionDays: 7,
  });

const expiring = ({ expiresAt }: Key) => ({ 'idempotency-expires': expiresAt.toUTCString() });

const insert = {
  name: 'insert_effect',
  text: `WITH ${keyCte(1)}, effect AS (INSERT INTO effects VALUES ($7, $8)) SELECT ${keyExpected}`,
};

async function write(header: string, amount: number): Promise<Answer> {
  const key = keyOf(header, { amount });
  return idempotency.once(key, async () => {
    if (amount > 100) throw new KassaError('overpaid', { params: { amount } });
    const answer: Answer = { status: 201, body: { id: randomUUID() }, headers: { etag: '"1"', location: '/v1/effects/1' } };
    await db.query(insert, [...keyValues(key, answer), (answer.body as { id: string }).id, amount]);
    return answer;
  });
}

const countEffects = async () => Number((await db.pool.query<{ n: number }>('SELECT count(*) AS n FROM effects')).rows[0]?.n);

test('Fifty at once with one key have one effect and one answer', async () => {
  const before = await countEffects();
  const answers = await Promise.all(Array.from({ length: 50 }, () => write('fifty-at-once-key', 5)));
  expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).toBe(1);
  expect(answers.filter(({ headers }) => headers?.['idempotency-replayed'] === 'true')).toHaveLength(49);
  expect(await countEffects()).toBe(before + 1);
});

test('The repeated answer has the same status, body and headers', async () => {
  const first = await write('same-answer-key-1', 5);
  const second = await write('same-answer-key-1', 5);
  expect(second).toEqual({ ...first, headers: { ...first.headers, 'idempotency-replayed': 'true' } });
});

test('Another body under the same key is refused', async () => {
  await write('another-body-key-1', 5);
  await expect(write('another-body-key-1', 6)).rejects.toMatchObject({ code: 'idempotency-key-reused' });
});

test('A refusal is recorded with the trace it first had', async () => {
  const first = await write('refused-key-00001', 500);
  expect(first).toMatchObject({ status: 409, body: { code: 'overpaid', amount: 500, traceId: 'trace-1' } });
  expect(await write('refused-key-00001', 500)).toEqual({
    ...first,
    headers: { ...first.headers, 'idempotency-replayed': 'true' },
  });
});

test('A failure of the world is no result: the repetition runs', async () => {
  const key = keyOf('crashing-key-0001', {});
  await expect(idempotency.once(key, () => Promise.reject(new KassaError('unavailable')))).rejects.toMatchObject({
    code: 'unavailable',
  });
  expect(await idempotency.once(key, async () => ({ status: 200 }))).toEqual({ status: 200, headers: expiring(key) });
});

test('A multi-step write under way is resumed where it can be, else it is in progress; when done its answer is repeated', async () => {
  const key = keyOf('multi-step-key-01', {});
  const claim = { name: 'claim', text: `WITH ${keyCte(1)} SELECT ${keyExpected}` };
  const begin = async (): Promise<Answer> => {
    await db.query(claim, claimValues(key, 'sale-7'));
    throw new KassaError('unavailable');
  };
  await expect(idempotency.once(key, begin)).rejects.toMatchObject({ code: 'unavailable' });
  await expect(idempotency.once(key, begin)).rejects.toMatchObject({ code: 'request-in-progress' });
  expect(await idempotency.once(key, begin, async (subject) => ({ status: 202, body: { subject } }))).toEqual({
    status: 202,
    body: { subject: 'sale-7' },
    headers: expiring(key),
  });
  const finish = { name: 'finish', text: `WITH ${finishCte(1)} SELECT count(*) FROM answered` };
  await db.query(finish, finishValues(key.scope, { status: 200, body: { done: true } }));
  expect(await idempotency.once(key, begin)).toEqual({
    status: 200,
    body: { done: true },
    headers: { 'idempotency-replayed': 'true', ...expiring(key) },
  });
});

test('Answers past their time are forgotten, others are not', async () => {
  await write('kept-key-00000001', 5);
  await db.pool.query(`UPDATE idempotency_keys SET expires_at = now() - interval '1 second' WHERE scope <> $1`, [
    keyOf('kept-key-00000001', {}).scope,
  ]);
  expect(await idempotency.purge()).toBeGreaterThan(0);
  expect((await db.pool.query('SELECT scope FROM idempotency_keys')).rows).toEqual([
    { scope: keyOf('kept-key-00000001', {}).scope },
  ]);
});
