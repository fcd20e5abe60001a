import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest, type RouteOptions } from 'fastify';
import { KassaError } from '@kassa/problem';
import { z } from 'zod';
import { registerDocs, type Docs } from './docs.ts';
import { encodingFault, repeatedMember } from './json.ts';
import { problemOf, rawProblem, sendProblem } from './errors.ts';
import type { Answer, Call, Route, RouteFunction } from './route.ts';
import { observeRequests, routeOf, traceIdOf } from './telemetry.ts';
import { serializerCompiler, validatorCompiler } from './validation.ts';

export interface KeyFacts {
  header: string | undefined;
  subject: string;
  method: string;
  path: string;
  body: unknown;
  traceId: string;
}

/** As much of a logger as requests need. */
export interface Log {
  debug(facts: object, message: string): void;
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
  error(facts: object, message: string): void;
  level: string;
  isLevelEnabled(level: string): boolean;
}

export interface HttpServerOptions<Caller, Key> {
  docs: Docs;
  /** False where answers are kept for ever, and so without the header Idempotency-Expires. Default: true. */
  doKeysExpire?: boolean;
  log: Log;
  /** Turns the Authorization header into a caller, or throws unauthenticated. */
  authenticate(authorization: string | undefined): Promise<Caller>;
  /** Turns the Idempotency-Key header of a write into a key, or throws idempotency-key-missing. */
  readKey(facts: KeyFacts): Key;
  /** Bytes a JSON body may have; default 64 KiB, which a mesh may still retry. */
  bodyLimitBytes?: number;
}

export interface HttpServer<Caller, Key, Role extends string> {
  route: RouteFunction<Caller, Key, Role>;
  /** Listens and answers the port. */
  listen(host: string, port: number): Promise<number>;
  /** Stops taking connections, finishes every request that was accepted, closes. */
  close(): Promise<void>;
  /** The OpenAPI 3.1 document of the routes so far. */
  openapi(): Promise<Record<string, unknown>>;
  /** Sends a request without a socket, for tests of one route. */
  inject: FastifyInstance['inject'];
}

declare module 'fastify' {
  interface FastifyContextConfig {
    kassa?: AnyRoute;
    isWrite?: boolean;
  }
}

type AnyRoute = Route<unknown, unknown, string, unknown, unknown, unknown>;
interface KassaRequest extends FastifyRequest {
  rawBytes?: Buffer;
  /** The JSON as it was sent, before a schema filled in what is left out. */
  sentBody?: unknown;
}

/**
 * The HTTP server every service has: bearer tokens and roles, zod validation, idempotency keys, ETag and If-None-Match,
 * problem documents for whatever goes wrong, OpenAPI at /openapi.json with a UI at /docs, one span, metric and log line a request.
 */
export async function createHttpServer<
  Caller extends { subject: string; roles: readonly string[]; shopId?: string },
  Key,
  Role extends string,
>(options: HttpServerOptions<Caller, Key>): Promise<HttpServer<Caller, Key, Role>> {
  const app = fastify({
    bodyLimit: options.bodyLimitBytes ?? 65_536,
    logger: false,
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    exposeHeadRoutes: false,
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 255 },
    frameworkErrors: (error, request, reply) => fail(error, request, reply, options.log),
    clientErrorHandler: (error, socket) => {
      if (socket.writable)
        socket.end(
          rawProblem((error as { code?: string }).code === 'HPE_HEADER_OVERFLOW' ? 'headers-too-large' : 'malformed-request'),
        );
      else socket.destroy();
    },
  });
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.setErrorHandler((error, request, reply) => fail(error, request, reply, options.log));
  app.setNotFoundHandler((request, reply) =>
    fail(
      new KassaError('not-found', { detail: `There is no ${request.method} ${request.url.split('?')[0]} here; see /docs.` }),
      request,
      reply,
      options.log,
    ),
  );
  parseBodies(app);
  observeRequests(app, options.log);
  await registerDocs(app, options.docs, options.doKeysExpire ?? true);

  const route = (given: AnyRoute) => app.route(toFastifyRoute(given, options));
  registerLogLevel(route, options.log);

  return {
    route: route as RouteFunction<Caller, Key, Role>,
    async listen(host, port) {
      await app.listen({ host, port });
      return (app.server.address() as AddressInfo).port;
    },
    async close() {
      // A connection that is busy when the server begins to close is idle a moment later; nobody but us ends it before its keep-alive is over.
      const sweep = setInterval(() => app.server.closeIdleConnections(), 50);
      await app.close().finally(() => clearInterval(sweep));
    },
    async openapi() {
      await app.ready();
      return app.swagger() as unknown as Record<string, unknown>;
    },
    inject: app.inject.bind(app) as FastifyInstance['inject'],
  };
}

