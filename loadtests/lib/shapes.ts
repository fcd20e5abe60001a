import type { Scenario } from 'k6/options';

/** How many work at once and for how long: the name of a shape, or numbers of one's own. */
export type ShapeName = 'smoke' | 'average' | 'stress' | 'spike' | 'soak';

interface Stage {
  /** Seconds until `users` work. */
  seconds: number;
  users: number;
}

/** From nobody to everybody and back. The average is a Saturday in December, spread over the shops of the demo retailer. */
const shapes: Record<ShapeName, Stage[]> = {
  smoke: [
    { seconds: 2, users: 5 },
    { seconds: 15, users: 5 },
  ],
  average: [
    { seconds: 10, users: 200 },
    { seconds: 60, users: 200 },
    { seconds: 5, users: 0 },
  ],
  stress: [
    { seconds: 30, users: 60 },
    { seconds: 60, users: 120 },
    { seconds: 60, users: 180 },
    { seconds: 60, users: 230 },
    { seconds: 10, users: 0 },
  ],
  spike: [
    { seconds: 20, users: 20 },
    { seconds: 3, users: 230 },
    { seconds: 30, users: 230 },
    { seconds: 3, users: 20 },
    { seconds: 20, users: 20 },
  ],
  soak: [
    { seconds: 60, users: 100 },
    { seconds: 3600, users: 100 },
    { seconds: 30, users: 0 },
  ],
};

export interface Shape {
  /** As the summary calls it. */
  name: string;
  stages: Stage[];
  usersMax: number;
  seconds: number;
}

/** The shape named by KASSA_SHAPE; KASSA_VUS and KASSA_SECONDS, where given, make one of so many users for so long. */
export function shapeOf(env: Record<string, string | undefined>, otherwise: ShapeName): Shape {
  const name = env['KASSA_SHAPE'] ?? otherwise;
  if (!Object.hasOwn(shapes, name))
    throw new Error(`KASSA_SHAPE knows no "${name}"; there are ${Object.keys(shapes).join(', ')}.`);
  const named = shapes[name as ShapeName];
  const users = Number(env['KASSA_VUS'] ?? Math.max(...named.map((stage) => stage.users)));
  const isOwn = env['KASSA_VUS'] !== undefined || env['KASSA_SECONDS'] !== undefined;
  const held = Number(env['KASSA_SECONDS'] ?? Math.max(...named.map((stage) => stage.seconds)));
  const stages = isOwn
    ? [
        { seconds: Math.min(5, held / 4), users },
        { seconds: held, users },
      ]
    : named;
  const seconds = stages.reduce((sum, stage) => sum + stage.seconds, 0);
  const words = `${users} at once, ${Math.round(seconds)} s`;
  return { name: isOwn ? words : `${name}, ${words}`, stages, usersMax: users, seconds };
}

/** Whoever is in the middle of something when the time is over may end it: a sale that is cut off would tell nothing. */
export const patienceSeconds = 120;

/** A k6 scenario of that shape in which each user repeats `exec` without a break of its own. */
export function usersIn({ stages }: Shape, exec: string): Scenario {
  return {
    executor: 'ramping-vus',
    exec,
    startVUs: 1,
    stages: stages.map(({ seconds, users }) => ({ duration: `${seconds}s`, target: users })),
    gracefulStop: `${patienceSeconds}s`,
    gracefulRampDown: `${patienceSeconds}s`,
  };
}
