import { afterAll, beforeAll, expect, test } from 'vitest';
import { createLogger } from '@kassa/telemetry';
import { openapiContract, roomFolder } from '@kassa/testing';
import { createApp, type App } from '../src/app.ts';
import { readConfig } from '../src/config.ts';

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
  const { made, committed } = await openapiContract(roomFolder('payments'), app);
  expect(committed).toBe(made);
});
