import { createHash, randomUUID } from 'node:crypto';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@kassa/testing';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { decidePromotion, readStanding, type Desk } from '../src/rollout/plan.ts';
import { prometheusAt } from '../src/rollout/prometheus.ts';
import { releaseNames } from '../src/rollout/release.ts';
import { command, workspace } from './kassa.ts';
import { missingTools, startPrometheus, writeHistory, type Life } from './rollout-recording.ts';

// A version goes through all fourteen waves, judged by a real Prometheus that holds eight days of recorded samples. The days are in the
// past; the last decisions are made now, by the command itself.

/** The command renders an overlay twice, in processes of their own. */
const patience = 600_000;
vi.setConfig({ testTimeout: patience });

const lacking = missingTools({ prometheus: ['--version'], promtool: ['--version'], kubectl: ['version', '--client'] });
if (lacking) console.log(`skipped: a rollout through all waves ${lacking}`);

const folder = join(tmpdir(), `kassa-rollout-test-${randomUUID()}`);
const root = join(folder, 'checkout');

function copyTree(): void {
  mkdirSync(join(root, 'data'), { recursive: true });
  cpSync(join(workspace, 'deploy'), join(root, 'deploy'), { recursive: true });
  cpSync(join(workspace, 'data/shops.csv'), join(root, 'data/shops.csv'));
  for (const { name } of readStanding(workspace).plan.waves) empty(name);
}

/** The tests begin before the first release, wherever the waves of this checkout are. */
function empty(wave: string): void {
  const file = join(root, 'deploy/releases', wave, 'kustomization.yaml');
  writeFileSync(file, 'apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nimages: []\n');
}

const commits = ['1f'.repeat(20), '2e'.repeat(20)] as const;
const digestOf = (text: string) => `sha256:${createHash('sha256').update(text).digest('hex')}`;
const images = (commit: string) =>
  Object.fromEntries(releaseNames.map((name) => [name, `registry.example/kassa/${name}@${digestOf(`${name} ${commit}`)}`]));
const build = (commit: string) => ({ commit, images: images(commit) });

const hour = 3600;
/** A whole minute, as soak is counted in. */
const nowSeconds = Math.floor(Date.now() / 60_000) * 60;
/** Hours since the first promotion; the last one is now. */
const lastHour = 191;
const at = (hours: number) => nowSeconds - (lastHour - hours) * hour;

/** The last decisions are made when their turn comes, however slow the machine is. */
const endSeconds = nowSeconds + 2 * hour;

/** When each wave is promoted. Twice somebody has to wait: Sweden's pilot fails at 130.5, Greenland's at 190. */
const promotions: [wave: string, hours: number][] = [
  ['dk-pilot', 0],
  ['dk-full', 24.5],
  ['no-pilot', 97],
  ['no-full', 101.5],
  ['se-pilot', 126],
  ['se-full', 132],
  ['fi-pilot', 156.5],
  ['fi-full', 161],
  ['is-pilot', 185.5],
  ['gl-pilot', 185.5],
  ['fo-pilot', 185.5],
  ['is-full', lastHour],
  ['gl-full', lastHour],
  ['fo-full', lastHour],
];
const namespaceOf = (wave: string) => `kassa-${wave.replace('-full', '')}`;

const lives: Life[] = promotions.map(([wave, hours]) => ({
  namespace: namespaceOf(wave),
  commit: commits[0],
  // Ten minutes for a review and for Flux.
  runsFrom: at(hours) + 600,
  faults: [
    ...(wave === 'se-pilot' ? [{ fault: 'app-500' as const, from: at(129), to: at(131) }] : []),
    ...(wave === 'gl-pilot' ? [{ fault: 'policy-deny' as const, from: at(189.8), to: at(190.2) }] : []),
  ],
}));
const decisions = [...new Set([...promotions.map(([, hours]) => hours), 20, 130.5, 190])];

