import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/**
 * The settings of every project's tests. The databases of @kassa/testing start with the first test that asks for one, so a project of
 * pure rules never starts any. Two workers, because PostgreSQL and the processes under test need the processor as well.
 */
export default defineConfig({
  test: {
    globalSetup: [fileURLToPath(new URL('./libs/testing/src/global-setup.ts', import.meta.url))],
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    passWithNoTests: true,
  },
});
