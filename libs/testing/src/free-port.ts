import { createServer } from 'node:net';

/** Below the range operating systems take ports for outgoing connections from: 32768 and up on Linux, 49152 on macOS. */
const [lowest, perBlock, blocks] = [12_000, 100, 200];
const own: number[] = [];

/**
 * A TCP port nobody listens on, and no other process that asks here is given while this one lives: each has blocks of its own, so that a
 * service that was killed finds its port free when it is started again.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    if (own.length === 0) own.push(...(await claimBlock()));
    const port = own.pop();
    if (port !== undefined && (await isFree(port))) return port;
  }
}

/** A block belongs to whoever listens on its first port; it is given back when that process ends, however it ends. */
async function claimBlock(): Promise<number[]> {
  const begin = Math.floor(Math.random() * blocks);
  for (let n = 0; n < blocks; n++) {
    const first = lowest + ((begin + n) % blocks) * perBlock;
    if (await canClaim(first)) return Array.from({ length: perBlock - 1 }, (_, index) => first + perBlock - 1 - index);
  }
  throw new Error(`No free TCP ports found between ${lowest} and ${lowest + blocks * perBlock}`);
}

function canClaim(port: number): Promise<boolean> {
  return new Promise((done) => {
    const claim = createServer((socket) => socket.destroy()).unref();
    claim.once('error', () => done(false));
    claim.listen({ port, host: '127.0.0.1', exclusive: true }, () => done(true));
  });
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
