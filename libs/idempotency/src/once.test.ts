import { expect, test } from 'vitest';
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
