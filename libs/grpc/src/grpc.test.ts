import { Server as PlainServer, ServerCredentials, type sendUnaryData, type ServerUnaryCall } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { salesDefinition, salesReflection } from '@kassa/contracts/sales';
import { KassaError } from '@kassa/problem';
import { createChannel, createClient as createPlainClient, Metadata, Status } from 'nice-grpc';
import { HealthDefinition } from 'nice-grpc-server-health';
import { ServerReflectionService } from 'nice-grpc-server-reflection';
import reflection from 'nice-grpc-server-reflection/lib/proto/grpc/reflection/v1/reflection_pb.js';
import { createClient, createGrpcServer, type GrpcServer } from './index.ts';

let server: GrpcServer;
let address: string;
let cancelled = 0;
let isReady = true;

beforeAll(async () => {
  server = createGrpcServer({
    log: { warn() {}, error() {} },
    authenticate: async (authorization) => {
      if (authorization === undefined) throw new KassaError('unauthenticated');
      return { roles: [authorization.replace('Bearer ', '')] };
    },
    isReady: async () => isReady,
  });
  server.add(
    salesDefinition,
    {
      getSale: async ({ saleId }, context) => {
        context.signal.addEventListener('abort', () => cancelled++);
        if (saleId === 'missing') throw new KassaError('not-found', { params: { saleId } });
        if (saleId === 'bug') throw new Error('secret inside');
        if (saleId === 'slow') await new Promise((resolve) => setTimeout(resolve, 5_000));
        return { saleId, totalMinor: 1_234n };
      },
    },
    salesReflection,
  );
  address = `127.0.0.1:${await server.listen('127.0.0.1', 0)}`;
});
afterAll(() => server.close(100));

const connect = (role: string, to = address) =>
  createClient(salesDefinition, { address: to, token: async () => role, deadlineMs: 2_000 });

test('A call is answered', async () => {
  const { client, close } = connect('service');
  expect((await client.getSale({ saleId: 'a' })).totalMinor).toBe(1_234n);
  close();
});

test('The deadline is told to the neighbour, which gives the work up', async () => {
  const channel = createChannel(address);
  const metadata = Metadata({ authorization: 'Bearer service', 'grpc-timeout': '100m' });
  const call = createPlainClient(salesDefinition, channel).getSale({ saleId: 'slow' }, { metadata });
  await expect(call).rejects.toMatchObject({ code: Status.DEADLINE_EXCEEDED });
  expect(cancelled).toBeGreaterThan(0);
  channel.close();
});

test.each([
  ['a refusal with its code and params', 'service', 'missing', 'not-found', { saleId: 'missing' }],
  ['a bug without its text', 'service', 'bug', 'internal-error', undefined],
  ['a text that cannot be kept', 'service', 'a\0', 'validation-failed', undefined],
  ['a caller that is no service', 'cashier', 'a', 'forbidden', undefined],
  ['a neighbour slower than the deadline', 'service', 'slow', 'deadline-exceeded', undefined],
])('%s reaches the caller as a KassaError', async (_name, role, saleId, code, params) => {
  const { client, close } = connect(role);
  const error = await client.getSale({ saleId }, { deadlineMs: 200 }).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(KassaError);
  expect([(error as KassaError).code, (error as KassaError).facts.params]).toEqual([code, params]);
  expect((error as KassaError).message).not.toContain('secret');
  close();
});

test('A neighbour that is down is unavailable, once it was tried twice more', async () => {
  const { client, close } = connect('service', '127.0.0.1:1');
  const startedAt = performance.now();
  await expect(client.getSale({ saleId: 'a' }, { deadlineMs: 1_000 })).rejects.toMatchObject({ code: 'unavailable' });
  expect(performance.now() - startedAt).toBeGreaterThan(290);
  close();
});

test('A call tells the neighbour its deadline, its token and nothing of the one before', async () => {
  const told: { leftMs: number; authorization: unknown[] }[] = [];
  const { path, requestDeserialize, responseSerialize } = salesDefinition.getSale;
  const method = { path, requestStream: false, responseStream: false, requestDeserialize } as const;
  const toBytes = (sale: Parameters<typeof responseSerialize>[0]) => Buffer.from(responseSerialize(sale));
  const plain = new PlainServer();
  plain.addService(
    {
      getSale: {
        ...method,
        responseSerialize: toBytes,
        requestSerialize: () => Buffer.alloc(0),
        responseDeserialize: () => ({}),
      },
    },
    {
      getSale(call: ServerUnaryCall<unknown, unknown>, done: sendUnaryData<unknown>) {
        told.push({ leftMs: Number(call.getDeadline()) - Date.now(), authorization: call.metadata.get('authorization') });
        done(null, { totalMinor: 1n });
      },
    },
  );
  const port = await new Promise<number>((bound, fail) => {
    plain.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, number) => (error ? fail(error) : bound(number)));
  });
  const { client, close } = connect('service', `127.0.0.1:${port}`);
  await client.getSale({ saleId: 'a' }, { deadlineMs: 60_000 });
  await client.getSale({ saleId: 'a' });
  expect(told.map(({ authorization }) => authorization)).toEqual([['Bearer service'], ['Bearer service']]);
  expect(told.map(({ leftMs }) => [2_000, 60_000].find((limit) => leftMs <= limit))).toEqual([60_000, 2_000]);
  close();
  plain.forceShutdown();
});

test.each([
  { asked: 'the server', service: '' },
  { asked: 'one of its services', service: 'kassa.sales.v1.SalesService' },
])('Health says of $asked whether it is ready, without a token', async ({ service }) => {
  const channel = createChannel(address);
  const ask = async () => (await createPlainClient(HealthDefinition, channel).check({ service })).status;
  expect(await ask()).toBe(1);
  isReady = false;
  expect(await ask().finally(() => (isReady = true))).toBe(2);
  channel.close();
});

test('Health knows no service that is not here', async () => {
  const channel = createChannel(address);
  const asked = createPlainClient(HealthDefinition, channel).check({ service: 'kassa.payments.v1.PaymentsService' });
  await expect(asked).rejects.toMatchObject({ code: Status.NOT_FOUND });
  channel.close();
});

test('Who watches health hears that the server is not ready any more', async () => {
  const channel = createChannel(address);
  const heard: (number | undefined)[] = [];
  for await (const { status } of createPlainClient(HealthDefinition, channel).watch({ service: '' })) {
    heard.push(status);
    isReady = false;
    if (heard.length === 2) break;
  }
  isReady = true;
  expect(heard).toEqual([1, 2]);
  channel.close();
});

test('Reflection lists the service and describes it, without a token', async () => {
  const channel = createChannel(address);
  async function* questions() {
    yield new reflection.ServerReflectionRequest().setListServices('*');
    yield new reflection.ServerReflectionRequest().setFileContainingSymbol('kassa.sales.v1.SalesService');
  }
  const told = [];
  for await (const answer of createPlainClient(ServerReflectionService, channel).serverReflectionInfo(questions()))
    told.push(answer.toObject());
  expect(told[0]?.listServicesResponse?.serviceList).toContainEqual({ name: 'kassa.sales.v1.SalesService' });
  expect(told[1]?.fileDescriptorResponse?.fileDescriptorProtoList).not.toEqual([]);
  channel.close();
});
