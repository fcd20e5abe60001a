import { createClient } from '@kassa/grpc';
import { salesDefinition } from '@kassa/contracts/sales';
import { openDatabase } from '@kassa/database';
import { eventually } from '@kassa/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { stepId } from '../src/clients.ts';
import { createCheckouts, type Checkout } from '../src/store/checkouts.ts';
import { byCard, cable, client, openRoom, type Client, type Reply, type Room } from './room.ts';

let room: Room;
let till: Client;
let operator: Client;
/** The same sign-in wherever its token is used. */
const cashier = { sub: 'employee-1', sid: 'desk', authTime: 2_000_000_000 };
/** The same person as neighbours are told of. */
const asCashier = { subject: 'employee-1', role: 'cashier', shopId: 'dk-001', registerId: 'dk-001-01' };

beforeAll(async () => {
  room = await openRoom();
  till = await room.as(cashier);
  operator = await room.as({ role: 'operator', shop: null, sub: 'operator-7' });
});
afterAll(() => room.close());
beforeEach(() => {
  room.inventory.calls.length = 0;
  room.payments.calls.length = 0;
  room.payments.actors.length = 0;
});

const open = async (by = till, lines: unknown[] = cable.lines): Promise<string> =>
  (await by.post('/v1/sales', { lines })).body.id;
const complete = (id: string, tenders: unknown[] = byCard(14924).tenders, by = till, key?: string): Promise<Reply> =>
  by.post(`/v1/sales/${id}/complete`, { tenders }, key === undefined ? {} : { key });
const atRest = (id: string, state: string): Promise<Reply> =>
  eventually(async () => {
    const reply = await till.get(`/v1/sales/${id}`);
    expect(reply.body.state).toBe(state);
    const { rows } = await room.db.query('SELECT 1 FROM checkouts WHERE sale_id = $1 AND phase <> $2', [id, 'ENDED']);
    expect(rows).toEqual([]);
    return reply;
  });
/** What is still held for a sale: money, and reservations that are neither consumed nor released. */
const held = async (id: string) => {
  const { rows } = await room.db.query<{ reservation: string }>(
    `SELECT plan->>'reservationId' AS reservation FROM checkouts WHERE sale_id = $1`,
    [id],
  );
  const open = rows.filter(({ reservation }) => [1, 2].includes(room.inventory.reservations.get(reservation)?.state ?? 0));
  return { money: room.payments.netMinor(id), reservations: open.length };
};
/** Of a sale's first checkout. */
const reservationOf = (id: string) => stepId(id, 1, 'reservation');
const names = (calls: string[]) => calls.map((call) => call.split(' ')[0]);

