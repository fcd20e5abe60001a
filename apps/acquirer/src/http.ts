import { decodeCursor, toPage, type HttpServer } from '@kassa/http';
import { KassaError } from '@kassa/problem';
import { testCards, testCardsMarkdown } from './domain/behaviour.ts';
import { toMerchant } from './domain/operation.ts';
import { Ledger, LedgerPosition, LedgerQuery, Operation, OperationBody, OperationParams, TestCards } from './http-schemas.ts';
import { closeKey } from './operations/close-key.ts';
import { takeOperation, type TakeOperationDeps } from './operations/take-operation.ts';

export interface Merchant {
  subject: string;
  roles: readonly Role[];
}
export type Role = 'merchant' | 'operator';
export type Server = HttpServer<Merchant, string, Role>;

/** Table of contents over HTTP. */
export function routes(server: Server, deps: TakeOperationDeps): void {
  server.route({
    method: 'POST',
    url: '/v1/operations',
    summary: 'Move money on a card, or hold it',
    description: 'On record before it is answered, and done once per provider key however often it is sent.',
    tags: ['operations'],
    roles: ['merchant'],
    body: OperationBody,
    responses: { 200: Operation },
    async handler({ body, key, signal }) {
      checkKey(key, body.providerKey);
      return { status: 200, body: toMerchant(await takeOperation(deps, body, signal)) };
    },
  });

  server.route({
    method: 'POST',
    url: '/v1/closures',
    summary: 'Close the key of an operation that was not answered',
    description: `Answers what became of it. Where nothing did, it is put on record as declined with \`closed\`, and is answered so when it arrives
later: what was not done under the key never will be. Nothing is undone.`,
    tags: ['operations'],
    roles: ['merchant'],
    body: OperationBody,
    responses: { 200: Operation },
    async handler({ body, key }) {
      checkKey(key, body.providerKey);
      return { status: 200, body: toMerchant(await closeKey(deps, body)) };
    },
  });

  server.route({
    method: 'GET',
    url: '/v1/operations/:providerKey',
    summary: 'What became of an operation',
    tags: ['operations'],
    roles: ['merchant'],
    params: OperationParams,
    responses: { 200: Operation },
    errors: ['not-found'],
    async handler({ params }) {
      const recorded = await deps.store.find(params.providerKey);
      if (!recorded) throw new KassaError('not-found', { detail: 'There is no operation with this key.' });
      return { status: 200, body: toMerchant(recorded.operation) };
    },
  });

  server.route({
    method: 'GET',
    url: '/v1/ledger',
    summary: 'Every operation, oldest first',
    tags: ['ledger'],
    roles: ['merchant'],
    query: LedgerQuery,
    responses: { 200: Ledger },
    errors: ['cursor-invalid'],
    async handler({ query }) {
      const rows = await deps.store.ledger(decodeCursor(query.cursor, LedgerPosition), query.limit + 1);
      const page = toPage(rows, query.limit, (row) => row.position);
      return { status: 200, body: { ...page, items: page.items.map((row) => toMerchant(row.operation)) } };
    },
  });

  server.route({
    method: 'GET',
    url: '/v1/test-cards',
    summary: 'Which card token or amount makes what happen',
    tags: ['test cards'],
    roles: 'public',
    responses: { 200: TestCards },
    handler: async () => ({ status: 200, body: { cards: testCards(), markdown: testCardsMarkdown(testCards()) } }),
  });
}

function checkKey(key: string, providerKey: string): void {
  if (key === providerKey) return;
  throw new KassaError('validation-failed', {
    errors: [{ pointer: '/header/idempotency-key', detail: 'must be the providerKey' }],
  });
}
