import { define } from './definition.ts';
import { PaymentsService } from './gen/kassa/payments/v1/payments_pb.ts';

export * from './gen/kassa/payments/v1/payments_pb.ts';

export const paymentsDefinition = define(PaymentsService);
