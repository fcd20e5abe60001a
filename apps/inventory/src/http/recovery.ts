import * as schemas from '../http-schemas.ts';
import { recoverReservation } from '../operations/recover-reservation.ts';
import { renewEpoch } from '../operations/renew-epoch.ts';
import { actor, operators, writer, type HttpDeps, type Server } from './answers.ts';

/** What is done after this database was restored to an earlier point. */
export function recoveryRoutes(server: Server, deps: HttpDeps): void {
  const write = writer(deps);

  server.route({
    method: 'POST',
    url: '/v1/recovered-reservations',
    summary: 'Book what a sale took before this database was restored',
    description:
      'The reservation ends CONSUMED under the id it had, also where it is unknown here or expired since. All lines or none; one that is booked already is answered as it is.',
    tags: ['recovery'],
    roles: operators,
    body: schemas.RecoverBody,
    responses: { 200: schemas.Reservation },
    errors: ['insufficient-stock', 'reservation-closed', 'not-found', 'write-conflict'],
    handler: ({ body, caller, key }) => write(key, 200, {}, (keyed) => recoverReservation(deps, body, actor(caller), keyed)),
  });
  server.route({
    method: 'POST',
    url: '/v1/feed/epoch',
    summary: 'Let every reader of the change feed take a snapshot',
    description: 'After a restore from a dump or a copy. A restore that replays the log does it by itself.',
    tags: ['recovery'],
    roles: operators,
    body: schemas.RenewEpochBody,
    responses: { 200: schemas.FeedEpoch },
    handler: ({ body, caller, key }) => write(key, 200, {}, (keyed) => renewEpoch(deps, body.reason, actor(caller), keyed)),
  });
}
