import { STATUS_CODES } from 'node:http';
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod';
import { errorKind, type ErrorCode } from '@kassa/problem';
import type { Route } from './route.ts';

export interface Docs {
  title: string;
  /** Markdown shown on top of the page. */
  description: string;
  version: string;
}

type AnyRoute = Route<unknown, unknown, string, unknown, unknown, unknown>;
interface Operation {
  parameters?: unknown[];
  responses: Record<string, unknown>;
  security?: unknown[];
  [member: string]: unknown;
}

const writeErrors: ErrorCode[] = [
  'idempotency-key-missing',
  'idempotency-key-invalid',
  'idempotency-key-reused',
  'request-in-progress',
];
const guardedErrors: ErrorCode[] = ['unauthenticated', 'forbidden'];
const everyError: ErrorCode[] = ['validation-failed', 'unavailable', 'internal-error'];

/** OpenAPI 3.1 at /openapi.json, made of the routes' own zod schemas, with a page to try it at /docs. */
export async function registerDocs(app: FastifyInstance, docs: Docs, doKeysExpire: boolean): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: docs,
      components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } } },
      security: [{ bearer: [] }],
    },
    transform: (given) => {
      const done = jsonSchemaTransform(given as Parameters<typeof jsonSchemaTransform>[0]);
      const config = given.route.config;
      return config?.kassa
        ? { ...done, schema: describe(done.schema as unknown as Operation, config.kassa, config.isWrite === true) as never }
        : done;
    },
    transformObject: (given) => addHeadersAndErrors(jsonSchemaTransformObject(given) as never, doKeysExpire) as never,
  });
  await app.register(swaggerUi, { routePrefix: '/docs', uiConfig: { persistAuthorization: true, tryItOutEnabled: true } });
  app.get('/openapi.json', { schema: { hide: true } as never }, async () => app.swagger());
}

/** Hands what Fastify's schema cannot say over to addHeadersAndErrors(), through extension members. */
function describe(schema: Operation, route: AnyRoute, isWrite: boolean): Operation {
  const errors = [
    ...(route.errors ?? []),
    ...(isWrite ? writeErrors : []),
    ...(route.roles === 'public' ? [] : guardedErrors),
    ...everyError,
  ];
  if (route.needsIfMatch === true) errors.push('precondition-required', 'precondition-failed');
  return {
    ...schema,
    'x-kassa-roles': route.roles,
    'x-kassa-errors': [...new Set(errors)].sort(),
    'x-kassa-headers': [
      ...(isWrite ? ['Idempotency-Key'] : []),
      ...(route.needsIfMatch === true ? ['If-Match'] : []),
      ...(route.roles === 'public' ? [] : ['X-Kassa-Shop']),
    ],
    ...(route.roles === 'public' ? { security: [] } : {}),
    'x-kassa-body': route.bodyAs ?? 'json',
  };
}

interface Document {
  paths?: Record<string, Record<string, Operation>>;
  components?: { schemas?: Record<string, unknown> };
}

function addHeadersAndErrors(document: Document, doKeysExpire: boolean): Document {
  for (const [address, path] of Object.entries(document.paths ?? {})) {
    for (const [method, operation] of Object.entries(path)) {
      operation['operationId'] = operationId(method, address);
      nameAnswers(operation);
      const headers = (operation['x-kassa-headers'] as string[] | undefined) ?? [];
      const body = rawBodies[operation['x-kassa-body'] as string];
      delete operation['x-kassa-headers'];
      delete operation['x-kassa-body'];
      if (body) operation['requestBody'] = { required: true, content: { [body]: { schema: { type: 'string' } } } };
      const parameters = headers.map((name) => ({
        name,
        in: 'header',
        required: name !== 'X-Kassa-Shop',
        schema: { type: 'string' },
        description: headerNotes[name],
      }));
      if (parameters.length > 0) operation.parameters = [...(operation.parameters ?? []), ...parameters];
      if (doKeysExpire && headers.includes('Idempotency-Key')) addExpiry(operation);
      addErrors(operation, (operation['x-kassa-errors'] as ErrorCode[] | undefined) ?? []);
    }
  }
  document.components = { ...document.components, schemas: { ...document.components?.schemas, Problem: problemSchema } };
  return document;
}

/** What a generated client calls it: `post /v1/sales/{id}/complete` is postSalesIdComplete. */
function operationId(method: string, address: string): string {
  const words = address.replace(/^\/v1/, '').match(/\w+/g) ?? [];
  return method + words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
}

/** Fastify calls every answer "Default Response". */
function nameAnswers({ responses }: Operation): void {
  for (const [status, response] of Object.entries(responses))
    (response as { description: string }).description = STATUS_CODES[status] ?? status;
}

/** Bodies that no schema checks, by how they arrive. */
const rawBodies: Record<string, string> = { stream: 'text/csv', bytes: 'application/json' };

const headerNotes: Record<string, string> = {
  'Idempotency-Key': 'a fresh UUID for each new write, the same one when it is repeated',
  'If-Match': 'the ETag last read, like "3"',
  'X-Kassa-Shop': 'the shop of the token, sent by every till: where a shop pilots a new version, the way there is found by it',
};

/** Said of answers that the routes name; errors are added after it, since not all of them are kept. */
function addExpiry(operation: Operation): void {
  for (const response of Object.values(operation.responses) as { headers?: object }[]) {
    response.headers = {
      ...response.headers,
      'Idempotency-Expires': {
        schema: { type: 'string' },
        description: 'until when this answer is kept for the key, as an HTTP date; after that the key is a new one',
      },
    };
  }
}

function addErrors(operation: Operation, codes: ErrorCode[]): void {
  const byStatus = Map.groupBy(codes, (code) => errorKind(code).status);
  for (const [status, ofStatus] of byStatus) {
    operation.responses[String(status)] ??= {
      description: ofStatus.map((code) => `\`${code}\`: ${errorKind(code).title}`).join('. '),
      content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
    };
  }
}

const problemSchema = {
  type: 'object',
  description: 'A problem document, RFC 9457. A code may add members of its own.',
  required: ['type', 'title', 'status', 'code', 'detail', 'traceId', 'retryable'],
  properties: {
    type: { type: 'string', format: 'uri' },
    title: { type: 'string' },
    status: { type: 'integer' },
    code: { type: 'string', description: 'One of the codes listed at the operation; never renamed.' },
    detail: { type: 'string', description: 'What happened and what to do.' },
    traceId: { type: 'string' },
    retryable: { type: 'boolean', description: 'Whether the same request may succeed when sent again.' },
    instance: { type: 'string' },
    errors: { type: 'array', items: { type: 'object', properties: { pointer: { type: 'string' }, detail: { type: 'string' } } } },
  },
};
