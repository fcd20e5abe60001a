import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { createHmac } from 'node:crypto';
import { uuidv7 } from 'uuidv7';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually, roomFolder, startApp, testDatabase, type AppProcess, type TestDatabase } from '@kassa/testing';

const apiKey = 'key-of-the-tests-0001';
const secret = `whsec_${Buffer.from('secret-of-the-webhook-tests').toString('base64')}`;

let database: TestDatabase;
let acquirer: AppProcess;
let merchant: Awaited<ReturnType<typeof startMerchant>>;

beforeAll(async () => {
  database = await testDatabase(roomFolder('acquirer'));
  merchant = await startMerchant();
  acquirer = await startApp(roomFolder('acquirer'), {
    DATABASE_URL: database.url,
    API_KEY: apiKey,
    WEBHOOK_URL: merchant.url,
    WEBHOOK_SECRET: secret,
    LATE_MS: '300',
    ARRIVAL_MS: '300',
    EVENT_DELAY_MS: '50',
    EVENT_POLL_MS: '50',
    EVENT_RETRY_MS: '100',
  });
});
afterAll(async () => {
  await acquirer?.stop();
  await merchant?.close();
  await database?.drop();
});

describe('behaviours', () => {
  test('a terminal approves, says so again, and remembers it', async () => {
    const operation = purchase({ amountMinor: 129_900 });
    const first = await post(operation);
    expect(first).toEqual({
      status: 200,
      body: {
        providerKey: operation.providerKey,
        kind: 'purchase',
        status: 'approved',
        authorisationCode: expect.stringMatching(/^\d{6}$/),
        cardLabel: expect.stringMatching(/^Dankort •••• \d{4}$/),
        providerRef: expect.stringMatching(/^acq_/),
        amountMinor: 129_900,
        currency: 'DKK',
      },
    });
    expect(await post(operation)).toEqual(first);
    expect(await get(`/v1/operations/${operation.providerKey}`)).toEqual(first);
  });

  test.each([
    [5101, 'insufficient-funds'],
    [5102, 'expired-card'],
    [5103, 'do-not-honour'],
    [5104, 'lost-card'],
  ])('an amount of %i is declined with %s', async (amountMinor, declineCode) => {
    expect((await post(purchase({ amountMinor }))).body).toMatchObject({ status: 'declined', declineCode });
  });

  test('the same key for something else is refused and changes nothing', async () => {
    const operation = purchase({ amountMinor: 10_000 });
    await post(operation);
    expect((await post({ ...operation, amountMinor: 20_000 })).body).toMatchObject({
      status: 422,
      code: 'idempotency-key-reused',
    });
    expect((await get(`/v1/operations/${operation.providerKey}`)).body).toMatchObject({ amountMinor: 10_000 });
  });

  test('a late answer is pending until it comes', async () => {
    const operation = purchase({ amountMinor: 5106 });
    const late = post(operation);
    await eventually(async () =>
      expect((await get(`/v1/operations/${operation.providerKey}`)).body).toMatchObject({ status: 'pending' }),
    );
    expect((await late).body).toMatchObject({ status: 'approved' });
    expect((await get(`/v1/operations/${operation.providerKey}`)).body).toMatchObject({ status: 'approved' });
  });

  test('an answer that never comes leaves the operation on record', async () => {
    const operation = online({ instrument: 'tok_timeout_happened' });
    await expect(post(operation, 300)).rejects.toThrow();
    expect((await get(`/v1/operations/${operation.providerKey}`)).body).toMatchObject({ status: 'approved' });
    expect((await post(operation)).body).toMatchObject({ status: 'approved' });
  });

  test('or leaves nothing', async () => {
    const operation = online({ instrument: 'tok_timeout_not_happened' });
    await expect(post(operation, 300)).rejects.toThrow();
    expect((await get(`/v1/operations/${operation.providerKey}`)).status).toBe(404);
  });

  test('down is 503 and leaves nothing', async () => {
    const operation = online({ instrument: 'tok_down' });
    expect((await post(operation)).status).toBe(503);
    expect((await get(`/v1/operations/${operation.providerKey}`)).status).toBe(404);
  });

  test('an approval may be for another amount than was asked', async () => {
    expect((await post(online({ instrument: 'tok_other_amount', amountMinor: 10_000 }))).body).toMatchObject({
      status: 'approved',
      amountMinor: 9_999,
    });
  });

  test('a card number is refused, wherever it stands', async () => {
    expect((await post(online({ instrument: '4111 1111 1111 1111' }))).body).toMatchObject({
      status: 400,
      code: 'validation-failed',
    });
    expect((await post({ ...online({}), note: '4111111111111111' })).status).toBe(400);
  });
});

