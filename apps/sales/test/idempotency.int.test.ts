import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { byCard, cable, openRoom, type Client, type Reply, type Room } from './room.ts';

/* The six properties of a key, on every write of a till: required, atomic with its effect, other content refused, in flight refused, */
/* answered again to the byte, and resumed where it was interrupted (see checkout.int.test.ts for the last one). */

let room: Room;
let till: Client;

beforeAll(async () => {
  room = await openRoom();
  till = await room.as({ sub: 'employee-1', sid: 'desk' });
});
afterAll(() => room.close());

interface Write {
  what: string;
  /** Makes the write on a sale of its own; the same one whenever the key is the same. */
  prepare(): Promise<(key: string, isOther?: boolean) => Promise<Reply>>;
}

async function opened() {
  const { body } = await till.post('/v1/sales', cable);
  return { id: body.id as string, path: `/v1/sales/${body.id}`, line: body.lines[0].lineId as string };
}

const writes: Write[] = [
  {
    what: 'POST /v1/sales',
    prepare: async () => (key, isOther) => till.post('/v1/sales', isOther ? {} : cable, { key }),
  },
  {
    what: 'POST /v1/sales/{id}/lines',
    async prepare() {
      const { path } = await opened();
      return (key, isOther) => till.post(`${path}/lines`, { sku: 'E5', quantity: isOther ? 2 : 1 }, { key });
    },
  },
  {
    what: 'PATCH /v1/sales/{id}/lines/{lineId}',
    async prepare() {
      const { path, line } = await opened();
      return (key, isOther) => till.patch(`${path}/lines/${line}`, { quantity: isOther ? 3 : 2 }, { key, ifMatch: 1 });
    },
  },
  {
    what: 'DELETE /v1/sales/{id}/lines/{lineId}',
    async prepare() {
      const { path, line } = await opened();
      return (key, isOther) =>
        till.delete(`${path}/lines/${line}`, { key, ifMatch: 1, ...(isOther ? { body: { other: true } } : {}) });
    },
  },
  {
    what: 'POST /v1/sales/{id}/park',
    async prepare() {
      const { path } = await opened();
      return (key, isOther) => till.post(`${path}/park`, isOther ? { other: true } : undefined, { key });
    },
  },
  {
    what: 'POST /v1/sales/{id}/tenders',
    async prepare() {
      const { path } = await opened();
      return (key, isOther) => till.post(`${path}/tenders`, { method: 'cash', amountMinor: isOther ? 2 : 1 }, { key });
    },
  },
  {
    what: 'POST /v1/sales/{id}/complete',
    async prepare() {
      const { path } = await opened();
      return (key, isOther) =>
        till.post(`${path}/complete`, { ...byCard(14924), ...(isOther ? { expectedTotalMinor: 14924 } : {}) }, { key });
    },
  },
];

const facts = async () => {
  const { rows } = await room.db.query(
    'SELECT (SELECT count(*) FROM sales) AS sales, (SELECT count(*) FROM sale_lines) AS lines, (SELECT count(*) FROM sale_tenders) AS tenders, (SELECT sum(version) FROM sales) AS versions',
  );
  return rows[0];
};

describe.each(writes)('$what', ({ what, prepare }) => {
  const key = (name: string) => `${name} of ${what}`.replaceAll(/[^\w]/g, '-');

  test('without a key it is refused, and nothing happens', async () => {
    const write = await prepare();
    const before = await facts();
    expect(await write('')).toMatchObject({ status: 400, body: { code: 'idempotency-key-missing' } });
    expect(await facts()).toEqual(before);
  });

  test('repeated, it is answered as the first time, to the byte, and happens once', async () => {
    const write = await prepare();
    const first = await write(key('again'));
    expect(first.status).toBeLessThan(300);
    const before = await facts();
    const again = await write(key('again'));
    expect([again.status, again.text, again.headers.get('etag'), again.headers.get('location')]).toEqual([
      first.status,
      first.text,
      first.headers.get('etag'),
      first.headers.get('location'),
    ]);
    expect([first.headers.get('idempotency-replayed'), again.headers.get('idempotency-replayed')]).toEqual([null, 'true']);
    expect(await facts()).toEqual(before);
  });

  test('with other content it is refused', async () => {
    const write = await prepare();
    await write(key('other'));
    const before = await facts();
    expect(await write(key('other'), true)).toMatchObject({ status: 422, body: { code: 'idempotency-key-reused' } });
    expect(await facts()).toEqual(before);
  });

  test('twenty at once are one: each is given its answer, or told that it is under way', async () => {
    const write = await prepare();
    const replies = await Promise.all(Array.from({ length: 20 }, () => write(key('at-once'))));
    const done = replies.filter(({ status }) => status < 300);
    expect(new Set(done.map(({ text }) => text)).size).toBe(1);
    expect(done.filter(({ headers }) => headers.get('idempotency-replayed') === null)).toHaveLength(1);
    for (const { status, body } of replies.filter((reply) => reply.status >= 300))
      expect({ status, code: body.code }).toEqual({ status: 409, code: 'request-in-progress' });
  });
});

test('a refusal of the business is recorded: it stays the answer when the world has changed', async () => {
  const key = 'key-of-a-sale-without-price';
  const first = await till.post('/v1/sales', { lines: [{ sku: 'E4' }] }, { key });
  expect(first).toMatchObject({ status: 409, body: { code: 'price-missing' } });
  await room.db.query(`INSERT INTO prices VALUES ('dk', 'E4', '2020-01-01', NULL, 100, 'DKK')`);
  const again = await till.post('/v1/sales', { lines: [{ sku: 'E4' }] }, { key });
  expect([again.status, again.text, again.headers.get('idempotency-replayed')]).toEqual([409, first.text, 'true']);
  expect((await till.post('/v1/sales', { lines: [{ sku: 'E4' }] })).status).toBe(201);
});

test('a sale’s id is its own for ever, whatever the key', async () => {
  const id = '0195a1c2-7c1e-7d55-9d0a-2f0c6a3b1e99';
  expect((await till.post('/v1/sales', { id, ...cable })).body.id).toBe(id);
  expect(await till.post('/v1/sales', { id, ...cable })).toMatchObject({ status: 409, body: { code: 'already-exists' } });
  const elsewhere = await room.as({ shop: 'dk-002', sub: 'employee-2' });
  expect((await elsewhere.post('/v1/sales', { id })).body.code).toBe('already-exists');
});

test('the same key of another person is another key', async () => {
  const other = await room.as({ register: 'dk-001-03', sub: 'employee-3' });
  const key = 'the-same-key-of-two-people';
  const [one, two] = [await till.post('/v1/sales', cable, { key }), await other.post('/v1/sales', cable, { key })];
  expect([one.status, two.status]).toEqual([201, 201]);
  expect(one.body.id).not.toBe(two.body.id);
});
