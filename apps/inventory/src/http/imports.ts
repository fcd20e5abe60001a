import type { Readable } from 'node:stream';
import { decodeCursor, toPage } from '@kassa/http';
import { openCsv } from '@kassa/imports';
import type { z } from 'zod';
import type { ImportKind, ImportRows } from '../domain/import.ts';
import * as schemas from '../http-schemas.ts';
import { importFile, type ImportFile } from '../operations/import-file.ts';
import { actor, missing, operators, type HttpDeps, type Server } from './answers.ts';

export function importRoutes(server: Server, deps: HttpDeps): void {
  importRoute(server, deps, 'products', schemas.productsFile, 'sku,gtin,name,item_group,is_serialised,is_active');
  const shopColumns =
    'shop_id,gln,name,country,address,postal_code,city,latitude,longitude,time_zone,status,seller,seller_number';
  importRoute(server, deps, 'shops', schemas.shopsFile, shopColumns);
  importRoute(server, deps, 'opening-stock', schemas.openingStockFile, 'shop_id,sku,quantity');

  server.route({
    method: 'GET',
    url: '/v1/imports/:importId',
    summary: 'An import and what became of it',
    tags: ['imports'],
    roles: operators,
    params: schemas.ImportPath,
    responses: { 200: schemas.ImportStatus },
    errors: ['not-found'],
    handler: async ({ params }) => ({ status: 200, body: (await deps.store.findImport(params.importId)) ?? missing('import') }),
  });
  server.route({
    method: 'GET',
    url: '/v1/imports/:importId/refusals',
    summary: 'The rows of an import that could not be used, and why',
    tags: ['imports'],
    roles: operators,
    params: schemas.ImportPath,
    query: schemas.PageQuery,
    responses: { 200: schemas.RefusalsPage },
    errors: ['not-found', 'cursor-invalid'],
    handler: async ({ params: { importId }, query: { limit, cursor } }) => {
      const rows = await deps.store.refusalsAfter(importId, decodeCursor(cursor, schemas.NumberPosition), limit + 1);
      if (rows.length === 0 && (await deps.store.findImport(importId)) === undefined) missing('import');
      return { status: 200, body: toPage(rows, limit, ({ row }) => row) };
    },
  });
}

function importRoute<Kind extends ImportKind, Shape extends z.ZodObject>(
  server: Server,
  deps: HttpDeps,
  kind: Kind,
  { schema, key: nameOf, toRow }: schemas.FileKind<Shape, ImportRows[Kind]>,
  columns: string,
): void {
  server.route({
    method: 'POST',
    url: `/v1/imports/${kind}`,
    summary: `Import ${kind.replace('-', ' ')} from a CSV file of any size`,
    description: `Columns: \`${columns}\`. Text is UTF-8, UTF-16 with a byte order mark, or \`text/csv; charset=windows-1252\`. Rows are
written as they come, by their natural key: sending a file again changes nothing. A row that cannot be used is refused, and the rest goes on.`,
    tags: ['imports'],
    roles: operators,
    bodyAs: 'stream',
    responses: { 201: schemas.ImportReport },
    errors: ['validation-failed', 'media-type-unsupported', 'request-in-progress', 'idempotency-key-reused'],
    handler: async ({ body, caller, key, headers }) => {
      const charset = /charset="?([^";\s]+)/i.exec(String(headers['content-type']))?.[1];
      const csv = await openCsv(body as unknown as Readable, { charset, schema });
      const file: ImportFile<Kind> = {
        kind,
        digest: csv.digest,
        read: ({ apply, refuse }) =>
          csv.importRows({
            key: nameOf,
            apply: (rows) => apply(rows.map(({ row, value }) => ({ row, value: toRow(value) }))),
            refuse,
          }),
      };
      return importFile(deps, file, actor(caller), key).finally(csv.close);
    },
  });
}
