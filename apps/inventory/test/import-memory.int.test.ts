import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { roomFolder, startApp, testDatabase, testIssuer, type Issuer, type TestDatabase } from '@kassa/testing';
import { caller, productsCsv } from './room.ts';

let issuer: Issuer;
let database: TestDatabase;

beforeAll(async () => {
  [issuer, database] = await Promise.all([testIssuer(), testDatabase(roomFolder('inventory'))]);
});
afterAll(() => Promise.all([issuer.stop(), database.drop()]));

/** The most memory of a whole process of inventory, started as `npm start` starts it, that imports a file of new products and ends. */
async function peakMegabytes(rows: number, firstNumber: number): Promise<number> {
  const app = await startApp(roomFolder('inventory'), {
    DATABASE_URL: database.url,
    OIDC_ISSUER: issuer.url,
    NODE_OPTIONS: `--import ${pathToFileURL(join(import.meta.dirname, 'tell-peak.ts'))}`,
  });
  const skus = Array.from({ length: rows }, (_, at) => `M${firstNumber + at}`);
  const file = productsCsv(skus, firstNumber);
  const { status, body } = await caller({ http: app.http, issuer })('/v1/imports/products', { method: 'POST', body: file });
  await app.stop();
  expect([status, body]).toEqual([201, expect.objectContaining({ rows, accepted: rows })]);
  return Number(/peak memory: (\d+) kB/.exec(app.output())?.[1]) / 1024;
}

test('a file of 200,000 rows takes at most 32 MB more than one of 20,000', { timeout: 600_000 }, async () => {
  const small = await peakMegabytes(20_000, 0);
  const large = await peakMegabytes(200_000, 20_000);
  expect(large - small).toBeLessThan(32);
});
