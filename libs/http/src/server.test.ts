import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { KassaError } from '@kassa/problem';
import { z } from 'zod';
import { createHttpServer, decodeCursor, pageOf, pageQuery, type HttpServer } from './index.ts';

type Caller = { subject: string; roles: readonly string[]; shopId?: string };
let server: HttpServer<Caller, string, string>;
let port: number;
const keyed = vi.fn();
const told = { debug: vi.fn(), info: vi.fn() };

beforeAll(async () => {
  server = await createHttpServer<Caller, string, string>({
    docs: { title: 'Test', description: '', version: '1.0.0' },
    log: { ...told, warn() {}, error() {}, level: 'info', isLevelEnabled: () => true },
    authenticate: async (header) => {
      if (header === undefined) throw new KassaError('unauthenticated');
      const [role = '', shop] = header.split(' of ');
      return { subject: 's', roles: [role], ...(shop !== undefined && { shopId: shop }) };
    },
    readKey: ({ header, body }) => {
      keyed(body);
      if (header === undefined) throw new KassaError('idempotency-key-missing');
      return header;
    },
  });
  const Thing = z
    .strictObject({ name: z.string().min(1), count: z.number().int().positive().optional(), kind: z.string().default('plain') })
    .meta({ id: 'Thing' });
  server.route({
    method: 'POST',
    url: '/v1/things',
    summary: 'Make a thing',
    tags: ['things'],
    roles: ['maker'],
    body: Thing,
    responses: { 201: z.object({ name: z.string(), key: z.string() }) },
    errors: ['already-exists'],
    handler: async ({ body, key }) => ({ status: 201, body: { name: body.name, key, hidden: true }, headers: { etag: '"1"' } }),
  });
  server.route({
    method: 'GET',
    url: '/v1/things/:id',
    summary: 'A thing',
    tags: ['things'],
    roles: ['maker'],
    params: z.strictObject({ id: z.coerce.number() }),
    query: z.strictObject({ ...pageQuery }),
    responses: { 200: pageOf(Thing) },
    handler: async ({ params }) => {
      if (params.id === 7) throw new Error('secret inside');
      const page = { items: [{ name: String(params.id) }], ...(params.id === 9 ? { next: 'b+c' } : {}) };
      return { status: 200, body: page, headers: { etag: params.id === 8 ? 'W/"5"' : '"5"' } };
    },
  });
  server.route({
    method: 'PATCH',
    url: '/v1/things/:id',
    summary: 'Change a thing',
    tags: ['things'],
    roles: ['maker'],
    needsIfMatch: true,
    body: Thing,
    responses: { 200: Thing },
    handler: async ({ ifMatch, body }) => ({ status: 200, body: { ...body, count: ifMatch } }),
  });
  port = await server.listen('127.0.0.1', 0);
});
afterAll(() => server.close());

const post = (payload: string | Buffer, headers: Record<string, string> = {}) =>
  server.inject({
    method: 'POST',
    url: '/v1/things',
    payload,
    headers: { authorization: 'maker', 'idempotency-key': 'k', 'content-type': 'application/json', ...headers },
  });

test('A good request is answered with what its schema names and nothing more', async () => {
  const reply = await post('{"name":"a"}');
  expect(reply.statusCode).toBe(201);
  expect(reply.json()).toEqual({ name: 'a', key: 'k' });
  expect(reply.headers['etag']).toBe('"1"');
});

test('A key is of the body as it was sent, whatever a later release fills in', async () => {
  await post('{"name":"a"}');
  expect(keyed).toHaveBeenLastCalledWith({ name: 'a' });
});

