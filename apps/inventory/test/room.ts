import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { gs1CheckDigit } from '@kassa/check-digits';
import { inventoryDefinition, ReservationState } from '@kassa/contracts/inventory';
import { createClient, type GrpcClient } from '@kassa/grpc';
import { createLogger } from '@kassa/telemetry';
import { roomFolder, testDatabase, testIssuer, type Issuer, type Person } from '@kassa/testing';
import { createApp } from '../src/app.ts';
import { readConfig } from '../src/config.ts';

export type InventoryClient = GrpcClient<typeof inventoryDefinition>;

export interface Replica {
  http: string;
  /** 127.0.0.1:port */
  grpcAddress: string;
  health: string;
  grpc: InventoryClient;
  close(): Promise<void>;
}

/** Inventory in this process on real ports, with a database and an issuer of its own. */
export interface Room extends Replica {
  db: pg.Pool;
  issuer: Issuer;
  env: Record<string, string>;
  /** A second replica on the same database. */
  replica(env?: Record<string, string>): Promise<Replica>;
}

export async function openRoom(env: Record<string, string> = {}): Promise<Room> {
  const [issuer, database] = await Promise.all([testIssuer(), testDatabase(roomFolder('inventory'))]);
  const whole = {
    DATABASE_URL: database.url,
    OIDC_ISSUER: issuer.url,
    SERVICE_CLIENT_ID: 'inventory',
    SERVICE_CLIENT_SECRET: 'secret-of-the-tests',
    HOST: '127.0.0.1',
    HTTP_PORT: '0',
    GRPC_PORT: '0',
    HEALTH_PORT: '0',
    SHUTDOWN_TIMEOUT_MS: '1000',
    ...env,
  };
  const db = new pg.Pool({ connectionString: database.url, max: 4 });
  const closing: (() => Promise<void>)[] = [];
  const replica = async (more: Record<string, string> = {}): Promise<Replica> => {
    const app = await createApp(readConfig({ ...whole, ...more }), createLogger('inventory', 'fatal'));
    const ports = await app.listen();
    const { client, close } = createClient(inventoryDefinition, {
      address: `127.0.0.1:${ports.grpc}`,
      token: () => issuer.serviceToken('sales'),
      deadlineMs: 20_000,
    });
    let isOpen = true;
    const end = async () => {
      if (!isOpen) return;
      isOpen = false;
      close();
      await app.close();
    };
    closing.push(end);
    return {
      http: `http://127.0.0.1:${ports.http}`,
      health: `http://127.0.0.1:${ports.health}`,
      grpcAddress: `127.0.0.1:${ports.grpc}`,
      grpc: client,
      close: end,
    };
  };
  const first = await replica();
  return {
    ...first,
    db,
    issuer,
    env: whole,
    replica,
    async close() {
      for (const close of closing) await close();
      await db.end();
      await issuer.stop();
      await database.drop();
    },
  };
}

export interface Reply {
  status: number;
  headers: Headers;
  // Tests look at single members of bodies of many shapes.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  body: any;
}

export interface Call {
  method?: string;
  body?: unknown;
  /** A fresh one where it is absent; null sends none. */
  key?: string | null;
  headers?: Record<string, string>;
}

