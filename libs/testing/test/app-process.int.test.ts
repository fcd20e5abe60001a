import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { eventually, startApp } from '../src/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'kassa-app-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
mkdirSync(join(folder, 'src'));
writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
writeFileSync(join(folder, 'src/telemetry.ts'), '');
writeFileSync(
  join(folder, 'src/main.ts'),
  `import { createServer } from 'node:http';
   if (process.env.BROKEN) throw new Error('cannot go on');
   createServer((_, response) => response.end('ready')).listen(Number(process.env.HEALTH_PORT), process.env.HOST);
   process.on('SIGTERM', () => { console.log('drained'); process.exit(0); });`,
);

describe('startApp', () => {
  test('runs a real process until it is told to stop', async () => {
    const app = await startApp(folder, {});
    expect((await fetch(`${app.health}/readyz`)).status).toBe(200);
    await app.stop();
    expect(app.output()).toContain('drained');
    await expect(fetch(`${app.health}/readyz`)).rejects.toThrow();
  });

  test('starts a killed one again at the same address', async () => {
    const app = await startApp(folder, {});
    const before = app.pid;
    await app.kill();
    await app.restart();
    expect(app.pid).not.toBe(before);
    expect((await fetch(`${app.health}/readyz`)).status).toBe(200);
    await app.kill();
  });

  test('tells the last words of one that ends', async () => {
    await expect(startApp(folder, { BROKEN: '1' })).rejects.toThrow(/cannot go on/);
  });
});

test('eventually waits, and tells the last failure when it gives up', async () => {
  let looks = 0;
  expect(await eventually(() => (++looks < 3 ? Promise.reject(new Error('not yet')) : looks))).toBe(3);
  await expect(eventually(() => Promise.reject(new Error('never')), 60)).rejects.toThrow('never');
});
