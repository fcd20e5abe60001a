import type { salesDefinition } from '@kassa/contracts/sales';
import { KassaError } from '@kassa/problem';
import type { ServiceImplementation } from 'nice-grpc';
import { findSale } from './operations/get-sale.ts';
import type { Store } from './store.ts';

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** SalesService: what neighbours may ask. */
export function implementation(deps: { store: Pick<Store, 'loadSale'> }): ServiceImplementation<typeof salesDefinition> {
  return {
    async getSale({ saleId }) {
      if (!uuid.test(saleId)) {
        throw new KassaError('validation-failed', {
          detail: 'sale_id must be a UUID.',
          errors: [{ pointer: '/sale_id', detail: 'must be a UUID' }],
        });
      }
      const sale = await findSale(deps, saleId);
      return {
        saleId: sale.id,
        shopId: sale.shopId,
        registerId: sale.registerId,
        state: sale.state,
        version: BigInt(sale.version),
        totalMinor: BigInt(sale.totalMinor),
        currency: sale.currency,
        receiptNumber: BigInt(sale.receiptNumber ?? 0),
      };
    },
  };
}
