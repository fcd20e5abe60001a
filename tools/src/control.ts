import { timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Failure } from './failure.ts';
import { serviceNames, type ServiceName } from './services.ts';
import type { Supervisor } from './supervisor.ts';

export interface Control {
  url: string;
  stop(): void;
}

/**
 * Lets other tools, such as a load test, crash a service of this system and have it started again:
 * POST /services/<name>/restart?downMs=… on loopback, with the data folder's control token as bearer; answers 204 when it is ready.
 * `onRestarted` is told of each.
 */
export async function openControl(supervisor: Supervisor, token: string, onRestarted: () => void): Promise<Control> {
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://control');
    const name = /^\/services\/([a-z-]+)\/restart$/.exec(pathname)?.[1] as ServiceName | undefined;
    const downMs = Number(searchParams.get('downMs') ?? 0);
    const isAllowed = isSame(request.headers.authorization ?? '', `Bearer ${token}`);
    if (!isAllowed) return void response.writeHead(401).end();
    if (request.method !== 'POST' || !name || !serviceNames.includes(name)) return void response.writeHead(404).end();
    if (!(downMs >= 0 && downMs <= 600_000)) return void response.writeHead(400).end();
    supervisor.restart(name, downMs).then(
      () => {
        onRestarted();
        response.writeHead(204).end();
      },
      (error: unknown) => response.writeHead(error instanceof Failure ? 409 : 500).end(String(error)),
    );
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop() {
      server.close();
      server.closeAllConnections();
    },
  };
}

function isSame(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}