describe('a key that is closed', () => {
  const declined = { status: 'declined', declineCode: 'closed' };
  test('refuses what arrives under it later, every time', async () => {
    const operation = purchase({ amountMinor: 10_000 });
    expect(await close(operation)).toMatchObject({ status: 200, body: declined });
    expect(await close(operation)).toMatchObject({ status: 200, body: declined });
    expect(await post(operation)).toMatchObject({ status: 200, body: declined });
    expect((await get(`/v1/operations/${operation.providerKey}`)).body).toMatchObject(declined);
  });
  test('and is on its way when its sender has gone', async () => {
    const operation = online({ instrument: 'tok_arrives_late' });
    await expect(post(operation, 50)).rejects.toThrow();
    await close(operation);
    expect((await post(operation)).body).toMatchObject(declined);
  });
  test('but arrives where nobody closed it', async () => {
    const operation = online({ instrument: 'tok_arrives_late' });
    await expect(post(operation, 50)).rejects.toThrow();
    expect((await get(`/v1/operations/${operation.providerKey}`)).status).toBe(404);
    await eventually(async () =>
      expect((await get(`/v1/operations/${operation.providerKey}`)).body).toMatchObject({ status: 'approved' }),
    );
  });
  test('undoes nothing that was done', async () => {
    const operation = purchase({ amountMinor: 10_000 });
    const { body } = await post(operation);
    expect(await close(operation)).toEqual({ status: 200, body });
    expect(
      await post({ ...purchase({ amountMinor: 10_000 }), kind: 'refund', originalKey: operation.providerKey }),
    ).toMatchObject({
      body: { status: 'approved' },
    });
  });
  test('of a capture leaves the authorisation as it was', async () => {
    const authorisation = online({ kind: 'authorise', amountMinor: 10_000 });
    await post(authorisation);
    const capture = online({ kind: 'capture', amountMinor: 10_000, originalKey: authorisation.providerKey });
    expect((await close(capture)).body).toMatchObject(declined);
    expect((await post({ ...capture, providerKey: uuidv7() })).body).toMatchObject({ status: 'approved' });
  });
  test('is not closed for another operation than came under it', async () => {
    const operation = purchase({ amountMinor: 10_000 });
    await post(operation);
    expect((await close({ ...operation, amountMinor: 20_000 })).body).toMatchObject({ code: 'idempotency-key-reused' });
  });
  test('raced by the operation itself ends in one of two ways, and both are told the same', async () => {
    for (const operation of Array.from({ length: 20 }, () => purchase({ amountMinor: 10_000 }))) {
      const [closed, posted] = await Promise.all([close(operation), post(operation)]);
      expect(closed).toEqual(posted);
    }
  });
});

