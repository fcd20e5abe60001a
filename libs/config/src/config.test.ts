import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { address, durationMs, loadConfig, port, secret, url } from './index.ts';

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

test('A mounted secret is read from its file', () => {
  const path = join(mkdtempSync(join(tmpdir(), 'kassa-config-')), 'key');
  writeFileSync(path, 'a-secret-of-some-length\n');
  expect(loadConfig(shape, { WAIT_MS: '1', KEY_FILE: path }).KEY).toBe('a-secret-of-some-length');
});
