import { define } from './definition.ts';
import { SalesService } from './gen/kassa/sales/v1/sales_pb.js';

export * from './gen/kassa/sales/v1/sales_pb.js';

export const salesDefinition = define(SalesService);
