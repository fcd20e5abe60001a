import type { Readable } from 'node:stream';
import type { Caller, Role } from '@kassa/auth';
import { decodeCursor, toPage, type Answer, type HttpServer } from '@kassa/http';
import type { Key } from '@kassa/idempotency';
import { importCsv } from '@kassa/imports';
import { KassaError } from '@kassa/problem';
import { z } from 'zod';
import type { ImportKind, ImportRows } from './domain/import.ts';
import { actingRole, boundShop, shopOf } from './domain/shop-scope.ts';
import * as schemas from './http-schemas.ts';
import { changeProduct } from './operations/change-product.ts';
import { consumeReservation, extendReservation, firmReservation, releaseReservation } from './operations/end-reservation.ts';
import { importFile, type ImportFileDeps } from './operations/import-file.ts';
import { recordMovements } from './operations/record-movements.ts';
import { reserveStock } from './operations/reserve-stock.ts';
import type { Actor, Keyed } from './store.ts';

export interface HttpDeps extends ImportFileDeps {
  reservationTtlMs: number;
}

const sellers = ['cashier', 'supervisor', 'web-shop', 'operator'] as const;
const readers = [...sellers, 'stock-clerk'] as const;
const clerks = ['stock-clerk', 'operator'] as const;
const operators = ['operator'] as const;

/** A person of a shop sees and moves the stock of that shop; what is another's is not found. Products and shops are seen by all. */
export function routes(server: HttpServer<Caller, Key, Role>, deps: HttpDeps): void {
  reservationRoutes(server, deps);
  stockRoutes(server, deps);
  masterDataRoutes(server, deps);
  importRoutes(server, deps);
  auditRoutes(server, deps);
}

function reservationRoutes(server: HttpServer<Caller, Key, Role>, deps: HttpDeps): void {
  const write = writer(deps);
  const ended = ['reservation-closed', 'not-found'] as const;

  server.route({
    method: 'POST',
    url: '/v1/reservations',
    summary: 'Reserve units of one or more products in a shop',
    description: 'All lines or none. It expires after ttlMs unless it is made firm, consumed or released before.',
    tags: ['reservations'],
    roles: sellers,
    body: schemas.ReserveBody,
    responses: { 201: schemas.Reservation },
    errors: ['insufficient-stock', 'reservation-expired', 'reservation-closed', 'not-found', 'write-conflict'],
    handler: ({ body, caller, key }) => {
      const shopId = shopOf(caller, body.shopId, '/shopId');
      const reservationId = body.reservationId ?? deps.newId();
      const { lines, ttlMs = deps.reservationTtlMs, reference = '' } = body;
      const request = { reservationId, shopId, lines, state: 'ACTIVE', ttlMs, reference } as const;
      return write(key, 201, { location: `/v1/reservations/${reservationId}` }, (keyed) =>
        reserveStock(deps, request, actor(caller), keyed),
      );
    },
  });
  server.route({
    method: 'GET',
    url: '/v1/reservations/:reservationId',
    summary: 'A reservation',
    tags: ['reservations'],
    roles: sellers,
    params: schemas.ReservationPath,
    responses: { 200: schemas.Reservation },
    errors: ['not-found'],
    handler: async ({ params, caller }) => {
      const body = await deps.store.findReservation(params.reservationId, boundShop(caller));
      return { status: 200, body: body ?? missing('reservation') };
    },
  });
  server.route({
    method: 'POST',
    url: '/v1/reservations/:reservationId/extend',
    summary: 'Let an ACTIVE reservation live longer',
    tags: ['reservations'],
    roles: sellers,
    params: schemas.ReservationPath,
    body: schemas.ExtendBody,
    responses: { 200: schemas.Reservation },
    errors: [...ended, 'reservation-expired', 'wrong-state'],
    handler: ({ params, body, caller, key }) =>
      write(key, 200, {}, (keyed) =>
        extendReservation(deps, { ...params, ...body, shopId: boundShop(caller), actor: actor(caller), keyed }),
      ),
  });
  server.route({
    method: 'POST',
    url: '/v1/reservations/:reservationId/firm',
    summary: 'Make a reservation firm: it does not expire any more',
    tags: ['reservations'],
    roles: sellers,
    params: schemas.ReservationPath,
    responses: { 200: schemas.Reservation },
    errors: [...ended, 'reservation-expired'],
    handler: ({ params, caller, key }) =>
      write(key, 200, {}, (keyed) =>
        firmReservation(deps, { ...params, shopId: boundShop(caller), actor: actor(caller), keyed }),
      ),
  });
  server.route({
    method: 'POST',
    url: '/v1/reservations/:reservationId/consume',
    summary: 'Hand over what a firm reservation holds',
    description: 'Writes its SALE movements. It is the end of the reservation, and cannot be undone.',
    tags: ['reservations'],
    roles: sellers,
    params: schemas.ReservationPath,
    body: schemas.ConsumeBody,
    responses: { 200: schemas.Reservation },
    errors: [...ended, 'reservation-expired', 'wrong-state'],
    handler: ({ params, body, caller, key }) => {
      const document = { type: body.documentType, id: body.documentId };
      const command = { ...params, document, shopId: boundShop(caller), actor: actor(caller) };
      return write(key, 200, {}, (keyed) => consumeReservation(deps, { ...command, keyed }));
    },
  });
  server.route({
    method: 'POST',
    url: '/v1/reservations/:reservationId/release',
    summary: 'Give back what a reservation holds',
    tags: ['reservations'],
    roles: sellers,
    params: schemas.ReservationPath,
    responses: { 200: schemas.Reservation },
    errors: [...ended],
    handler: ({ params, caller, key }) => {
      const command = { ...params, shopId: boundShop(caller), actor: actor(caller), isTombstone: false };
      return write(key, 200, {}, (keyed) => releaseReservation(deps, { ...command, keyed }));
    },
  });
}

