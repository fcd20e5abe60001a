import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { openCrds } from '../src/deploy/crds.ts';
import { keyOf, parseObjects, type KubeObject } from '../src/deploy/objects.ts';
import { judge, type Scene } from '../src/deploy/rule.ts';
import { rules } from '../src/deploy/rules.ts';
import { known } from '../src/deploy/scenes.ts';

const workspace = fileURLToPath(new URL('../..', import.meta.url));
const folder = join(workspace, 'deploy/tests');
const crds = openCrds(workspace, process.env);
const facts = known(workspace, crds);
const read = (path: string) => parseObjects(readFileSync(join(folder, path), 'utf8'));
const good = read('good.yaml');

/** The good slice with the objects of a bad file in it, judged as a country of a wave that was promoted. */
function scene(bad: KubeObject[], place: Scene['place'] = 'country'): Scene {
  const changed = new Set(bad.map(keyOf));
  const objects = [...good.filter((object) => !changed.has(keyOf(object))), ...bad];
  const judged = objects.map((object) => ({ file: 'good.yaml', object }));
  return { ...facts, title: 'corpus', judged, around: [], place, isReleased: true };
}

const found = async (given: Scene) => [...new Set((await judge(given, rules)).map(({ rule }) => rule))];

const cases = readdirSync(join(folder, 'bad'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.yaml'))
  .sort()
  .map((file) => ({ file: `bad/${file}`, rule: file.split('/')[0] ?? '' }));

/** Without the definitions of custom kinds these two cannot see anything; deploy:check says so. */
const needsCrds = (rule: string) => rule === 'crd-schema' || rule === 'crd-cel';

test('The good slice pleases every rule', async () => {
  expect(await judge(scene([]), rules)).toEqual([]);
});

test('There are at least sixty bad manifests, and at least one for each rule', () => {
  const missing = rules.map(({ id }) => id).filter((id) => !cases.some(({ rule }) => rule === id));
  expect({ missing, isEnough: cases.length >= 60 }).toEqual({ missing: [], isEnough: true });
});

test.each(cases)('$file is caught by $rule and by no other rule', async ({ file, rule }) => {
  const place = readFileSync(join(folder, file), 'utf8').startsWith('# place: local') ? 'local' : 'country';
  const expected = needsCrds(rule) && !crds ? [] : [rule];
  expect(await found(scene(read(file), place))).toEqual(expected);
});
