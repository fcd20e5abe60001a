import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { Failure } from '../failure.ts';

/** What a wave runs: images by the names `sales` and `sales-migrate`, and the commit they were built from. */
export interface Release {
  /** As kassa_build_info says it. Absent where the file was written by hand without it; then no soak can be shown. */
  commit: string | undefined;
  images: Record<string, string>;
}

/** One wave's file: what runs, since when, and the way back. */
export interface WaveState {
  release: Release | undefined;
  /** The wave the digests were copied from, `build`, or `rollback`. */
  from: string | undefined;
  writtenAt: Date | undefined;
  /** What ran before the last promotion. One step, since old code is promised to run on a schema that is one release ahead, not two. */
  previous: Release | undefined;
  /** The commit this wave was taken back from; not promoted again by accident. */
  rolledBack: string | undefined;
}

export const releaseServices = ['inventory', 'payments', 'sales', 'stock-lookup'];
export const releaseNames = releaseServices.flatMap((name) => [name, `${name}-migrate`]);

export const releaseFile = (wave: string) => `deploy/releases/${wave}/kustomization.yaml`;

const placeholder = 'unreleased.invalid/';
const noted = 'kassa.internal/';
const imageGrammar = /^([a-z0-9.-]+(?::\d+)?(?:\/[a-z0-9._-]+)+)@(sha256:[0-9a-f]{64})$/;
const commitGrammar = /^[0-9a-f]{40}$/;

interface WaveFile {
  metadata?: { annotations?: Record<string, string> };
  images?: { name: string; newName?: string; digest?: string }[];
}

/** Throws Failure where the file is missing or is not one that can be promoted from. */
export function readWave(workspace: string, wave: string): WaveState {
  const file = releaseFile(wave);
  let text: string;
  try {
    text = readFileSync(join(workspace, file), 'utf8');
  } catch {
    throw new Failure(`${file} is not there; copy it from another wave that was never promoted.`);
  }
  return parseWave(file, text);
}

export function parseWave(file: string, text: string): WaveState {
  const { images = [], metadata } = parse(text) as WaveFile;
  const notes = metadata?.annotations ?? {};
  const note = (name: string) => notes[`${noted}${name}`];
  const pairs = images.map(({ name, newName, digest }) => [name.slice(placeholder.length), `${newName}@${digest}`] as const);
  const writtenAt = note('written-at');
  return {
    release: images.length === 0 ? undefined : checked(file, { commit: note('commit'), images: Object.fromEntries(pairs) }),
    from: note('from'),
    writtenAt: writtenAt === undefined ? undefined : new Date(writtenAt),
    previous: note('previous') === undefined ? undefined : checked(`${file}, previous`, parseRelease(note('previous') ?? '')),
    rolledBack: note('rolled-back'),
  };
}

/** Reads `commit: …` and one line an image, `sales: registry/kassa/sales@sha256:…`; JSON of the same is YAML too. All of it is text. */
export function parseRelease(text: string): Release {
  const { commit, ...images } = (parse(text, { schema: 'failsafe' }) ?? {}) as Record<string, string>;
  return { commit, images };
}

/** The release itself if it names every image once, by digest, and its commit in full. Throws Failure saying what is wrong with it. */
export function checked(source: string, release: Release): Release {
  const { images, commit } = release;
  const missing = releaseNames.filter((name) => !(name in images));
  const strange = Object.keys(images).filter((name) => !releaseNames.includes(name));
  const unpinned = Object.entries(images).filter(([, image]) => !imageGrammar.test(image));
  const faults = [
    ...(missing.length > 0 ? [`It lacks ${missing.join(', ')}; a release is the whole slice.`] : []),
    ...(strange.length > 0 ? [`It names ${strange.join(', ')}, which no overlay runs.`] : []),
    ...unpinned.map(([name, image]) => `${name} is ${image}, and must be registry/path@sha256:… without a tag.`),
    ...(commit !== undefined && !commitGrammar.test(commit) ? [`The commit ${commit} is not 40 hexadecimal digits.`] : []),
  ];
  if (faults.length > 0) throw new Failure(`${source} is no release that can run.`, faults.join('\n'));
  return release;
}

export const isSame = (one: Release | undefined, other: Release | undefined) =>
  one?.commit === other?.commit && JSON.stringify(sorted(one)) === JSON.stringify(sorted(other));

const sorted = (release: Release | undefined) => Object.entries(release?.images ?? {}).sort();

/** The whole text of a wave's file. Formatted as Prettier would. */
export function waveFile(wave: string, { release, from, writtenAt, previous, rolledBack }: WaveState): string {
  if (release === undefined) throw new Error(`There is nothing to write for ${wave}`);
  const notes = Object.entries({
    commit: release.commit && `'${release.commit}'`,
    from,
    'written-at': writtenAt && `'${isoSeconds(writtenAt)}'`,
    'rolled-back': rolledBack && `'${rolledBack}'`,
    previous: previous && `|\n${indent(releaseText(previous))}`,
  }).filter(([, value]) => value !== undefined);
  const images = Object.entries(release.images).sort().map(imageEntry);
  return `apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
# The digests that run in ${wave.replace('-', ' ')}, and what ran before them. Written by \`npm run rollout\`.
metadata:
  name: ${wave}
  annotations:
${notes.map(([name, value]) => `    ${noted}${name}: ${value}`).join('\n')}
images:
${images.join('\n')}
`;
}

/** The text that `parseRelease` reads. */
export const releaseText = ({ commit, images }: Release) =>
  [
    ...(commit ? [`commit: ${commit}`] : []),
    ...Object.entries(images)
      .sort()
      .map(([name, image]) => `${name}: ${image}`),
  ].join('\n');

const indent = (text: string) => text.replace(/^/gm, '      ');

function imageEntry([name, image]: [string, string]): string {
  const [, newName, digest] = imageGrammar.exec(image) ?? [];
  return `  - name: ${placeholder}${name}\n    newName: ${newName}\n    digest: ${digest}`;
}

const isoSeconds = (time: Date) => `${time.toISOString().slice(0, 19)}Z`;

/** A commit as people say it. */
export const short = (commit: string | undefined) => commit?.slice(0, 8) ?? 'a commit nobody noted';
