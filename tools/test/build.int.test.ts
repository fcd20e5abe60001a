import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { eventually, freePort, roomFolder, testDatabase, testIssuer } from '@kassa/testing';
import { bundle } from '../src/build.ts';
import { workspace } from './kassa.ts';

const home = mkdtempSync(join(workspace, 'node_modules/.kassa-build-'));
afterAll(() => rmSync(home, { recursive: true, force: true }));

test('a bundle runs without the workspace’s sources, finds its migrations, and serves what telemetry collects', async () => {
  for (const part of ['src', 'prisma', 'package.json', 'tsconfig.json']) {
    cpSync(join(roomFolder('acquirer'), part), join(home, part), { recursive: true });
  }
  const bytes = await bundle(home);
  expect(bytes).toBeLessThan(500_000);
  rmSync(join(home, 'src'), { recursive: true });

  const [database, issuer] = await Promise.all([testDatabase(roomFolder('acquirer')), testIssuer()]);
  const [http, health, metrics] = [await freePort(), await freePort(), await freePort()];
  const child = spawn(process.execPath, ['--enable-source-maps', '--import', './dist/telemetry.js', 'dist/main.js'], {
    cwd: home,
    stdio: 'inherit',
    env: {
      PATH: process.env['PATH'] ?? '',
      LOG_LEVEL: 'warn',
      HOST: '127.0.0.1',
      HTTP_PORT: String(http),
      HEALTH_PORT: String(health),
      METRICS_PORT: String(metrics),
      DATABASE_URL: database.url,
      OIDC_ISSUER: issuer.url,
      SERVICE_CLIENT_ID: 'acquirer',
      SERVICE_CLIENT_SECRET: 'secret-of-the-tests',
      API_KEY: 'secret-of-the-tests',
      WEBHOOK_SECRET: `whsec_${Buffer.alloc(32).toString('base64')}`,
      WEBHOOK_URL: 'http://127.0.0.1:1/',
    },
  });
  try {
    const answerOf = async (port: number, path: string) => (await fetch(`http://127.0.0.1:${port}${path}`)).text();
    await eventually(async () => expect(JSON.parse(await answerOf(health, '/readyz'))).toMatchObject({ ready: true }));
    expect(JSON.parse(await answerOf(http, '/openapi.json'))).toMatchObject({ openapi: '3.1.0' });
    expect(await answerOf(metrics, '/metrics')).toContain('kassa_build_info');
  } finally {
    child.kill('SIGTERM');
    await new Promise((ended) => child.once('exit', ended));
    await Promise.all([database.drop(), issuer.stop()]);
  }
});

test('a folder without a service is refused', async () => {
  expect(existsSync(join(workspace, 'libs/money/src/main.ts'))).toBe(false);
  await expect(bundle(join(workspace, 'libs/money'))).rejects.toThrow(/has no src\/main.ts, so there is nothing to build/);
});
