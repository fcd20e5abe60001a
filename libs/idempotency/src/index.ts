export { canonicalJson, readKey, type Key, type KeyFacts } from './key.ts';
export { createIdempotency, isKeySeen, type Database, type Idempotency } from './once.ts';
export {
  claimValues,
  decodeAnswer,
  encodeAnswer,
  finishCte,
  finishValues,
  keyCte,
  keyExpected,
  keyValues,
  type Answer,
} from './sql.ts';
