import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '@kassa/testing';
import { levelOf, openRoom, reserving, stateOf, stockShops, violations, type Room } from './room.ts';

let room: Room;
const skus = Array.from({ length: 12 }, (_, n) => `E${n + 1}`);

beforeAll(async () => {
  room = await openRoom({ SWEEP_EVERY_MS: '3600000' });
  await stockShops(room, ['dk-001', 'dk-002', 'dk-003'], {
    ...Object.fromEntries(skus.map((sku) => [sku, 1000])),
    LAST: 10,
    ONE: 1,
    FEW: 3,
  });
});
afterAll(() => room.close());

const sale = (documentId: string) => ({ documentType: 'sale', documentId });

describe('a reservation from beginning to end', () => {
  test('is made firm and consumed: the goods are gone, and the movement says why', async () => {
    const request = reserving({
      lines: [
        { sku: 'E1', quantity: 2 },
        { sku: 'E2', quantity: 1 },
      ],
      reference: 'sale:1',
      actor: { subject: 'employee-7', role: 'cashier' },
    });
    const { reservationId } = request;
    const before = await levelOf(room, 'E1');
    expect((await room.grpc.reserve(request)).reservation).toMatchObject({
      id: reservationId,
      shopId: 'dk-001',
      state: 1,
      lines: [
        { sku: 'E1', quantity: 2 },
        { sku: 'E2', quantity: 1 },
      ],
    });
    expect(await levelOf(room, 'E1')).toEqual({ onHand: before.onHand, reserved: before.reserved + 2 });
    expect((await room.grpc.firm({ reservationId })).reservation).toMatchObject({ state: 2, expiresAt: '' });
    expect((await room.grpc.consume({ reservationId, ...sale('s-1') })).reservation).toMatchObject({ state: 3 });
    expect(await levelOf(room, 'E1')).toEqual({ onHand: before.onHand - 2, reserved: before.reserved });
    const { rows } = await room.db.query(
      `SELECT sku, type, delta, document_type, subject FROM stock_movements WHERE document_id = 's-1' ORDER BY sku`,
    );
    expect(rows).toEqual([
      { sku: 'E1', type: 'SALE', delta: -2, document_type: 'sale', subject: 'employee-7' },
      { sku: 'E2', type: 'SALE', delta: -1, document_type: 'sale', subject: 'employee-7' },
    ]);
  });

  test('may be FIRM from the start', async () => {
    const request = reserving({ state: 'FIRM' });
    expect(await stateOf(room.grpc.reserve(request))).toBe('FIRM');
    expect(await stateOf(room.grpc.consume({ reservationId: request.reservationId, ...sale('s-2') }))).toBe('CONSUMED');
  });

  test('takes all lines or none, and says what is short', async () => {
    const lines = [
      { sku: 'E3', quantity: 1 },
      { sku: 'FEW', quantity: 4 },
      { sku: 'nothing', quantity: 1 },
    ];
    const before = await levelOf(room, 'E3');
    await expect(room.grpc.reserve(reserving({ lines }))).rejects.toMatchObject({
      code: 'insufficient-stock',
      facts: {
        params: {
          lines: [
            { sku: 'FEW', requested: 4, available: 3 },
            { sku: 'nothing', requested: 1, available: 0 },
          ],
        },
      },
    });
    expect(await levelOf(room, 'E3')).toEqual(before);
  });

  test.each([
    ['no UUID', { reservationId: 'x' }],
    ['no lines', { lines: [] }],
    ['a line of none', { lines: [{ sku: 'E1', quantity: 0 }] }],
    [
      'a sku twice',
      {
        lines: [
          { sku: 'E1', quantity: 1 },
          { sku: 'E1', quantity: 1 },
        ],
      },
    ],
    ['no shop', { shopId: '' }],
    ['too long a life', { ttlMs: 8 * 86_400_000 }],
  ])('%s is refused', async (_what, wrong) => {
    expect(await stateOf(room.grpc.reserve(reserving(wrong)))).toBe('validation-failed');
  });

  test('a shop that is none is not found', async () => {
    expect(await stateOf(room.grpc.reserve(reserving({ shopId: 'dk-999' })))).toBe('not-found');
  });
});

