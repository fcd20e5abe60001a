import { fileURLToPath } from 'node:url';
import { ESLint } from 'eslint';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const eslint = new ESLint({ cwd: root });

async function refusals(filePath: string, code: string): Promise<string[]> {
  const [result] = await eslint.lintText(code, { filePath: `${root}${filePath}` });
  const rules = (result?.messages ?? []).map((message) => message.ruleId ?? message.message);
  return [...new Set(rules)].filter(
    (rule) => rule.includes('restricted') || rule.includes('boundaries') || rule.includes('console'),
  );
}

const inDomain = 'apps/sales/src/domain/planted.ts';
const inOperations = 'apps/sales/src/operations/planted.ts';

test.each([
  [
    'a room imports another room',
    'apps/sales/src/planted.ts',
    `import { createApp } from '@kassa/payments';\nexport const x = createApp;\n`,
  ],
  [
    'a room reaches into another by path',
    'apps/sales/src/planted.ts',
    `import { x as y } from '../../payments/src/app.ts';\nexport const x = y;\n`,
  ],
  [
    'a kit imports a kit',
    'libs/http/src/planted.ts',
    `import { openDatabase } from '@kassa/database';\nexport const x = openDatabase;\n`,
  ],
  [
    'a kit imports the test kit',
    'libs/http/src/planted.ts',
    `import { freePort } from '@kassa/testing';\nexport const x = freePort;\n`,
  ],
  ['a pure lib imports a package', 'libs/money/src/planted.ts', `import { z } from 'zod';\nexport const x = z;\n`],
  [
    'a pure lib reads a file',
    'libs/money/src/planted.ts',
    `import { readFileSync } from 'node:fs';\nexport const x = readFileSync;\n`,
  ],
  [
    'a service imports the test kit',
    'apps/sales/src/planted.ts',
    `import { freePort } from '@kassa/testing';\nexport const x = freePort;\n`,
  ],
  ['domain imports Fastify', inDomain, `import fastify from 'fastify';\nexport const x = fastify;\n`],
  ['domain imports a kit', inDomain, `import { loadConfig } from '@kassa/config';\nexport const x = loadConfig;\n`],
  ['domain imports the store', inDomain, `import { createStore } from '../store.ts';\nexport const x = createStore;\n`],
  ['domain waits', inDomain, `export async function x(): Promise<number> {\n  return await Promise.resolve(1);\n}\n`],
  ['domain looks at the clock', inDomain, `export const x = () => Date.now();\n`],
  ['domain makes a date of now', inDomain, `export const x = () => new Date();\n`],
  ['domain throws dice', inDomain, `export const x = () => Math.random();\n`],
  ['domain reads the environment', inDomain, `export const x = () => process.env;\n`],
  ['domain calls the network', inDomain, `export const x = () => fetch('http://a');\n`],
  [
    'an operation imports the store itself',
    inOperations,
    `import { createStore } from '../store.ts';\nexport const x = createStore;\n`,
  ],
  [
    'an operation imports a part of the store',
    inOperations,
    `import { statements } from '../store/checkouts.ts';\nexport const x = statements;\n`,
  ],
  ['an operation imports the store while it runs', inOperations, `export const x = () => import('../store.ts');\n`],
  ['domain imports the store while it runs', inDomain, `export const x = () => import('../store.ts');\n`],
  ['an operation imports pg', inOperations, `import pg from 'pg';\nexport const x = pg;\n`],
  ['an operation imports the wire', inOperations, `import { routes } from '../http.ts';\nexport const x = routes;\n`],
  [
    'an operation imports a part of the wire',
    inOperations,
    `import { stock } from '../http/stock.ts';\nexport const x = stock;\n`,
  ],
  [
    'the store imports an operation',
    'apps/sales/src/store.ts',
    `import { x as y } from './operations/complete-sale.ts';\nexport const x = y;\n`,
  ],
  [
    'a part of the store imports an operation',
    'apps/sales/src/store/planted.ts',
    `import { x as y } from '../operations/complete-sale.ts';\nexport const x = y;\n`,
  ],
  [
    'a part of the wire imports the store itself',
    'apps/inventory/src/http/planted.ts',
    `import { createStore } from '../store.ts';\nexport const x = createStore;\n`,
  ],
  [
    'the wire imports the store itself',
    'apps/sales/src/http.ts',
    `import { createStore } from './store.ts';\nexport const x = createStore;\n`,
  ],
  ['main.ts imports more than app and config', 'apps/sales/src/main.ts', `import { routes } from './http.ts';\nroutes;\n`],
  ['settings are read outside main.ts', 'apps/sales/src/store.ts', `export const x = process.env;\n`],
  [
    'a journey imports a service',
    'apps/journeys/src/planted.ts',
    `import { createApp } from '@kassa/sales';\nexport const x = createApp;\n`,
  ],
  ['a service prints', 'apps/sales/src/store.ts', `console.log('x');\n`],
])('Lint refuses that %s', async (_title, filePath, code) => {
  expect(await refusals(filePath, code)).not.toEqual([]);
});

test.each([
  [
    'domain imports a sibling and a pure lib',
    inDomain,
    `import { halfUp } from '@kassa/money';\nimport { sale } from './sale.ts';\nexport const x = [halfUp, sale];\n`,
  ],
  ['domain makes a date of a text', inDomain, `export const x = new Date('2026-01-01T00:00:00Z');\n`],
  ['an operation knows the store by type', inOperations, `import type { Store } from '../store.ts';\nexport type X = Store;\n`],
  [
    'a room imports kits',
    'apps/sales/src/app.ts',
    `import { openDatabase } from '@kassa/database';\nexport const x = openDatabase;\n`,
  ],
])('Lint lets through that %s', async (_title, filePath, code) => {
  expect(await refusals(filePath, code)).toEqual([]);
});
