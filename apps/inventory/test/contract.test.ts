import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { createLogger } from '@kassa/telemetry';
import { createApp } from '../src/app.ts';
import { readConfig } from '../src/config.ts';

const committed = new URL('../openapi.json', import.meta.url);

test('openapi.json is what the routes say', async () => {
  const config = readConfig({
    DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/none',
    OIDC_ISSUER: 'http://127.0.0.1:1',
    SERVICE_CLIENT_ID: 'inventory',
    SERVICE_CLIENT_SECRET: 'secret-of-the-tests',
  });
  const app = await createApp(config, createLogger('inventory', 'fatal'));
  const now = `${JSON.stringify(sorted(await app.openapi()), null, 2)}\n`;
  await app.close();
  if (process.env['KASSA_UPDATE_OPENAPI'] === '1') writeFileSync(committed, now);
  expect(now).toBe(readFileSync(committed, 'utf8'));
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