describe('a command that is repeated', () => {
  test('answers the same, and nothing happens twice', async () => {
    const request = reserving({ lines: [{ sku: 'E4', quantity: 1 }], state: 'FIRM' });
    const command = { reservationId: request.reservationId };
    const first = await room.grpc.reserve(request);
    expect(await room.grpc.reserve(request)).toEqual(first);
    const consumed = await room.grpc.consume({ ...command, ...sale('s-3') });
    expect(await room.grpc.consume({ ...command, ...sale('s-3') })).toEqual(consumed);
    expect((await room.grpc.reserve(request)).reservation).toEqual(consumed.reservation);
    expect(await levelOf(room, 'E4')).toEqual({ onHand: 999, reserved: 0 });
  });

  test.each([
    ['other lines', { lines: [{ sku: 'E5', quantity: 2 }] }],
    ['another shop', { shopId: 'dk-002' }],
    ['another state', { state: 'FIRM' as const }],
    ['another reference', { reference: 'sale:other' }],
  ])('with %s is refused', async (_what, other) => {
    const request = { lines: [{ sku: 'E5', quantity: 1 }], reservationId: randomUUID() };
    await room.grpc.reserve(reserving(request));
    expect(await stateOf(room.grpc.reserve(reserving({ ...request, ...other })))).toBe('idempotency-key-reused');
  });

  test('fifty times at once reserves once', async () => {
    const request = reserving({ lines: [{ sku: 'ONE', quantity: 1 }], shopId: 'dk-002' });
    const states = await Promise.all(Array.from({ length: 50 }, () => stateOf(room.grpc.reserve(request))));
    expect(new Set(states)).toEqual(new Set(['ACTIVE']));
    expect(await levelOf(room, 'ONE', 'dk-002')).toEqual({ onHand: 1, reserved: 1 });
  });

  test('consumed by another document is refused', async () => {
    const request = reserving({ state: 'FIRM' });
    await room.grpc.reserve(request);
    await room.grpc.consume({ reservationId: request.reservationId, ...sale('s-4') });
    expect(await stateOf(room.grpc.consume({ reservationId: request.reservationId, ...sale('s-5') }))).toBe(
      'idempotency-key-reused',
    );
  });

  test('a release that overtakes its reserve closes it', async () => {
    const request = reserving({ lines: [{ sku: 'E6', quantity: 1 }] });
    expect(await stateOf(room.grpc.release({ reservationId: request.reservationId }))).toBe('RELEASED');
    expect(await stateOf(room.grpc.release({ reservationId: request.reservationId }))).toBe('RELEASED');
    expect(await stateOf(room.grpc.reserve(request))).toBe('reservation-closed');
    expect(await levelOf(room, 'E6')).toEqual({ onHand: 1000, reserved: 0 });
  });
});