/** Calls the API as a person; an operator of no shop unless said otherwise. */
export function caller({ http, issuer }: { http: string; issuer: Issuer }, person: Person = { role: 'operator', shop: null }) {
  return async (path: string, { method = 'GET', body, key, headers = {} }: Call = {}): Promise<Reply> => {
    const token = await issuer.token(person);
    const response = await fetch(`${http}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(method === 'GET' || key === null ? {} : { 'idempotency-key': key ?? randomUUID() }),
        ...(body === undefined ? {} : { 'content-type': typeof body === 'string' ? 'text/csv' : 'application/json' }),
        ...headers,
      },
      ...(body === undefined
        ? {}
        : { body: typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body) }),
    } as RequestInit);
    const content = await response.text();
    return { status: response.status, headers: response.headers, body: content === '' ? undefined : JSON.parse(content) };
  };
}

/** Thirteen digits with their check digit, of the prefix 952, which GS1 keeps for examples; a GTIN or a GLN. */
export function thirteenDigits(n: number): string {
  const digits = `952${String(n).padStart(9, '0')}`;
  return `${digits}${gs1CheckDigit(digits)}`;
}

export const shopsCsv = (shopIds: string[]) =>
  [
    'shop_id,gln,name,country,address,postal_code,city,latitude,longitude,time_zone,status,seller,seller_number',
    ...shopIds.map(
      (id, at) =>
        `${id},${thirteenDigits(at)},Elnord ${id},dk,"Gade ${at}, st.",1150,København K,55.68,12.57,Europe/Copenhagen,open,Elnord Danmark A/S,00 00 00 19`,
    ),
  ].join('\n');
export const productsCsv = (skus: string[], firstGtin = 0) =>
  [
    'sku,gtin,name,item_group,is_serialised,is_active',
    ...skus.map((sku, at) => `${sku},${thirteenDigits(firstGtin + at)},"Hørebøffer ${sku}, sort",audio,false,true`),
  ].join('\n');
export const stockCsv = (rows: [shopId: string, sku: string, quantity: number][]) =>
  ['shop_id,sku,quantity', ...rows.map((row) => row.join(','))].join('\n');

/** Brings shops, products and opening stock in through the front door. */
export async function stockShops(room: Room, shopIds: string[], stock: Record<string, number>, firstGtin = 0): Promise<void> {
  const operator = caller(room);
  const skus = Object.keys(stock);
  const files = {
    shops: shopsCsv(shopIds),
    products: productsCsv(skus, firstGtin),
    'opening-stock': stockCsv(
      shopIds.flatMap((shopId) => skus.map((sku): [string, string, number] => [shopId, sku, stock[sku] ?? 0])),
    ),
  };
  for (const [kind, body] of Object.entries(files)) {
    const { status, body: report } = await operator(`/v1/imports/${kind}`, { method: 'POST', body });
    if (status !== 201 || report.refused > 0) throw new Error(`${kind}: ${JSON.stringify(report)}`);
  }
}

/** A Reserve request; ACTIVE, one unit of E1 in dk-001 unless said otherwise. */
export function reserving(
  more: {
    reservationId?: string;
    shopId?: string;
    lines?: { sku: string; quantity: number }[];
    state?: 'ACTIVE' | 'FIRM';
    ttlMs?: number;
    reference?: string;
    actor?: { subject: string; role: string };
  } = {},
) {
  const { state = 'ACTIVE', ttlMs = 0, ...rest } = more;
  return {
    reservationId: randomUUID(),
    shopId: 'dk-001',
    lines: [{ sku: 'E1', quantity: 1 }],
    reference: '',
    ...rest,
    state: ReservationState[state],
    ttlMs: BigInt(ttlMs),
  };
}

/** What a call comes to: the state of the reservation it answers, or the code it is refused with. */
export async function stateOf(call: Promise<{ reservation?: { state: ReservationState } | undefined }>): Promise<string> {
  try {
    const { reservation } = await call;
    return ReservationState[reservation?.state ?? 0] ?? 'none';
  } catch (error) {
    const code = (error as { code?: unknown }).code;
    if (typeof code === 'string') return code;
    throw error;
  }
}

export async function levelOf(room: Room, sku: string, shopId = 'dk-001'): Promise<{ onHand: number; reserved: number }> {
  const { rows } = await room.db.query('SELECT on_hand AS "onHand", reserved FROM stock_levels WHERE shop_id = $1 AND sku = $2', [
    shopId,
    sku,
  ]);
  return rows[0] as { onHand: number; reserved: number };
}

/** What the witness says is wrong; nothing, if all is well. */
export async function violations(room: Room): Promise<unknown[]> {
  const found: unknown[] = [];
  let next: string | undefined = '/v1/audit/levels?limit=200';
  while (next !== undefined) {
    const page: Reply = await caller(room)(next);
    found.push(...page.body.items.flatMap((shop: { violations: unknown[] }) => shop.violations));
    next = /<(.*)>; rel="next"/.exec(page.headers.get('link') ?? '')?.[1];
  }
  return found;
}
