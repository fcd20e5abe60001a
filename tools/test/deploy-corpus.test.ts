import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { corpusScene, readCorpus, readGood } from '../src/deploy/corpus.ts';
import { openCrds } from '../src/deploy/crds.ts';
import { judge, type Scene } from '../src/deploy/rule.ts';
import { rules } from '../src/deploy/rules.ts';
import { known, sceneWith, sourceScenes } from '../src/deploy/scenes.ts';

const workspace = fileURLToPath(new URL('../..', import.meta.url));
const crds = openCrds(workspace, process.env);
const facts = known(workspace, crds);
const good = readGood(workspace);
const cases = readCorpus(workspace);

const found = async (given: Scene) => [...new Set((await judge(given, rules)).map(({ rule }) => rule))];

/** Without the definitions of custom kinds these two cannot see anything; deploy:check says so. */
const needsCrds = (rule: string) => rule === 'crd-schema' || rule === 'crd-cel';

test('The good slice pleases every rule', async () => {
  expect(await judge(corpusScene(good, { objects: [], place: 'country', stage: undefined }, facts), rules)).toEqual([]);
});

test('There are at least sixty bad manifests, and at least one for each rule', () => {
  const missing = rules.map(({ id }) => id).filter((id) => !cases.some(({ rule }) => rule === id));
  expect({ missing, isEnough: cases.length >= 60 }).toEqual({ missing: [], isEnough: true });
});

test.each(cases)('$file is caught by $rule and by no other rule', async (bad) => {
  const expected = needsCrds(bad.rule) && !crds ? [] : [bad.rule];
  expect(await found(corpusScene(good, bad, facts))).toEqual(expected);
});

test('A patch by index is found in a file of its own, too', async () => {
  const root = mkdtempSync(join(tmpdir(), 'kassa-patch-'));
  const folder = join(root, 'deploy/base');
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, 'kustomization.yaml'),
    'apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\npatches: [{ target: { kind: Deployment }, path: image.yaml }]\n',
  );
  writeFileSync(join(folder, 'image.yaml'), '- op: remove\n  path: /spec/template/spec/containers/0/args\n');
  const [sources] = sourceScenes(root, sceneWith(facts));
  rmSync(root, { recursive: true });
  expect(await found(sources as Scene)).toEqual(['patch-by-index']);
});
