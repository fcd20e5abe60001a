import { expect, test } from 'vitest';
import { canonicalJson, readKey } from './index.ts';

const facts = {
  header: 'a-key-of-16-chars',
  subject: 'till',
  method: 'POST',
  path: '/v1/sales',
  body: { a: 1, b: [2, { c: 3 }] },
  traceId: 't',
  now: new Date('2026-01-01T00:00:00Z'),
  retentionDays: 7,
};

test('The order of members does not make another request', () => {
  expect(readKey({ ...facts, body: { b: [2, { c: 3 }], a: 1 } }).fingerprint).toBe(readKey(facts).fingerprint);
  expect(readKey({ ...facts, body: { b: [{ c: 3 }, 2], a: 1 } }).fingerprint).not.toBe(readKey(facts).fingerprint);
});

test.each([
  ['caller', { subject: 'other' }],
  ['method', { method: 'DELETE' }],
  ['path', { path: '/v1/sales/1' }],
  ['key', { header: 'another-key-of-16' }],
])('Another %s is another scope', (_name, change) => {
  expect(readKey({ ...facts, ...change }).scope).not.toBe(readKey(facts).scope);
});

test('The quoted key of the draft and the bare token are one key', () => {
  expect(readKey({ ...facts, header: '"a-key-of-16-chars"' }).scope).toBe(readKey(facts).scope);
});

test.each([
  [undefined, 'idempotency-key-missing'],
  ['', 'idempotency-key-missing'],
  ['short', 'idempotency-key-invalid'],
  ['"unclosed-key-of-16', 'idempotency-key-invalid'],
  ['"short"', 'idempotency-key-invalid'],
  ['has a blank in the middle', 'idempotency-key-invalid'],
  ['x'.repeat(256), 'idempotency-key-invalid'],
])('The header %s is %s', (header, code) => {
  expect(() => readKey({ ...facts, header })).toThrow(expect.objectContaining({ code }));
});

test('The answer is kept for the published time', () => {
  expect(readKey(facts).expiresAt.toISOString()).toBe('2026-01-08T00:00:00.000Z');
});

test.each([
  [{ b: 1, a: undefined }, '{"b":1}'],
  [[null, 'x', 1.5, true], '[null,"x",1.5,true]'],
  [undefined, 'null'],
])('%j in canonical form is %s', (value, text) => {
  expect(canonicalJson(value)).toBe(text);
});
