import { mergeConfig } from 'vitest/config';
import base from '../../vitest.base.ts';

/** A file of stories has a whole system to itself: five processes and their databases. One at a time is what a laptop bears. */
export default mergeConfig(base, { test: { fileParallelism: false, testTimeout: 120_000, hookTimeout: 180_000 } });
