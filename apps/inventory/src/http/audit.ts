import { decodeCursor, encodeCursor, toPage } from '@kassa/http';
import * as schemas from '../http-schemas.ts';
import { auditLevels } from '../operations/audit-levels.ts';
import { operators, type HttpDeps, type Server } from './answers.ts';

export function auditRoutes(server: Server, deps: HttpDeps): void {
  server.route({
    method: 'GET',
    url: '/v1/audit/levels',
    summary: 'Whether every level is the sum of its movements and open reservations, shop by shop',
    tags: ['audit'],
    roles: operators,
    query: schemas.PageQuery,
    responses: { 200: schemas.LevelsAudit },
    errors: ['cursor-invalid'],
    handler: async ({ query: { limit, cursor } }) => {
      const after = decodeCursor(cursor, schemas.TextPosition) ?? '';
      const { shops, isLast } = await auditLevels(deps, { after, limit });
      const next = isLast ? {} : { next: encodeCursor(shops.at(-1)?.shopId) };
      return { status: 200, body: { items: shops, ...next } };
    },
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
      return { status: 200, body: toPage(rows, limit, ({ reservationId }) => reservationId) };
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
      return { status: 200, body: toPage(rows, limit, ({ actId }) => actId) };
    },
  });
}