describe('a refusal leaves nothing behind, and the customer may pay otherwise', () => {
  test('a declined card: the sale is open again, and another card completes it', async () => {
    const id = await open();
    room.payments.fail('purchase', { declined: 'insufficient-funds' });
    const declined = await complete(id);
    expect(declined).toMatchObject({
      status: 409,
      body: {
        code: 'payment-declined',
        title: 'The payment was declined',
        detail: 'There is not enough money on the card.',
        declineCode: 'insufficient-funds',
        state: 'OPEN',
        retryable: false,
        nextAction: {
          action: 'take-another-tender',
          text: 'There is not enough money on the card. Nothing was taken, or it was given back. Take another tender and complete the sale again.',
        },
      },
    });
    expect(declined.headers.get('content-type')).toContain('application/problem+json');
    const read = await atRest(id, 'OPEN');
    expect(read.body).toMatchObject({
      refusal: { cause: 'payment-declined' },
      tenders: [{ status: 'DECLINED', declineCode: 'insufficient-funds' }],
      nextAction: { action: 'take-another-tender' },
    });
    expect(await held(id)).toEqual({ money: 0, reservations: 0 });
    const again = await complete(id);
    expect(again).toMatchObject({
      status: 200,
      body: { attempt: 2, refusal: null, tenders: [{ status: 'DECLINED' }, { status: 'SETTLED', attempt: 2 }] },
    });
    expect(room.payments.netMinor(id)).toBe(14924);
  });

  test('sold out: which line is short, and another basket sells', async () => {
    room.inventory.stock.set('dk-001 E5', 1);
    const id = await open(till, [{ sku: 'E5', quantity: 2 }]);
    const refused = await complete(id, [{ method: 'terminal', amountMinor: 7990 }]);
    expect(refused).toMatchObject({
      status: 409,
      body: {
        code: 'insufficient-stock',
        lines: [{ sku: 'E5', requested: 2, available: 1 }],
        nextAction: { action: 'change-basket' },
      },
    });
    expect(names(room.payments.calls)).toEqual(['getIntent', 'cancel']);
    const { body } = await till.get(`/v1/sales/${id}`);
    const changed = await till.patch(`/v1/sales/${id}/lines/${body.lines[0].lineId}`, { quantity: 1 }, { ifMatch: body.version });
    expect(changed.body.refusal).toBeNull();
    expect((await complete(id, [{ method: 'terminal', amountMinor: 3995 }])).status).toBe(200);
    room.inventory.stock.delete('dk-001 E5');
  });

  test('a second card declined: the first one gets its money back', async () => {
    const id = await open();
    room.payments.fail('purchase', { afterMs: 0 }, { declined: 'do-not-honour' });
    const refused = await complete(id, [
      { method: 'terminal', amountMinor: 10000 },
      { method: 'terminal', amountMinor: 4924 },
    ]);
    expect(refused.body.code).toBe('payment-declined');
    expect(names(room.payments.calls)).toEqual(['purchase', 'purchase', 'getIntent', 'getIntent', 'refund']);
    expect(room.payments.actors).toMatchObject([asCashier]);
    expect(await held(id)).toEqual({ money: 0, reservations: 0 });
    expect((await atRest(id, 'OPEN')).body.tenders.map(({ status }: { status: string }) => status)).toEqual([
      'RETURNED',
      'DECLINED',
    ]);
  });

  test('a capture refused: the authorisation is let go', async () => {
    const id = await open();
    room.payments.fail('capture', { declined: 'expired-card' });
    expect((await complete(id, [{ method: 'online', amountMinor: 14924, cardToken: 'tok_x' }])).body.code).toBe(
      'payment-declined',
    );
    expect(names(room.payments.calls)).toEqual(['authorise', 'capture', 'getIntent', 'cancel']);
    expect(room.payments.actors).toMatchObject([asCashier, asCashier]);
    expect(await held(id)).toEqual({ money: 0, reservations: 0 });
  });

  test('a payment that did not happen, and one that was canceled meanwhile', async () => {
    const id = await open();
    room.payments.fail('purchase', 'failed');
    expect((await complete(id)).body.code).toBe('payment-failed');
    await atRest(id, 'OPEN');
    const intentId = stepId(id, 2, 'intent', stepId(id, 2, 'tender', '0'));
    room.payments.cancel(intentId);
    expect((await complete(id)).body.code).toBe('payment-canceled');
    expect(await held(id)).toEqual({ money: 0, reservations: 0 });
  });

  test('goods that were held too long', async () => {
    const id = await open();
    let letGo = (): void => undefined;
    room.payments.fail('authorise', { until: new Promise((resolve) => (letGo = resolve)) });
    const answer = complete(id, [{ method: 'online', amountMinor: 14924, cardToken: 'tok_x' }]);
    await eventually(() => expect(room.payments.calls).toHaveLength(1));
    room.inventory.expire(reservationOf(id));
    letGo();
    expect((await answer).body.code).toBe('reservation-expired');
    expect(await held(id)).toEqual({ money: 0, reservations: 0 });
  });

  test('a refund that is refused, and one that is unknown, are tried until the money is back', async () => {
    const id = await open();
    room.payments.fail('purchase', { afterMs: 0 }, { declined: 'do-not-honour' });
    room.payments.fail('refund', { declined: 'try-later' }, 'unknown', 'away');
    await complete(id, [
      { method: 'terminal', amountMinor: 10000 },
      { method: 'terminal', amountMinor: 4924 },
    ]);
    await atRest(id, 'OPEN');
    expect(await held(id)).toEqual({ money: 0, reservations: 0 });
    const refunds = room.payments.calls.filter((call) => call.startsWith('refund'));
    expect(new Set(refunds).size).toBe(2);
  });
});