describe('events', () => {
  test('come before the reply', async () => {
    const operation = purchase({ amountMinor: 5111 });
    await post(operation);
    expect(eventsAbout(operation)).toHaveLength(1);
  });
  test('come after the reply, signed', async () => {
    const operation = purchase({ amountMinor: 5112 });
    const { body } = await post(operation);
    expect(eventsAbout(operation)).toHaveLength(0);
    await eventually(() => expect(eventsAbout(operation)).toHaveLength(1));
    const [event] = merchant.about(operation.providerKey);
    expect(event).toEqual({ id: event?.id, type: 'operation.updated', operation: body, isSigned: true });
  });
  test('come instead of a reply', async () => {
    const operation = purchase({ amountMinor: 5113 });
    await expect(post(operation, 200)).rejects.toThrow();
    await eventually(() => expect(eventsAbout(operation)).toHaveLength(1));
  });
  test('come two, one of them twice', async () => {
    const operation = purchase({ amountMinor: 5109 });
    await post(operation);
    await eventually(() => expect(eventsAbout(operation)).toHaveLength(2));
    await eventually(() => expect(merchant.about(operation.providerKey).length).toBeGreaterThanOrEqual(3));
  });
  test('come again until the merchant takes them, also after kill -9', async () => {
    const operation = purchase({ amountMinor: 5112 });
    merchant.refuse(true);
    await post(operation);
    await acquirer.kill();
    merchant.refuse(false);
    await acquirer.restart();
    await eventually(() => expect(eventsAbout(operation)).toHaveLength(1));
  });

  /** The events that came; a delivery that takes longer than the wait for the next one is seen twice. */
  const eventsAbout = ({ providerKey }: Operation) => [...new Set(merchant.about(providerKey).map(({ id }) => id))];
});

describe('money', () => {
  const follow = (kind: string, original: Operation, amountMinor: number) => ({
    ...original,
    providerKey: uuidv7(),
    kind,
    amountMinor,
    originalKey: original.providerKey,
  });

  test('is captured within what is authorised, voided to the rest, refunded within what is captured', async () => {
    const authorised = { ...purchase({ amountMinor: 10_000 }), kind: 'authorise' };
    const asked: [string, number, string][] = [
      ['authorise', 10_000, 'approved'],
      ['capture', 10_001, 'exceeds-authorised'],
      ['capture', 4_000, 'approved'],
      ['void', 5_000, 'not-the-rest'],
      ['void', 6_000, 'approved'],
      ['capture', 1, 'exceeds-authorised'],
      ['refund', 4_001, 'exceeds-captured'],
      ['refund', 4_000, 'approved'],
      ['refund', 1, 'exceeds-captured'],
    ];
    const answers: string[] = [];
    for (const [kind, amountMinor] of asked) {
      const { body } = await post(kind === 'authorise' ? authorised : follow(kind, authorised, amountMinor));
      answers.push((body['declineCode'] ?? body['status']) as string);
    }
    expect(answers).toEqual(asked.map(([, , answer]) => answer));
  });

  test('is never captured beyond the authorisation, a hundred at a time', async () => {
    const authorised = { ...purchase({ amountMinor: 10_000 }), kind: 'authorise' };
    await post(authorised);
    const captures = await Promise.all(Array.from({ length: 100 }, () => post(follow('capture', authorised, 3_000))));
    expect(captures.filter(({ body }) => body['status'] === 'approved')).toHaveLength(3);
  });

  test('moves once, when the same key comes fifty times at once', async () => {
    const bought = purchase({ amountMinor: 10_000 });
    const answers = await Promise.all(Array.from({ length: 50 }, () => post(bought)));
    expect(new Set(answers.map(({ body }) => body['providerRef'])).size).toBe(1);
    const refund = follow('refund', bought, 10_000);
    const refunds = await Promise.all(Array.from({ length: 50 }, () => post(refund)));
    expect(new Set(refunds.map(({ body }) => body['providerRef'])).size).toBe(1);
    expect(refunds.filter(({ body }) => body['status'] !== 'approved')).toEqual([]);
  });

  test('of a payment nobody made is declined and on record', async () => {
    const answer = await post(follow('refund', purchase({ amountMinor: 100 }), 100));
    expect(answer.body).toMatchObject({ status: 'declined', declineCode: 'original-unknown' });
  });
});

