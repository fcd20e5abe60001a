import { expect, test } from 'vitest';
import type { FeedState } from '@kassa/feed';
import { buildReadModel } from '../domain/read-model.ts';
import { emptyShelf } from '../domain/shelf.ts';
import type { Store } from '../store.ts';
import { batchAvailability } from './batch-availability.ts';
import { findProducts } from './find-products.ts';
import { getAvailability } from './get-availability.ts';
import type { Deps } from './get-freshness.ts';

const product = {
  sku: 'E1',
  gtin: '9520001000010',
  name: 'Kabel',
  itemGroup: 'cables',
  isSerialised: false,
  isActive: true,
  seq: 1,
};
const place = { address: '', postalCode: '', city: '', latitude: 55.7, longitude: 12.6, timeZone: 'Europe/Copenhagen' };
const shop = { id: 'dk-001', gln: '', name: 'Elnord', country: 'dk', status: 'open', ...place, seq: 2 } as const;
const model = buildReadModel({ epoch: 'one', seq: 2 }, { products: [product], shops: [shop] }, 10);

const heardAt = (time: string): FeedState => ({
  connection: 'following',
  position: { epoch: 'one', seq: 2 },
  asOf: new Date(time),
  heardAtMs: Date.parse(time),
});

/** A store whose rows are on their way while the feed is heard again. */
function slowly(): Deps {
  let heard = heardAt('2026-03-02T10:00:00Z');
  const hearAgain = () => (heard = heardAt('2026-03-02T10:00:09Z'));
  const find = () => ({ product, shelf: emptyShelf() });
  const store: Partial<Store> = {
    model: () => model,
    async read(_skus, use) {
      hearAgain();
      return use({ epoch: 'one', seq: 2, model, find });
    },
    async search() {
      hearAgain();
      return { epoch: 'one', seq: 2, products: [] };
    },
  };
  const now = () => new Date('2026-03-02T10:00:10Z');
  return { store: store as Store, feed: () => heard, staleAfterMs: 5_000, now, events: { lookedUp() {}, feedChanged() {} } };
}

test.each([
  ['an item', (deps: Deps) => getAvailability(deps, { item: 'E1', from: { shopId: 'dk-001' }, nearby: 0 })],
  ['a basket', (deps: Deps) => batchAvailability(deps, { items: ['E1'], shopId: 'dk-001' })],
  ['a search', (deps: Deps) => findProducts(deps, { text: 'kabel', limit: 1 })],
])('the answer to %s promises no more than what was heard before its rows were asked for', async (_what, ask) => {
  const { asOf, stalenessMs, degraded } = await ask(slowly());
  expect({ asOf, stalenessMs, degraded }).toEqual({
    asOf: new Date('2026-03-02T10:00:00Z'),
    stalenessMs: 10_000,
    degraded: true,
  });
});
