import { auditRoutes } from './http/audit.ts';
import type { HttpDeps, Server } from './http/answers.ts';
import { importRoutes } from './http/imports.ts';
import { masterDataRoutes } from './http/master-data.ts';
import { recoveryRoutes } from './http/recovery.ts';
import { reservationRoutes } from './http/reservations.ts';
import { stockRoutes } from './http/stock.ts';

/**
 * Table of contents over HTTP. A person of a shop sees and moves the stock of that shop; what is another's is not found. Products and
 * shops are seen by all.
 */
export function routes(server: Server, deps: HttpDeps): void {
  reservationRoutes(server, deps);
  stockRoutes(server, deps);
  masterDataRoutes(server, deps);
  importRoutes(server, deps);
  auditRoutes(server, deps);
  recoveryRoutes(server, deps);
}
