import { mergeConfig } from 'vitest/config';
import base from '../../vitest.base.ts';

/** A file of stories has a whole system to itself: five processes and their databases. */
export default mergeConfig(base, { test: { testTimeout: 120_000, hookTimeout: 180_000 } });
