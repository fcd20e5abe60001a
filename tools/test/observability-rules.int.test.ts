import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { at, list, parseObjects } from '../src/deploy/objects.ts';
import { rulesOf } from '../src/observability/check.ts';
import { workspace } from './kassa.ts';
import { missingTools } from './rollout-recording.ts';

const lacking = missingTools({ promtool: ['--version'] });
if (lacking) console.log(`skipped: the rules in promtool ${lacking}`);

const rendered = join(workspace, 'deploy/observability/rendered/cluster');
const tests = join(workspace, 'deploy/observability/tests');
const names = readdirSync(tests).filter((name) => name.endsWith('.test.yaml'));
const manifest = (name: string) => readFileSync(join(rendered, name), 'utf8');

test('Every alert is in a unit test', () => {
  const tested = names.map((name) => readFileSync(join(tests, name), 'utf8')).join('\n');
  const alerts = rulesOf(manifest('alerts.yaml')).flatMap(({ alert }) => alert ?? []);
  expect(alerts.filter((alert) => !new RegExp(`\\b${alert}\\b`).test(tested))).toEqual([]);
});

describe.skipIf(lacking)('Prometheus', () => {
  let folder: string;
  const promtool = (...args: string[]) => promisify(execFile)('promtool', args, { cwd: folder });

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'kassa-rules-'));
    const groups = (name: string) => parseObjects(manifest(name)).flatMap((object) => list(object, 'spec', 'groups'));
    const all = [...groups('recording.yaml'), ...groups('alerts.yaml')];
    writeFileSync(join(folder, 'rules.yaml'), stringify({ groups: all }));
    // A file of tests that covers days names the groups it is about.
    for (const group of all) writeFileSync(join(folder, `${String(at(group, 'name'))}.yaml`), stringify({ groups: [group] }));
    for (const name of names) writeFileSync(join(folder, name), readFileSync(join(tests, name)));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test('takes all rules', async () => {
    expect((await promtool('check', 'rules', 'rules.yaml')).stdout).toMatch(/SUCCESS: \d+ rules found/);
  });

  test.each(names)(
    'fires and stays silent as %s says',
    async (name) => {
      const said = await promtool('test', 'rules', name).catch((error: { stdout: string; stderr: string }) => error);
      expect(said.stdout + said.stderr).toMatch(/SUCCESS\s*$/);
    },
    300_000,
  );
});
