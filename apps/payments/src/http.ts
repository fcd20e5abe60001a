import type { Caller, Role } from '@kassa/auth';
import { decodeCursor, toPage, type Answer, type HttpServer } from '@kassa/http';
import type { Key } from '@kassa/idempotency';
import { z } from 'zod';
import { capturable, nextAction, refundable, type Intent } from './domain/intent.ts';
import { isFinal, type Transaction } from './domain/transaction.ts';
import * as schemas from './http-schemas.ts';
import { acceptProviderEvent } from './operations/accept-provider-event.ts';
import { adoptTransaction } from './operations/adopt-transaction.ts';
import { changeIntent } from './operations/change-intent.ts';
import { confirmIntent } from './operations/confirm-intent.ts';
import { createIntent } from './operations/create-intent.ts';
import { getIntent, getRefund, listIntents } from './operations/get-intent.ts';
import { listActs, listOpenTransactions, listTransactions } from './operations/read-witness.ts';
import { resolveByHand, resumeUnknown } from './operations/resolve-unknown.ts';
import type { Deps } from './operations/settle-transaction.ts';
import type { Movement } from './store.ts';

export type Server = HttpServer<Caller, Key, Role>;

const sellers = ['cashier', 'supervisor', 'web-shop'] as const;
const readers = [...sellers, 'operator'] as const;
/** Giving money back is a supervisor's business in a shop. */
const refunders = ['supervisor', 'web-shop'] as const;

/** Table of contents over HTTP: payments, refunds, the provider's events, and what operators need. */
export function routes(server: Server, deps: Deps): void {
  payments(server, deps);
  operators(server, deps);

  server.route({
    method: 'POST',
    url: '/v1/provider-events/acquirer',
    summary: 'Events of the acquirer',
    description:
      'Signed as Standard Webhooks v1.0.0 has it, at most five minutes ago. An event taken before is taken again and changes nothing.',
    tags: ['provider events'],
    roles: 'public',
    bodyAs: 'bytes',
    body: z.unknown(),
    responses: { 204: z.undefined() },
    errors: ['signature-invalid', 'malformed-request'],
    async handler({ headers, body }) {
      await acceptProviderEvent(deps, { headers, body: body as Buffer });
      return { status: 204 };
    },
  });
}

