import type { Crds } from './crds.ts';
import type { KubeObject } from './objects.ts';
import type { Call } from './traffic.ts';

/** A manifest and where it was written. */
export interface Located {
  /** From the workspace. */
  file: string;
  object: KubeObject;
  /** Of an overlay: 0 is applied first, and each only when the one before is healthy. Absent where all is applied at once. */
  stage?: number;
}

/** Objects that stand in a cluster together, and what is known of the place. */
export interface Scene {
  /** For people: `countries/dk/full`. */
  title: string;
  /** These are judged. */
  judged: Located[];
  /** These are there as well, so that references to them hold. */
  around: KubeObject[];
  /** A country's whole overlay, the laptop's, or a part that others complete. */
  place: 'country' | 'local' | 'part';
  /** False where the overlay's wave was never promoted, so that its images cannot have digests yet. */
  isReleased: boolean;
  /** What traffic.yaml says of each call. */
  calls: Call[];
  /** Names of the settings that services read, by service; a service that is not there is not checked. */
  settings: Map<string, Set<string>>;
  crds: Crds | undefined;
}

export interface Hit {
  located: Located;
  /** What is wrong here, as a sentence without a full stop. */
  what: string;
}

export interface Rule {
  /** Kebab-case; the name of its folder in deploy/tests/bad. */
  id: string;
  /** What goes wrong in the cluster when this is not kept. */
  why: string;
  /** What to write instead. */
  mend: string;
  /** Rules over a whole overlay: what they look for may be missing from a part. */
  isOfWhole?: true;
  find(scene: Scene): Hit[] | Promise<Hit[]>;
}

export interface Finding {
  file: string;
  object: string;
  rule: string;
  what: string;
  why: string;
  mend: string;
}

/** Judges a scene by each rule that applies to it. */
export async function judge(scene: Scene, rules: Rule[]): Promise<Finding[]> {
  const fitting = rules.filter((rule) => !(rule.isOfWhole && scene.place === 'part'));
  const found = await Promise.all(
    fitting.map(async (rule) =>
      (await rule.find(scene)).map(({ located, what }) => ({
        file: located.file,
        object: `${located.object.kind}/${located.object.metadata.name}`,
        rule: rule.id,
        what,
        why: rule.why,
        mend: rule.mend,
      })),
    ),
  );
  return found.flat();
}

/** A rule that looks at one object at a time: `fault` answers sentences, or nothing. */
export function each(fault: (object: KubeObject, scene: Scene) => (string | false | undefined)[] | string | false | undefined) {
  return (scene: Scene): Hit[] =>
    scene.judged.flatMap((located) => {
      const answer = fault(located.object, scene);
      const faults = Array.isArray(answer) ? answer : [answer];
      return faults.flatMap((what) => (what ? [{ located, what }] : []));
    });
}

export const everything = (scene: Scene): KubeObject[] => [...scene.judged.map(({ object }) => object), ...scene.around];
