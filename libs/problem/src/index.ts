export { catalogue, errorKind, grpcCode, isErrorCode, type ErrorCode, type ErrorKind, type GrpcCode } from './catalogue.ts';
export { KassaError, isKassaError, type ErrorFacts, type FieldError } from './kassa-error.ts';
export { toProblem, type Problem } from './problem.ts';
export { brokenTexts } from './text.ts';
export { errorMetadataKey, fromWire, toWire } from './wire.ts';
