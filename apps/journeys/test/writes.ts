import { randomUUID } from 'node:crypto';
import type { Reply } from './api.ts';
import { nothingTookPlaceMinor, stuckCheckout } from './things.ts';
import { openTill, type Sale } from './till.ts';
import type { System } from './system.ts';

/** A write that goes through, ready to be sent. */
export interface Write {
  /** What the address names; nothing where it names nothing. */
  ids?: Record<string, string>;
  body?: unknown;
  /** Another body the same address would take; absent where it takes none or only one. */
  other?: unknown;
  headers?: Record<string, string>;
  /** The key where the write itself says it: the acquirer's is the id of the operation. */
  key?: string;
}

/** How each write of each service is made ready, by its name in the services' documents: things of its own for each time it is called. */
export type Writes = Record<string, () => Promise<Write>>;

/** A terminal amount that is never answered, though the operation takes place (apps/acquirer/README.md). */
const tookPlaceMinor = 5_107;
const csv = { 'content-type': 'text/csv' };
const dk = 'dk-001';

/** Everyone whose things these are signs in at register dk-001-01, or is an operator. */
export async function writesOf(system: System): Promise<Writes> {
  const till = await openTill(system, 'dk-001-01', supervisor('dk-001-01'));
  const payments = system.api('payments', await system.issuer.token(supervisor('dk-001-01')));
  const inventory = system.api('inventory');
  const [, first, second] = system.demo.products.map(({ sku }) => sku) as [string, string, string];
  const name = (base: string) => `${base}-${randomUUID().slice(0, 8)}`;

  const open = () => till.open([{ sku: first }, { sku: second }]);
  const ofSale = ({ id, version, lines: [line] }: Sale) => ({
    ids: { id, lineId: line!.lineId },
    headers: { 'if-match': `"${version}"` },
  });
  const tender = (amountMinor: number) => ({ method: 'terminal', amountMinor });

  const intent = async (more: object = {}, confirm?: object) => {
    const body = { reference: name('order'), country: 'dk', amountMinor: 10_000, currency: 'DKK', ...more };
    const intentId = String(done(await payments.post('/v1/payment-intents', body)).body['id']);
    if (confirm) done(await payments.post(`/v1/payment-intents/${intentId}/confirm`, confirm));
    return { ids: { intentId } };
  };
  const unknown = async (amountMinor: number) => {
    const { ids } = await intent({ amountMinor }, { method: 'terminal' });
    const { body } = done(await payments.get(`/v1/payment-intents/${ids.intentId}`));
    const [{ id: transactionId }] = body['transactions'] as [{ id: string }];
    return { ids: { transactionId } };
  };
  const stuck = async () => {
    const sale = await open();
    const { answer } = await stuckCheckout(till, sale);
    done(await answer, 202);
    return { ids: { saleId: sale.id } };
  };

  const reserve = async () => {
    const body = { shopId: dk, lines: [{ sku: first, quantity: 1 }] };
    return { ids: { reservationId: String(done(await inventory.post('/v1/reservations', body)).body['reservationId']) } };
  };
  const firm = async () => {
    const { ids } = await reserve();
    done(await inventory.post(`/v1/reservations/${ids.reservationId}/firm`));
    return { ids };
  };
  const file = (header: string, row: (n: number) => string) => async () => {
    const of = (n: number) => `${header}\n${row(n)}\n`;
    return { headers: csv, body: of(1), other: of(2) };
  };
  const operation = (channel: string) => async () => {
    const body = {
      providerKey: randomUUID(),
      kind: 'purchase',
      channel,
      instrument: 'pos-dk-001-01',
      amountMinor: 100,
      currency: 'DKK',
    };
    return { key: body.providerKey, body, other: { ...body, amountMinor: 200 } };
  };
  const reason = 'An operator looked into it.';

  return {
    'sales POST /v1/sales': async () => ({ body: { lines: [{ sku: first }] }, other: { lines: [{ sku: second }] } }),
    'sales POST /v1/sales/{id}/abandon': async () => ofSale(await open()),
    'sales POST /v1/sales/{id}/complete': async () => {
      const sale = await open();
      const cash = { method: 'cash', amountMinor: sale.totalMinor + 10_000 };
      return { ...ofSale(sale), body: { tenders: [tender(sale.totalMinor)] }, other: { tenders: [cash] } };
    },
    'sales POST /v1/sales/{id}/lines': async () => ({ ...ofSale(await open()), body: { sku: first }, other: { sku: second } }),
    'sales PATCH /v1/sales/{id}/lines/{lineId}': async () => ({
      ...ofSale(await open()),
      body: { quantity: 2 },
      other: { quantity: 3 },
    }),
    'sales DELETE /v1/sales/{id}/lines/{lineId}': async () => ofSale(await open()),
    'sales POST /v1/sales/{id}/park': async () => ofSale(await open()),
    'sales POST /v1/sales/{id}/resume': async () => {
      const sale = await open();
      done(await till.sales.post(`/v1/sales/${sale.id}/park`));
      return ofSale(sale);
    },
    'sales POST /v1/sales/{id}/tenders': async () => ({ ...ofSale(await open()), body: tender(100), other: tender(200) }),
    'sales DELETE /v1/sales/{id}/tenders/{tenderId}': async () => {
      const { id } = await open();
      const { body } = done(await till.sales.post(`/v1/sales/${id}/tenders`, tender(100)));
      const [{ tenderId }] = body['tenders'] as [{ tenderId: string }];
      return { ids: { id, tenderId }, headers: { 'if-match': `"${String(body['version'])}"` } };
    },
    'sales POST /v1/checkouts/{saleId}/resume': async () => ({
      ...(await stuck()),
      body: { reason },
      other: { reason: 'Another one did.' },
    }),
    'sales POST /v1/checkouts/{saleId}/resolve': async () => ({
      ...(await stuck()),
      body: { action: 'abort', reason },
      other: { action: 'finish', reason },
    }),
    'sales POST /v1/imports/prices': async () =>
      file('country,sku,price_minor,currency,valid_from,valid_to', (n) => `dk,${name('P')},${n},DKK,2026-01-01,`)(),
    'sales POST /v1/imports/registers': async () =>
      file('register_id,shop_id,name,kind,terminal_id', (n) => `${name('dk-001')},dk-001,Kasse ${n},desktop,`)(),

    'payments POST /v1/payment-intents': async () => {
      const body = { reference: name('order'), country: 'dk', amountMinor: 10_000, currency: 'DKK' };
      return { body, other: { ...body, amountMinor: 20_000 } };
    },
    'payments POST /v1/payment-intents/{intentId}/confirm': async () => ({
      ...(await intent()),
      body: { method: 'terminal' },
      other: { method: 'cash' },
    }),
    'payments POST /v1/payment-intents/{intentId}/cancel': async () => ({ ...(await intent()), body: {} }),
    'payments POST /v1/payment-intents/{intentId}/capture': async () => ({
      ...(await intent({ captureMode: 'manual' }, { method: 'terminal' })),
      body: { amountMinor: 5_000 },
      other: { amountMinor: 6_000 },
    }),
    'payments POST /v1/payment-intents/{intentId}/refunds': async () => ({
      ...(await intent({}, { method: 'terminal' })),
      body: { amountMinor: 5_000 },
      other: { amountMinor: 6_000 },
    }),
    'payments POST /v1/unknown-payments/{transactionId}/resume': async () => ({ ...(await unknown(tookPlaceMinor)), body: {} }),
    'payments POST /v1/unknown-payments/{transactionId}/resolve': async () => {
      const body = { outcome: 'failed', reason, evidence: 'statement 2026-03-02, line 118' };
      return { ...(await unknown(nothingTookPlaceMinor)), body, other: { ...body, outcome: 'succeeded' } };
    },
    'payments POST /v1/adopted-transactions': async () => {
      const ids = { transactionId: randomUUID(), intentId: randomUUID(), reference: name('sale') };
      const body = {
        ...ids,
        kind: 'PURCHASE',
        method: 'cash',
        channel: 'store',
        shopId: dk,
        country: 'dk',
        currency: 'DKK',
        reason,
      };
      return { body: { ...body, amountMinor: 10_000 }, other: { ...body, amountMinor: 20_000 } };
    },

    'inventory POST /v1/imports/shops': async () => {
      const [header = '', row = ''] = system.demo.csv.shops.split('\n');
      return file(header, (n) => row.replace(/Elnord [^,]*/, `Navn ${n}`))();
    },
    'inventory POST /v1/imports/products': async () =>
      file(
        'sku,gtin,name,item_group,is_serialised,is_active',
        (n) => `${first},${system.demo.products[1]!.gtin},Navn ${n},audio,false,true`,
      )(),
    'inventory POST /v1/imports/opening-stock': async () => file('shop_id,sku,quantity', (n) => `dk-001,${first},${n}`)(),
    'inventory POST /v1/movements': async () => {
      const body = { shopId: dk, documentType: 'goods-receipt', documentId: name('ASN') };
      const lines = (quantity: number) => [{ type: 'receipt', sku: first, quantity }];
      return { body: { ...body, lines: lines(1) }, other: { ...body, lines: lines(2) } };
    },
    'inventory PATCH /v1/products/{sku}': async () => {
      const { headers } = done(await inventory.get(`/v1/products/${second}`));
      const etag = String(headers.get('etag'));
      return { ids: { sku: second }, headers: { 'if-match': etag }, body: { name: name('Navn') }, other: { name: 'Andet' } };
    },
    'inventory POST /v1/reservations': async () => {
      const body = (quantity: number) => ({ shopId: dk, lines: [{ sku: first, quantity }] });
      return { body: body(1), other: body(2) };
    },
    'inventory POST /v1/reservations/{reservationId}/extend': async () => ({
      ...(await reserve()),
      body: { ttlMs: 1_000_000 },
      other: { ttlMs: 2_000_000 },
    }),
    'inventory POST /v1/reservations/{reservationId}/firm': reserve,
    'inventory POST /v1/reservations/{reservationId}/release': reserve,
    'inventory POST /v1/reservations/{reservationId}/consume': async () => {
      const body = { documentType: 'pick-up', documentId: name('c') };
      return { ...(await firm()), body, other: { ...body, documentId: name('d') } };
    },
    'inventory POST /v1/recovered-reservations': async () => {
      const body = {
        ...{
          reservationId: randomUUID(),
          shopId: dk,
          reference: name('sale'),
          documentType: 'sale',
          documentId: randomUUID(),
          reason,
        },
      };
      const lines = (quantity: number) => [{ sku: first, quantity }];
      return { body: { ...body, lines: lines(1) }, other: { ...body, lines: lines(2) } };
    },
    'inventory POST /v1/feed/epoch': async () => ({ body: { reason }, other: { reason: 'Another one.' } }),

    'acquirer POST /v1/operations': operation('terminal'),
    'acquirer POST /v1/closures': operation('terminal'),
  };
}

/** Who may do what a service lets people at a register do. */
export function supervisor(registerId: string) {
  const session = { sub: `employee-${registerId}`, sid: `session-${registerId}` };
  return { role: 'supervisor', shop: dk, register: registerId, ...session } as const;
}

/** The reply, provided that it is what getting ready needs. */
function done(reply: Reply, status?: number): Reply {
  if (status === undefined ? reply.status < 300 : reply.status === status) return reply;
  throw new Error(`the thing to write about could not be made: ${reply.status} ${reply.text}`);
}
