import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePort } from '@kassa/testing';
import { createAcquirer, type Provider } from '../src/clients.ts';
import type { Transaction } from '../src/domain/transaction.ts';

// What lies between us and a provider: proxies, lost connections, wrong addresses. The acquirer itself is real in the other tests.
let server: Server;
let answer: (response: ServerResponse) => void;
let provider: Provider;
const seen: string[] = [];

beforeAll(async () => {
  server = createServer((request, response) => {
    seen.push(String(request.headers['idempotency-key']));
    answer(response);
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  provider = adapter(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const adapter = (url: string, { connectMs = 0, timeoutMs = 1_000 } = {}) =>
  createAcquirer({
    url,
    apiKey: () => 'key-of-the-tests-0001',
    webhookSecrets: () => ['secret-of-the-tests'],
    timeoutMs: { cash: 0, terminal: timeoutMs, online: timeoutMs },
    inquiryTimeoutMs: timeoutMs,
    connectMs,
  });

const transaction: Transaction = {
  id: '01990000-0000-7000-8000-000000000001',
  intentId: '01990000-0000-7000-8000-000000000002',
  kind: 'PURCHASE',
  status: 'INIT',
  amountMinor: 10_000,
  currency: 'DKK',
  method: 'terminal',
  channel: 'store',
  instrument: 'pos-dk-001-01',
  sends: 1,
  attempts: 0,
  quietFrom: new Date(0),
  createdAt: new Date(0),
};

const json = (status: number, body: unknown) => (response: ServerResponse) =>
  void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
const approval = { providerKey: transaction.id, status: 'approved', providerRef: 'acq_1', amountMinor: 10_000, currency: 'DKK' };

describe('what comes back', () => {
  test.each<[string, (response: ServerResponse) => void, string, string]>([
    ['an approval', json(200, approval), 'approved', 'approved'],
    ['a decline', json(200, { ...approval, status: 'declined', declineCode: 'expired-card' }), 'declined', 'declined'],
    ['a closed id', json(200, { ...approval, status: 'declined', declineCode: 'closed' }), 'closed', 'closed'],
    ['not yet', json(200, { ...approval, status: 'pending' }), 'pending', 'pending'],
    ['something else', json(200, { hello: 'world' }), 'unclear', 'unclear'],
    ['a page', (response) => void response.end('<html>'), 'unclear', 'unclear'],
    ['404 in its own words', json(404, { code: 'not-found' }), 'not-found', 'not-found'],
    ['404 of a proxy', (response) => void response.writeHead(404).end('no route'), 'unclear', 'unclear'],
    ['a wrong API key', json(401, { code: 'unauthenticated' }), 'not-sent', 'not-sent'],
    ['a used key', json(422, { code: 'idempotency-key-reused' }), 'unclear', 'unclear'],
    ['500', json(500, {}), 'unclear', 'unclear'],
    ['503', json(503, { code: 'unavailable' }), 'unclear', 'unclear'],
    ['a broken connection', (response) => void response.destroy(), 'unclear', 'unclear'],
    [
      'half an answer',
      (response) =>
        void response.writeHead(200, { 'content-length': '500' }).write('{"status":"approved"', () => response.destroy()),
      'unclear',
      'unclear',
    ],
    ['silence', () => undefined, 'unclear', 'unclear'],
  ])('%s', async (_, given, performed, inquired) => {
    answer = given;
    expect([(await provider.perform(transaction)).outcome, (await provider.inquire(transaction)).outcome]).toEqual([
      performed,
      inquired,
    ]);
  });
});

test('the transaction’s id is the key the provider knows it by, every time', async () => {
  seen.length = 0;
  answer = json(200, approval);
  await provider.perform(transaction);
  await provider.perform(transaction);
  expect(seen).toEqual([transaction.id, transaction.id]);
});

test('no one at the address: certainly not sent', async () => {
  const nobody = adapter(`http://127.0.0.1:${await freePort()}`);
  expect(await nobody.perform(transaction)).toMatchObject({ outcome: 'not-sent' });
  expect(await nobody.inquire(transaction)).toMatchObject({ outcome: 'not-sent' });
});

test('a provider that comes back within the time for connecting is waited for', async () => {
  const port = await freePort();
  const late = createServer((_request, response) => json(200, approval)(response));
  setTimeout(() => late.listen(port, '127.0.0.1'), 300);
  const patient = adapter(`http://127.0.0.1:${port}`, { connectMs: 5_000, timeoutMs: 5_000 });
  expect((await patient.perform(transaction)).outcome).toBe('approved');
  late.closeAllConnections();
  late.close();
});