function toFastifyRoute<Caller extends { subject: string; roles: readonly string[]; shopId?: string }, Key>(
  route: AnyRoute,
  options: HttpServerOptions<Caller, Key>,
): RouteOptions {
  const isWrite =
    (route.method === 'POST' || route.method === 'PATCH' || route.method === 'DELETE') &&
    route.isRead !== true &&
    route.roles !== 'public';
  const bodyAs = route.bodyAs ?? 'json';
  return {
    method: route.method,
    url: route.url,
    config: { kassa: route, isWrite },
    schema: {
      summary: route.summary,
      tags: route.tags,
      ...(route.description === undefined ? {} : { description: route.description }),
      ...(route.params === undefined ? {} : { params: route.params }),
      ...(route.query === undefined ? {} : { querystring: route.query }),
      ...(route.body === undefined || bodyAs !== 'json' ? {} : { body: route.body }),
      response: route.responses,
    },
    onRequest: async (request: FastifyRequest) => {
      checkMediaType(request, bodyAs);
      if (route.roles === 'public') return;
      const caller = await options.authenticate(request.headers.authorization);
      if (!route.roles.some((role) => caller.roles.includes(role))) {
        throw new KassaError('forbidden', { detail: `This needs one of the roles ${route.roles.join(', ')}.` });
      }
      checkShop(request.headers['x-kassa-shop'], caller.shopId);
      (request as unknown as { caller: Caller }).caller = caller;
    },
    handler: async (request, reply) => {
      const caller = (request as unknown as { caller: Caller }).caller;
      const traceId = traceIdOf(request);
      const facts: Omit<AnyCall, 'signal'> = {
        params: request.params as never,
        query: request.query as never,
        body: bodyOf(request, bodyAs) as never,
        caller,
        key: isWrite
          ? options.readKey({
              header: request.headers['idempotency-key'] as string | undefined,
              subject: caller.subject,
              method: request.method,
              path: request.url.split('?')[0] as string,
              body: bodyAs === 'json' ? ((request as KassaRequest).sentBody ?? null) : null,
              traceId,
            })
          : undefined,
        ifMatch: route.needsIfMatch === true ? readIfMatch(request.headers['if-match']) : (undefined as never),
        headers: request.headers,
        traceId,
      };
      return send(request, reply, await route.handler(new RequestCall(reply, facts) as unknown as AnyCall));
    },
  };
}

type AnyCall = Call<unknown, unknown, unknown, unknown, unknown>;

/**
 * What a handler gets. It is a class for the sake of its getter: an object literal with one has a shape of its own each time,
 * and V8 spends a quarter of the time collecting shapes, in pauses of up to a hundred milliseconds.
 */
class RequestCall implements AnyCall {
  readonly #reply: FastifyReply;
  params: never;
  query: never;
  body: never;
  caller: unknown;
  key: unknown;
  ifMatch: number;
  headers: AnyCall['headers'];
  traceId: string;

  constructor(reply: FastifyReply, facts: Omit<AnyCall, 'signal'>) {
    this.#reply = reply;
    this.params = facts.params as never;
    this.query = facts.query as never;
    this.body = facts.body as never;
    this.caller = facts.caller;
    this.key = facts.key;
    this.ifMatch = facts.ifMatch;
    this.headers = facts.headers;
    this.traceId = facts.traceId;
  }

  get signal(): AbortSignal {
    return whenClientIsGone(this.#reply);
  }
}

/** Not Fastify's request.signal: that one aborts as soon as a body was read to its end. */
function whenClientIsGone(reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) gone.abort();
  });
  return gone.signal;
}

function send(request: FastifyRequest, reply: FastifyReply, answer: Answer): FastifyReply {
  const headers = answer.headers ?? {};
  if (request.method === 'GET' && isKnown(request.headers['if-none-match'], headers['etag']))
    return reply.code(304).headers(headers).send();
  reply.code(answer.status).headers(headers);
  if (request.method === 'GET') linkNextPage(request, reply, answer.body as { next?: unknown } | undefined);
  if (answer.status >= 400) return reply.type('application/problem+json').send(JSON.stringify(answer.body));
  return answer.body === undefined ? reply.send() : reply.send(answer.body);
}

/** Every page names the address of the one after it in the Link header (RFC 8288). */
function linkNextPage({ url }: FastifyRequest, reply: FastifyReply, page: { next?: unknown } | undefined): void {
  if (typeof page?.next !== 'string') return;
  const next = new URL(url, 'http://here');
  next.searchParams.set('cursor', page.next);
  reply.header('link', `<${next.pathname}${next.search}>; rel="next"`);
}

