import { uuidv7 } from 'uuidv7';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually, roomFolder, startApp, type AppProcess } from '@kassa/testing';
import { testCards } from '../src/http-schemas.ts';
import { openRoom, webhookSecret, type Room } from './room.ts';

// Payments as a process of its own here: what it writes, shows in its metrics and keeps in its tables is looked at as a whole.
let room: Room;
let payments: AppProcess;
let token: string;
const card = '4111111111111111';

beforeAll(async () => {
  room = await openRoom({ RESOLVE_EVERY_MS: '3600000' });
  payments = await startApp(roomFolder('payments'), {
    DATABASE_URL: room.database.url,
    OIDC_ISSUER: room.issuer.url,
    ACQUIRER_URL: room.acquirer.http,
    ACQUIRER_API_KEY: 'key-of-the-tests-0001',
    ACQUIRER_WEBHOOK_SECRET: webhookSecret,
    PROVIDER_TIMEOUT_MS: '500',
    LOG_LEVEL: 'trace',
  });
  token = await room.issuer.token({ role: 'web-shop', shop: null, sub: 'web-shop' });
});
afterAll(async () => {
  await payments?.stop();
  await room?.close();
});

test('no card number, card token, bearer token or API key is logged, counted or kept where it does not belong', async () => {
  for (const cardToken of ['tok_approve', 'tok_decline_lost_card', 'tok_timeout_happened', 'tok_other_amount', card]) {
    const created = await post('/v1/payment-intents', {
      reference: `order:${uuidv7()}`,
      country: 'dk',
      amountMinor: 10_000,
      currency: 'DKK',
    });
    await post(`/v1/payment-intents/${created['id']}/confirm`, { method: 'online', token: cardToken });
  }
  await post('/v1/payment-intents', { reference: card, country: 'dk', amountMinor: 10_000, currency: 'DKK' });

  await eventually(() => expect(payments.output()).toContain('nobody knows what became of a transaction'));
  const metrics = await (await fetch(`${payments.metrics}/metrics`)).text();
  const kept = await room.sql<{ row: string }>(
    `SELECT to_jsonb(t)::text AS row FROM transactions t UNION ALL SELECT to_jsonb(i)::text FROM payment_intents i
     UNION ALL SELECT to_jsonb(k)::text FROM idempotency_keys k`,
  );
  const seen = { logs: payments.output(), metrics, tables: kept.map(({ row }) => row).join('\n') };
  expect(seen.metrics).toMatch(/kassa_payments_total\{[^}]*kind="PURCHASE"[^}]*\} \d/);
  expect(Object.entries(seen).filter(([, text]) => text.includes(card))).toEqual([]);
  for (const text of [seen.logs, seen.metrics]) {
    expect([token, 'tok_', 'key-of-the-tests', 'secret-of-the'].filter((secret) => text.includes(secret))).toEqual([]);
  }
});

test('the Swagger page shows the test cards as the acquirer has them', async () => {
  const cards = (await (await fetch(`${room.acquirer.http}/v1/test-cards`)).json()) as { markdown: string };
  expect(testCards).toBe(cards.markdown);
  const openapi = (await (await fetch(`${payments.http}/openapi.json`)).json()) as { info: { description: string } };
  expect(openapi.info.description).toContain(cards.markdown);
});

async function post(path: string, body: object): Promise<Record<string, unknown>> {
  const response = await fetch(payments.http + path, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', 'idempotency-key': uuidv7() },
  });
  return (await response.json()) as Record<string, unknown>;
}
