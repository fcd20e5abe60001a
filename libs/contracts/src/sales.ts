import { define, protosetOf } from './definition.ts';
import { SalesService } from './gen/kassa/sales/v1/sales_pb.js';

export * from './gen/kassa/sales/v1/sales_pb.js';

export const salesDefinition = define(SalesService);

/** For server reflection. */
export const salesReflection = { service: SalesService.typeName, protoset: () => protosetOf(SalesService) };
