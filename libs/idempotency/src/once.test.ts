import { expect, test } from 'vitest';
import { KassaError } from '@kassa/problem';
import { createIdempotency, readKey } from './index.ts';

const key = readKey({
  header: 'a-key-of-16-chars',
  subject: 'till',
  method: 'POST',
  path: '/v1/sales',
  body: {},
  traceId: 't',
  now: new Date('2026-01-01T00:00:00Z'),
  retentionDays: 7,
});

/** As a statement refuses itself whose key was there a moment ago. */
const keySeen = () => Object.assign(new Error('key-seen'), { code: 'KA001' });

/** A database in which the key is gone again whenever it is looked for. */
const givenBack = createIdempotency({ query: () => Promise.resolve({ rows: [] }) });

test('A key that was given back before it could be read is used by the next one', async () => {
  let times = 0;
  const answer = await givenBack.once(key, () => {
    times += 1;
    return times === 1 ? Promise.reject(keySeen()) : Promise.resolve({ status: 201 });
  });
  expect([answer.status, times]).toEqual([201, 2]);
});

test('One that is taken and given back for ever is given up', async () => {
  let times = 0;
  const act = () => {
    times += 1;
    return Promise.reject(keySeen());
  };
  await expect(givenBack.once(key, act)).rejects.toThrow('key-seen');
  expect(times).toBe(3);
});

test('An answer says until when it is kept, and a repetition days later says the same', async () => {
  const { fingerprint, expiresAt } = key;
  const recorded = { fingerprint, status: 201, answer: '{"body":{}}', subject: null, expires_at: expiresAt };
  const { once } = createIdempotency({ query: () => Promise.resolve({ rows: [recorded] }) });
  const later = { ...key, expiresAt: new Date('2026-01-12T00:00:00Z') };
  expect([
    await once(key, () => Promise.resolve({ status: 201, headers: { etag: '"1"' } })),
    await once(later, () => Promise.reject(keySeen())),
  ]).toEqual([
    { status: 201, headers: { etag: '"1"', 'idempotency-expires': 'Thu, 08 Jan 2026 00:00:00 GMT' } },
    {
      status: 201,
      body: {},
      headers: { 'idempotency-replayed': 'true', 'idempotency-expires': 'Thu, 08 Jan 2026 00:00:00 GMT' },
    },
  ]);
});

test('A refusal that is kept says so, and one that is not does not', async () => {
  const { once } = createIdempotency({ query: () => Promise.resolve({ rows: [] }) });
  const refused = await once(key, () => Promise.reject(new KassaError('sale-empty')));
  expect([refused.status, refused.headers]).toEqual([409, { 'idempotency-expires': 'Thu, 08 Jan 2026 00:00:00 GMT' }]);
  for (const code of ['write-conflict', 'session-superseded', 'register-unknown'] as const)
    await expect(once(key, () => Promise.reject(new KassaError(code)))).rejects.toThrow(expect.objectContaining({ code }));
});
