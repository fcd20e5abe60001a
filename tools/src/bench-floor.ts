import { Agent, request } from 'node:http';
import { randomUUID } from 'node:crypto';
import { Client, credentials, Server, ServerCredentials, type sendUnaryData, type ServerUnaryCall } from '@grpc/grpc-js';
import Fastify from 'fastify';
import pg from 'pg';

/**
 * What a sale costs that sells nothing: as many HTTP requests, gRPC calls and statements between as many processes as a sale of Kassa, each
 * statement of one row and committed by itself, without a line of our own around it. What is faster than that needs other packages, or fewer
 * commits.
 * Run as one process a role; arguments: the role, a database's address, and the addresses of those it calls. Writes its own address.
 */
const [role = '', databaseUrl = '', ...neighbours] = process.argv.slice(2);

const pool = new pg.Pool({ connectionString: databaseUrl, max: 10, idleTimeoutMillis: 600_000 });
const read = (id: string) => pool.query({ name: 'read', text: 'SELECT note FROM floor WHERE id = $1', values: [id] });
const insert = (id: string) =>
  pool.query({ name: 'insert', text: 'INSERT INTO floor (id, note) VALUES ($1, $2)', values: [id, role] });
const update = (id: string) =>
  pool.query({ name: 'update', text: 'UPDATE floor SET note = $2 WHERE id = $1', values: [id, role] });

const same = (bytes: Buffer) => bytes;
const method = { path: '/kassa.Floor/Step', requestStream: false, responseStream: false } as const;
const codec = { requestSerialize: same, requestDeserialize: same, responseSerialize: same, responseDeserialize: same };

function connect(address: string): () => Promise<void> {
  const client = new Client(address, credentials.createInsecure());
  return () =>
    new Promise((done, fail) => {
      client.makeUnaryRequest(method.path, same, same, Buffer.alloc(200), (error) => (error ? fail(error) : done()));
    });
}

function serve(step: () => Promise<unknown>): Promise<string> {
  const server = new Server();
  const handle = (_call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) => {
    step().then(
      () => done(null, Buffer.alloc(200)),
      (error: Error) => done(error),
    );
  };
  server.addService({ Step: { ...method, ...codec } }, { Step: handle });
  return new Promise((done, fail) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
      error ? fail(error) : done(`127.0.0.1:${port}`),
    );
  });
}

const agent = new Agent({ keepAlive: true });

function post(url: string): Promise<void> {
  return new Promise((done, fail) => {
    request(url, { method: 'POST', agent, headers: { 'content-type': 'application/json' } }, (response) => {
      response.resume().on('end', done);
    })
      .on('error', fail)
      .end('{}');
  });
}

const roles: Record<string, () => Promise<string>> = {
  sales() {
    const [callInventory, callPayments] = neighbours.map(connect) as [() => Promise<void>, () => Promise<void>];
    const server = Fastify();
    server.post('/v1/sales', async (_request, reply) => {
      const id = randomUUID();
      await read(id);
      await insert(id);
      return reply.code(201).send({ id, totalMinor: 0 });
    });
    server.post<{ Params: { id: string } }>('/v1/sales/:id/complete', async ({ params: { id } }) => {
      await read(id);
      await update(id);
      await callInventory();
      await callPayments();
      await update(id);
      void callInventory().then(() => update(id));
      return { id };
    });
    return server.listen({ host: '127.0.0.1', port: 0 });
  },
  inventory: () => serve(() => insert(randomUUID())),
  payments: () =>
    serve(async () => {
      const id = randomUUID();
      await insert(id);
      await post(`${neighbours[0]}/operations`);
      await update(id);
    }),
  acquirer() {
    const server = Fastify();
    server.post('/operations', async () => {
      await insert(randomUUID());
      return {};
    });
    return server.listen({ host: '127.0.0.1', port: 0 });
  },
};

console.log(await roles[role]?.());
// The one who started it holds the other end: it ends with them.
process.stdin.on('end', () => process.exit(0)).resume();
