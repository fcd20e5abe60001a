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
  /** How long the wave runs a version before another wave may take it. */
  soak: z.string().regex(/^[1-9]\d*[mhd]$/, 'is whole minutes, hours or days, such as 90m, 24h or 3d'),
  gates: z.array(z.string()).min(1),
});
const schema = z.strictObject({ gates: z.record(z.string(), gate), waves: z.array(wave) });

export type Gate = z.infer<typeof gate>;
export type Wave = z.infer<typeof wave>;
export type Waves = z.infer<typeof schema>;

export const wavesFile = 'deploy/releases/waves.yaml';

/** Throws Failure with every fault of the file at once. */
export function readWaves(workspace: string): Waves {
  return parseWaves(readFileSync(join(workspace, wavesFile), 'utf8'));
}

export function parseWaves(text: string): Waves {
  const parsed = schema.safeParse(parse(text));
  const faults = parsed.success
    ? planFaults(parsed.data)
    : parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  if (!parsed.success || faults.length > 0) throw new Failure(`${wavesFile} cannot be used.`, faults.join('\n'));
  return parsed.data;
}

/** Each wave comes after the one it copies from, asks gates that exist, and bears the name its overlay looks for. */
function planFaults({ gates, waves }: Waves): string[] {
  return waves.flatMap(({ name, country, track, from, gates: asked }, index) => {
    const earlier = ['build', ...waves.slice(0, index).map((wave) => wave.name)];
    const unknown = asked.filter((gateName) => !Object.hasOwn(gates, gateName));
    return [
      ...(name === `${country}-${track}` ? [] : [`${name}: is ${country} ${track}, so its name is ${country}-${track}`]),
      ...(earlier.indexOf(name) > 0 ? [`${name}: is there twice`] : []),
      ...(earlier.includes(from) ? [] : [`${name}: copies from ${from}, which is neither build nor a wave before it`]),
      ...unknown.map((gateName) => `${name}: asks the gate ${gateName}, which is not there`),
    ];
  });
}

const unitsMs = { m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A soak time in milliseconds. */
export const soakMs = (soak: string) => Number(soak.slice(0, -1)) * unitsMs[soak.slice(-1) as keyof typeof unitsMs];

/** The images a wave runs, by their name in the bases; empty for a wave that was never promoted. */
export function digestsOf(workspace: string, waveName: string): Record<string, string> {
  const file = join(workspace, 'deploy/releases', waveName, 'kustomization.yaml');
  if (!existsSync(file)) return {};
  const { images } = parse(readFileSync(file, 'utf8')) as { images?: { name: string; digest?: string }[] };
  return Object.fromEntries((images ?? []).flatMap(({ name, digest }) => (digest === undefined ? [] : [[name, digest]])));
}