describe('every command in every state', () => {
  const commands = {
    firm: (reservationId: string) => room.grpc.firm({ reservationId }),
    consume: (reservationId: string) => room.grpc.consume({ reservationId, ...sale('by-table') }),
    release: (reservationId: string) => room.grpc.release({ reservationId }),
  };
  /** Brings a new reservation into a state. OVERDUE is ACTIVE past its time, before the sweeper came by. */
  async function inState(state: string): Promise<string> {
    const request = reserving({ lines: [{ sku: 'E7', quantity: 1 }], ttlMs: state === 'OVERDUE' || state === 'EXPIRED' ? 1 : 0 });
    const { reservationId } = request;
    await room.grpc.reserve(request);
    if (state === 'FIRM' || state === 'CONSUMED') await commands.firm(reservationId);
    if (state === 'CONSUMED') await commands.consume(reservationId);
    if (state === 'RELEASED') await commands.release(reservationId);
    if (state === 'OVERDUE' || state === 'EXPIRED') await sleep(5);
    if (state === 'EXPIRED') await room.db.query('SELECT expire_reservations_v1(100, NULL, NULL)');
    return reservationId;
  }

  test.each([
    ['ACTIVE', 'firm', 'FIRM'],
    ['FIRM', 'firm', 'FIRM'],
    ['CONSUMED', 'firm', 'CONSUMED'],
    ['RELEASED', 'firm', 'reservation-closed'],
    ['EXPIRED', 'firm', 'reservation-expired'],
    ['OVERDUE', 'firm', 'reservation-expired'],
    ['ACTIVE', 'consume', 'wrong-state'],
    ['FIRM', 'consume', 'CONSUMED'],
    ['CONSUMED', 'consume', 'CONSUMED'],
    ['RELEASED', 'consume', 'reservation-closed'],
    ['EXPIRED', 'consume', 'reservation-expired'],
    ['OVERDUE', 'consume', 'reservation-expired'],
    ['ACTIVE', 'release', 'RELEASED'],
    ['FIRM', 'release', 'RELEASED'],
    ['CONSUMED', 'release', 'reservation-closed'],
    ['RELEASED', 'release', 'RELEASED'],
    ['EXPIRED', 'release', 'EXPIRED'],
    ['OVERDUE', 'release', 'RELEASED'],
  ] as const)('%s, %s: %s', async (state, command, expected) => {
    const reservationId = await inState(state);
    expect(await stateOf(commands[command](reservationId))).toBe(expected);
    expect(await violations(room)).toEqual([]);
  });

  test.each(['firm', 'consume'] as const)('an id never seen, %s: not-found', async (command) => {
    expect(await stateOf(commands[command](randomUUID()))).toBe('not-found');
  });
});

describe('time', () => {
  test('a reservation that ran out of time does not stand in the way of a sale, whether or not the sweeper came by', async () => {
    await room.grpc.reserve(
      reserving({
        shopId: 'dk-003',
        lines: [
          { sku: 'ONE', quantity: 1 },
          { sku: 'E8', quantity: 5 },
        ],
        ttlMs: 1,
      }),
    );
    await sleep(5);
    expect(await stateOf(room.grpc.reserve(reserving({ shopId: 'dk-003', lines: [{ sku: 'ONE', quantity: 1 }] })))).toBe(
      'ACTIVE',
    );
    expect(await levelOf(room, 'E8', 'dk-003')).toEqual({ onHand: 1000, reserved: 0 });
  });

  test('fifty buyers meet ten expired reservations of the last ten units: ten get them', async () => {
    const lines = [{ sku: 'LAST', quantity: 1 }];
    await Promise.all(Array.from({ length: 10 }, () => room.grpc.reserve(reserving({ shopId: 'dk-002', lines, ttlMs: 50 }))));
    await sleep(60);
    const states = await Promise.all(
      Array.from({ length: 50 }, () => stateOf(room.grpc.reserve(reserving({ shopId: 'dk-002', lines })))),
    );
    expect(states.filter((state) => state === 'ACTIVE')).toHaveLength(10);
    expect(new Set(states)).toEqual(new Set(['ACTIVE', 'insufficient-stock']));
  });

  test('the sweeper ends what is overdue, and the units are free', async () => {
    const swept = await openRoom({ SWEEP_EVERY_MS: '20' });
    try {
      await stockShops(swept, ['dk-001'], { E1: 5 });
      const request = reserving({ ttlMs: 30 });
      await swept.grpc.reserve(request);
      await eventually(async () =>
        expect(await stateOf(swept.grpc.getReservation({ reservationId: request.reservationId }))).toBe('EXPIRED'),
      );
      expect(await levelOf(swept, 'E1')).toEqual({ onHand: 5, reserved: 0 });
    } finally {
      await swept.close();
    }
  });
});

