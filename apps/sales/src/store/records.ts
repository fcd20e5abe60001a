import type { Phase, Plan } from '../domain/checkout.ts';
import type { Receipt } from '../domain/receipt.ts';
import type { Refusal, SaleState, TenderMethod, TenderStatus } from '../domain/sale.ts';
import type { Prisma, PrismaClient } from '../gen/prisma/client.ts';

/** How a list is cut: `after` is the sort key of the last item of the page before; one row more than `limit` is fetched. */
export interface Cut<Position> {
  after: Position | undefined;
  limit: number;
}

export interface SaleSummary {
  id: string;
  shopId: string;
  registerId: string;
  state: SaleState;
  receiptNumber: number | null;
  totalMinor: number;
  currency: string;
  businessDate: string | null;
  openedAt: string;
  completedAt: string | null;
}

export interface SaleFilter {
  /** Null looks in all shops. */
  shopId: string | null;
  state?: SaleState | undefined;
  registerId?: string | undefined;
  receiptNumber?: number | undefined;
}

/** A sale as the invariant check asks for it. */
export interface AuditedSale {
  saleId: string;
  shopId: string;
  registerId: string;
  state: SaleState;
  receiptNumber: number | null;
  country: string;
  /** As its payments were told; null before the first checkout. */
  channel: 'store' | 'web' | null;
  totalMinor: number;
  currency: string;
  roundingMinor: number;
  /** Of the last checkout begun; null before the first. */
  reservationId: string | null;
  tenders: AuditedTender[];
  lines: { sku: string; quantity: number }[];
}

export interface AuditedTender {
  tenderId: string;
  method: TenderMethod;
  /** What it pays of the sale, which is what payments moves. */
  amountMinor: number;
  intentId: string | null;
  transactionIds: string[];
  /** The terminal that read the card; null for cash, and for the web, where the instrument is a token that nobody else may see. */
  terminalId: string | null;
  status: TenderStatus;
}

export interface CheckoutSummary {
  saleId: string;
  shopId: string;
  registerId: string;
  attempt: number;
  phase: Phase;
  refusal: Refusal | null;
  tries: number;
  problem: string | null;
  startedAt: string;
  /** When it is looked at next, at the latest. */
  dueAt: string;
}

export interface RecordedAct {
  id: string;
  doneAt: string;
  subject: string;
  act: string;
  saleId: string;
  attempt: number;
  reason: string;
  facts: Record<string, unknown>;
}

export interface RefusedImportRow {
  row: number;
  column: string;
  code: string;
  detail: string;
}

export type Records = ReturnType<typeof createRecords>;

