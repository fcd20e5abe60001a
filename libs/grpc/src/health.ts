import { setTimeout as pause } from 'node:timers/promises';
import { ServerError, Status, type ServiceImplementation } from 'nice-grpc';
import type { HealthDefinition } from 'nice-grpc-server-health';

/** HealthCheckResponse.ServingStatus of grpc.health.v1. */
const status = { SERVING: 1, NOT_SERVING: 2, SERVICE_UNKNOWN: 3 } as const;
type ServingStatus = (typeof status)[keyof typeof status];

const watchEveryMs = 1_000;

/**
 * grpc.health.v1 for the services named in `names` and for the server as a whole (no name): serving while `isReady` says so, which is
 * what /readyz says. A watcher hears of a change within a second, and its stream ends when the server drains.
 */
export function healthService(
  names: ReadonlySet<string>,
  isReady: () => Promise<boolean>,
  draining: AbortSignal,
): ServiceImplementation<typeof HealthDefinition> {
  async function statusOf(service: string): Promise<ServingStatus> {
    if (service !== '' && !names.has(service)) return status.SERVICE_UNKNOWN;
    return !draining.aborted && (await isReady()) ? status.SERVING : status.NOT_SERVING;
  }
  return {
    async check({ service }) {
      const now = await statusOf(service);
      if (now === status.SERVICE_UNKNOWN) throw new ServerError(Status.NOT_FOUND, `There is no service ${service} here.`);
      return { status: now };
    },
    async *watch({ service }, { signal }) {
      const over = AbortSignal.any([signal, draining]);
      for (let last: ServingStatus | undefined; !over.aborted;) {
        const now = await statusOf(service);
        if (now !== last) yield { status: now };
        last = now;
        await pause(watchEveryMs, undefined, { signal: over }).catch(() => undefined);
      }
    },
  };
}
