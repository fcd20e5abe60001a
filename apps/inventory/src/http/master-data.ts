import { decodeCursor, toPage } from '@kassa/http';
import { z } from 'zod';
import * as schemas from '../http-schemas.ts';
import { changeProduct } from '../operations/change-product.ts';
import { actor, missing, operators, readers, writer, type HttpDeps, type Server } from './answers.ts';

export function masterDataRoutes(server: Server, deps: HttpDeps): void {
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
      return { status: 200, body: toPage(rows, limit, ({ sku }) => sku) };
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
      return { status: 200, body: toPage(rows, limit, ({ shopId }) => shopId) };
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