/** Plain reads: lists and documents, none of them on a sale's way. */
export function createRecords(prisma: PrismaClient) {
  return {
    /** Newest first. */
    async listSales(
      { shopId, state, registerId, receiptNumber }: SaleFilter,
      { after, limit }: Cut<[openedAt: string, id: string]>,
    ): Promise<SaleSummary[]> {
      const where: Prisma.SaleWhereInput = {
        ...(shopId === null ? {} : { shopId }),
        ...(state === undefined ? {} : { state }),
        ...(registerId === undefined ? {} : { registerId }),
        ...(receiptNumber === undefined ? {} : { receiptNumber }),
        ...(after === undefined ? {} : { OR: [{ openedAt: { lt: after[0] } }, { openedAt: after[0], id: { lt: after[1] } }] }),
      };
      const rows = await prisma.sale.findMany({
        where,
        orderBy: [{ openedAt: 'desc' }, { id: 'desc' }],
        take: limit + 1,
        omit: { receipt: true },
      });
      return rows.map((row) => ({
        id: row.id,
        shopId: row.shopId,
        registerId: row.registerId,
        state: row.state as SaleState,
        receiptNumber: row.receiptNumber === null ? null : Number(row.receiptNumber),
        totalMinor: Number(row.totalMinor),
        currency: row.currency,
        businessDate: row.businessDate?.toISOString().slice(0, 10) ?? null,
        openedAt: row.openedAt.toISOString(),
        completedAt: row.completedAt?.toISOString() ?? null,
      }));
    },

    /** The frozen document; null for a sale without one, undefined where there is no such sale in the shop (null: any shop). */
    async receipt(saleId: string, shopId: string | null): Promise<Receipt | null | undefined> {
      const where = { id: saleId, ...(shopId === null ? {} : { shopId }) };
      const row = await prisma.sale.findFirst({ where, select: { receipt: true } });
      return row === null ? undefined : (row.receipt as unknown as Receipt | null);
    },

    async auditSales({ after, limit }: Cut<string>): Promise<AuditedSale[]> {
      const rows = await prisma.sale.findMany({
        where: after === undefined ? {} : { id: { gt: after } },
        orderBy: { id: 'asc' },
        take: limit + 1,
        omit: { receipt: true },
        include: {
          lines: { orderBy: { position: 'asc' } },
          tenders: { orderBy: [{ attempt: 'asc' }, { position: 'asc' }] },
          checkouts: { orderBy: { attempt: 'desc' }, take: 1, select: { plan: true } },
        },
      });
      return rows.map((row) => ({
        saleId: row.id,
        ...planned(row.checkouts[0]?.plan),
        country: row.country,
        shopId: row.shopId,
        registerId: row.registerId,
        state: row.state as SaleState,
        receiptNumber: row.receiptNumber === null ? null : Number(row.receiptNumber),
        totalMinor: Number(row.totalMinor),
        currency: row.currency,
        roundingMinor: Number(row.roundingMinor),
        tenders: row.tenders.map(({ tenderId, method, amountMinor, intentId, transactionIds, instrument, status }) => ({
          tenderId,
          method: method as TenderMethod,
          amountMinor: Number(amountMinor),
          intentId,
          transactionIds,
          terminalId: method === 'terminal' ? instrument : null,
          status: status as TenderStatus,
        })),
        lines: row.lines.map(({ sku, quantity }) => ({ sku, quantity })),
      }));
    },

    /** Checkouts with something left to do, oldest first; with `startedBefore` only those that should long have ended. */
    async listCheckouts(
      startedBefore: Date | undefined,
      { after, limit }: Cut<[startedAt: string, saleId: string]>,
    ): Promise<CheckoutSummary[]> {
      const where: Prisma.CheckoutWhereInput = {
        leaseUntil: { not: null },
        ...(startedBefore === undefined ? {} : { startedAt: { lt: startedBefore } }),
        ...(after === undefined
          ? {}
          : { OR: [{ startedAt: { gt: after[0] } }, { startedAt: after[0], saleId: { gt: after[1] } }] }),
      };
      const include = { sale: { select: { shopId: true, registerId: true } } };
      const rows = await prisma.checkout.findMany({
        where,
        orderBy: [{ startedAt: 'asc' }, { saleId: 'asc' }],
        take: limit + 1,
        include,
      });
      return rows.map((row) => ({
        saleId: row.saleId,
        shopId: row.sale.shopId,
        registerId: row.sale.registerId,
        attempt: row.attempt,
        phase: row.phase as Phase,
        refusal: row.refusal as unknown as Refusal | null,
        tries: row.tries,
        problem: row.problem,
        startedAt: row.startedAt.toISOString(),
        dueAt: (row.leaseUntil ?? row.startedAt).toISOString(),
      }));
    },

    async listActs({ after, limit }: Cut<string>): Promise<RecordedAct[]> {
      const where = after === undefined ? {} : { id: { gt: after } };
      const rows = await prisma.operatorAct.findMany({ where, orderBy: { id: 'asc' }, take: limit + 1 });
      return rows.map(({ doneAt, facts, ...row }) => ({
        ...row,
        doneAt: doneAt.toISOString(),
        facts: facts as Record<string, unknown>,
      }));
    },

    /** Undefined where there is no such import. */
    async listRefusedRows(importId: string, { after, limit }: Cut<number>): Promise<RefusedImportRow[] | undefined> {
      const where = after === undefined ? {} : { row: { gt: after } };
      const found = await prisma.import.findUnique({
        where: { id: importId },
        select: { refusals: { where, orderBy: { row: 'asc' }, take: limit + 1, omit: { importId: true } } },
      });
      return found?.refusals;
    },
  };
}

function planned(plan: unknown): Pick<AuditedSale, 'reservationId' | 'channel'> {
  const { reservationId = null, channel = null } = (plan ?? {}) as Partial<Plan>;
  return { reservationId, channel };
}