describe('an unknown outcome is never guessed', () => {
  test('payments does not know: the till hears the end when it is known, and is charged once', async () => {
    const id = await open();
    room.payments.fail('purchase', 'unknown', 'unknown');
    expect(await complete(id)).toMatchObject({ status: 200, body: { state: 'COMPLETED' } });
    expect(new Set(room.payments.calls).size).toBe(1);
    expect(room.payments.netMinor(id)).toBe(14924);
  });

  test.each(['reserve', 'consume'] as const)('the reply of %s is lost: it is repeated with the same id', async (method) => {
    const id = await open();
    room.inventory.fail(method, 'lost-reply', 'away');
    expect((await complete(id)).status).toBe(200);
    await atRest(id, 'COMPLETED');
    const calls = room.inventory.calls.filter((call) => call.startsWith(method) && call.endsWith(reservationOf(id)));
    expect(calls).toHaveLength(3);
    expect(await held(id)).toEqual({ money: 14924, reservations: 0 });
  });

  test('the reply of purchase is lost, and then it turns out declined for good', async () => {
    const id = await open();
    room.payments.fail('purchase', 'away', { declined: 'lost-card' });
    expect((await complete(id)).body).toMatchObject({ code: 'payment-declined', declineCode: 'lost-card' });
  });

  test('it takes longer than a till should wait: 202, where to ask, and the end comes by itself', async () => {
    const id = await open();
    room.payments.fail('purchase', 'unknown', ...Array.from({ length: 7 }, () => 'unknown' as const));
    const waiting = await complete(id, undefined, till, 'key-of-a-till-told-to-wait');
    expect(waiting).toMatchObject({
      status: 202,
      body: { state: 'COMMITTING', nextAction: { action: 'wait', poll: { url: `/v1/sales/${id}`, everyMs: 1000 } } },
    });
    expect([waiting.headers.get('location'), waiting.headers.get('retry-after')]).toEqual([`/v1/sales/${id}`, '1']);
    expect((await till.get(`/v1/sales/${id}`)).body.nextAction.action).toBe('wait');
    await atRest(id, 'COMPLETED');
    expect(room.payments.netMinor(id)).toBe(14924);
    expect((await till.get(`/v1/sales/${id}`)).body.nextAction).toMatchObject({
      action: 'hand-over',
      text: expect.stringContaining('or was 202, send it again with its key'),
    });
    const paid = await complete(id, undefined, till, 'key-of-a-till-told-to-wait');
    expect([paid.status, paid.body.receiptText]).toEqual([200, expect.not.stringContaining('*** KOPI ***')]);
    expect((await till.get(`/v1/sales/${id}/receipt`)).body.receiptText).toContain('*** KOPI ***');
  });
});

describe('a lost reply: the same key again', () => {
  test('after the end it gets the recorded answer, to the byte', async () => {
    const id = await open();
    const first = await complete(id, undefined, till, 'key-of-the-lost-reply');
    const again = await complete(id, undefined, till, 'key-of-the-lost-reply');
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    expect([again.status, again.text, again.headers.get('etag')]).toEqual([first.status, first.text, first.headers.get('etag')]);
  });

  test('after a decline as well', async () => {
    const id = await open();
    room.payments.fail('purchase', { declined: 'do-not-honour' });
    const first = await complete(id, undefined, till, 'key-of-the-declined-card');
    const again = await complete(id, undefined, till, 'key-of-the-declined-card');
    expect([again.status, again.text]).toEqual([first.status, first.text]);
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    expect(names(room.payments.calls)).toEqual(['purchase', 'getIntent']);
  });

  test('while it is under way it is told so, and is answered later', async () => {
    const id = await open();
    let letGo = (): void => undefined;
    room.payments.fail('purchase', { until: new Promise((resolve) => (letGo = resolve)) });
    const first = complete(id, undefined, till, 'key-of-a-slow-payment');
    await eventually(() => expect(room.payments.calls).toHaveLength(1));
    const meanwhile = await complete(id, undefined, till, 'key-of-a-slow-payment');
    expect(meanwhile).toMatchObject({ status: 409, body: { code: 'request-in-progress', retryable: true } });
    expect(meanwhile.headers.get('retry-after')).toBe('1');
    expect((await complete(id)).body).toMatchObject({ code: 'wrong-state', state: 'COMMITTING', nextAction: { action: 'wait' } });
    letGo();
    const done = await first;
    expect(done.status).toBe(200);
    expect((await complete(id, undefined, till, 'key-of-a-slow-payment')).text).toBe(done.text);
  });
});

