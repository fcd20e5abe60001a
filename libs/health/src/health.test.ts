import { expect, test } from 'vitest';
import { createHealth, type Check } from './index.ts';

async function ask(checks: Record<string, Check>, path: string, drained = false) {
  const health = createHealth(checks);
  const port = await health.listen('127.0.0.1', 0);
  if (drained) health.drain();
  const response = await fetch(`http://127.0.0.1:${port}${path}`);
  const body = (await response.json()) as unknown;
  await health.close();
  return { status: response.status, body };
}

const there: Check = async () => undefined;
const missing: Check = async () => 'migration 1_init has not run';
const broken: Check = async () => {
  throw new Error('connection refused');
};

test.each([
  ['everything is there', { database: there }, '/readyz', false, 200, { ready: true, checks: { database: 'ok' } }],
  [
    'a migration is missing',
    { database: there, schema: missing },
    '/readyz',
    false,
    503,
    { ready: false, checks: { database: 'ok', schema: 'migration 1_init has not run' } },
  ],
  ['a check throws', { database: broken }, '/readyz', false, 503, { ready: false, checks: { database: 'connection refused' } }],
  [
    'it drains',
    { database: there },
    '/readyz',
    true,
    503,
    { ready: false, checks: { database: 'ok', process: 'is shutting down' } },
  ],
  ['its database is lost it still lives', { database: broken }, '/livez', false, 200, { live: true }],
  ['someone asks for more', {}, '/metrics', false, 404, { detail: 'Only /livez and /readyz are here.' }],
])('When %s, it says so', async (_title, checks, path, drained, status, body) => {
  expect(await ask(checks as Record<string, Check>, path, drained)).toEqual({ status, body });
});

test('A check that hangs is a check that failed', async () => {
  const reply = await ask({ database: () => new Promise(() => undefined) }, '/readyz');
  expect(reply).toEqual({ status: 503, body: { ready: false, checks: { database: 'did not answer within 2000 ms' } } });
});
