import { define } from './definition.ts';
import { InventoryService } from './gen/kassa/inventory/v1/inventory_pb.ts';

export * from './gen/kassa/inventory/v1/inventory_pb.ts';

export const inventoryDefinition = define(InventoryService);
