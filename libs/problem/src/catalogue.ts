/** gRPC status codes Kassa answers with, by their numbers in google.rpc.Code. */
export const grpcCode = {
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16,
} as const;

export type GrpcCode = keyof typeof grpcCode;

type Entry = readonly [status: number, grpc: GrpcCode, title: string, retryable?: 'retryable'];

/**
 * Every error a client can see: code → HTTP status, gRPC status, title, and whether the same request may help when sent again.
 * Codes are a contract: one is added, never renamed. Statuses follow RFC 9110, RFC 6585 (428, 431) and RFC 4918 (422).
 */
export const catalogue = {
  // The request itself.
  'malformed-request': [400, 'INVALID_ARGUMENT', 'The request could not be read'],
  'validation-failed': [400, 'INVALID_ARGUMENT', 'The request does not have the shape this route asks for'],
  'idempotency-key-missing': [400, 'INVALID_ARGUMENT', 'A write needs an Idempotency-Key header'],
  'idempotency-key-invalid': [400, 'INVALID_ARGUMENT', 'The Idempotency-Key header is not a key of 16 to 255 characters'],
  'gtin-check-digit': [400, 'INVALID_ARGUMENT', 'The check digit of the GTIN is wrong'],
  'cursor-invalid': [400, 'INVALID_ARGUMENT', 'The cursor is not one this service gave'],
  'signature-invalid': [401, 'UNAUTHENTICATED', 'The signature of the event is not valid'],
  unauthenticated: [401, 'UNAUTHENTICATED', 'A valid bearer token is needed'],
  forbidden: [403, 'PERMISSION_DENIED', 'The role of this token may not do that'],
  'register-required': [403, 'PERMISSION_DENIED', 'Only a token that stands at a register may do that'],
  'not-found': [404, 'NOT_FOUND', 'There is no such thing here'],
  'body-too-large': [413, 'INVALID_ARGUMENT', 'The body is larger than this route takes'],
  'headers-too-large': [431, 'INVALID_ARGUMENT', 'The address and the headers are larger than any route takes'],
  'media-type-unsupported': [415, 'INVALID_ARGUMENT', 'This route does not take that content type'],
  // Writing the same thing twice, or at the same time.
  'idempotency-key-reused': [422, 'INVALID_ARGUMENT', 'The Idempotency-Key was used for another request'],
  'request-in-progress': [409, 'ABORTED', 'The same request is being worked on', 'retryable'],
  'precondition-required': [428, 'FAILED_PRECONDITION', 'This change needs an If-Match header'],
  'precondition-failed': [412, 'ABORTED', 'The thing was changed by someone else; read it again'],
  'write-conflict': [409, 'ABORTED', 'Two writers met; nothing was changed', 'retryable'],
  'already-exists': [409, 'ALREADY_EXISTS', 'There is one with this id, and it is another'],
  'wrong-state': [409, 'FAILED_PRECONDITION', 'Its state does not allow that'],
  // Stock.
  'unknown-item': [422, 'NOT_FOUND', 'No product has this GTIN or SKU'],
  'product-inactive': [422, 'FAILED_PRECONDITION', 'The product is no longer sold'],
  'insufficient-stock': [409, 'RESOURCE_EXHAUSTED', 'There is not enough stock'],
  'reservation-expired': [409, 'FAILED_PRECONDITION', 'The reservation ran out of time'],
  'reservation-closed': [409, 'FAILED_PRECONDITION', 'The reservation has ended'],
  'stock-changed': [409, 'ABORTED', 'The stock is not what the count expected'],
  'feed-epoch-changed': [409, 'FAILED_PRECONDITION', 'The feed began anew; take a snapshot'],
  // Sales.
  'price-missing': [409, 'FAILED_PRECONDITION', 'The product has no price here today'],
  'price-changed': [409, 'FAILED_PRECONDITION', 'The total is not the one the till expected'],
  'serial-required': [422, 'INVALID_ARGUMENT', 'This product is sold by its serial number'],
  'sale-empty': [409, 'FAILED_PRECONDITION', 'The sale has no lines'],
  'sale-full': [409, 'FAILED_PRECONDITION', 'The sale has as many lines as it can hold'],
  'shop-closed': [409, 'FAILED_PRECONDITION', 'The shop is closed for good'],
  underpaid: [409, 'FAILED_PRECONDITION', 'The tenders do not cover the amount due'],
  overpaid: [409, 'FAILED_PRECONDITION', 'The tenders exceed the amount due; only cash gives change'],
  'tender-not-allowed': [409, 'FAILED_PRECONDITION', 'This tender is not allowed here'],
  'session-superseded': [409, 'FAILED_PRECONDITION', 'Someone signed in at this register later; sign in again'],
  'register-unknown': [409, 'FAILED_PRECONDITION', 'The register of this token is not one of the shop'],
  // Money.
  'payment-declined': [409, 'FAILED_PRECONDITION', 'The payment was declined'],
  'payment-failed': [409, 'FAILED_PRECONDITION', 'The payment did not happen'],
  'payment-canceled': [409, 'FAILED_PRECONDITION', 'The payment was canceled'],
  'payment-unknown': [409, 'ABORTED', 'Nobody knows yet whether the payment happened; do not take it again', 'retryable'],
  'amount-exceeds-capturable': [409, 'FAILED_PRECONDITION', 'More than is authorised and not yet captured'],
  'amount-exceeds-refundable': [409, 'FAILED_PRECONDITION', 'More than is captured and not yet refunded'],
  'currency-mismatch': [422, 'INVALID_ARGUMENT', 'The amounts are in different currencies'],
  'integrity-failed': [409, 'FAILED_PRECONDITION', 'The provider reported another amount or currency than was asked for'],
  // The world.
  'deadline-exceeded': [504, 'DEADLINE_EXCEEDED', 'A neighbour did not answer in time', 'retryable'],
  unavailable: [503, 'UNAVAILABLE', 'The service cannot answer now', 'retryable'],
  'internal-error': [500, 'INTERNAL', 'Something went wrong on our side', 'retryable'],
} as const satisfies Record<string, Entry>;

export type ErrorCode = keyof typeof catalogue;

export interface ErrorKind {
  code: ErrorCode;
  /** HTTP status. */
  status: number;
  grpc: GrpcCode;
  title: string;
  /** True where sending the same request again may succeed. */
  isRetryable: boolean;
}

/** The catalogue's row for a code. */
export function errorKind(code: ErrorCode): ErrorKind {
  const [status, grpc, title, retryable]: Entry = catalogue[code];
  return { code, status, grpc, title, isRetryable: retryable === 'retryable' };
}

/** True where a string from the wire is one of our codes. */
export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(catalogue, code);
}
