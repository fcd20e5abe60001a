import { globSync, readFileSync } from 'node:fs';
import { createLogger } from '@kassa/telemetry';
import { openapiContract, roomFolder } from '@kassa/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createApp, type App } from '../src/app.ts';
import { readConfig } from '../src/config.ts';

let app: App;

beforeAll(async () => {
  const config = readConfig({
    NODE_ENV: 'test',
    DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/sales',
    OIDC_ISSUER: 'http://127.0.0.1:1',
    SERVICE_CLIENT_ID: 'sales',
    SERVICE_CLIENT_SECRET: 'secret-of-the-tests',
    INVENTORY_GRPC: '127.0.0.1:1',
    PAYMENTS_GRPC: '127.0.0.1:1',
  });
  app = await createApp(config, createLogger('sales', 'fatal'));
});
afterAll(() => app.close());

test('openapi.json is the contract the routes make', async () => {
  const { made, committed } = await openapiContract(roomFolder('sales'), app);
  expect(committed).toBe(made);
});

/** Every route may answer these; the libraries that answer them show them. */
const shownByLibs = ['unavailable', 'internal-error', 'idempotency-key-invalid', 'write-conflict'];

test('each error code a route names is shown by a test', () => {
  const document = JSON.parse(readFileSync(new URL('../openapi.json', import.meta.url), 'utf8')) as {
    paths: Record<string, Record<string, { 'x-kassa-errors'?: string[] }>>;
  };
  const named = Object.values(document.paths).flatMap((path) =>
    Object.values(path).flatMap((operation) => operation['x-kassa-errors'] ?? []),
  );
  const tests = globSync('*.int.test.ts', { cwd: import.meta.dirname }).map((file) =>
    readFileSync(new URL(file, import.meta.url), 'utf8'),
  );
  const unshown = [...new Set(named)].filter(
    (code) => !shownByLibs.includes(code) && !tests.some((text) => text.includes(`'${code}'`)),
  );
  expect(unshown).toEqual([]);
});