function payments(server: Server, deps: Deps): void {
  server.route({
    method: 'POST',
    url: '/v1/payment-intents',
    summary: 'Say what is to be paid',
    tags: ['payments'],
    roles: sellers,
    body: schemas.CreateIntentBody,
    responses: { 201: schemas.Intent },
    errors: ['currency-mismatch'],
    handler: ({ body, caller, key }) =>
      createIntent(deps, {
        ...body,
        caller,
        key,
        answer: (intent) => ({
          status: 201,
          body: wireIntent(intent),
          headers: { ...tagged(intent), location: addressOf(intent) },
        }),
      }),
  });

  server.route({
    method: 'GET',
    url: '/v1/payment-intents',
    summary: 'Payments for a reference',
    tags: ['payments'],
    roles: readers,
    query: schemas.IntentsQuery,
    responses: { 200: schemas.Intents },
    errors: ['cursor-invalid'],
    async handler({ query: { reference, limit, cursor }, caller }) {
      const intents = await listIntents(deps, { reference, caller, limit, ...after(cursor) });
      const page = toPage(intents, limit, (intent) => intent.id);
      return { status: 200, body: { ...page, items: page.items.map(wireIntent) } };
    },
  });

  server.route({
    method: 'GET',
    url: '/v1/payment-intents/:intentId',
    summary: 'Where a payment stands',
    description: 'After a 202, poll here until the status is no longer unknown or processing.',
    tags: ['payments'],
    roles: readers,
    params: schemas.IntentPath,
    responses: { 200: schemas.IntentDetail, 304: z.undefined() },
    errors: ['not-found'],
    async handler({ params, caller }) {
      const { intent, transactions } = await getIntent(deps, { ...params, caller });
      const body = {
        ...wireIntent(intent),
        ...declined(intent, transactions.at(-1)),
        transactions: transactions.map(wireTransaction),
      };
      return { status: 200, body, headers: tagged(intent) };
    },
  });

  server.route({
    method: 'POST',
    url: '/v1/payment-intents/:intentId/confirm',
    summary: 'Pay',
    description: 'A decline is an answer: 200 with the status declined. 202 says that nobody knows yet; do as nextAction says.',
    tags: ['payments'],
    roles: sellers,
    params: schemas.IntentPath,
    body: schemas.ConfirmBody,
    responses: { 200: schemas.Payment, 202: schemas.Payment },
    errors: [
      'not-found',
      'register-required',
      'tender-not-allowed',
      'wrong-state',
      'payment-canceled',
      'payment-unknown',
      'integrity-failed',
    ],
    handler: ({ params, body, caller, key }) => confirmIntent(deps, { ...params, ...body, caller, key, answer: paymentAnswer }),
  });

  server.route({
    method: 'POST',
    url: '/v1/payment-intents/:intentId/capture',
    summary: 'Take authorised money, in one or several parts',
    tags: ['payments'],
    roles: sellers,
    params: schemas.IntentPath,
    body: schemas.CaptureBody,
    responses: { 200: schemas.Payment, 202: schemas.Payment },
    errors: ['not-found', 'wrong-state', 'payment-canceled', 'payment-unknown', 'amount-exceeds-capturable', 'integrity-failed'],
    handler: ({ params, body, caller, key }) =>
      changeIntent(deps, { ...params, ...body, kind: 'CAPTURE', caller, key, answer: paymentAnswer }),
  });

  server.route({
    method: 'POST',
    url: '/v1/payment-intents/:intentId/cancel',
    summary: 'Let go of what is authorised and not captured',
    tags: ['payments'],
    roles: sellers,
    params: schemas.IntentPath,
    body: schemas.CancelBody,
    responses: { 200: schemas.Payment, 202: schemas.Payment },
    errors: ['not-found', 'wrong-state', 'payment-unknown', 'integrity-failed'],
    handler: ({ params, caller, key }) => changeIntent(deps, { ...params, kind: 'VOID', caller, key, answer: paymentAnswer }),
  });

  server.route({
    method: 'POST',
    url: '/v1/payment-intents/:intentId/refunds',
    summary: 'Give captured money back',
    tags: ['refunds'],
    roles: refunders,
    params: schemas.IntentPath,
    body: schemas.RefundBody,
    responses: { 201: schemas.Refund, 202: schemas.Refund },
    errors: ['not-found', 'wrong-state', 'payment-unknown', 'amount-exceeds-refundable', 'integrity-failed'],
    handler: ({ params, body, caller, key }) =>
      changeIntent(deps, { ...params, ...body, kind: 'REFUND', caller, key, answer: refundAnswer }),
  });

  server.route({
    method: 'GET',
    url: '/v1/refunds/:refundId',
    summary: 'What became of a refund',
    tags: ['refunds'],
    roles: readers,
    params: schemas.RefundPath,
    responses: { 200: schemas.Refund },
    errors: ['not-found'],
    handler: async ({ params, caller }) => ({ status: 200, body: wireRefund(await getRefund(deps, { ...params, caller })) }),
  });
}

