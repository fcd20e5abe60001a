import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { Failure } from '../failure.ts';

const gate = z.union([
  z.strictObject({ why: z.string(), query: z.string(), atLeast: z.number() }),
  z.strictObject({ why: z.string(), query: z.string(), atMost: z.number() }),
]);
const wave = z.strictObject({
  name: z.string(),
  country: z.string(),
  track: z.enum(['pilot', 'full']),
  shops: z.union([z.literal('all'), z.array(z.string()).min(1)]),
  /** Of the shops' calls, how many go to the pilot; all where absent. */
  percent: z.int().min(1).max(100).optional(),
  /** The wave whose digests are promoted to this one; `build` for the first. */
  from: z.string(),
  soak: z.string().regex(/^\d+h$/, 'is whole hours, such as 24h'),
  gates: z.array(z.string()).min(1),
});
const schema = z.strictObject({ gates: z.record(z.string(), gate), waves: z.array(wave) });

export type Wave = z.infer<typeof wave>;
export type Waves = z.infer<typeof schema>;

export const wavesFile = 'deploy/releases/waves.yaml';

/** Throws Failure with every fault of the file at once. */
export function readWaves(workspace: string): Waves {
  const parsed = schema.safeParse(parse(readFileSync(join(workspace, wavesFile), 'utf8')));
  if (!parsed.success) {
    const faults = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
    throw new Failure(`${wavesFile} cannot be used.`, faults.join('\n'));
  }
  return parsed.data;
}

/** The images a wave runs, by their name in the bases; empty for a wave that was never promoted. */
export function digestsOf(workspace: string, waveName: string): Record<string, string> {
  const file = join(workspace, 'deploy/releases', waveName, 'kustomization.yaml');
  if (!existsSync(file)) return {};
  const { images } = parse(readFileSync(file, 'utf8')) as { images?: { name: string; digest?: string }[] };
  return Object.fromEntries((images ?? []).flatMap(({ name, digest }) => (digest === undefined ? [] : [[name, digest]])));
}