test('the ledger has every operation once, page by page, also after kill -9', async () => {
  const keys = Array.from({ length: 7 }, () => uuidv7());
  await Promise.all(keys.map((providerKey) => post({ ...purchase({ amountMinor: 700 }), providerKey })));
  await acquirer.kill();
  await acquirer.restart();
  const seen: string[] = [];
  for (let next: string | undefined = '/v1/ledger?limit=3'; next !== undefined;) {
    const { body } = await get(next);
    const page = body as { items: { providerKey: string }[]; next?: string };
    seen.push(...page.items.map((item) => item.providerKey));
    next = page.next === undefined ? undefined : `/v1/ledger?limit=3&cursor=${page.next}`;
  }
  expect(new Set(seen).size).toBe(seen.length);
  expect(keys.filter((key) => !seen.includes(key))).toEqual([]);
});

test('the ledger has no page behind a cursor that no transaction of a database could have', async () => {
  const cursor = Buffer.from(JSON.stringify({ recordedIn: '9'.repeat(26), sequence: 1 })).toString('base64url');
  expect(await get(`/v1/ledger?cursor=${cursor}`)).toMatchObject({ status: 400, body: { code: 'cursor-invalid' } });
});

test('without the API key nothing is told', async () => {
  const answers = await Promise.all(['/v1/ledger', `/v1/operations/${uuidv7()}`].map((path) => fetch(acquirer.http + path)));
  expect(answers.map((answer) => answer.status)).toEqual([401, 401]);
});

test('the test cards are shown to everyone', async () => {
  const cards = (await (await fetch(`${acquirer.http}/v1/test-cards`)).json()) as { cards: unknown[] };
  expect(cards.cards.length).toBeGreaterThan(10);
});

test('in production it does not start, and says why in one sentence', async () => {
  const refused = await startApp(roomFolder('acquirer'), { NODE_ENV: 'production' }, { waitUntilReady: false });
  await eventually(() =>
    expect(refused.output()).toBe('The acquirer is a simulator of card payments and does not run with NODE_ENV=production.\n'),
  );
  await refused.kill();
});

interface Operation {
  providerKey: string;
  kind: string;
  channel: string;
  instrument: string;
  amountMinor: number;
  currency: string;
  originalKey?: string;
}

function purchase(facts: Partial<Operation>): Operation {
  return {
    providerKey: uuidv7(),
    kind: 'purchase',
    channel: 'terminal',
    instrument: 'pos-dk-001-01',
    amountMinor: 100,
    currency: 'DKK',
    ...facts,
  };
}

function online(facts: Partial<Operation>): Operation {
  return purchase({ channel: 'online', instrument: 'tok_approve', ...facts });
}

const close = (operation: Operation) => post(operation, 10_000, '/v1/closures');

async function post(
  operation: Operation & { note?: string },
  timeoutMs = 10_000,
  path = '/v1/operations',
): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await fetch(acquirer.http + path, {
    method: 'POST',
    body: JSON.stringify(operation),
    headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json', 'idempotency-key': operation.providerKey },
    signal: AbortSignal.timeout(timeoutMs),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

async function get(path: string): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await fetch(acquirer.http + path, { headers: { authorization: `Bearer ${apiKey}` } });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

interface Received {
  id: string;
  type: string;
  operation: { providerKey: string };
  isSigned: boolean;
}

/** Someone who takes events, checks their signature, and refuses them when told to. */
async function startMerchant() {
  const received: Received[] = [];
  let isRefusing = false;
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      if (!isRefusing) received.push({ ...(JSON.parse(body) as Received), isSigned: isSigned(request, body) });
      response.writeHead(isRefusing ? 500 : 204).end();
    });
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/events`,
    about: (providerKey: string) => received.filter((event) => event.operation.providerKey === providerKey),
    refuse: (refuse: boolean) => (isRefusing = refuse),
    close: () =>
      new Promise<void>((closed) => {
        server.closeAllConnections();
        server.close(() => closed());
      }),
  };
}

function isSigned({ headers }: IncomingMessage, body: string): boolean {
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
  const signature = createHmac('sha256', key)
    .update(`${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`)
    .digest('base64');
  return headers['webhook-signature'] === `v1,${signature}`;
}
