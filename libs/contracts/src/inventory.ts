import { define, protosetOf } from './definition.ts';
import { InventoryService } from './gen/kassa/inventory/v1/inventory_pb.js';

export * from './gen/kassa/inventory/v1/inventory_pb.js';

export const inventoryDefinition = define(InventoryService);

/** For server reflection. */
export const inventoryReflection = { service: InventoryService.typeName, protoset: () => protosetOf(InventoryService) };
