import { expect, test } from 'vitest';
import { createLogger } from '@kassa/telemetry';
import { openapiContract, roomFolder } from '@kassa/testing';
import { createApp } from '../src/app.ts';
import { readConfig } from '../src/config.ts';

test('openapi.json is what the routes say', async () => {
  const config = readConfig({
    DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/none',
    OIDC_ISSUER: 'http://127.0.0.1:1',
    SERVICE_CLIENT_ID: 'inventory',
    SERVICE_CLIENT_SECRET: 'secret-of-the-tests',
  });
  const app = await createApp(config, createLogger('inventory', 'fatal'));
  const { made, committed } = await openapiContract(roomFolder('inventory'), app);
  await app.close();
  expect(committed).toBe(made);
});