/** Whether If-None-Match names the tag (RFC 9110 §13.1.2): one of a list will do, and weak or strong is the same here. */
function isKnown(ifNoneMatch: string | undefined, etag: string | undefined): boolean {
  if (ifNoneMatch === undefined || etag === undefined) return false;
  const known = etag.replace(/^W\//, '');
  return [...ifNoneMatch.matchAll(/"[^"]*"/g)].some(([tag]) => tag === known);
}

/** If-Match as the version it names (RFC 9110 §13.1.1; one strong tag). Errors: precondition-required, precondition-failed. */
function readIfMatch(header: string | undefined): number {
  if (header === undefined)
    throw new KassaError('precondition-required', { detail: 'Send If-Match with the ETag you last read.' });
  const version = /^"(\d{1,15})"$/.exec(header)?.[1];
  if (version === undefined)
    throw new KassaError('precondition-failed', { detail: 'If-Match must be one ETag as this service gave it, like "3".' });
  return Number(version);
}

/** The edge chooses a version by this header before anyone has looked at the token; whoever names another shop than his own is refused. */
function checkShop(named: string | string[] | undefined, own: string | undefined): void {
  if (named === undefined || named === own) return;
  throw new KassaError('forbidden', { detail: 'X-Kassa-Shop must be the shop of the token, or left out.' });
}

function checkMediaType(request: FastifyRequest, bodyAs: 'json' | 'bytes' | 'stream'): void {
  const { 'content-type': type, 'content-encoding': encoding = 'identity' } = request.headers;
  if (encoding !== 'identity')
    throw new KassaError('media-type-unsupported', { detail: 'Send the body as it is, without Content-Encoding.' });
  if (type === undefined) return;
  const isStream = type.startsWith('text/csv') || type.startsWith('application/octet-stream');
  if (isStream !== (bodyAs === 'stream')) {
    throw new KassaError('media-type-unsupported', { detail: bodyAs === 'stream' ? 'Send text/csv.' : 'Send application/json.' });
  }
}

/** Nothing sent is no bytes, and a stream that has none. */
function bodyOf(request: FastifyRequest, bodyAs: 'json' | 'bytes' | 'stream'): unknown {
  switch (bodyAs) {
    case 'json':
      return request.body;
    case 'bytes':
      return (request as KassaRequest).rawBytes ?? Buffer.alloc(0);
    case 'stream':
      return request.body ?? Readable.from([]);
  }
}

/** JSON is parsed once and its bytes are kept for signed events; a stream is handed on as it is. */
function parseBodies(app: FastifyInstance): void {
  const parseJson = app.getDefaultJsonParser('error', 'error');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser<Buffer>('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    (request as KassaRequest).rawBytes = body;
    if (body.length === 0) return done(null, undefined);
    const unreadable = encodingFault(body);
    if (unreadable) return done(unreadable);
    const text = body.toString('utf8');
    return parseJson(request, text, (error, value: unknown) => {
      (request as KassaRequest).sentBody = value;
      done(error ?? repeatedMember(text) ?? null, value);
    });
  });
  app.addContentTypeParser(/^(text\/csv|application\/octet-stream)/, (_request, payload, done) => done(null, payload));
}

function fail(error: unknown, request: FastifyRequest, reply: FastifyReply, log: Log): FastifyReply {
  const { problem, headers, known } = problemOf(error, request, traceIdOf(request));
  const facts = { code: problem.code, route: routeOf(request), method: request.method };
  if (!known) log.error({ ...facts, err: error }, 'a request met a bug');
  else if (known.kind.status >= 500) log.warn({ ...facts, err: known, cause: known.cause }, 'a request failed');
  if (problem.code === 'body-too-large') discardBody(request, reply);
  return sendProblem(reply, problem, headers);
}

/** Bytes of a body that is too large which are still read, to be thrown away. */
const discardMaxBytes = 67_108_864;

/**
 * Many clients listen for their answer only when all of their body is sent. Fastify would close the connection in the middle of it, and they
 * would see it break instead of the reason why.
 */
function discardBody(request: FastifyRequest, reply: FastifyReply): void {
  reply.removeHeader('connection');
  let leftBytes = discardMaxBytes;
  request.raw.on('data', (chunk: Buffer) => {
    leftBytes -= chunk.length;
    if (leftBytes < 0) request.raw.destroy();
  });
}

function registerLogLevel(route: (given: AnyRoute) => void, log: Log): void {
  const body = z.strictObject({ level: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal']).meta({ example: 'debug' }) });
  route({
    method: 'GET',
    url: '/v1/log-level',
    summary: 'The level this process logs at',
    tags: ['operations'],
    roles: ['operator'],
    responses: { 200: body },
    handler: async () => ({ status: 200, body: { level: log.level } }),
  });
  route({
    method: 'PUT',
    url: '/v1/log-level',
    summary: 'Change the level this process logs at, until it restarts',
    tags: ['operations'],
    roles: ['operator'],
    body,
    responses: { 200: body },
    handler: async ({ body: wanted, caller }) => {
      const { level } = wanted as unknown as { level: string };
      log.warn({ level, before: log.level, subject: (caller as { subject: string }).subject }, 'the log level is changed');
      log.level = level;
      return { status: 200, body: { level: log.level } };
    },
  });
}