let prometheus: Awaited<ReturnType<typeof startPrometheus>>;
const desk = (hours: number): Desk => ({
  workspace: root,
  prometheus: prometheusAt(prometheus.address),
  now: () => new Date(at(hours) * 1000),
});

/** Promotes as of a moment of the past, as the command does now. Answers what it refused for; writes where it did not. */
async function promote(wave: string, hours: number): Promise<string[]> {
  const decision = await decidePromotion(desk(hours), wave, wave === 'dk-pilot' ? { build: build(commits[0]) } : {});
  if (decision.refusals.length === 0) writeFileSync(join(root, decision.file), decision.text);
  return decision.refusals;
}

async function run(...args: string[]): Promise<{ code: unknown; output: string }> {
  const started = command(process.execPath, ['tools/src/rollout.ts', ...args, '--root', root], {});
  started.child.stdin?.end();
  return { code: await started.ended, output: started.output() };
}

const tree = () =>
  new Map(
    readdirSync(root, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((path) => [path.slice(root.length + 1), readFileSync(path, 'utf8')]),
  );
const changedSince = (before: Map<string, string>) =>
  [...tree()].filter(([path, text]) => before.get(path) !== text).map(([path]) => path);
const promoted = () => [...readStanding(root).states].filter(([, { release }]) => release !== undefined).map(([wave]) => wave);

describe.skipIf(lacking !== undefined)('A rollout', () => {
  beforeAll(async () => {
    copyTree();
    const history = join(folder, 'history.om');
    const windows = decisions
      .sort((a, b) => a - b)
      .map((hours): [number, number] => [at(hours) - 40 * 60, hours === lastHour ? endSeconds : at(hours) + 8 * 60]);
    writeHistory(history, lives, { windows, until: endSeconds });
    prometheus = await startPrometheus(folder, history);
  }, patience);
  afterAll(async () => {
    await prometheus?.stop();
    rmSync(folder, { recursive: true });
  });

  test('reaches Denmark when the pilot has run for a day, and Norway and Sweden’s pilot in their turn', async () => {
    expect(await promote('dk-pilot', 0)).toEqual([]);
    await expect(promote('no-pilot', 0)).rejects.toThrow('no-pilot waits: dk-full has no digests yet');
    expect(await promote('dk-full', 20)).toEqual(['dk-pilot: has run it for 19 h 50 min, 24 h are asked']);
    expect(promoted()).toEqual(['dk-pilot']);

    for (const [wave, hours] of promotions.slice(1, 5)) expect([wave, await promote(wave, hours)]).toEqual([wave, []]);
    expect(promoted()).toEqual(['dk-pilot', 'dk-full', 'no-pilot', 'no-full', 'se-pilot']);
  });

  test('stops before Sweden’s other shops while a third of its pilot’s calls fail, for that reason alone', async () => {
    const before = tree();
    expect(await promote('se-full', 130.5)).toEqual([
      expect.stringMatching(/^se-pilot: the gate success is red: 0\.\d+, at least 0\.999$/),
    ]);
    await expect(promote('fi-pilot', 130.5)).rejects.toThrow('fi-pilot waits: se-full has no digests yet');
    expect(changedSince(before)).toEqual([]);
  });

  test('goes on when the pilot is well again, and reaches the pilots of the franchises', async () => {
    for (const [wave, hours] of promotions.slice(5, 11)) expect([wave, await promote(wave, hours)]).toEqual([wave, []]);
  });

  test('stops in Iceland, too, while somebody is denied in Greenland', async () => {
    const denied = expect.stringMatching(/^gl-pilot: the gate denied is red: \d+, at most 0$/) as string;
    expect(await promote('gl-full', 190)).toEqual([denied]);
    expect(await promote('is-full', 190)).toEqual([denied]);
  });

  test('ends by the command in the last wave, a change of one file that shows what it does first', async () => {
    for (const [wave, hours] of promotions.slice(11, -1)) expect([wave, await promote(wave, hours)]).toEqual([wave, []]);
    const address = ['--prometheus', prometheus.address];
    const before = tree();
    const { code, output } = await run('promote', 'fo-full', '--yes', ...address);
    expect([code, output]).toEqual([0, output]);
    expect(changedSince(before)).toEqual(['deploy/releases/fo-full/kustomization.yaml']);
    expect(output).toMatch(/Deployment\/sales {2}spec\.template\.spec\.containers\[app]\.image/);
    expect(output).toContain('- unreleased.invalid/sales');
    expect(output).toContain(`+ ${images(commits[0])['sales']?.slice(0, -52)}…`);
    const { states } = readStanding(root);
    expect([...states.values()].map(({ release }) => release)).toEqual(promotions.map(() => build(commits[0])));
    expect((await run('status', ...address)).output).toMatch(/^dk-full +36 of 40 +1f1f1f1f .* green +has what it copies$/m);
  });

  test('of the next version is taken back by one file: the previous code, the new migrations, and no way to promote it by accident', async () => {
    const given = Object.entries(images(commits[1])).flatMap(([name, image]) => ['--image', `${name}=${image}`]);
    const next = ['promote', 'dk-pilot', '--yes', '--commit', commits[1], ...given];
    expect(await run(...next)).toMatchObject({ code: 0 });
    const { code, output } = await run('promote', 'dk-full', '--yes', '--prometheus', prometheus.address);
    expect(code).toBe(1);
    expect(output).toContain('dk-pilot: other code still runs: inventory at 1f1f1f1f');

    const before = tree();
    const back = await run('rollback', 'dk-pilot', '--yes');
    expect(back).toMatchObject({ code: 0 });
    expect(back.output).toContain('previous code on the new schema');
    expect(changedSince(before)).toEqual(['deploy/releases/dk-pilot/kustomization.yaml']);
    const migrations = Object.entries(images(commits[1])).filter(([name]) => name.endsWith('-migrate'));
    expect(readStanding(root).states.get('dk-pilot')).toMatchObject({
      release: { commit: commits[0], images: { ...images(commits[0]), ...Object.fromEntries(migrations) } },
      previous: undefined,
      rolledBack: commits[1],
    });
    // What runs there now is the old code with the new migrations, which no other wave should get by the old version's name.
    expect((await run('promote', 'dk-full', '--yes', '--prometheus', prometheus.address)).output).toContain(
      'dk-pilot was taken back from 2e2e2e2e and keeps its migrations; what runs there is no release to copy',
    );
    expect((await run('status')).output).toMatch(/^dk-full .* waits for dk-pilot, which was taken back$/m);
    expect((await run('rollback', 'dk-pilot', '--yes')).output).toContain(
      'dk-pilot has no earlier digests: it was taken back already',
    );
    expect((await run(...next)).output).toContain('dk-pilot was taken back from 2e2e2e2e; --again puts it there once more');
    expect(await run(...next, '--again')).toMatchObject({ code: 0 });
  });

  test('is refused where no Prometheus answers, or none was named, and nobody there to ask writes nothing', async () => {
    empty('no-pilot');
    const before = tree();
    const nobody = `http://127.0.0.1:${await freePort()}`;
    const away = await run('promote', 'no-pilot', '--yes', '--prometheus', nobody);
    expect(away.code).toBe(1);
    expect(away.output).toContain(`dk-full: the gate success is red: ${nobody} cannot be reached (ECONNREFUSED)`);
    const unnamed = await run('promote', 'no-pilot', '--yes');
    expect(unnamed.code).toBe(1);
    expect(unnamed.output).toContain('dk-full: the gate success is red: was not asked, since no Prometheus was named');
    const unasked = await run('promote', 'no-pilot', '--prometheus', prometheus.address);
    expect(unasked.code).toBe(1);
    expect(unasked.output).toContain('Nothing was written, since there is nobody to ask');
    expect(await run('promote', 'no-pilot', '--dry-run', '--prometheus', prometheus.address)).toMatchObject({ code: 0 });
    expect(changedSince(before)).toEqual([]);
  });
});
