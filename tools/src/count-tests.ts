import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

// Sums what the runners of a CI run counted: Vitest's closing lines, the promises of load tests on k6, and each step that counts nothing
// by itself as one.

const folder = process.argv[2];
if (folder === undefined || folder === '--help') {
  console.log('Usage: node tools/src/count-tests.ts <folder with NAME.log and NAME.status of each step>');
  process.exit(folder === undefined ? 1 : 0);
}

const total = { passed: 0, failed: 0, skipped: 0 };
for (const file of readdirSync(folder).filter((name) => name.endsWith('.status'))) {
  const step = file.slice(0, -'.status'.length);
  const status = readFileSync(join(folder, file), 'utf8').trim() as keyof typeof total;
  const counted =
    status === 'skipped' ? { passed: 0, failed: 0, skipped: 0 } : count(readFileSync(join(folder, `${step}.log`), 'utf8'));
  // A step that failed without a failed test (lint, a crash) is a failure of its own; so is a step that only passes or is skipped.
  if (status === 'failed' ? counted.failed === 0 : counted.passed === 0) counted[status]++;
  for (const key of ['passed', 'failed', 'skipped'] as const) total[key] += counted[key];
}
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0;

function count(log: string): typeof total {
  const sums = { passed: 0, failed: 0, skipped: 0 };
  // eslint-disable-next-line no-control-regex -- colours of the terminal
  for (const line of log.replaceAll(/\u001b\[[0-9;]*m/g, '').split('\n')) {
    if (/^(@kassa\/[\w-]+: )?\s*Tests {2}/.test(line)) {
      for (const [, number, key] of line.matchAll(/(\d+) (passed|failed|skipped|todo)/g))
        sums[key === 'todo' ? 'skipped' : (key as 'passed')] += Number(number);
    }
    const promise = /^ {2}([✓✗]) .*\(\w+(\{[^}]*\})? (count|rate|min|max|med|p\(\d+\))[<>=]/.exec(line);
    if (promise) sums[promise[1] === '✓' ? 'passed' : 'failed']++;
  }
  return sums;
}