describe('many at once', () => {
  test('two completes of one sale with different keys: one wins, one is told the state', async () => {
    const id = await open();
    const replies = await Promise.all([complete(id), complete(id), complete(id)]);
    expect(replies.map(({ status }) => status).sort()).toEqual([200, 409, 409]);
    for (const reply of replies.filter(({ status }) => status === 409)) expect(reply.body.code).toBe('wrong-state');
    expect(room.payments.netMinor(id)).toBe(14924);
  });

  test('twenty sales at one register at the same moment: numbers without gap or repeat', async () => {
    const shop = await room.as({ role: 'web-shop', register: 'dk-001-web', sub: 'web' });
    const ids = await Promise.all(Array.from({ length: 20 }, () => open(shop)));
    ids.forEach((_, n) => room.payments.fail('authorise', n % 4 === 3 ? { declined: 'do-not-honour' } : { afterMs: n }));
    const replies = await Promise.all(
      ids.map((id) => complete(id, [{ method: 'online', amountMinor: 14924, cardToken: 'tok_x' }], shop)),
    );
    for (const { body } of replies.filter(({ status }) => status === 200)) {
      expect(body.receipt.number).toBe(body.receiptNumber);
      expect(body.receiptText).toContain(`Bon nr. ${body.receiptNumber}\n`);
    }
    // Some may have been told 202, and end a moment later.
    await eventually(async () => {
      const { rows } = await room.db.query(
        `SELECT receipt_number::int AS number, (receipt->>'number')::int = receipt_number AS "isSame", receipt->>'saleId' = id::text AS "isOwn"
         FROM sales WHERE register_id = 'dk-001-web' AND state = 'COMPLETED' ORDER BY receipt_number`,
      );
      expect(rows).toEqual(Array.from({ length: 15 }, (_, n) => ({ number: n + 1, isSame: true, isOwn: true })));
    });
  });

  test('the last unit goes to one of ten', async () => {
    room.inventory.stock.set('dk-001 E5', 1);
    const ids = await Promise.all(Array.from({ length: 10 }, () => open(till, [{ sku: 'E5' }])));
    const replies = await Promise.all(ids.map((id) => complete(id, [{ method: 'terminal', amountMinor: 3995 }])));
    expect(replies.map(({ status, body }) => (status === 200 ? 'sold' : body.code)).sort()).toEqual([
      ...Array.from({ length: 9 }, () => 'insufficient-stock'),
      'sold',
    ]);
    room.inventory.stock.delete('dk-001 E5');
  });
});

