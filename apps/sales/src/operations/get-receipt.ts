import type { Caller } from '@kassa/auth';
import type { Answer } from '@kassa/idempotency';
import { KassaError } from '@kassa/problem';
import { renderReceipt } from '../domain/receipt.ts';
import type { Records } from '../store/records.ts';
import { saleNotFound, shopOf } from './at-register.ts';

export interface GetReceiptInput {
  saleId: string;
  format: 'json' | 'text';
  caller: Caller;
}

/**
 * Prints the frozen receipt once more, as a copy: the first print is in the answer of complete-sale, and a till that lost that answer gets
 * it by sending the same key again. Errors: not-found, wrong-state where there is no receipt yet, register-required.
 */
export async function getReceipt(
  { records }: { records: Pick<Records, 'receipt'> },
  { saleId, format, caller }: GetReceiptInput,
): Promise<Answer> {
  const receipt = await records.receipt(saleId, shopOf(caller));
  if (receipt === undefined) throw saleNotFound(saleId);
  if (receipt === null)
    throw new KassaError('wrong-state', {
      detail: `The sale has no receipt before it is COMPLETED. Ask GET /v1/sales/${saleId}.`,
    });
  const text = renderReceipt(receipt, { isCopy: true });
  if (format === 'text') return { status: 200, body: text, headers: { 'content-type': 'text/plain; charset=utf-8' } };
  return { status: 200, body: { isCopy: true, receipt, receiptText: text } };
}
