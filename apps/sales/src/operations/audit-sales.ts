import type { AuditedSale, Cut, RecordedAct, Records } from '../store/records.ts';

/** Sales as the witness of the invariant check, ordered by id, at most limit + 1. */
export async function auditSales(
  { records }: { records: Pick<Records, 'auditSales'> },
  cut: Cut<string>,
): Promise<AuditedSale[]> {
  return records.auditSales(cut);
}

/** What operators did, in order, at most limit + 1. */
export async function listActs({ records }: { records: Pick<Records, 'listActs'> }, cut: Cut<string>): Promise<RecordedAct[]> {
  return records.listActs(cut);
}
