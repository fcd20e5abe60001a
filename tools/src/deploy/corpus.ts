import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { keyOf, parseObjects, type KubeObject } from './objects.ts';
import type { Known } from './scenes.ts';
import type { Scene } from './rule.ts';

/** A manifest that must be refused, and the one rule that must refuse it. */
export interface BadManifest {
  /** From deploy/tests. */
  file: string;
  rule: string;
  /** Its first line may say `# place: local`. */
  place: Scene['place'];
  /** Its first line may say `# stage: 1`, in which all of its objects then are. */
  stage: number | undefined;
  objects: KubeObject[];
}

export const corpusFolder = 'deploy/tests';

/** A whole slice in which no rule finds anything. */
export const readGood = (workspace: string) => parseObjects(readFileSync(join(workspace, corpusFolder, 'good.yaml'), 'utf8'));

export function readCorpus(workspace: string): BadManifest[] {
  const folder = join(workspace, corpusFolder);
  return readdirSync(join(folder, 'bad'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.yaml'))
    .sort()
    .map((file) => {
      const content = readFileSync(join(folder, 'bad', file), 'utf8');
      const place = content.startsWith('# place: local') ? 'local' : 'country';
      const stage = /^# stage: (\d)/.exec(content)?.[1];
      return {
        file: `bad/${file}`,
        rule: file.split('/')[0] ?? '',
        place,
        stage: stage === undefined ? undefined : Number(stage),
        objects: parseObjects(content),
      };
    });
}

/** The good slice with the objects of a bad manifest in it, judged as a country of a wave that was promoted. */
export function corpusScene(good: KubeObject[], bad: Pick<BadManifest, 'objects' | 'place' | 'stage'>, facts: Known): Scene {
  const changed = new Set(bad.objects.map(keyOf));
  const judged = [
    ...good
      .filter((object) => !changed.has(keyOf(object)))
      .map((object) => ({ file: 'good.yaml', object, stage: stageOf(object) })),
    ...bad.objects.map((object) => ({ file: 'good.yaml', object, stage: bad.stage ?? stageOf(object) })),
  ];
  return { ...facts, title: 'corpus', judged, around: [], place: bad.place, isReleased: true };
}

/** Where a country has an object of its kind. */
const stageOf = ({ kind }: KubeObject) => (kind === 'Deployment' ? 2 : kind === 'Job' ? 1 : 0);