function operators(server: Server, deps: Deps): void {
  server.route({
    method: 'GET',
    url: '/v1/unknown-payments',
    summary: 'Transactions whose outcome is not known',
    description:
      "The operators' worklist. Those under way this moment are on it, too; `needsOperator` tells which wait for a person.",
    tags: ['operators'],
    roles: ['operator'],
    query: schemas.PageQuery,
    responses: { 200: schemas.OpenTransactions },
    errors: ['cursor-invalid'],
    async handler({ query: { limit, cursor } }) {
      const page = toPage(await listOpenTransactions(deps, { limit, ...after(cursor) }), limit, (row) => row.id);
      return {
        status: 200,
        body: { ...page, items: page.items.map((row) => wireOpen(row, deps.settings.RESOLVE_ATTEMPTS_ALARM)) },
      };
    },
  });

  server.route({
    method: 'POST',
    url: '/v1/unknown-payments/:transactionId/resume',
    summary: 'Ask the provider again now',
    tags: ['operators'],
    roles: ['operator'],
    params: schemas.TransactionPath,
    body: schemas.ResumeBody,
    responses: { 200: schemas.Payment, 202: schemas.Payment },
    errors: ['not-found'],
    handler: ({ params, caller, key, traceId }) =>
      resumeUnknown(deps, { ...params, actor: caller.subject, traceId, key, answer: paymentAnswer }),
  });

  server.route({
    method: 'POST',
    url: '/v1/unknown-payments/:transactionId/resolve',
    summary: 'Settle it by hand',
    description:
      'For what the provider cannot be asked about. Reason and evidence go into the audit log with the act. What is settled as failed is closed at the provider first; where that says it took place, this is refused.',
    tags: ['operators'],
    roles: ['operator'],
    params: schemas.TransactionPath,
    body: schemas.ResolveBody,
    responses: { 200: schemas.Payment },
    errors: ['not-found', 'wrong-state'],
    handler: ({ params, body, caller, key, traceId }) =>
      resolveByHand(deps, {
        ...params,
        ...body,
        actor: caller.subject,
        traceId,
        key,
        answer: (movement) => ({ ...paymentAnswer(movement), status: 200 }),
      }),
  });

  server.route({
    method: 'POST',
    url: '/v1/adopted-transactions',
    summary: 'Write down a movement these books have lost',
    description:
      'After the database was restored to an earlier point. The provider is asked first, and what it does not know as just this is refused: no money moves from here. Cash is taken on your word. One that is on record is answered as it is.',
    tags: ['operators'],
    roles: ['operator'],
    body: schemas.AdoptBody,
    responses: { 200: schemas.Payment, 202: schemas.Payment },
    errors: [
      'not-found',
      'payment-failed',
      'payment-unknown',
      'already-exists',
      'currency-mismatch',
      'tender-not-allowed',
      'wrong-state',
      'payment-canceled',
      'amount-exceeds-capturable',
      'amount-exceeds-refundable',
      'integrity-failed',
    ],
    handler: ({ body, caller, key, traceId }) =>
      adoptTransaction(deps, { said: body, actor: caller.subject, traceId, key, answer: paymentAnswer }),
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
    async handler({ query: { limit, cursor } }) {
      const page = toPage(await listActs(deps, { limit, ...after(cursor) }), limit, (row) => row.id);
      return {
        status: 200,
        body: { ...page, items: page.items.map((row) => ({ ...withoutNulls(row), at: row.at.toISOString() })) },
      };
    },
  });

  server.route({
    method: 'GET',
    url: '/v1/audit/transactions',
    summary: 'Every transaction, as a witness',
    tags: ['audit'],
    roles: ['operator'],
    query: schemas.PageQuery,
    responses: { 200: schemas.AuditTransactions },
    errors: ['cursor-invalid'],
    async handler({ query: { limit, cursor } }) {
      const page = toPage(await listTransactions(deps, { limit, ...after(cursor) }), limit, (row) => row.id);
      return { status: 200, body: { ...page, items: page.items.map(wireWitness) } };
    },
  });
}

function after(cursor: string | undefined): { after?: string } {
  const position = decodeCursor(cursor, schemas.IdPosition);
  return position === undefined ? {} : { after: position };
}

function tagged(intent: Intent): Record<string, string> {
  return { etag: `"${intent.version}"` };
}

function addressOf(intent: Intent): string {
  return `/v1/payment-intents/${intent.id}`;
}