function stockRoutes(server: HttpServer<Caller, Key, Role>, deps: HttpDeps): void {
  const write = writer(deps);

  server.route({
    method: 'POST',
    url: '/v1/movements',
    summary: 'Book goods that came, were found, were damaged or counted',
    description: 'A document is booked once, all its lines or none. What is reserved cannot be taken.',
    tags: ['stock'],
    roles: clerks,
    body: schemas.MovementsBody,
    responses: { 201: schemas.StockDocument },
    errors: ['not-found', 'unknown-item', 'already-exists', 'stock-changed', 'insufficient-stock', 'write-conflict'],
    handler: ({ body, caller, key }) => {
      const document = { ...body, shopId: shopOf(caller, body.shopId, '/shopId') };
      return write(key, 201, {}, (keyed) => recordMovements(deps, document, actor(caller), keyed));
    },
  });
  server.route({
    method: 'GET',
    url: '/v1/movements',
    summary: 'Movements of a product in a shop, oldest first',
    tags: ['stock'],
    roles: readers,
    query: schemas.MovementsQuery,
    responses: { 200: schemas.MovementsPage },
    errors: ['cursor-invalid', 'not-found'],
    handler: async ({ query: { sku, shop, limit, cursor }, caller }) => {
      const shopId = shopOf(caller, shop, '/query/shop');
      const rows = await deps.store.movementsAfter(shopId, sku, decodeCursor(cursor, schemas.NumberPosition), limit + 1);
      return paged(
        '/v1/movements',
        { sku, shop: shopId, limit },
        toPage(rows, limit, ({ movementId }) => movementId),
      );
    },
  });
  server.route({
    method: 'GET',
    url: '/v1/levels/:sku',
    summary: 'Stock of a product as inventory itself knows it',
    description: 'For tills there is the stock lookup, which is faster and shows other shops too.',
    tags: ['stock'],
    roles: readers,
    params: schemas.SkuPath,
    query: schemas.LevelsQuery,
    responses: { 200: schemas.Levels },
    errors: ['not-found'],
    handler: async ({ params: { sku }, query: { shop }, caller }) => {
      const shopId = boundShop(caller) === undefined && shop === undefined ? undefined : shopOf(caller, shop, '/query/shop');
      const [product, levels] = await Promise.all([deps.store.findProduct(sku), deps.store.levelsOf(sku, shopId)]);
      if (product === undefined) missing('product');
      return { status: 200, body: { sku, levels } };
    },
  });
}

