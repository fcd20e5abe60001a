import { define, protosetOf } from './definition.ts';
import { PaymentsService } from './gen/kassa/payments/v1/payments_pb.js';

export * from './gen/kassa/payments/v1/payments_pb.js';

export const paymentsDefinition = define(PaymentsService);

/** For server reflection. */
export const paymentsReflection = { service: PaymentsService.typeName, protoset: () => protosetOf(PaymentsService) };
