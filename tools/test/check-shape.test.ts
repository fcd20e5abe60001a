import { cpSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { checkShape } from '../src/check-shape.ts';

const workspace = resolve(import.meta.dirname, '../..');
const copies: string[] = [];
afterAll(() => copies.forEach((copy) => rmSync(copy, { recursive: true, force: true })));

/** The workspace's sources in a temporary folder, to be broken there. */
function copy(): string {
  const target = mkdtempSync(join(tmpdir(), 'kassa-shape-'));
  copies.push(target);
  const sources = ['package.json', '{apps,libs}/*/**/*', 'tools/**/*', 'loadtests/**/*', 'docs/adr/*'];
  const files = globSync(sources, {
    cwd: workspace,
    exclude: (entry) => ['node_modules', 'dist'].includes(entry.name),
    withFileTypes: true,
  });
  for (const entry of files.filter((file) => file.isFile())) {
    const file = join(entry.parentPath, entry.name).slice(workspace.length + 1);
    mkdirSync(dirname(join(target, file)), { recursive: true });
    cpSync(join(workspace, file), join(target, file));
  }
  return target;
}

function change(file: string, replace: (text: string) => string): void {
  writeFileSync(file, replace(readFileSync(file, 'utf8')));
}

test('the house has its shape, and the checkout is read in few files', () => {
  const { faults, lines } = checkShape(workspace);
  expect(faults).toEqual([]);
  expect(lines).toContain('  src/operations/complete-sale.ts');
});

test.each([
  {
    what: 'a room without a file all rooms have',
    harm: (home: string) => rmSync(join(home, 'apps/payments/src/events.ts')),
    fault: 'apps/payments lacks src/events.ts, which all services have.',
  },
  {
    what: 'a file no other room has',
    harm: (home: string) => writeFileSync(join(home, 'apps/inventory/src/utils.ts'), ''),
    fault:
      'apps/inventory/src/utils.ts is a name no other service has; its place is in operations/, domain/, http/, store/ or one of the files all have.',
  },
  {
    what: 'an omission that is none any more',
    harm: (home: string) => writeFileSync(join(home, 'apps/acquirer/src/grpc.ts'), ''),
    fault: /apps\/acquirer has src\/grpc.ts after all/,
  },
  {
    what: 'a checkout spread over many files',
    harm: (home: string) => {
      const parts = Array.from({ length: 15 }, (_, n) => `part-${n}`);
      for (const part of parts) writeFileSync(join(home, 'apps/sales/src/operations', `${part}.ts`), 'export const x = 1;');
      const imports = parts.map((part) => `import type {} from './${part}.ts';\n`).join('');
      change(join(home, 'apps/sales/src/operations/complete-sale.ts'), (text) => imports + text);
    },
    fault: /The checkout is spread over \d+ files; 14 are the most./,
  },
  {
    what: 'a second version of a package',
    harm: (home: string) =>
      change(join(home, 'apps/sales/package.json'), (text) => text.replace('"zod": "*"', '"zod": "^3.0.0"')),
    fault: 'apps/sales asks for zod ^3.0.0; versions stand in the root\'s package.json only, so say "*".',
  },
  {
    what: 'a range of versions',
    harm: (home: string) => change(join(home, 'package.json'), (text) => text.replace(/"zod": "/, '"zod": "^')),
    fault: /takes zod \^.*; name one version/,
  },
  {
    what: 'a record of a package that is gone',
    harm: (home: string) => change(join(home, 'package.json'), (text) => text.replace(/"pino": ".*",/, '')),
    fault: /lists pino, which nobody takes/,
  },
  {
    what: 'an import nobody declared',
    harm: (home: string) => change(join(home, 'libs/money/src/index.ts'), (text) => `import 'uuidv7';\n${text}`),
    fault: 'libs/money/src/index.ts imports uuidv7, which libs/money/package.json does not declare.',
  },
  {
    what: 'a declaration nothing needs',
    harm: (home: string) =>
      change(join(home, 'apps/sales/package.json'), (text) => text.replace('"zod": "*"', '"zod": "*", "csv-parse": "*"')),
    fault: 'apps/sales/package.json declares csv-parse, which nothing there imports.',
  },
  {
    what: 'a dependency nobody decided on',
    harm: (home: string) =>
      change(join(home, 'package.json'), (text) =>
        text.replace('"devDependencies": {', '"devDependencies": { "left-pad": "1.3.0",'),
      ),
    fault: /takes left-pad, and no record in docs\/adr says why/,
  },
])('finds $what', ({ harm, fault }) => {
  const home = copy();
  harm(home);
  expect(checkShape(home).faults).toContainEqual(
    expect.stringMatching(fault instanceof RegExp ? fault : fault.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')),
  );
});
