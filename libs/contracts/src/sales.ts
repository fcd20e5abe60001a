import { define } from './definition.ts';
import { SalesService } from './gen/kassa/sales/v1/sales_pb.ts';

export * from './gen/kassa/sales/v1/sales_pb.ts';

export const salesDefinition = define(SalesService);
