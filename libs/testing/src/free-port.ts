import { createServer } from 'node:net';

const given = new Set<number>();

/**
 * A TCP port nobody listens on. It lies below the range operating systems take ports for outgoing connections from (32768 and up on
 * Linux, 49152 on macOS), so that it is still free a moment later, and is not given twice by one process.
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 200; tries++) {
    const port = 12_000 + Math.floor(Math.random() * 20_000);
    if (given.has(port) || !(await isFree(port))) continue;
    given.add(port);
    return port;
  }
  throw new Error('No free TCP port found between 12000 and 32000');
}

/** Whether nobody listens on the port, on loopback or on all addresses. */
export async function isFree(port: number): Promise<boolean> {
  return (await canListen(port, '127.0.0.1')) && (await canListen(port, '0.0.0.0'));
}

function canListen(port: number, host: string): Promise<boolean> {
  return new Promise((done) => {
    const server = createServer();
    server.once('error', () => done(false));
    server.listen({ port, host, exclusive: true }, () => server.close(() => done(true)));
  });
}