function masterDataRoutes(server: HttpServer<Caller, Key, Role>, deps: HttpDeps): void {
  const write = writer(deps);

  server.route({
    method: 'GET',
    url: '/v1/products',
    summary: 'Products by SKU',
    tags: ['products'],
    roles: readers,
    query: schemas.ProductsQuery,
    responses: { 200: schemas.ProductsPage },
    errors: ['cursor-invalid'],
    handler: async ({ query: { q, limit, cursor } }) => {
      const rows = await deps.store.productsAfter(decodeCursor(cursor, schemas.TextPosition), q, limit + 1);
      return paged(
        '/v1/products',
        { q, limit },
        toPage(rows, limit, ({ sku }) => sku),
      );
    },
  });
  server.route({
    method: 'GET',
    url: '/v1/products/:sku',
    summary: 'A product',
    tags: ['products'],
    roles: readers,
    params: schemas.SkuPath,
    responses: { 200: schemas.Product, 304: z.undefined() },
    errors: ['not-found'],
    handler: async ({ params }) => {
      const { product, version } = (await deps.store.findProduct(params.sku)) ?? missing('product');
      return { status: 200, body: product, headers: { etag: `"${version}"` } };
    },
  });
  server.route({
    method: 'PATCH',
    url: '/v1/products/:sku',
    summary: 'Rename a product, or take it out of sale',
    tags: ['products'],
    roles: operators,
    params: schemas.SkuPath,
    body: schemas.ChangeProductBody,
    needsIfMatch: true,
    responses: { 200: schemas.Product },
    errors: ['not-found', 'precondition-required', 'precondition-failed'],
    handler: ({ params, body, caller, key, ifMatch }) =>
      write(key, 200, { etag: `"${ifMatch + 1}"` }, (keyed) =>
        changeProduct(deps, params.sku, ifMatch, body, actor(caller), keyed),
      ),
  });
  server.route({
    method: 'GET',
    url: '/v1/shops',
    summary: 'Shops by id',
    tags: ['shops'],
    roles: readers,
    query: schemas.PageQuery,
    responses: { 200: schemas.ShopsPage },
    errors: ['cursor-invalid'],
    handler: async ({ query: { limit, cursor } }) => {
      const rows = await deps.store.shopsAfter(decodeCursor(cursor, schemas.TextPosition), limit + 1);
      return paged(
        '/v1/shops',
        { limit },
        toPage(rows, limit, ({ shopId }) => shopId),
      );
    },
  });
  server.route({
    method: 'GET',
    url: '/v1/shops/:shopId',
    summary: 'A shop',
    tags: ['shops'],
    roles: readers,
    params: schemas.ShopPath,
    responses: { 200: schemas.Shop, 304: z.undefined() },
    errors: ['not-found'],
    handler: async ({ params }) => {
      const { shop, version } = (await deps.store.findShop(params.shopId)) ?? missing('shop');
      return { status: 200, body: shop, headers: { etag: `"${version}"` } };
    },
  });
}

function importRoutes(server: HttpServer<Caller, Key, Role>, deps: HttpDeps): void {
  importRoute(server, deps, 'products', schemas.productsFile, 'sku,gtin,name,item_group,is_serialised,is_active');
  const shopColumns = 'shop_id,gln,name,country,address,postal_code,city,latitude,longitude,time_zone,status';
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
      return paged(
        `/v1/imports/${importId}/refusals`,
        { limit },
        toPage(rows, limit, ({ row }) => row),
      );
    },
  });
}

