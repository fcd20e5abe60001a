import type { Caller, Role } from '@kassa/auth';
import { decodeCursor, toPage, type HttpServer } from '@kassa/http';
import type { Key } from '@kassa/idempotency';
import { KassaError, type ErrorCode } from '@kassa/problem';
import { z } from 'zod';
import type { ImportKind } from './store/catalogue.ts';
import { normaliseGtin } from './domain/gtin.ts';
import * as schemas from './http-schemas.ts';
import { abandonSale } from './operations/abandon-sale.ts';
import { addLine } from './operations/add-line.ts';
import { auditSales, listActs } from './operations/audit-sales.ts';
import { changeLine } from './operations/change-line.ts';
import { completeSale, type CompleteDeps } from './operations/complete-sale.ts';
import { getReceipt } from './operations/get-receipt.ts';
import { getSale } from './operations/get-sale.ts';
import { importFile, listRefusedRows, type ImportDeps } from './operations/import-file.ts';
import { listCheckouts } from './operations/list-checkouts.ts';
import { listSales } from './operations/list-sales.ts';
import { openSale, type LineRequest } from './operations/open-sale.ts';
import { parkSale, resumeSale } from './operations/park-sale.ts';
import { removeLine } from './operations/remove-line.ts';
import { resolveCheckout, resumeCheckout } from './operations/resolve-checkout.ts';
import { removeTender, tenderSale } from './operations/tender-sale.ts';
import type { Records } from './store/records.ts';
import type { Store } from './store.ts';

export interface HttpDeps extends CompleteDeps, ImportDeps {
  store: Store;
  records: Records;
  newId(): string;
  settings: CompleteDeps['settings'] & { stuckAfterMs: number };
}

const tills = ['cashier', 'supervisor', 'web-shop'] as const;
const readers = [...tills, 'operator'] as const;
const atTheRegister: ErrorCode[] = ['register-required', 'register-unknown', 'session-superseded'];
const changing: ErrorCode[] = ['not-found', 'wrong-state', 'write-conflict', ...atTheRegister];
const pricing: ErrorCode[] = ['gtin-check-digit', 'unknown-item', 'product-inactive', 'price-missing', 'serial-required'];
const paying: ErrorCode[] = ['sale-empty', 'tender-not-allowed', 'overpaid'];
const undone: ErrorCode[] = [
  'payment-declined',
  'payment-failed',
  'payment-canceled',
  'insufficient-stock',
  'reservation-expired',
];

/** What tills, operators and the retailer's own system may ask of sales. */
export function routes(server: HttpServer<Caller, Key, Role>, deps: HttpDeps): void {
  sales(server, deps);
  checkouts(server, deps);
  imports(server, deps);
  audit(server, deps);
}

