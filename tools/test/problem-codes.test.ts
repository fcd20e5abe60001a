import { globSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';

const workspace = resolve(import.meta.dirname, '../..');
const read = (file: string) => readFileSync(join(workspace, file), 'utf8');
const catalogue = 'libs/problem/src/catalogue.ts';

test('every code of the catalogue is one that somebody answers', () => {
  const codes = [...read(catalogue).matchAll(/^ {2}'?([a-z-]+)'?: \[\d{3}/gm)].map(([, code]) => code);
  const sources = globSync(['apps/*/src/**/*.ts', 'libs/*/src/**/*.ts'], { cwd: workspace })
    .filter((file) => file !== catalogue && !/\.test\.ts$|\/gen\//.test(file))
    .map(read)
    .join('\n');
  expect(codes.length).toBeGreaterThan(40);
  expect(codes.filter((code) => !sources.includes(`'${code}'`))).toEqual([]);
});
