import { STATUS_CODES } from 'node:http';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { errorKind, KassaError, toProblem, type ErrorCode, type Problem } from '@kassa/problem';

/** What Fastify refuses by itself, in our words. */
const fastifyCodes: Record<string, ErrorCode> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'body-too-large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'media-type-unsupported',
};

/** Any error as one that can be told: ours as they are, Fastify's refusals by their code, all else a bug behind internal-error. */
export function toKassaError(error: unknown): KassaError | undefined {
  if (error instanceof KassaError) return error;
  const { code, statusCode, message, cause } = error as FastifyError & { cause?: unknown };
  if (cause instanceof KassaError && code === 'FST_ERR_VALIDATION') return cause;
  const known = code === undefined ? undefined : fastifyCodes[code];
  if (known) return new KassaError(known, { cause: error });
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500)
    return new KassaError('malformed-request', { detail: message, cause: error });
  return undefined;
}

/** Answers a problem document and the headers that go with it. */
export function sendProblem(reply: FastifyReply, problem: Problem, headers: Record<string, string> = {}): FastifyReply {
  return reply.code(problem.status).headers(headers).type('application/problem+json').send(JSON.stringify(problem));
}

export function problemOf(
  error: unknown,
  request: FastifyRequest,
  traceId: string,
): { problem: Problem; headers: Record<string, string>; known: KassaError | undefined } {
  const known = toKassaError(error);
  const headers: Record<string, string> = {};
  const wait = known?.facts.retryAfterSeconds ?? (known?.kind.status === 503 ? 2 : undefined);
  if (wait !== undefined) headers['retry-after'] = String(wait);
  if (known?.code === 'unauthenticated') headers['www-authenticate'] = 'Bearer';
  return { problem: toProblem(known ?? error, traceId, request.url.split('?')[0]), headers, known };
}

/** A request Node could not even parse gets a problem document written by hand, since no route ever saw it. */
export function rawProblem(code: ErrorCode): string {
  const kind = errorKind(code);
  const body = JSON.stringify(toProblem(new KassaError(code), ''));
  return `HTTP/1.1 ${kind.status} ${STATUS_CODES[kind.status]}\r\ncontent-type: application/problem+json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`;
}