/** 202 where nobody knows yet: where to look, when, and what to do meanwhile. */
function paymentAnswer({ intent, transaction }: Movement): Answer {
  const body = {
    ...wireIntent(intent),
    ...declined(intent, transaction),
    ...(transaction ? { transaction: wireTransaction(transaction) } : {}),
  };
  if (!transaction || isFinal(transaction.status)) return { status: 200, body, headers: tagged(intent) };
  return { status: 202, body, headers: { ...tagged(intent), location: addressOf(intent), 'retry-after': '2' } };
}

function refundAnswer({ intent, transaction }: Movement): Answer {
  if (!transaction) throw new Error('a refund has no transaction');
  const isDone = isFinal(transaction.status);
  const headers = { location: `/v1/refunds/${transaction.id}`, ...(isDone ? {} : { 'retry-after': '2' }) };
  return { status: isDone ? 201 : 202, body: wireRefund({ intent, transaction }), headers };
}

function declined(intent: Intent, transaction: Transaction | undefined): { declineCode?: string } {
  return intent.status === 'declined' && transaction?.declineCode !== undefined ? { declineCode: transaction.declineCode } : {};
}

function wireIntent(intent: Intent) {
  const { balances, marks: _marks, originalId: _originalId, version: _version, expiresAt, createdAt, ...facts } = intent;
  const action = nextAction(intent);
  return {
    ...facts,
    ...(action === undefined ? {} : { nextAction: action }),
    authorisedMinor: balances.authorised,
    capturedMinor: balances.captured,
    refundedMinor: balances.refunded,
    voidedMinor: balances.voided,
    capturableMinor: capturable(balances),
    refundableMinor: refundable(balances),
    ...(expiresAt === undefined ? {} : { expiresAt: expiresAt.toISOString() }),
    createdAt: createdAt.toISOString(),
  };
}

/** Without the instrument: a token pays. */
function wireTransaction(transaction: Transaction) {
  const { id, kind, status, amountMinor, currency, method, declineCode, authorisationCode, cardLabel, createdAt } = transaction;
  return {
    ...{ id, kind, status, amountMinor, currency, method },
    ...(declineCode === undefined ? {} : { declineCode }),
    ...(authorisationCode === undefined ? {} : { authorisationCode }),
    ...(cardLabel === undefined ? {} : { cardLabel }),
    createdAt: createdAt.toISOString(),
  };
}

function wireRefund({ intent, transaction }: { intent: Intent; transaction: Transaction }) {
  return { ...wireTransaction(transaction), intentId: intent.id, intentStatus: intent.status };
}

type OpenRow = Awaited<ReturnType<typeof listOpenTransactions>>[number];

function wireOpen(row: OpenRow, attemptsAlarm: number) {
  const { id, intentId, kind, status, method, currency, attempts, intent } = row;
  return {
    ...{ transactionId: id, intentId, intentStatus: intent.status, kind, status, method, currency, attempts },
    amountMinor: Number(row.amountMinor),
    reference: intent.reference,
    ...(intent.shopId === null ? {} : { shopId: intent.shopId }),
    needsOperator: attempts >= attemptsAlarm || intent.status === 'integrity_failed',
    ...(row.nextAttemptAt === null ? {} : { nextAttemptAt: row.nextAttemptAt.toISOString() }),
    ...(row.note === null ? {} : { note: row.note }),
    since: row.createdAt.toISOString(),
  };
}

type WitnessRow = Awaited<ReturnType<typeof listTransactions>>[number];

function wireWitness({ id, intentId, kind, status, amountMinor, currency, method, intent }: WitnessRow) {
  const providerKey = method === 'cash' ? '' : id;
  return {
    transactionId: id,
    intentId,
    kind,
    status,
    amountMinor: Number(amountMinor),
    currency,
    method,
    providerKey,
    reference: intent.reference,
  };
}

function withoutNulls(row: object): object {
  return Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null));
}