function importRoute<Kind extends ImportKind, Shape extends z.ZodObject>(
  server: HttpServer<Caller, Key, Role>,
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
    errors: ['validation-failed', 'media-type-unsupported', 'request-in-progress'],
    handler: ({ body, caller, key, headers }) => {
      const charset = /charset="?([^";\s]+)/i.exec(String(headers['content-type']))?.[1];
      return importFile(
        deps,
        {
          kind,
          read: ({ apply, refuse }) =>
            importCsv((body ?? []) as unknown as Readable, {
              charset,
              schema,
              key: nameOf,
              apply: (rows) => apply(rows.map(({ row, value }) => ({ row, value: toRow(value) }))),
              refuse,
            }),
        },
        actor(caller),
        key,
      );
    },
  });
}

function auditRoutes(server: HttpServer<Caller, Key, Role>, deps: HttpDeps): void {
  server.route({
    method: 'GET',
    url: '/v1/audit/levels',
    summary: 'Whether every level is the sum of its movements and open reservations',
    tags: ['audit'],
    roles: operators,
    responses: { 200: schemas.LevelsAudit },
    handler: async () => ({ status: 200, body: await deps.store.auditLevels() }),
  });
  server.route({
    method: 'GET',
    url: '/v1/audit/reservations',
    summary: 'All reservations by id',
    tags: ['audit'],
    roles: operators,
    query: schemas.PageQuery,
    responses: { 200: schemas.ReservationsPage },
    errors: ['cursor-invalid'],
    handler: async ({ query: { limit, cursor } }) => {
      const rows = await deps.store.reservationsAfter(decodeCursor(cursor, schemas.ReservationPosition), limit + 1);
      return paged(
        '/v1/audit/reservations',
        { limit },
        toPage(rows, limit, ({ reservationId }) => reservationId),
      );
    },
  });
  server.route({
    method: 'GET',
    url: '/v1/audit/acts',
    summary: 'What operators did, oldest first',
    tags: ['audit'],
    roles: operators,
    query: schemas.PageQuery,
    responses: { 200: schemas.PrivilegedActs },
    errors: ['cursor-invalid'],
    handler: async ({ query: { limit, cursor } }) => {
      const rows = await deps.store.privilegedActsAfter(decodeCursor(cursor, schemas.NumberPosition), limit + 1);
      return paged(
        '/v1/audit/acts',
        { limit },
        toPage(rows, limit, ({ actId }) => actId),
      );
    },
  });
}

/** A write at most once per key. The act carries the key, with the answer it records, in its own statement. */
function writer({ idempotency }: HttpDeps) {
  return (key: Key, status: number, headers: Record<string, string>, act: (keyed: Keyed) => Promise<unknown>): Promise<Answer> =>
    idempotency.once(key, async () => ({ status, headers, body: await act({ key, status, headers }) }));
}

function actor(caller: Caller): Actor {
  return { subject: caller.subject, role: actingRole(caller) };
}

function missing(thing: string): never {
  throw new KassaError('not-found', { detail: `There is no such ${thing} here.` });
}

/** A page, with the address of the next one in the Link header (RFC 8288). */
function paged(
  url: string,
  query: Record<string, string | number | undefined>,
  page: { items: unknown[]; next?: string },
): Answer {
  if (page.next === undefined) return { status: 200, body: page };
  const asked = Object.entries({ ...query, cursor: page.next }).flatMap(([name, value]): [string, string][] =>
    value === undefined ? [] : [[name, String(value)]],
  );
  return { status: 200, body: page, headers: { link: `<${url}?${new URLSearchParams(asked)}>; rel="next"` } };
}