describe('many at once', () => {
  test('200 buyers of the last 10 units: exactly 10 get one', async () => {
    const states = await Promise.all(
      Array.from({ length: 200 }, () =>
        stateOf(room.grpc.reserve(reserving({ lines: [{ sku: 'LAST', quantity: 1 }], state: 'FIRM' }))),
      ),
    );
    expect(states.filter((state) => state === 'FIRM')).toHaveLength(10);
    expect(states.filter((state) => state === 'insufficient-stock')).toHaveLength(190);
    expect(await levelOf(room, 'LAST')).toEqual({ onHand: 10, reserved: 10 });
  });

  test('lines in any order never wait for each other in a circle', async () => {
    const shuffled = () =>
      skus
        .map((sku) => ({ sku, quantity: 1, at: Math.random() }))
        .sort((a, b) => a.at - b.at)
        .slice(0, 6)
        .map(({ sku, quantity }) => ({ sku, quantity }));
    const before = await deadlocks();
    await Promise.all(
      Array.from({ length: 24 }, async () => {
        for (let n = 0; n < 10; n += 1) {
          const request = reserving({ lines: shuffled(), ttlMs: 1 + Math.floor(Math.random() * 40) });
          const { reservationId } = request;
          expect(await stateOf(room.grpc.reserve(request))).toBe('ACTIVE');
          const turn = Math.random();
          if (turn < 0.3) await room.db.query('SELECT expire_reservations_v1(20, NULL, NULL)');
          else if (turn < 0.6) await stateOf(room.grpc.release({ reservationId }));
          else if ((await stateOf(room.grpc.firm({ reservationId }))) === 'FIRM')
            await room.grpc.consume({ reservationId, ...sale(reservationId) });
        }
      }),
    );
    expect(await deadlocks()).toBe(before);
    expect(await violations(room)).toEqual([]);
  });

  test('a reserve that comes again and a release that is under way do not either', async () => {
    const request = reserving({ lines: [{ sku: 'E8', quantity: 1 }] });
    await room.grpc.reserve(request);
    const before = await deadlocks();
    const holder = await room.db.connect();
    await holder.query('BEGIN');
    await holder.query(`SELECT FROM stock_levels WHERE shop_id = 'dk-001' AND sku = 'E8' FOR UPDATE`);
    const again = stateOf(room.grpc.reserve(request));
    await eventually(async () => expect(await waiting()).toBe(1));
    const released = stateOf(room.grpc.release({ reservationId: request.reservationId }));
    await eventually(async () => expect(await waiting()).toBe(2));
    await holder.query('COMMIT');
    holder.release();
    expect([await again, await released]).toEqual(['ACTIVE', 'RELEASED']);
    expect(await deadlocks()).toBe(before);
  });

  test('firm, release, expiry and consume race for one reservation: it ends once', async () => {
    for (let n = 0; n < 40; n += 1) {
      const request = reserving({
        lines: [
          { sku: 'E9', quantity: 1 },
          { sku: 'E10', quantity: 2 },
        ],
        ttlMs: 1 + (n % 8),
      });
      const { reservationId } = request;
      await room.grpc.reserve(request);
      const consume = async () => {
        await stateOf(room.grpc.firm({ reservationId }));
        return stateOf(room.grpc.consume({ reservationId, ...sale(reservationId) }));
      };
      await Promise.all([
        consume(),
        stateOf(room.grpc.release({ reservationId })),
        room.db.query('SELECT expire_reservations_v1(20, NULL, NULL)'),
        consume(),
      ]);
      await sleep(10);
      await room.db.query('SELECT expire_reservations_v1(20, NULL, NULL)');
      const state = await stateOf(room.grpc.getReservation({ reservationId }));
      expect(['CONSUMED', 'RELEASED', 'EXPIRED']).toContain(state);
      const { rows } = await room.db.query('SELECT count(*)::int AS movements FROM stock_movements WHERE document_id = $1', [
        reservationId,
      ]);
      expect(rows[0]).toEqual({ movements: state === 'CONSUMED' ? 2 : 0 });
    }
    expect(await violations(room)).toEqual([]);
  });
});

