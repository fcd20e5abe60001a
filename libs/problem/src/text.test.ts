import { expect, test } from 'vitest';
import { brokenTexts } from './index.ts';

test.each([
  ['a plain text', { name: 'Blåbær 🫐', count: 1, isNew: true, note: null, at: undefined, big: 1n }, []],
  ['NUL', { name: 'a\0b' }, ['/name']],
  ['half a pair', { lines: [{ sku: 'a' }, { sku: '\ud83d' }] }, ['/lines/1/sku']],
  ['a text by itself', '\udfff', ['']],
  ['bytes, which are no text', { part: new Uint8Array([0]) }, []],
])('In %s what cannot be kept is named by its pointer', (_name, value, pointers) => {
  expect(brokenTexts(value).map(({ pointer }) => pointer)).toEqual(pointers);
});
