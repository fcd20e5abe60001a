import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { readCountries, stagesOf } from '../deploy/countries.ts';
import { findKustomize, howToGetKustomize } from '../deploy/kustomize.ts';
import { readWaves, soakMs, type Wave, type Waves } from '../deploy/waves.ts';
import { Failure } from '../failure.ts';
import { diffObjects, type ObjectChange } from './diff.ts';
import { askGates, type GateResult } from './gates.ts';
import type { Prometheus } from './prometheus.ts';
import { checked, isSame, readWave, releaseFile, short, waveFile, type Release, type WaveState } from './release.ts';
import { shopsOf } from './shops.ts';
import { askSoak, type Soak } from './soak.ts';

/** What a rollout is judged by: the tree, a Prometheus if one was named, and the time. */
export interface Desk {
  workspace: string;
  prometheus: Prometheus | undefined;
  now: () => Date;
}

/** A change of one file, and whether it may be written. */
export interface Decision {
  wave: Wave;
  file: string;
  before: WaveState;
  after: WaveState;
  text: string;
  gates: GateResult[];
  soak: (Soak & { wave: string }) | undefined;
  /** Why it must not be written; empty where it may. */
  refusals: string[];
}

/** A decision with everything else a person should see before it is written. */
export interface Proposal extends Decision {
  changes: ObjectChange[];
  objects: number;
  renderer: string;
  shops: ReturnType<typeof shopsOf>;
}

/** Where the plan stands: each wave with what its file says. */
export interface Standing {
  plan: Waves;
  states: Map<string, WaveState>;
}

export function readStanding(workspace: string): Standing {
  const plan = readWaves(workspace);
  return { plan, states: new Map(plan.waves.map(({ name }) => [name, readWave(workspace, name)])) };
}

export const namespaceOf = (workspace: string, wave: Wave) => overlayOf(workspace, wave).namespace;

function overlayOf(workspace: string, { country, track }: Wave) {
  const found = readCountries(workspace).find((one) => one.country === country && one.track === track);
  if (!found) throw new Failure(`deploy/countries/${country}/${track} is not there, so the wave runs nowhere.`);
  return found;
}

export function waveNamed({ plan }: Standing, name: string | undefined): Wave {
  const found = plan.waves.find((wave) => wave.name === name);
  if (!found) throw new Failure(`Name a wave: ${plan.waves.map((wave) => wave.name).join(', ')}.`);
  return found;
}

interface PromotionOptions {
  /** The release for a wave that copies from `build`. */
  build?: Release | undefined;
  /** Allows the commit this very wave was taken back from. */
  isAgain?: boolean | undefined;
}

/** What promoting a wave would change, down to each object, and what speaks against it. Writes nothing. */
export async function proposePromotion(desk: Desk, name: string | undefined, options: PromotionOptions = {}): Promise<Proposal> {
  const standing = readStanding(desk.workspace);
  const decision = await decidePromotion(desk, name, options, standing);
  return { ...decision, ...(await shown(desk, standing, decision)) };
}

/** Whether a wave may be promoted, and the text its file gets. Writes nothing. */
export async function decidePromotion(
  desk: Desk,
  name: string | undefined,
  { build, isAgain = false }: PromotionOptions = {},
  standing = readStanding(desk.workspace),
): Promise<Decision> {
  const wave = waveNamed(standing, name);
  const before = stateOf(standing, wave.name);
  const release = candidate(standing, wave, build);
  const after: WaveState = {
    release,
    from: wave.from,
    writtenAt: desk.now(),
    previous: isSame(before.release, release) ? before.previous : before.release,
    rolledBack: undefined,
  };
  const { gates, soak, refusals } = await judge(desk, standing, { wave, release });
  const takenBack = [...standing.states].filter(([one, state]) => isTakenBack(state, release) && !(isAgain && one === wave.name));
  const kept = standing.states.get(wave.from)?.rolledBack;
  return {
    ...changeOf(wave, before, after),
    gates,
    soak,
    refusals: [
      ...(kept === undefined
        ? []
        : [
            `${wave.from} was taken back from ${short(kept)} and keeps its migrations; what runs there is no release to copy, until ${wave.from} has another`,
          ]),
      ...takenBack.map(
        ([one]) =>
          `${one} was taken back from ${short(release.commit)}; ` +
          (one === wave.name
            ? '--again puts it there once more'
            : `a version that failed there goes nowhere, until ${one} has it again`),
      ),
      ...refusals,
    ],
  };
}

const changeOf = (wave: Wave, before: WaveState, after: WaveState) => ({
  wave,
  before,
  after,
  file: releaseFile(wave.name),
  text: waveFile(wave.name, after),
});

/** What taking a wave back would change. Gates are shown and stop nothing: the way back is always open. Throws Failure without a way back. */
export async function proposeRollback(desk: Desk, name: string | undefined): Promise<Proposal> {
  const standing = readStanding(desk.workspace);
  const wave = waveNamed(standing, name);
  const before = stateOf(standing, wave.name);
  const { release, previous } = before;
  if (release === undefined) throw new Failure(`${wave.name} runs nothing that could be taken back.`);
  if (previous === undefined) {
    throw new Failure(
      `${wave.name} has no earlier digests: ${before.rolledBack ? 'it was taken back already, and old code is promised to run on a schema one release ahead, not two' : 'this is its first release'}. Promote a mended build instead.`,
    );
  }
  // The schema stays as it is, so the migrations stay those that made it.
  const images = Object.fromEntries(
    Object.entries(previous.images).map(([image, old]) => [
      image,
      image.endsWith('-migrate') ? (release.images[image] ?? old) : old,
    ]),
  );
  const after: WaveState = {
    release: { commit: previous.commit, images },
    from: 'rollback',
    writtenAt: desk.now(),
    previous: undefined,
    rolledBack: release.commit,
  };
  const gates = await gatesOf(desk, standing, wave);
  const decision: Decision = { ...changeOf(wave, before, after), gates, soak: undefined, refusals: [] };
  return { ...decision, ...(await shown(desk, standing, decision)) };
}

