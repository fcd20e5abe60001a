import { boundShop, shopOf } from '../domain/shop-scope.ts';
import * as schemas from '../http-schemas.ts';
import { consumeReservation, extendReservation, firmReservation, releaseReservation } from '../operations/end-reservation.ts';
import { reserveStock } from '../operations/reserve-stock.ts';
import { actor, missing, sellers, writer, type HttpDeps, type Server } from './answers.ts';

export function reservationRoutes(server: Server, deps: HttpDeps): void {
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