describe('another process goes on', () => {
  test('a checkout whose process died is finished by whoever finds its lease run out, with the same ids and answer', async () => {
    const id = await open();
    room.payments.fail('purchase', { until: new Promise(() => undefined) });
    const dying = await room.replica();
    const first = client(dying.url, await room.issuer.token(cashier));
    const lost = first.post(`/v1/sales/${id}/complete`, byCard(14924), { key: 'key-of-a-dead-process' }).catch(() => undefined);
    await eventually(() => expect(room.payments.calls).toHaveLength(1));
    // A process that died renews nothing and hears nothing: its lease is in the past.
    await room.db.query(
      `UPDATE checkouts SET lease_owner = gen_random_uuid(), lease_until = now() - interval '1 second' WHERE sale_id = $1`,
      [id],
    );
    await atRest(id, 'COMPLETED');
    expect(new Set(room.payments.calls).size).toBe(1);
    const replayed = await complete(id, undefined, till, 'key-of-a-dead-process');
    expect(replayed).toMatchObject({ status: 200, body: { state: 'COMPLETED' } });
    await lost;
    await dying.close();
  });

  test('two replicas look for open checkouts at once, and each is worked on by one', async () => {
    const other = await room.replica();
    const ids = await Promise.all(Array.from({ length: 6 }, () => open()));
    room.inventory.fail('consume', ...Array.from({ length: 6 }, () => 'away' as const));
    for (const id of ids) expect((await complete(id)).status).toBe(200);
    for (const id of ids) await atRest(id, 'COMPLETED');
    expect(room.inventory.calls.filter((call) => call.startsWith('consume '))).toHaveLength(12);
    await other.close();
  });

  test('a process that is asked to end answers what it accepted', async () => {
    const other = await room.replica();
    const id = await open();
    room.payments.fail('purchase', { afterMs: 400 });
    const token = await room.issuer.token(cashier);
    const under = client(other.url, token).post(`/v1/sales/${id}/complete`, byCard(14924));
    await eventually(() => expect(room.payments.calls).toHaveLength(1));
    const closing = other.close();
    expect((await under).status).toBe(200);
    await closing;
    await atRest(id, 'COMPLETED');
  });
});

describe('goods that are sold at about the same time', () => {
  /** How the goods of several sales were consumed. */
  const sellAtOnce = async (): Promise<{ ids: string[]; asked: string[] }> => {
    const ids = await Promise.all(Array.from({ length: 8 }, () => open()));
    const done = await Promise.all(ids.map((id) => complete(id)));
    expect(done.map(({ status }) => status)).toEqual(ids.map(() => 200));
    for (const id of ids) await atRest(id, 'COMPLETED');
    for (const id of ids) expect(await held(id)).toEqual({ money: 14924, reservations: 0 });
    const { rows } = await room.db.query('SELECT 1 FROM checkouts WHERE sale_id = ANY ($1) AND tries > 0', [ids]);
    expect(rows, 'none was put off').toEqual([]);
    return { ids, asked: room.inventory.calls.filter((call) => call.startsWith('consume')) };
  };

  test('are consumed in a call or two, each once', async () => {
    const { ids, asked } = await sellAtOnce();
    expect(names(asked)).toContain('consumeBatch');
    const consumed = asked.filter((call) => call.startsWith('consume '));
    expect(consumed.sort()).toEqual(ids.map((id) => `consume ${reservationOf(id)}`).sort());
  });

  test('and one of them is refused: it is asked for alone, and the others are not kept', async () => {
    room.inventory.fail('consume', 'away');
    const { ids, asked } = await sellAtOnce();
    expect(asked.filter((call) => call.startsWith('consume '))).toHaveLength(ids.length + 1);
  });

  test('and the call for all of them fails: each is asked for alone', async () => {
    room.inventory.fail('consumeBatch', ...Array.from({ length: 1_000 }, () => 'away' as const));
    const { asked } = await sellAtOnce();
    expect(names(asked)).toContain('consumeBatch');
    room.inventory.forget('consumeBatch');
  });
});

