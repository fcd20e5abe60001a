import type { ErrorCode } from '@kassa/problem';
import type { z } from 'zod';

/** What a route answers. `body` must match the route's schema for `status`. */
export interface Answer {
  status: number;
  body?: unknown;
  headers?: Record<string, string>;
}

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

type Parsed<Schema> = Schema extends z.ZodType ? z.output<Schema> : undefined;

/** What a handler gets: everything checked, nothing of Fastify. */
export interface Call<Caller, Key, Params, Query, Body> {
  params: Parsed<Params>;
  query: Parsed<Query>;
  body: Parsed<Body>;
  /** Undefined on a public route. */
  caller: Caller;
  /** The idempotency key; undefined on GET, PUT and `isRead` routes. */
  key: Key;
  /** The version in If-Match; undefined where the route does not ask for it. */
  ifMatch: number;
  headers: Record<string, string | string[] | undefined>;
  /** Aborted when the client has gone away. */
  signal: AbortSignal;
  traceId: string;
}

export interface Route<Caller, Key, Role extends string, Params, Query, Body> {
  method: Method;
  url: string;
  summary: string;
  description?: string;
  /** Groups routes in the documentation. */
  tags: string[];
  /** Which roles may call; 'public' asks for no token. */
  roles: readonly Role[] | 'public';
  params?: Params;
  query?: Query;
  /** For `bodyAs: 'json'`, a strict zod object. */
  body?: Body;
  /** How the body arrives: checked JSON (default), the untouched bytes (Buffer) of a signed event, or a stream of any length. */
  bodyAs?: 'json' | 'bytes' | 'stream';
  /** Schema of each answer by status; z.undefined() for one without a body. */
  responses: Record<number, z.ZodType>;
  /** Codes this route can answer beyond those every route can. */
  errors?: readonly ErrorCode[];
  /** A POST that only reads: no Idempotency-Key is asked for. */
  isRead?: boolean;
  /** Asks for If-Match with the version (428 without it). */
  needsIfMatch?: boolean;
  handler(call: Call<Caller, Key, Params, Query, Body>): Promise<Answer>;
}

/** Type inference for one route; the server's `route` is this shape with its own Caller and Key. */
export interface RouteFunction<Caller, Key, Role extends string> {
  <Params = undefined, Query = undefined, Body = undefined>(route: Route<Caller, Key, Role, Params, Query, Body>): void;
}
