import type { Caller } from '@kassa/auth';
import { isCountryCode, businessDate, country, vatRate } from '@kassa/countries';
import type { Answer, Idempotency, Key } from '@kassa/idempotency';
import { KassaError } from '@kassa/problem';
import { priceLine, serialSoldTwice, totalOf, type Offer } from '../domain/pricing.ts';
import type { Line, Sale } from '../domain/sale.ts';
import type { Events } from '../events.ts';
import type { Item, Shop, Store } from '../store.ts';
import { atRegister } from './at-register.ts';
import { saleAnswer } from './get-sale.ts';

export interface OpenDeps {
  store: Pick<Store, 'counter' | 'openSale'>;
  idempotency: Idempotency;
  events: Events;
  now(): Date;
  newId(): string;
}

/** A line as a till asks for it: an item by GTIN or SKU. */
export interface LineRequest extends Item {
  quantity: number;
  serials: string[];
}

export interface OpenSaleInput {
  /** The till's own UUID for the sale; absent, the service makes one. */
  id?: string | undefined;
  lines: LineRequest[];
  expectedTotalMinor?: number | undefined;
  caller: Caller;
  key: Key;
}

/**
 * Opens a sale at the caller's register, with its first lines if it has any, priced and taxed for the shop's business date. 201.
 * Errors: unknown-item, product-inactive, price-missing, serial-required (each with the line's pointer), price-changed, shop-closed,
 * already-exists, session-superseded, register-unknown, register-required.
 */
export async function openSale(
  deps: OpenDeps,
  { id, lines: wanted, expectedTotalMinor, caller, key }: OpenSaleInput,
): Promise<Answer> {
  const by = atRegister(caller);
  return deps.idempotency.once(key, async () => {
    const at = deps.now();
    const counter = await deps.store.counter(by, wanted, at);
    if (!counter?.till) throw new KassaError('register-unknown', { detail: `${by.registerId} is no register of ${by.shopId}.` });
    const { shop, offers } = counter;
    if (shop.status === 'closed') throw new KassaError('shop-closed');
    const lines = wanted.map((line, n) =>
      newLine(line, offers[n] ?? undefined, {
        lineId: deps.newId(),
        position: n + 1,
        pointer: `/lines/${n}`,
        vatBp: vatBpOn(shop, at),
      }),
    );
    refuseSerialSoldTwice(lines);
    const totalMinor = totalOf(lines);
    const { currency } = country(shop.country);
    if (expectedTotalMinor !== undefined && expectedTotalMinor !== totalMinor) {
      throw new KassaError('price-changed', {
        detail: 'Show the customer the prices of today.',
        params: { expectedTotalMinor, totalMinor, currency },
      });
    }
    const sale: Sale = {
      id: id ?? deps.newId(),
      shopId: by.shopId,
      registerId: by.registerId,
      country: shop.country,
      currency,
      state: 'OPEN',
      version: 1,
      attempt: 0,
      totalMinor,
      roundingMinor: 0,
      changeMinor: 0,
      businessDate: null,
      refusal: null,
      receiptNumber: null,
      openedAt: at.toISOString(),
      completedAt: null,
      lines,
      tenders: [],
    };
    const { headers, ...answer } = saleAnswer(sale, 201);
    const located = { ...answer, headers: { ...headers, location: `/v1/sales/${sale.id}` } };
    await deps.store.openSale(sale, by, key, located);
    deps.events.saleOpened(sale.id, sale.country);
    return located;
  });
}

/** The standard rate on the shop's business date, in basis points. Everything an electronics shop sells is taxed at it. */
export function vatBpOn(shop: Shop, at: Date): number {
  if (!isCountryCode(shop.country)) throw new Error(`shop ${shop.id} is in ${shop.country}, where Kassa does not sell`);
  return vatRate(shop.country, 'standard', businessDate(at, shop.timeZone)).bp;
}

interface NewLine {
  lineId: string;
  position: number;
  /** Where the line stands in the request. */
  pointer: string;
  vatBp: number;
}

/** Errors: unknown-item, product-inactive, price-missing, serial-required. */
export function newLine(
  { gtin, sku, quantity, serials }: LineRequest,
  offer: Offer | undefined,
  { lineId, position, pointer, vatBp }: NewLine,
): Line {
  const priced = priceLine({ lineId, position, item: gtin ?? sku ?? '', quantity, serials }, offer, vatBp);
  if ('line' in priced) return priced.line;
  const { code, detail, params } = priced.refusal;
  const field = code === 'serial-required' ? 'serials' : gtin === undefined ? 'sku' : 'gtin';
  throw new KassaError(code, { detail, params, errors: [{ pointer: `${pointer}/${field}`, detail }] });
}

/** Error: serial-required. */
export function refuseSerialSoldTwice(lines: readonly Line[]): void {
  const twice = serialSoldTwice(lines);
  if (twice)
    throw new KassaError('serial-required', {
      detail: `${twice.serial} of ${twice.sku} stands in the sale twice.`,
      params: twice,
    });
}
