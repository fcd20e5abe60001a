import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import type { ImportReport } from '../src/index.ts';

const mebibyte = 1024 * 1024;

/**
 * The heap the probe is given. Without limits V8 lets the young generation grow up to 64 MB with the number of objects ever made, and
 * collects the old one when it pleases: that would measure V8's leisure, and not what an import holds.
 */
const limits = ['--max-semi-space-size=8', '--max-old-space-size=256'];

async function probe(rows: number): Promise<ImportReport & { peakBytes: number }> {
  const file = join(import.meta.dirname, 'memory-probe.ts');
  const { stdout } = await promisify(execFile)(process.execPath, [...limits, file, String(rows)]);
  return JSON.parse(stdout) as ImportReport & { peakBytes: number };
}

test('200,000 rows need at most 32 MB more than 20,000', { timeout: 60_000 }, async () => {
  const small = await probe(20_000);
  const large = await probe(200_000);
  expect(large).toMatchObject({ rows: 200_000, accepted: 180_000, unchanged: 0, refused: 20_000 });
  expect(large.peakBytes - small.peakBytes).toBeLessThan(32 * mebibyte);
});
