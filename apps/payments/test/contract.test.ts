import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createLogger } from '@kassa/telemetry';
import { createApp, type App } from '../src/app.ts';
import { readConfig } from '../src/config.ts';

const committed = new URL('../openapi.json', import.meta.url);
let app: App;

beforeAll(async () => {
  const config = readConfig({
    NODE_ENV: 'test',
    DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/payments',
    OIDC_ISSUER: 'http://127.0.0.1:1',
    SERVICE_CLIENT_ID: 'payments',
    SERVICE_CLIENT_SECRET: 'secret-of-the-tests',
    ACQUIRER_URL: 'http://127.0.0.1:1',
    ACQUIRER_API_KEY: 'key-of-the-tests-0001',
    ACQUIRER_WEBHOOK_SECRET: 'secret-of-the-tests',
  });
  app = await createApp(config, createLogger('payments', 'fatal'));
});
afterAll(() => app.close());

test('openapi.json is the contract the routes make', async () => {
  const made = `${JSON.stringify(sorted(await app.openapi()), null, 2)}\n`;
  if (process.env['KASSA_UPDATE_OPENAPI'] === '1') writeFileSync(committed, made);
  expect(readFileSync(committed, 'utf8')).toBe(made);
});

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, member]) => [name, sorted(member)]),
  );
}
