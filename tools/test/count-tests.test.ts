import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';

const program = join(import.meta.dirname, '../src/count-tests.ts');

interface Step {
  status: 'passed' | 'failed' | 'skipped';
  log: string;
}

/** The last line of a run with these steps, and how it ends. */
function countOf(steps: Record<string, Step>): { line: string; code: number | null } {
  const folder = mkdtempSync(join(tmpdir(), 'kassa-count-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  for (const [name, { status, log }] of Object.entries(steps)) {
    writeFileSync(join(folder, `${name}.status`), `${status}\n`);
    writeFileSync(join(folder, `${name}.log`), log);
  }
  const { stdout, status } = spawnSync(process.execPath, [program, folder], { encoding: 'utf8' });
  return { line: stdout.trim(), code: status };
}

const vitest = (tests: string) => ` ✓ test/a.test.ts (3 tests)\n Test Files  1 passed (1)\n      Tests  ${tests}\n`;

const kept = '  ✓     0.0 %  no request goes unanswered or gets 5xx  (kassa_unavailable rate==0)';
const broken = '  ✗  1712 ms  paying takes no longer than a card  (http_req_duration{name:complete sale} p(95)<1500)';
const law = '  ✓ no checkout and no payment is left halfway';

test.each([
  {
    what: 'tests of several projects are summed',
    steps: { test: { status: 'passed', log: vitest('3 passed (3)') + vitest('4 passed | 2 skipped (6)') } },
    ends: { line: '7 passed, 0 failed, 2 skipped', code: 0 },
  },
  {
    what: 'a load test counts its promises',
    steps: { load: { status: 'failed', log: [kept, kept, broken, law].join('\n') } },
    ends: { line: '2 passed, 1 failed, 0 skipped', code: 1 },
  },
  {
    what: 'a step that counts nothing is one',
    steps: {
      format: { status: 'passed', log: 'All matched files use Prettier code style!' },
      image: { status: 'skipped', log: '' },
    },
    ends: { line: '1 passed, 0 failed, 1 skipped', code: 0 },
  },
  {
    what: 'a step that fails with all its tests passed is a failure',
    steps: { test: { status: 'failed', log: vitest('3 passed (3)') } },
    ends: { line: '3 passed, 1 failed, 0 skipped', code: 1 },
  },
  { what: 'a run in which nothing passed fails', steps: {}, ends: { line: '0 passed, 0 failed, 0 skipped', code: 1 } },
] satisfies { what: string; steps: Record<string, Step>; ends: object }[])('$what', ({ steps, ends }) => {
  expect(countOf(steps)).toEqual(ends);
});
