import { define } from './definition.ts';
import { StockLookupService } from './gen/kassa/stock_lookup/v1/stock_lookup_pb.js';

export * from './gen/kassa/stock_lookup/v1/stock_lookup_pb.js';

export const stockLookupDefinition = define(StockLookupService);
