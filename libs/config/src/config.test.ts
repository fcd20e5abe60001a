import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { setImmediate } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { address, durationMs, loadConfig, port, secret, secrets, url } from './index.ts';

const shape = {
  PORT: port().default(8080),
  WAIT_MS: durationMs().describe('how long to wait'),
  NEIGHBOUR: address().optional(),
  HOME: url().optional(),
  KEY: secret().optional(),
  LEVEL: z.enum(['info', 'debug']).default('info'),
};

test('Settings are typed, defaulted and frozen', () => {
  const config = loadConfig(shape, { WAIT_MS: '250', NEIGHBOUR: 'inventory:9000', LEVEL: '' });
  expect(config).toEqual({ PORT: 8080, WAIT_MS: 250, NEIGHBOUR: 'inventory:9000', LEVEL: 'info' });
  expect(Object.isFrozen(config)).toBe(true);
});

test.each([
  [{ WAIT_MS: '80abc' }, 'WAIT_MS is wrong: must be a whole number (how long to wait)'],
  [{}, 'WAIT_MS is not set (how long to wait)'],
  [{ WAIT_MS: '1', PORT: '70000' }, 'PORT is wrong: must be a port, 0 to 65535'],
  [{ WAIT_MS: '1', NEIGHBOUR: 'http://inventory' }, 'NEIGHBOUR is wrong: must be host:port'],
  [{ WAIT_MS: '1', HOME: 'nowhere' }, 'HOME is wrong: must be an absolute URL'],
  [{ WAIT_MS: '1', KEY_FILE: '/does/not/exist' }, 'KEY_FILE cannot be read: ENOENT'],
  [{ WAIT_MS: '1', KEY: 'x'.repeat(20), KEY_FILE: '/a' }, 'KEY and KEY_FILE are both set; set one'],
])('%j stops the start: %s', (env, sentence) => {
  expect(() => loadConfig(shape, env)).toThrow(sentence);
});

test('All faults are told at once, and no value of a setting', () => {
  const load = () => loadConfig(shape, { PORT: 'x', KEY: 'hunter2' });
  expect(load).toThrow(/PORT is wrong[\s\S]*WAIT_MS is not set[\s\S]*KEY is wrong/);
  expect(load).not.toThrow('hunter2');
});

/** A mounted volume as kubelet makes it: `key` points into `..data`, which points to a folder that is never written again. */
function mountedVolume(first: string) {
  const volume = mkdtempSync(join(tmpdir(), 'kassa-config-'));
  onTestFinished(() => rmSync(volume, { recursive: true }));
  let version = 0;
  const put = (text: string) => {
    const folder = `..${version++}`;
    mkdirSync(join(volume, folder));
    writeFileSync(join(volume, folder, 'key'), text);
    symlinkSync(folder, join(volume, '..new'));
    renameSync(join(volume, '..new'), join(volume, '..data'));
  };
  put(first);
  symlinkSync('..data/key', join(volume, 'key'));
  return { path: join(volume, 'key'), put };
}

test('A mounted secret is read from its file, and read again when the volume was swapped', () => {
  const { path, put } = mountedVolume('a-secret-of-some-length\n');
  const { KEY } = loadConfig(shape, { WAIT_MS: '1', KEY_FILE: path });
  expect(KEY?.()).toBe('a-secret-of-some-length');
  put('another-secret-of-some-length\n');
  expect(KEY?.()).toBe('another-secret-of-some-length');
});

test('A swap that brings nothing usable leaves the last good value in use, with one warning that does not tell it', async () => {
  const { path, put } = mountedVolume('a-secret-of-some-length');
  const { KEY } = loadConfig(shape, { WAIT_MS: '1', KEY_FILE: path });
  const warnings: string[] = [];
  process.on('warning', ({ message }) => warnings.push(message));
  put('short');
  expect([KEY?.(), KEY?.()]).toEqual(['a-secret-of-some-length', 'a-secret-of-some-length']);
  rmSync(path);
  expect(KEY?.()).toBe('a-secret-of-some-length');
  await setImmediate();
  expect(warnings).toEqual(['KEY_FILE holds no usable value; the last one stays in use']);
  process.removeAllListeners('warning');
});

test('A secret that is being changed is two, the newer one first, and each is long enough', () => {
  const changing = { KEY: secrets() };
  expect(loadConfig(changing, { KEY: 'the-only-one-of-all' }).KEY()).toEqual(['the-only-one-of-all']);
  expect(loadConfig(changing, { KEY: 'the-newer-one-of-two\nthe-older-one-of-two' }).KEY()).toEqual([
    'the-newer-one-of-two',
    'the-older-one-of-two',
  ]);
  expect(() => loadConfig(changing, { KEY: 'the-newer-one-of-two old' })).toThrow(
    'KEY is wrong: must have at least 16 characters',
  );
});

test('A secret is not printed with the settings', () => {
  const config = loadConfig(shape, { WAIT_MS: '1', KEY: 'a-secret-of-some-length' });
  expect(`${JSON.stringify(config)} ${inspect(config)}`).not.toContain('a-secret-of-some-length');
});