function sales(server: HttpServer<Caller, Key, Role>, deps: HttpDeps): void {
  server.route({
    method: 'POST',
    url: '/v1/sales',
    summary: 'Open a sale, with its lines if they are known',
    description: 'Prices and VAT are those of the shop on its business date; a line keeps its price until the sale ends.',
    tags: ['sales'],
    roles: tills,
    body: schemas.OpenSaleBody,
    responses: { 201: schemas.Sale },
    errors: [...pricing, 'price-changed', 'shop-closed', 'already-exists', ...atTheRegister],
    handler: ({ body, caller, key }) => {
      const lines = body.lines.map((line, n) => scanned(line, `/lines/${n}`));
      return openSale(deps, { ...body, lines, caller, key });
    },
  });
  server.route({
    method: 'GET',
    url: '/v1/sales',
    summary: 'Sales of the shop, newest first',
    tags: ['sales'],
    roles: readers,
    query: schemas.SalesQuery,
    responses: { 200: schemas.Sales },
    errors: ['cursor-invalid', 'register-required'],
    handler: async ({ query, caller }) => {
      const { limit, cursor, state, register: registerId, receiptNumber } = query;
      const cut = { after: decodeCursor(cursor, schemas.byInstant), limit };
      const found = await listSales(deps, { caller, cut, state, registerId, receiptNumber });
      return { status: 200, body: toPage(found, limit, ({ openedAt, id }) => [openedAt, id]) };
    },
  });
  server.route({
    method: 'GET',
    url: '/v1/sales/:id',
    summary: 'A sale, its state, and what to do now',
    tags: ['sales'],
    roles: readers,
    params: schemas.SalePath,
    responses: { 200: schemas.Sale, 304: z.undefined() },
    errors: ['not-found', 'register-required'],
    handler: ({ params, caller }) => getSale(deps, { saleId: params.id, caller }),
  });
  server.route({
    method: 'POST',
    url: '/v1/sales/:id/lines',
    summary: 'Add a line',
    tags: ['sales'],
    roles: tills,
    params: schemas.SalePath,
    body: schemas.LineBody,
    responses: { 201: schemas.Sale },
    errors: [...pricing, 'sale-full', ...changing],
    handler: ({ params, body, caller, key }) => addLine(deps, { saleId: params.id, line: scanned(body, ''), caller, key }),
  });
  server.route({
    method: 'PATCH',
    url: '/v1/sales/:id/lines/:lineId',
    summary: 'Change quantity or serial numbers of a line',
    tags: ['sales'],
    roles: tills,
    needsIfMatch: true,
    params: schemas.LinePath,
    body: schemas.ChangeLineBody,
    responses: { 200: schemas.Sale },
    errors: ['serial-required', 'precondition-required', 'precondition-failed', ...changing],
    handler: ({ params, body, caller, key, ifMatch }) =>
      changeLine(deps, { saleId: params.id, lineId: params.lineId, ...body, caller, key, ifMatch }),
  });
  server.route({
    method: 'DELETE',
    url: '/v1/sales/:id/lines/:lineId',
    summary: 'Take a line out',
    tags: ['sales'],
    roles: tills,
    needsIfMatch: true,
    params: schemas.LinePath,
    responses: { 200: schemas.Sale },
    errors: ['precondition-required', 'precondition-failed', ...changing],
    handler: ({ params, caller, key, ifMatch }) =>
      removeLine(deps, { saleId: params.id, lineId: params.lineId, caller, key, ifMatch }),
  });
  for (const [verb, summary, operation] of [
    ['park', 'Put an open sale aside', parkSale],
    ['resume', 'Take a parked sale up again, at this register', resumeSale],
    ['abandon', 'Give a sale up that was not tendered', abandonSale],
  ] as const) {
    server.route({
      method: 'POST',
      url: `/v1/sales/:id/${verb}`,
      summary,
      tags: ['sales'],
      roles: tills,
      params: schemas.SalePath,
      responses: { 200: schemas.Sale },
      errors: changing,
      handler: ({ params, caller, key }) => operation(deps, { saleId: params.id, caller, key }),
    });
  }
  server.route({
    method: 'POST',
    url: '/v1/sales/:id/tenders',
    summary: 'Add a tender; no money moves before the sale is completed',
    tags: ['sales'],
    roles: tills,
    params: schemas.SalePath,
    body: schemas.TenderBody,
    responses: { 201: schemas.Sale },
    errors: [...paying, ...changing],
    handler: ({ params, body, caller, key }) => tenderSale(deps, { saleId: params.id, tender: body, caller, key }),
  });
  server.route({
    method: 'DELETE',
    url: '/v1/sales/:id/tenders/:tenderId',
    summary: 'Take a tender off; with the last one the basket may be changed again',
    tags: ['sales'],
    roles: tills,
    needsIfMatch: true,
    params: schemas.TenderPath,
    responses: { 200: schemas.Sale },
    errors: ['precondition-required', 'precondition-failed', ...changing],
    handler: ({ params, caller, key, ifMatch }) =>
      removeTender(deps, { saleId: params.id, tenderId: params.tenderId, caller, key, ifMatch }),
  });
  server.route({
    method: 'POST',
    url: '/v1/sales/:id/complete',
    summary: 'Take the money and issue the receipt',
    description:
      'Answers 200 with the receipt to print, or 202 where the payment takes longer than a till should wait: then `nextAction` says where to ask and how long. After a lost reply send the same key again.',
    tags: ['sales'],
    roles: tills,
    params: schemas.SalePath,
    body: schemas.CompleteBody,
    responses: { 200: schemas.CompletedSale, 202: schemas.Sale },
    errors: ['price-changed', 'underpaid', ...paying, ...undone, ...changing],
    handler: ({ params, body, caller, key }) => completeSale(deps, { saleId: params.id, ...body, caller, key }),
  });
  server.route({
    method: 'GET',
    url: '/v1/sales/:id/receipt',
    summary: 'Print the receipt once more, as a copy',
    description: 'JSON with the text beside it, or `format=text` for the text alone (text/plain).',
    tags: ['sales'],
    roles: readers,
    params: schemas.SalePath,
    query: schemas.ReceiptQuery,
    responses: { 200: schemas.ReceiptCopy },
    errors: ['not-found', 'wrong-state', 'register-required'],
    handler: ({ params, query, caller }) => getReceipt(deps, { saleId: params.id, format: query.format, caller }),
  });
}