describe('operators', () => {
  async function stuck(): Promise<string> {
    const id = await open();
    room.payments.fail('purchase', ...Array.from({ length: 60 }, () => 'unknown' as const));
    expect((await complete(id)).status).toBe(202);
    return id;
  }
  const forget = () => room.payments.forget('purchase');

  test('a stuck checkout is listed, and resumed at once', async () => {
    const id = await stuck();
    await eventually(async () => {
      const { body } = await operator.get('/v1/checkouts?state=stuck');
      expect(body.items).toMatchObject([{ saleId: id, phase: 'COMMITTING', problem: 'payment-unknown' }]);
    });
    // Nobody but the operator takes it up from now on.
    await eventually(async () => {
      const { rowCount } = await room.db.query(
        `UPDATE checkouts SET lease_until = now() + interval '1 hour' WHERE sale_id = $1 AND lease_owner IS NULL`,
        [id],
      );
      expect(rowCount).toBe(1);
    });
    forget();
    const resumed = await operator.post(`/v1/checkouts/${id}/resume`, { reason: 'The acquirer is back.' });
    expect(resumed).toMatchObject({ status: 202, body: { act: 'resume', saleId: id, phaseBefore: 'COMMITTING' } });
    await atRest(id, 'COMPLETED');
    expect(await operator.get('/v1/checkouts')).toMatchObject({ body: { items: [] } });
  });

  test('aborted: money and stock are given back, the sale is final, and the till’s own key says so', async () => {
    const id = await open();
    room.payments.fail('capture', ...Array.from({ length: 60 }, () => 'unknown' as const));
    const tenders = [{ method: 'online', amountMinor: 14924, cardToken: 'tok_x' }];
    expect((await complete(id, tenders, till, 'key-of-an-aborted-sale')).status).toBe(202);
    const refused = await operator.post(`/v1/checkouts/${id}/resolve`, { action: 'finish', reason: 'It should be fine.' });
    expect(refused).toMatchObject({ status: 409, body: { code: 'wrong-state', phase: 'COMMITTING' } });
    expect((await operator.post(`/v1/checkouts/${id}/resolve`, { action: 'abort', reason: 'The customer left.' })).status).toBe(
      202,
    );
    room.payments.forget('capture');
    for (const intent of room.payments.intents.values()) if (intent.reference === `sale:${id}`) intent.status = 'authorised';
    await atRest(id, 'ABORTED');
    expect(await held(id)).toEqual({ money: 0, reservations: 0 });
    expect(await complete(id, tenders, till, 'key-of-an-aborted-sale')).toMatchObject({
      status: 409,
      body: { code: 'wrong-state', state: 'ABORTED' },
    });
    expect((await complete(id)).body.code).toBe('wrong-state');
  });

  test('aborted by the process that was at work on it: what it then hears of the reservation does not put the undo off', async () => {
    const id = await open();
    let letGo!: () => void;
    room.inventory.fail('release', { until: new Promise((resolve) => (letGo = resolve)) });
    room.inventory.fail('reserve', ...Array.from({ length: 60 }, () => 'away' as const));
    expect((await complete(id)).status).toBe(202);
    await operator.post(`/v1/checkouts/${id}/resolve`, { action: 'abort', reason: 'The customer left.' });
    const stands = async () => {
      const { rows } = await room.db.query(
        'SELECT phase, tries, problem, lease_owner AS owner FROM checkouts WHERE sale_id = $1',
        [id],
      );
      return rows[0] as { phase: string; tries: number; problem: string | null; owner: string };
    };
    const before = await stands();
    const database = openDatabase({ url: room.db.options.connectionString!, poolMax: 1, applicationName: 'test' });
    const late = createCheckouts(database, { owner: before.owner, leaseMs: 600, isGathering: false });
    const asFrozen = { saleId: id, attempt: 1, undoRound: 0, phase: 'COMMITTING' } as Checkout;
    await late.postpone(asFrozen, 3_600_000, 'unavailable');
    expect(await stands()).toEqual({ ...before, phase: 'COMPENSATING', tries: 0, problem: null });
    await database.close();
    room.inventory.forget('reserve');
    letGo();
    await atRest(id, 'ABORTED');
  });

  test('what is left of an undo was done by hand', async () => {
    const id = await open();
    room.payments.fail('purchase', { declined: 'do-not-honour' });
    room.inventory.fail('release', ...Array.from({ length: 60 }, () => 'away' as const));
    expect((await complete(id)).status).toBe(202);
    const done = await operator.post(`/v1/checkouts/${id}/resolve`, {
      action: 'finish',
      reason: 'Released in inventory by hand.',
    });
    expect(done).toMatchObject({ status: 202, body: { act: 'finish', phaseBefore: 'COMPENSATING' } });
    await atRest(id, 'ABORTED');
    room.inventory.forget('release');
  });

  test('what is left of a completed sale was booked by hand', async () => {
    const id = await open();
    room.inventory.fail('consume', ...Array.from({ length: 60 }, () => 'away' as const));
    expect((await complete(id)).status).toBe(200);
    expect(
      (await operator.post(`/v1/checkouts/${id}/resolve`, { action: 'finish', reason: 'Booked in inventory by hand.' })).status,
    ).toBe(202);
    await atRest(id, 'COMPLETED');
    room.inventory.forget('consume');
  });

  test('every act is kept with its reason and what was there before, and nobody changes it', async () => {
    const { body } = await operator.get('/v1/audit/acts');
    expect(
      body.items.map(({ act, subject, facts }: { act: string; subject: string; facts: { phase: string } }) => [
        act,
        subject,
        facts.phase,
      ]),
    ).toEqual([
      ['resume', 'operator-7', 'COMMITTING'],
      ['abort', 'operator-7', 'COMMITTING'],
      ['abort', 'operator-7', 'COMMITTING'],
      ['finish', 'operator-7', 'COMPENSATING'],
      ['finish', 'operator-7', 'CONSUMING'],
    ]);
    for (const sql of [`UPDATE operator_acts SET reason = ''`, 'DELETE FROM operator_acts', 'TRUNCATE operator_acts'])
      await expect(room.db.query(sql)).rejects.toThrow(/never/);
  });

  test('a sale without an open checkout has nothing to decide', async () => {
    const id = await open();
    expect(await operator.post(`/v1/checkouts/${id}/resume`, { reason: 'Try it.' })).toMatchObject({
      status: 404,
      body: { code: 'not-found' },
    });
    expect(
      (await operator.post('/v1/checkouts/0195a1c2-7c1e-7d55-9d0a-2f0c6a3b1e11/resolve', { action: 'abort', reason: 'Try it.' }))
        .status,
    ).toBe(404);
  });
});

