import http from 'k6/http';
import { sleep } from 'k6';
import { Trend } from 'k6/metrics';
import type { Scenario } from 'k6/options';
import { patienceSeconds, type Shape } from './shapes.ts';

/** From the moment a killed service may start again until the story under test succeeds anew. */
export const recovery = new Trend('kassa_recovery_ms', true);

/** Seconds a killed service stays down. */
const downSeconds = 2;
/** From one kill to the next. */
const everySeconds = 20;

/** Services to kill while the test runs, one after the other; none unless KASSA_KILL names some. */
export const toKill: string[] = (__ENV['KASSA_KILL'] ?? '').split(',').filter(Boolean);

/** One user who kills the services of KASSA_KILL in turn while the others work: the first after a quarter of the time. */
export function outagesDuring(shape: Shape): Record<string, Scenario> {
  if (toKill.length === 0) return {};
  const startSeconds = shape.seconds / 4;
  const iterations = Math.max(toKill.length, Math.floor((shape.seconds - startSeconds) / everySeconds));
  return {
    outage: {
      executor: 'per-vu-iterations',
      exec: 'outage',
      vus: 1,
      iterations,
      startTime: `${startSeconds}s`,
      maxDuration: `${iterations * (everySeconds + patienceSeconds)}s`,
    },
  };
}

/** Kills a service as a crash would, and measures how long the story fails afterwards. `story` tells whether it succeeded. */
export function crashAndRecover(iteration: number, story: () => boolean): void {
  const name = toKill[iteration % toKill.length] ?? '';
  const began = Date.now();
  // At another moment of whatever goes on each time.
  sleep(Math.random() * 2);
  const killed = Date.now();
  const response = http.post(`${__ENV['KASSA_CONTROL_URL'] ?? ''}/services/${name}/restart?downMs=${downSeconds * 1000}`, null, {
    headers: { authorization: `Bearer ${__ENV['KASSA_CONTROL_TOKEN'] ?? ''}` },
    tags: { name: 'kill and restart' },
    timeout: `${patienceSeconds}s`,
  });
  if (response.status !== 204) throw new Error(`${name} could not be restarted: ${response.status} ${String(response.body)}`);
  while (!story()) if (Date.now() - killed > patienceSeconds * 1000) break;
  recovery.add(Date.now() - killed - downSeconds * 1000);
  sleep(Math.max(0, everySeconds - (Date.now() - began) / 1000));
}