function checkouts(server: HttpServer<Caller, Key, Role>, deps: HttpDeps): void {
  server.route({
    method: 'GET',
    url: '/v1/checkouts',
    summary: 'Checkouts with something left to do, oldest first',
    tags: ['operations'],
    roles: ['operator'],
    query: schemas.CheckoutsQuery,
    responses: { 200: schemas.Checkouts },
    errors: ['cursor-invalid'],
    handler: async ({ query }) => {
      const cut = { after: decodeCursor(query.cursor, schemas.byInstant), limit: query.limit };
      const found = await listCheckouts(deps, { state: query.state, cut });
      return { status: 200, body: toPage(found, query.limit, ({ startedAt, saleId }) => [startedAt, saleId]) };
    },
  });
  server.route({
    method: 'POST',
    url: '/v1/checkouts/:saleId/resume',
    summary: 'Go on with a checkout at once',
    tags: ['operations'],
    roles: ['operator'],
    params: schemas.CheckoutPath,
    body: schemas.ResumeBody,
    responses: { 202: schemas.ActTaken },
    errors: ['not-found'],
    handler: ({ params, body, caller, key }) => resumeCheckout(deps, { ...params, ...body, caller, key }),
  });
  server.route({
    method: 'POST',
    url: '/v1/checkouts/:saleId/resolve',
    summary: 'Decide a checkout by hand',
    description:
      '`abort` while it is COMMITTING: everything is taken back and the sale ends ABORTED. `finish`: the rest of an undo (COMPENSATING) or the booking of stock (CONSUMING) was done by hand.',
    tags: ['operations'],
    roles: ['operator'],
    params: schemas.CheckoutPath,
    body: schemas.ResolveBody,
    responses: { 202: schemas.ActTaken },
    errors: ['not-found', 'wrong-state', 'write-conflict'],
    handler: ({ params, body, caller, key }) => resolveCheckout(deps, { ...params, ...body, caller, key }),
  });
}

function imports(server: HttpServer<Caller, Key, Role>, deps: HttpDeps): void {
  const columns: Record<ImportKind, string> = {
    prices: 'country, sku, price_minor, currency, valid_from, valid_to',
    registers: 'register_id, shop_id, name, kind, terminal_id',
  };
  for (const kind of ['prices', 'registers'] as const) {
    server.route({
      method: 'POST',
      url: `/v1/imports/${kind}`,
      summary: `Import ${kind} from a CSV file of any size`,
      description: `The body is text/csv with the columns ${columns[kind]}. The Idempotency-Key is the file's; the same file again changes nothing.`,
      tags: ['imports'],
      roles: ['operator'],
      bodyAs: 'stream',
      responses: { 200: schemas.ImportReport },
      errors: ['media-type-unsupported', 'request-in-progress', 'idempotency-key-reused'],
      handler: ({ body, headers, key }) => {
        const source = body as unknown as AsyncIterable<Uint8Array>;
        return importFile(deps, { kind, file: { source, charset: charsetOf(headers['content-type']) }, key });
      },
    });
  }
  server.route({
    method: 'GET',
    url: '/v1/imports/:id/refusals',
    summary: 'Rows of an import that were refused, and why',
    tags: ['imports'],
    roles: ['operator'],
    params: schemas.ImportPath,
    query: schemas.PageQuery,
    responses: { 200: schemas.RefusedRows },
    errors: ['not-found', 'cursor-invalid'],
    handler: async ({ params, query }) => {
      const cut = { after: decodeCursor(query.cursor, schemas.byRow), limit: query.limit };
      const found = await listRefusedRows(deps, { importId: params.id, cut });
      return { status: 200, body: toPage(found, query.limit, ({ row }) => row) };
    },
  });
}

function audit(server: HttpServer<Caller, Key, Role>, deps: HttpDeps): void {
  server.route({
    method: 'GET',
    url: '/v1/audit/sales',
    summary: 'Every sale, as a witness of money and stock',
    tags: ['audit'],
    roles: ['operator'],
    query: schemas.PageQuery,
    responses: { 200: schemas.AuditedSales },
    errors: ['cursor-invalid'],
    handler: async ({ query }) => {
      const found = await auditSales(deps, { after: decodeCursor(query.cursor, schemas.byId), limit: query.limit });
      return { status: 200, body: toPage(found, query.limit, ({ saleId }) => saleId) };
    },
  });
  server.route({
    method: 'GET',
    url: '/v1/audit/acts',
    summary: 'What operators did by hand',
    tags: ['audit'],
    roles: ['operator'],
    query: schemas.PageQuery,
    responses: { 200: schemas.Acts },
    errors: ['cursor-invalid'],
    handler: async ({ query }) => {
      const found = await listActs(deps, { after: decodeCursor(query.cursor, schemas.byId), limit: query.limit });
      return { status: 200, body: toPage(found, query.limit, ({ id }) => id) };
    },
  });
}

/** The line with its GTIN as products have it. Error: gtin-check-digit. */
function scanned({ gtin, ...line }: LineRequest, pointer: string): LineRequest {
  if (gtin === undefined) return line;
  const normalised = normaliseGtin(gtin);
  if (normalised !== undefined) return { ...line, gtin: normalised };
  const detail = `${gtin} has a wrong check digit; scan it again.`;
  throw new KassaError('gtin-check-digit', { detail, errors: [{ pointer: `${pointer}/gtin`, detail }] });
}

function charsetOf(contentType: string | string[] | undefined): string | undefined {
  return /charset\s*=\s*"?([^";\s]+)/i.exec(String(contentType))?.[1];
}