/** The waves that run the very digests and commit of a release. */
export const wavesOn = ({ plan, states }: Standing, release: Release) =>
  plan.waves.filter(({ name }) => isSame(states.get(name)?.release, release));

const stateOf = ({ states }: Standing, name: string): WaveState => {
  const found = states.get(name);
  if (!found) throw new Error(`${name} is no wave`);
  return found;
};

const isTakenBack = ({ rolledBack }: WaveState, release: Release) => rolledBack !== undefined && rolledBack === release.commit;

function candidate(standing: Standing, wave: Wave, build: Release | undefined): Release {
  if (wave.from === 'build') {
    if (build === undefined)
      throw new Failure(`${wave.name} takes its digests from a build: name them with --release FILE, or --image and --commit.`);
    return checked('The build', build);
  }
  if (build !== undefined)
    throw new Failure(`${wave.name} copies the digests of ${wave.from}; a build starts at ${standing.plan.waves[0]?.name}.`);
  const { release } = stateOf(standing, wave.from);
  if (release === undefined)
    throw new Failure(`${wave.name} waits: ${wave.from} has no digests yet, so there is nothing to copy.`);
  return release;
}

/**
 * The wave that is copied from must have run its version for its soak time, with every gate green. Another wave that runs the same
 * version, perhaps at night, may be silent, but no gate of it may be red.
 */
export async function judge(
  desk: Desk,
  standing: Standing,
  { wave, release }: { wave: Wave; release: Release },
): Promise<Pick<Decision, 'gates' | 'soak' | 'refusals'>> {
  const { plan } = standing;
  const source = plan.waves.find(({ name }) => name === wave.from);
  const others = wavesOn(standing, release).filter(({ name }) => name !== wave.from && name !== wave.name);
  const asked = source ? [source, ...others] : others;
  const answered = (await Promise.all(asked.map((one) => gatesOf(desk, standing, one)))).flat();
  const gates = answered.map((gate): GateResult => (gate.wave === wave.from ? { ...gate, verdict: redUnlessGreen(gate) } : gate));
  const soak = source ? await soakOf(desk, standing, source) : undefined;
  const stopping = gates.filter(({ verdict }) => verdict === 'red');
  return {
    gates,
    soak,
    refusals: [
      ...(soak && !soak.isReached ? [`${soak.wave}: ${soak.words}`] : []),
      ...stopping.map(({ wave: of, gate, words }) => `${of}: the gate ${gate} is red: ${words}`),
    ],
  };
}

const redUnlessGreen = ({ verdict }: GateResult) => (verdict === 'green' ? 'green' : 'red');

/** The gates of one wave as they answer now. */
export function gatesOf(desk: Desk, { plan }: Standing, wave: Wave): Promise<GateResult[]> {
  const gates = Object.fromEntries(Object.entries(plan.gates).filter(([name]) => wave.gates.includes(name)));
  const asked = { wave: wave.name, gates, namespace: namespaceOf(desk.workspace, wave), at: desk.now() };
  return askGates(desk.prometheus, asked);
}

/** How long a wave has run what its file says. */
export async function soakOf(desk: Desk, standing: Standing, wave: Wave): Promise<Soak & { wave: string }> {
  const { release, writtenAt } = stateOf(standing, wave.name);
  const soak = await askSoak(desk.prometheus, {
    namespace: namespaceOf(desk.workspace, wave),
    commit: release?.commit,
    since: writtenAt,
    neededMs: soakMs(wave.soak),
    at: desk.now(),
  });
  return { wave: wave.name, ...soak };
}

async function shown(
  { workspace }: Desk,
  { plan }: Standing,
  { wave, file, text }: Decision,
): Promise<Omit<Proposal, keyof Decision>> {
  return { shops: shopsOf(workspace, wave, plan.waves), ...(await rendered(workspace, wave, { file, text })) };
}

/** Renders the wave's overlay with its migrations, as it is and with the file changed, in a copy that is thrown away. */
async function rendered(workspace: string, wave: Wave, { file, text }: { file: string; text: string }) {
  const stages = stagesOf(overlayOf(workspace, wave).folder);
  const kustomize = findKustomize(workspace);
  if (!kustomize) throw new Failure(`What would change cannot be shown, so nothing is written. ${howToGetKustomize}`);
  const copy = mkdtempSync(join(tmpdir(), 'kassa-rollout-'));
  try {
    cpSync(join(workspace, 'deploy'), join(copy, 'deploy'), { recursive: true });
    writeFileSync(join(copy, file), text);
    const render = async (tree: string) => {
      const rendered = await Promise.all(stages.map((stage) => kustomize.render({ resources: [resolve(tree, stage)] })));
      return rendered.flat().map(({ object }) => object);
    };
    const [before, after] = await Promise.all([render(workspace), render(copy)]);
    return { changes: diffObjects(before, after), objects: after.length, renderer: kustomize.name };
  } finally {
    rmSync(copy, { recursive: true });
  }
}