test.each([
  ['broken JSON', '{"name":', {}, 400, 'malformed-request'],
  ['a poisoned prototype', '{"name":"a","__proto__":{"x":1}}', {}, 400, 'malformed-request'],
  ['a member twice', '{"name":"a","name":"b"}', {}, 400, 'malformed-request'],
  ['text in another encoding', Buffer.from('{"name":"Blåbær"}', 'latin1'), {}, 400, 'malformed-request'],
  ['a packed body', '{"name":"a"}', { 'content-encoding': 'gzip' }, 415, 'media-type-unsupported'],
  ['a wrong type', '{"name":1}', {}, 400, 'validation-failed'],
  ['a NUL in a text', '{"name":"a\\u0000"}', {}, 400, 'validation-failed'],
  ['half a character', '{"name":"\\ud83d"}', {}, 400, 'validation-failed'],
  ['an unknown field', '{"name":"a","nam":"b"}', {}, 400, 'validation-failed'],
  ['no body', '', {}, 400, 'validation-failed'],
  ['a large body', `{"name":"${'x'.repeat(70_000)}"}`, {}, 413, 'body-too-large'],
  ['another content type', 'name=a', { 'content-type': 'application/x-www-form-urlencoded' }, 415, 'media-type-unsupported'],
  ['CSV where JSON is asked for', 'name', { 'content-type': 'text/csv' }, 415, 'media-type-unsupported'],
  ['a role that may not', '{"name":"a"}', { authorization: 'reader' }, 403, 'forbidden'],
])('%s is a problem document', async (_name, payload, headers, status, code) => {
  const reply = await post(payload, headers);
  expect([reply.statusCode, reply.json().code, reply.headers['content-type']]).toEqual([
    status,
    code,
    'application/problem+json; charset=utf-8',
  ]);
});

test.each([
  ['its own', 'maker of dk-001', 'dk-001', 201],
  ["another's", 'maker of dk-001', 'dk-002', 403],
  ['two', 'maker of dk-001', 'dk-001, dk-002', 403],
  ['no', 'maker of dk-001', '', 403],
  ['a shop, and has none', 'maker', 'dk-001', 403],
])('A caller who names %s in X-Kassa-Shop', async (_name, authorization, shop, status) => {
  const reply = await post('{"name":"a"}', { authorization, 'x-kassa-shop': shop });
  expect([reply.statusCode, reply.json().code]).toEqual([status, status === 403 ? 'forbidden' : undefined]);
});

test('An unknown field is named by its pointer', async () => {
  expect((await post('{"name":"a","nam":"b"}')).json().errors).toEqual([
    { pointer: '/nam', detail: 'is not a field of this request' },
  ]);
});

test('A member that stands twice is named by its pointer, however it is written', async () => {
  const reply = await post('{"name":"{\\"name\\":1}","of":[{"a/b":"x"},{"a/b":1,"c":[],"a\\u002fb":2}]}');
  expect(reply.json()).toMatchObject({ code: 'malformed-request', errors: [{ pointer: '/of/1/a~1b' }] });
});

test('A thousand unknown fields are not told one by one', async () => {
  const reply = await post(JSON.stringify(Object.fromEntries(Array.from({ length: 1_000 }, (_, n) => [`x${n}`, n]))));
  expect(reply.json().errors).toHaveLength(50);
});

test.each(['"\\u0000"', '"\\ud83d"', '{}', 'not JSON'])('A cursor of %s is none', (position) => {
  expect(() => decodeCursor(Buffer.from(position).toString('base64url'), z.string())).toThrow(
    expect.objectContaining({ code: 'cursor-invalid' }),
  );
});

test('What cannot be read as a request at all is answered with a problem document, too', async () => {
  const answers = ['GET / HTTP/1.1\r\nX: ' + 'x'.repeat(20_000), 'hello'].map((text) => {
    const socket = connect(port, '127.0.0.1').setEncoding('utf8');
    socket.end(`${text}\r\n\r\n`);
    return socket.toArray().then((parts) => parts.join(''));
  });
  expect(await Promise.all(answers)).toEqual([
    expect.stringMatching(/^HTTP\/1.1 431 Request Header Fields Too Large\r\n.*application\/problem\+json.*"headers-too-large"/s),
    expect.stringMatching(/^HTTP\/1.1 400 Bad Request\r\n.*application\/problem\+json.*"malformed-request"/s),
  ]);
});

test('A bug tells the client nothing but a trace id', async () => {
  const reply = await server.inject({ url: '/v1/things/7', headers: { authorization: 'maker' } });
  expect(reply.statusCode).toBe(500);
  expect(reply.body).not.toContain('secret inside');
});

