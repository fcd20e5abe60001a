import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { testDatabases } from './test-databases.ts';

/**
 * Vitest's globalSetup: the run's main process keeps the databases, and hands them to the worker processes over a loopback
 * address they inherit in KASSA_TEST_DATABASES. Nothing is started before a test asks for its first database.
 */
export async function setup(): Promise<() => Promise<void>> {
  const databases = testDatabases(process.env, (sentence) => console.log(sentence));
  const server = createServer((request, response) => {
    const answer = async () => {
      const body = (await json(request)) as { room?: string; url?: string };
      if (request.method === 'POST') return { url: await databases.create(body.room) };
      await databases.drop(body.url ?? '');
      return {};
    };
    answer().then(
      (value) => response.end(JSON.stringify(value)),
      (error: unknown) => response.writeHead(500).end(error instanceof Error ? (error.stack ?? error.message) : String(error)),
    );
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  process.env['KASSA_TEST_DATABASES'] = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return async () => {
    server.closeAllConnections();
    server.close();
    await databases.close();
  };
}
