import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createLogger } from '@kassa/telemetry';
import { openapiContract, roomFolder } from '@kassa/testing';
import { createApp, type App } from '../src/app.ts';
import { readConfig } from '../src/config.ts';
import { testCards, testCardsMarkdown } from '../src/domain/behaviour.ts';

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
  const { made, committed } = await openapiContract(roomFolder('acquirer'), app);
  expect(committed).toBe(made);
});

test('the README shows the table of test cards as it is', () => {
  expect(readFileSync(new URL('../README.md', import.meta.url), 'utf8')).toContain(testCardsMarkdown(testCards()));
});
