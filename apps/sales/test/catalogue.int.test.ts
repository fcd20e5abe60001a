import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { openDatabase, type Database } from '@kassa/database';
import { testDatabase, type TestDatabase } from '@kassa/testing';
import { createCatalogue, type Catalogue, type FeedRows } from '../src/store/catalogue.ts';
import { folder } from './room.ts';

let database: TestDatabase;
let db: Database;
let catalogue: Catalogue;

const asOf = new Date('2026-03-02T10:00:00Z');
const at = (seq: number, epoch = 'one') => ({ epoch, seq, asOf });

function named(name: string): FeedRows {
  const product = { sku: 'E1', gtin: '9520001000010', name, itemGroup: 'cables', isSerialised: false, isActive: true };
  return { products: [product], shops: [] };
}

async function* snapshot(rows: FeedRows) {
  yield await Promise.resolve(rows);
}

/** The names of all products, and where the copy stands. */
async function held(): Promise<unknown> {
  const { rows } = await db.pool.query<{ name: string }>('SELECT name FROM products ORDER BY sku');
  const { epoch, seq } = (await catalogue.position())!;
  return { names: rows.map(({ name }) => name), epoch, seq };
}

beforeAll(async () => {
  database = await testDatabase(folder);
  db = openDatabase({ url: database.url, poolMax: 4, applicationName: 'sales-test' });
  catalogue = createCatalogue(db, { leaseMs: 1_000 });
});
afterAll(async () => {
  await db.close();
  await database.drop();
});

beforeEach(async () => {
  const before = await catalogue.position();
  expect(await catalogue.replace(snapshot(named('Kabel')), at(5), before)).toBe('stored');
});

test.each([
  ['of another epoch', { epoch: 'another', afterSeq: 5, throughSeq: 6 }, 'moved', 'Kabel', 5],
  ['that leaves a gap', { epoch: 'one', afterSeq: 6, throughSeq: 7 }, 'moved', 'Kabel', 5],
  ['that follows', { epoch: 'one', afterSeq: 5, throughSeq: 7 }, 'stored', 'Ledning', 7],
  ['that it has got already', { epoch: 'one', afterSeq: 3, throughSeq: 4 }, 'stored', 'Kabel', 5],
  ['that reaches over its position', { epoch: 'one', afterSeq: 4, throughSeq: 7 }, 'stored', 'Ledning', 7],
])('our copy of the catalogue takes a batch %s as it should', async (_which, batch, answer, name, seq) => {
  expect(await catalogue.apply({ ...batch, asOf }, named('Ledning'))).toBe(answer);
  expect(await held()).toEqual({ names: [name], epoch: 'one', seq });
});

test('a snapshot that came too late, or breaks off, changes nothing', async () => {
  async function* broken() {
    yield await Promise.resolve(named('Ledning'));
    throw new Error('connection reset');
  }
  await expect(catalogue.replace(broken(), at(9), at(5))).rejects.toThrow('connection reset');
  expect(await catalogue.replace(snapshot(named('Ledning')), at(4), at(3))).toBe('moved');
  expect(await held()).toEqual({ names: ['Kabel'], epoch: 'one', seq: 5 });
});

test('a snapshot whose transaction has to be repeated is asked for anew: its rows come only once', async () => {
  await db.pool.query(`CREATE FUNCTION conflict() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'deadlock detected' USING ERRCODE = '40P01'; END $$`);
  await db.pool.query('CREATE TRIGGER conflict BEFORE INSERT ON products EXECUTE FUNCTION conflict()');
  await expect(catalogue.replace(snapshot(named('Ledning')), at(9), at(5))).rejects.toThrow('only once');
  await db.pool.query('DROP TRIGGER conflict ON products');
  expect(await held()).toEqual({ names: ['Kabel'], epoch: 'one', seq: 5 });
});