test('I22, I28, I29: what sales says of every sale is what payments and inventory hold', async () => {
  const sales: Reply['body'][] = [];
  for (let path: string | undefined = '/v1/audit/sales?limit=7'; path;) {
    const reply: Reply = await operator.get(path);
    sales.push(...reply.body.items);
    path = /<(.*)>/.exec(reply.headers.get('link') ?? '')?.[1];
  }
  const ids = sales.map(({ saleId }) => saleId as string);
  expect(ids).toEqual([...ids].sort());
  expect(ids.length).toBeGreaterThan(50);
  for (const { saleId, state, totalMinor, roundingMinor, tenders, reservationId } of sales) {
    const settled = tenders.filter(({ status }: { status: string }) => status === 'SETTLED');
    const paid = settled.reduce((sum: number, { amountMinor }: { amountMinor: number }) => sum + amountMinor, 0);
    expect({ saleId, paid }).toEqual({ saleId, paid: state === 'COMPLETED' ? totalMinor + roundingMinor : 0 });
    expect({ saleId, money: room.payments.netMinor(saleId) }).toEqual({ saleId, money: paid });
    for (const { transactionIds } of settled)
      for (const id of transactionIds) expect(room.payments.transactions.get(id)?.status).toBe(2);
    const reservation = reservationId && room.inventory.reservations.get(reservationId)?.state;
    if (state === 'COMPLETED') expect([3, 2]).toContain(reservation);
  }
  const instruments = sales.flatMap(({ tenders }) =>
    tenders.map(
      ({ method, terminalId }: { method: string; terminalId: string | null }) => `${method} ${terminalId?.slice(0, 4)}`,
    ),
  );
  expect([...new Set(instruments)].sort()).toEqual(['online undefined', 'terminal pos-']);
});

test('over gRPC a neighbour asks for any sale', async () => {
  const id = await open();
  const { client: neighbour, close } = createClient(salesDefinition, {
    address: room.grpc,
    token: () => room.issuer.serviceToken('payments'),
    deadlineMs: 2_000,
  });
  expect(await neighbour.getSale({ saleId: id })).toMatchObject({
    saleId: id,
    state: 'OPEN',
    totalMinor: 14924n,
    currency: 'DKK',
    receiptNumber: 0n,
  });
  await expect(neighbour.getSale({ saleId: '0195a1c2-7c1e-7d55-9d0a-2f0c6a3b1e11' })).rejects.toMatchObject({
    code: 'not-found',
  });
  await expect(neighbour.getSale({ saleId: 'x' })).rejects.toMatchObject({ code: 'validation-failed' });
  close();
});