describe('several reserved at once', () => {
  /** Reserves while someone holds a level of the first one, so that the others gather behind it and go together. */
  async function together(requests: ReturnType<typeof reserving>[]): Promise<string[]> {
    const holder = await room.db.connect();
    await holder.query(`BEGIN; SELECT FROM stock_levels WHERE shop_id = 'dk-003' AND sku = 'E1' FOR UPDATE`);
    const first = stateOf(room.grpc.reserve(reserving({ shopId: 'dk-003' })));
    await eventually(async () => expect(await waiting()).toBe(1));
    const answers = requests.map((request) => stateOf(room.grpc.reserve(request)));
    await eventually(async () => {
      const { rowCount } = await room.db.query(
        `SELECT FROM pg_stat_activity WHERE query LIKE '%reserve_several%' AND pid <> pg_backend_pid()`,
      );
      expect(rowCount).toBeGreaterThan(0);
    });
    await holder.query('COMMIT');
    holder.release();
    expect(await first).toBe('ACTIVE');
    return Promise.all(answers);
  }

  test('each has its own answer, and what is refused keeps no other from being reserved', async () => {
    const before = await levelOf(room, 'E7');
    const lines = [{ sku: 'E7', quantity: 2 }];
    const again = reserving({ lines });
    const other = { ...reserving({ lines: [{ sku: 'E7', quantity: 3 }] }), reservationId: again.reservationId };
    const tooMany = reserving({ lines: [...lines, { sku: 'E8', quantity: 100_000 }] });
    const firm = reserving({ lines, state: 'FIRM', ttlMs: 0 });
    const answers = await together([again, again, other, tooMany, reserving({ lines, shopId: 'dk-999' }), firm]);
    expect(answers).toEqual(['ACTIVE', 'ACTIVE', 'idempotency-key-reused', 'insufficient-stock', 'not-found', 'FIRM']);
    expect(await levelOf(room, 'E7')).toEqual({ onHand: before.onHand, reserved: before.reserved + 4 });
    expect(await violations(room)).toEqual([]);
  });

  test('the last units go to those who come first', async () => {
    const lines = [{ sku: 'FEW', quantity: 2 }];
    const answers = await together(Array.from({ length: 4 }, () => reserving({ lines, shopId: 'dk-002' })));
    expect(answers.sort()).toEqual(['ACTIVE', 'insufficient-stock', 'insufficient-stock', 'insufficient-stock']);
    expect(await violations(room)).toEqual([]);
  });

  test('in two replicas, of the same goods in any order: nobody waits in a circle', async () => {
    const before = await deadlocks();
    const other = await room.replica();
    const reserve = async (n: number) => {
      const lines = [
        { sku: `E${1 + (n % 5)}`, quantity: 1 },
        { sku: `E${1 + ((n * 3 + 1) % 5)}`, quantity: 1 },
      ];
      const unique = lines[0]!.sku === lines[1]!.sku ? lines.slice(1) : lines;
      return stateOf((n % 2 ? other : room).grpc.reserve(reserving({ lines: unique })));
    };
    for (let time = 0; time < 5; time += 1)
      expect(new Set(await Promise.all(Array.from({ length: 60 }, (_, n) => reserve(n * 7 + time))))).toEqual(
        new Set(['ACTIVE']),
      );
    await other.close();
    expect(await deadlocks()).toBe(before);
    expect(await violations(room)).toEqual([]);
  });
});