test.each([
  { has: 'the current version', tags: '"5"', status: 304 },
  { has: 'one that a proxy made weak', tags: 'W/"5"', status: 304 },
  { has: 'it among others', tags: '"4", "5"', status: 304 },
  { has: 'an older one', tags: '"4"', status: 200 },
  { has: 'the current one of a thing whose tag is weak', thing: 8, tags: 'W/"5"', status: 304 },
])('A reader that has $has gets $status', async ({ thing = 1, tags, status }) => {
  const reply = await server.inject({
    url: `/v1/things/${thing}`,
    headers: { authorization: 'maker', 'if-none-match': tags },
  });
  expect([reply.statusCode, reply.headers['etag'], reply.body === '']).toEqual([
    status,
    thing === 8 ? 'W/"5"' : '"5"',
    status === 304,
  ]);
});

test('A page links to the one after it, with all that was asked for, and the last one to none', async () => {
  const get = (url: string) => server.inject({ url, headers: { authorization: 'maker' } });
  const [first, last] = [await get('/v1/things/9?limit=2&cursor=a'), await get('/v1/things/1?limit=2')];
  expect([first.headers['link'], last.headers['link']]).toEqual(['</v1/things/9?limit=2&cursor=b%2Bc>; rel="next"', undefined]);
});

test('A change without If-Match is 428, with it the version reaches the handler', async () => {
  const headers = { authorization: 'maker', 'idempotency-key': 'k', 'content-type': 'application/json' };
  const without = await server.inject({ method: 'PATCH', url: '/v1/things/1', payload: '{"name":"a"}', headers });
  const having = await server.inject({
    method: 'PATCH',
    url: '/v1/things/1',
    payload: '{"name":"a"}',
    headers: { ...headers, 'if-match': '"3"' },
  });
  expect([without.statusCode, having.json()]).toEqual([428, { name: 'a', count: 3, kind: 'plain' }]);
});

test('The OpenAPI document says what the routes say', async () => {
  const document = (await server.openapi()) as {
    openapi: string;
    paths: Record<string, Record<string, { operationId: string; parameters?: { name: string }[]; responses: object }>>;
  };
  expect(document.openapi).toBe('3.1.0');
  const operation = document.paths['/v1/things']?.['post'];
  expect(operation?.operationId).toBe('postThings');
  expect(operation?.responses).toMatchObject({ 201: { description: 'Created' }, 401: { description: expect.any(String) } });
  expect(operation?.parameters?.map(({ name }) => name)).toEqual(['Idempotency-Key', 'X-Kassa-Shop']);
  expect(Object.keys(operation?.responses ?? {})).toEqual(['201', '400', '401', '403', '409', '422', '500', '503']);
});

test('A client that sends far too much hears so, and its connection lasts until it has sent all of it', async () => {
  const socket = connect(port, '127.0.0.1');
  const sizeBytes = 10 * 1_048_576;
  const head = [
    'Host: kassa',
    'Authorization: maker',
    'Content-Type: application/json',
    'Idempotency-Key: key-of-sixteen-characters',
  ];
  socket.write(['POST /v1/things HTTP/1.1', ...head, `Content-Length: ${sizeBytes}`, '', ''].join('\r\n'));
  let heard = '';
  socket.setEncoding('utf8').on('data', (text: string) => (heard += text));
  socket.on('error', ({ message }) => (heard += message));
  // The answer is there before the body. Only then is the body sent, and behind it another request.
  await vi.waitFor(() => expect(heard).toContain('"code":"body-too-large"'));
  socket.write('x'.repeat(sizeBytes));
  socket.write(['GET /v1/things/5 HTTP/1.1', ...head.slice(0, 2), 'Connection: close', '', ''].join('\r\n'));
  const answers = () => heard.match(/HTTP\/1\.1 \d+/g);
  await vi.waitFor(() => expect(answers()).toEqual(['HTTP/1.1 413', 'HTTP/1.1 200']), 5_000);
  socket.destroy();
});

test.each([
  ['GET', '/v1/things/1', 'debug'],
  ['GET', '/v1/things/7', 'info'],
  ['GET', '/v1/nothing', 'info'],
  ['POST', '/v1/things', 'info'],
] as const)('%s %s is told at level %s', async (method, url, level) => {
  for (const tell of Object.values(told)) tell.mockClear();
  const headers = { authorization: 'maker', 'idempotency-key': 'k' };
  await server.inject({ method, url, headers, ...(method === 'POST' && { payload: { name: 'a' } }) });
  expect(Object.entries(told).flatMap(([name, { mock }]) => mock.calls.map(() => name))).toEqual([level]);
});
