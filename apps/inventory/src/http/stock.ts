import { toPage, decodeCursor } from '@kassa/http';
import { boundShop, shopOf } from '../domain/shop-scope.ts';
import * as schemas from '../http-schemas.ts';
import { recordMovements } from '../operations/record-movements.ts';
import { actor, clerks, missing, readers, writer, type HttpDeps, type Server } from './answers.ts';

export function stockRoutes(server: Server, deps: HttpDeps): void {
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
      return { status: 200, body: toPage(rows, limit, ({ movementId }) => movementId) };
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