describe('several consumed at once', () => {
  const held = async (lines: { sku: string; quantity: number }[], state: 'ACTIVE' | 'FIRM' = 'FIRM') => {
    const request = reserving({ lines, state, actor: { subject: 'employee-7', role: 'cashier' } });
    await room.grpc.reserve(request);
    return request.reservationId;
  };
  const consume = async (...items: [reservationId: string, documentId: string][]) => {
    const asked = items.map(([reservationId, documentId]) => ({ reservationId, ...sale(documentId) }));
    return (await room.grpc.consumeBatch({ items: asked })).consumedIds.sort();
  };
  const booked = async (documentId: string) =>
    (
      await room.db.query(
        'SELECT sku, delta, line_key AS line, subject FROM stock_movements WHERE document_id = $1 ORDER BY sku',
        [documentId],
      )
    ).rows;

  test('of one product too: levels and movements are what they would be one by one, and a repetition books nothing', async () => {
    const before = await levelOf(room, 'E11');
    const [first, second] = [await held([{ sku: 'E11', quantity: 2 }]), await held([{ sku: 'E11', quantity: 3 }])];
    const both = [first, second].sort();
    for (let time = 0; time < 2; time++) {
      expect(await consume([first, 'b-1'], [second, 'b-2'], [second, 'b-2'])).toEqual(both);
      expect(await levelOf(room, 'E11')).toEqual({ onHand: before.onHand - 5, reserved: before.reserved });
      expect(await booked('b-1')).toEqual([{ sku: 'E11', delta: -2, line: first, subject: 'employee-7' }]);
      expect(await booked('b-2')).toEqual([{ sku: 'E11', delta: -3, line: second, subject: 'employee-7' }]);
    }
    expect(await stateOf(room.grpc.getReservation({ reservationId: first }))).toBe('CONSUMED');
    expect(await violations(room)).toEqual([]);
  });

  test('one that is refused keeps no other from it, and stays as it is', async () => {
    const lines = [{ sku: 'E12', quantity: 1 }];
    const [good, active, released, taken] = [
      await held(lines),
      await held(lines, 'ACTIVE'),
      await held(lines),
      await held(lines),
    ];
    const unknown = randomUUID();
    await room.grpc.release({ reservationId: released });
    await room.grpc.consume({ reservationId: taken, ...sale('b-3') });
    const answer = consume([active, 'b-4'], [released, 'b-4'], [taken, 'b-4'], [unknown, 'b-4'], [good, 'b-4']);
    expect(await answer).toEqual([good]);
    expect(await booked('b-4')).toEqual([{ sku: 'E12', delta: -1, line: good, subject: 'employee-7' }]);
    const states = [active, released, taken, unknown].map((reservationId) =>
      stateOf(room.grpc.getReservation({ reservationId })),
    );
    expect(await Promise.all(states)).toEqual(['ACTIVE', 'RELEASED', 'CONSUMED', 'not-found']);
    expect(await violations(room)).toEqual([]);
  });

  test('what cannot be meant names its place, and consumes none', async () => {
    const good = await held([{ sku: 'E12', quantity: 1 }]);
    const refused = (...items: [string, string][]) =>
      consume(...items).then(
        () => 'consumed',
        (error: { message: string }) => error.message,
      );
    expect(await refused([good, 'b-5'], ['nobody', 'b-5'])).toContain('items/1/reservation_id must be a UUID');
    expect(await refused([good, ''])).toContain('items/0/document_id must be 1 to 80');
    expect(await refused()).toContain('items must be 1 to 100');
    expect(await refused(...Array.from({ length: 101 }, (): [string, string] => [good, 'b-5']))).toContain(
      'items must be 1 to 100',
    );
    expect(await stateOf(room.grpc.getReservation({ reservationId: good }))).toBe('FIRM');
  });

  test('in any order, with others at the same goods: nobody waits in a circle, and each is consumed once', async () => {
    const before = await deadlocks();
    const ids = await Promise.all(
      Array.from({ length: 60 }, (_, n) =>
        held([
          { sku: `E${1 + (n % 5)}`, quantity: 1 },
          { sku: `E${6 + (n % 3)}`, quantity: 1 },
        ]),
      ),
    );
    const shuffled = () => ids.toSorted(() => Math.random() - 0.5).slice(0, 20);
    await Promise.all(
      Array.from({ length: 16 }, async (_, n) => {
        if (n % 4 === 0) for (const id of shuffled()) await room.grpc.consume({ reservationId: id, ...sale(id) });
        else await consume(...shuffled().map((id): [string, string] => [id, id]));
      }),
    );
    await consume(...ids.map((id): [string, string] => [id, id]));
    const { rows } = await room.db.query('SELECT count(*)::int AS movements FROM stock_movements WHERE document_id = ANY ($1)', [
      ids,
    ]);
    expect(rows).toEqual([{ movements: 120 }]);
    expect(await deadlocks()).toBe(before);
    expect(await violations(room)).toEqual([]);
  });
});

/** Commands that wait for a row somebody else holds. */
async function waiting(): Promise<number> {
  const { rows } = await room.db.query<{ waiting: number }>(
    `SELECT count(*)::int AS waiting FROM pg_stat_activity WHERE datname = current_database() AND wait_event IN ('transactionid', 'tuple')`,
  );
  return rows[0]?.waiting ?? 0;
}

async function deadlocks(): Promise<number> {
  await room.db.query('SELECT pg_stat_clear_snapshot()');
  const { rows } = await room.db.query<{ deadlocks: string }>(
    'SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()',
  );
  return Number(rows[0]?.deadlocks);
}
