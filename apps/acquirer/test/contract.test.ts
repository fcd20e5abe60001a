import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createLogger } from '@kassa/telemetry';
import { createApp, type App } from '../src/app.ts';
import { readConfig } from '../src/config.ts';
import { testCards, testCardsMarkdown } from '../src/domain/behaviour.ts';

const committed = new URL('../openapi.json', import.meta.url);
let app: App;

beforeAll(async () => {
  const config = readConfig({
    NODE_ENV: 'test',
    DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/acquirer',
    API_KEY: 'key-of-the-tests-0001',
    WEBHOOK_SECRET: 'secret-of-the-tests',
  });
  app = await createApp(config, createLogger('acquirer', 'fatal'));
});
afterAll(() => app.close());

test('openapi.json is the contract the routes make', async () => {
  const made = `${JSON.stringify(sorted(await app.openapi()), null, 2)}\n`;
  if (process.env['KASSA_UPDATE_OPENAPI'] === '1') writeFileSync(committed, made);
  expect(readFileSync(committed, 'utf8')).toBe(made);
});

test('the README shows the table of test cards as it is', () => {
  expect(readFileSync(new URL('../README.md', import.meta.url), 'utf8')).toContain(testCardsMarkdown(testCards()));
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
