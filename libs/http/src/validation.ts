import fastJsonStringify from 'fast-json-stringify';
import type { FastifySchemaCompiler } from 'fastify';
import { brokenTexts, KassaError, type FieldError } from '@kassa/problem';
import { z } from 'zod';

const places: Record<string, string> = { querystring: '/query', params: '/path', headers: '/header', body: '' };

/** zod as Fastify's validator; every fault of a request is reported at once, by JSON pointer. Headers are checked elsewhere. */
export const validatorCompiler: FastifySchemaCompiler<z.ZodType> = ({ schema, httpPart }) => {
  const place = places[httpPart ?? 'body'] ?? '';
  if (httpPart === 'headers') return (value: unknown) => ({ value });
  return (data: unknown) => {
    const result = schema.safeParse(data);
    const errors = result.success ? brokenTexts(result.data, place) : toFieldErrors(result.error, place);
    if (result.success && errors.length === 0) return { value: result.data };
    const refusal = new KassaError('validation-failed', { errors, detail: firstFault(errors) });
    // Fastify writes a code of its own on the error it is given, so ours travels as the cause.
    return { error: new Error(refusal.message, { cause: refusal }) };
  };
};

function toFieldErrors(error: z.ZodError, place: string): FieldError[] {
  const errors = error.issues.flatMap((issue) => {
    if (issue.code === 'unrecognized_keys')
      return issue.keys.map((key) => ({
        pointer: pointer(place, [...issue.path, key]),
        detail: 'is not a field of this request',
      }));
    return [{ pointer: pointer(place, issue.path), detail: issue.message }];
  });
  return errors.slice(0, 50);
}

function firstFault([first]: FieldError[]): string {
  return first ? `${first.pointer || 'The body'}: ${first.detail}` : 'The request does not fit.';
}

function pointer(place: string, path: PropertyKey[]): string {
  return place + path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

/** A reply's zod schema as a compiled serializer; what the schema does not name is left out of the reply. */
export const serializerCompiler = ({ schema }: { schema: unknown }): ((data: unknown) => string) => {
  const json = z.toJSONSchema(schema as z.ZodType, { target: 'draft-7', io: 'output', unrepresentable: 'any' });
  return fastJsonStringify(json as Parameters<typeof fastJsonStringify>[0]);
};
