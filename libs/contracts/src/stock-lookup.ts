import { define, protosetOf } from './definition.ts';
import { StockLookupService } from './gen/kassa/stock_lookup/v1/stock_lookup_pb.js';

export * from './gen/kassa/stock_lookup/v1/stock_lookup_pb.js';

export const stockLookupDefinition = define(StockLookupService);

/** For server reflection. */
export const stockLookupReflection = { service: StockLookupService.typeName, protoset: () => protosetOf(StockLookupService) };
