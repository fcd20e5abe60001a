import { uuidv7 } from 'uuidv7';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Method } from '@kassa/contracts/payments';
import { eventually } from '@kassa/testing';
import { openRoom, purchase, type Room } from './room.ts';

let room: Room;
beforeAll(async () => {
  // No background loop wakes up while statements are counted, once each has looked for the first time.
  const never = '3600000';
  room = await openRoom({ RESOLVE_EVERY_MS: never, EXPIRE_EVERY_MS: never, TERMINAL_TIMEOUT_MS: '10000', LEASE_MS: '10000' });
  await room.sql('CREATE EXTENSION IF NOT EXISTS pg_stat_statements');
  await eventually(async () => {
    const looked = await room.sql(`SELECT s.query FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid
      WHERE d.datname = current_database() AND s.toplevel
        AND (s.query LIKE 'UPDATE transactions t SET attempts%' OR s.query LIKE 'SELECT expire_authorisations%')`);
    expect(looked).toHaveLength(2);
  });
});
afterAll(() => room?.close());

const rounds = 20;

/** Statements and commits that one command takes, over twenty of them. */
async function measure(command: () => Promise<unknown>): Promise<{ statements: number; commits: number }> {
  const before = await counts();
  for (let round = 0; round < rounds; round += 1) await command();
  const after = await counts();
  return { statements: (after.statements - before.statements) / rounds, commits: (after.commits - before.commits) / rounds };
}

/** What the service ran so far, but for the count of unknown outcomes that it makes by the clock. Each of its commits changes the intent's row once, so the rows' versions count them. */
async function counts(): Promise<{ statements: number; commits: number }> {
  const [row] = await room.sql<{ statements: number; commits: number }>(`
    SELECT (SELECT COALESCE(sum(calls), 0)::int FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid
        WHERE d.datname = current_database() AND s.toplevel AND s.query NOT LIKE '%pg_stat_statements%' AND s.query NOT LIKE '%oldestAgeSeconds%'
          AND s.query NOT IN ('BEGIN', 'COMMIT', 'ROLLBACK')) AS statements,
      (SELECT COALESCE(sum(version), 0)::int FROM payment_intents) AS commits`);
  if (!row) throw new Error('nothing was counted');
  return row;
}

test.each([
  ['a purchase at the terminal', () => room.grpc.purchase(purchase(10_000)), 2, 2],
  ['an authorisation', () => room.grpc.authorise(purchase(10_000)), 2, 2],
  ['a declined purchase', () => room.grpc.purchase(purchase(5_101)), 2, 2],
  ['cash', () => room.grpc.purchase(purchase(10_000, { method: Method.CASH, instrument: '' })), 1, 1],
  ['a cancel of a payment nobody made', () => room.grpc.cancel({ transactionId: uuidv7(), intentId: uuidv7() }), 1, 1],
] as const)('%s', async (_, command, statements, commits) => {
  expect(await measure(command)).toEqual({ statements, commits });
});

test('a repeated purchase is one statement and changes nothing', async () => {
  const request = purchase(10_000);
  await room.grpc.purchase(request);
  expect(await measure(() => room.grpc.purchase(request))).toEqual({ statements: 1, commits: 0 });
});

test('a capture, a void and a refund take two statements and two commits each', async () => {
  const authorised = await Promise.all(
    Array.from({ length: rounds }, async () => {
      const request = purchase(10_000);
      await room.grpc.authorise(request);
      return request.intentId;
    }),
  );
  const each = (act: (intentId: string) => Promise<unknown>) => {
    const intents = authorised.values();
    return () => act(intents.next().value ?? '');
  };
  const amount = { minor: 4_000n, currency: 'DKK' };
  const two = { statements: 2, commits: 2 };
  expect(await measure(each((intentId) => room.grpc.capture({ transactionId: uuidv7(), intentId, amount })))).toEqual(two);
  expect(await measure(each((intentId) => room.grpc.cancel({ transactionId: uuidv7(), intentId })))).toEqual(two);
  expect(await measure(each((intentId) => room.grpc.refund({ transactionId: uuidv7(), intentId })))).toEqual(two);
});
