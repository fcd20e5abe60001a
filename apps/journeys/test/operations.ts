import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { roomFolder } from '@kassa/testing';
import type { ServiceName } from './system.ts';

/** One operation of a service, as its committed openapi.json describes it. */
export interface Operation {
  service: ServiceName;
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** With its parameters in braces: /v1/sales/{saleId}. */
  path: string;
  /** `service method path`: the operation's name in tests. */
  name: string;
  /** x-kassa-roles: who may call, or `public`. */
  roles: readonly string[] | 'public';
  /** Names of required headers. */
  headers: string[];
  /** An example of the JSON body, made of the schema's own examples; undefined where there is no JSON body. */
  body: unknown;
  /** Names of the JSON body's members, required or not. */
  members: string[];
  /** True where the body is a stream of CSV. */
  takesCsv: boolean;
}

interface Schema {
  $ref?: string;
  type?: string | string[];
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  example?: unknown;
  default?: unknown;
  const?: unknown;
  enum?: unknown[];
  anyOf?: Schema[];
  oneOf?: Schema[];
  allOf?: Schema[];
  format?: string;
  minimum?: number;
  minItems?: number;
}
interface Described {
  'x-kassa-roles'?: string[] | 'public';
  parameters?: { name: string; in: string; required?: boolean }[];
  requestBody?: { content: Record<string, { schema?: Schema }> };
}
interface Document {
  paths: Record<string, Record<string, Described>>;
  components?: { schemas?: Record<string, Schema> };
}

/** Every operation a service publishes. */
export function operationsOf(service: ServiceName): Operation[] {
  const document = JSON.parse(readFileSync(join(roomFolder(service), 'openapi.json'), 'utf8')) as Document;
  const schemas = document.components?.schemas ?? {};
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, described]) => {
      const content = described.requestBody?.content ?? {};
      const schema = content['application/json']?.schema;
      const upper = method.toUpperCase() as Operation['method'];
      const roles = described['x-kassa-roles'];
      if (roles === undefined) throw new Error(`${service} ${upper} ${path} does not say who may call it`);
      return {
        service,
        method: upper,
        path,
        name: `${service} ${upper} ${path}`,
        roles,
        headers: (described.parameters ?? []).filter((given) => given.in === 'header').map((given) => given.name),
        body: schema && exampleOf(schema, schemas),
        members: Object.keys((schema && named(schema, schemas).properties) ?? {}),
        takesCsv: 'text/csv' in content,
      };
    }),
  );
}

/** A value the schema accepts: its own example where it has one, else the least that is required. */
function exampleOf(schema: Schema, schemas: Record<string, Schema>): unknown {
  if (schema.$ref !== undefined) return exampleOf(named(schema, schemas), schemas);
  if (schema.example !== undefined) return schema.example;
  if (schema.const !== undefined) return schema.const;
  if (schema.default !== undefined) return schema.default;
  if (schema.enum) return schema.enum[0];
  const [choice] = schema.anyOf ?? schema.oneOf ?? schema.allOf ?? [];
  if (choice) return exampleOf(choice, schemas);
  if (schema.type === 'object') {
    const required = Object.entries(schema.properties ?? {}).filter(([name]) => schema.required?.includes(name));
    return Object.fromEntries(required.map(([name, member]) => [name, exampleOf(member, schemas)]));
  }
  if (schema.type === 'array') return Array.from({ length: schema.minItems ?? 1 }, () => exampleOf(schema.items ?? {}, schemas));
  if (schema.type === 'integer' || schema.type === 'number') return schema.minimum ?? 1;
  if (schema.type === 'boolean') return true;
  if (schema.format === 'uuid') return '0195a1c2-7c1e-7d55-9d0a-2f0c6a3b1e11';
  if (schema.format === 'date-time') return '2026-03-02T10:15:30.120Z';
  return 'text';
}

/** The schema itself, where this is a reference to it. */
function named(schema: Schema, schemas: Record<string, Schema>): Schema {
  if (schema.$ref === undefined) return schema;
  const found = schemas[schema.$ref.split('/').at(-1) ?? ''];
  if (!found) throw new Error(`${schema.$ref} is not among the schemas`);
  return found;
}
