import type { Caller } from '@kassa/auth';
import type { Cut, Records, SaleFilter, SaleSummary } from '../store/records.ts';
import { shopOf } from './at-register.ts';

/** Sales of the caller's shop, newest first, at most limit + 1; operators see all shops. Error: register-required. */
export async function listSales(
  { records }: { records: Pick<Records, 'listSales'> },
  { caller, cut, ...filter }: Omit<SaleFilter, 'shopId'> & { caller: Caller; cut: Cut<[string, string]> },
): Promise<SaleSummary[]> {
  return records.listSales({ ...filter, shopId: shopOf(caller) }, cut);
}
