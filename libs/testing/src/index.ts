export { compileCache, heapBounds, nodeFlags, roomFolder, startApp, type AppOptions, type AppProcess } from './app-process.ts';
export { selfSigned } from './certificate.ts';
export { eventually } from './eventually.ts';
export { freePort, isFree } from './free-port.ts';
export { startIssuer, testIssuer, type Issuer, type IssuerOptions, type Person } from './issuer.ts';
export { openapiContract } from './openapi-contract.ts';
export { roleMatrix, type MatrixRoute, type MatrixRow } from './role-matrix.ts';
export { testDatabase, type TestDatabase } from './test-database.ts';
export {
  compareWitnesses,
  witnessLaws,
  type Comparison,
  type LevelsWitness,
  type OperationWitness,
  type ReservationWitness,
  type SaleWitness,
  type StockWitness,
  type TenderWitness,
  type TransactionWitness,
  type Violation,
  type Witnesses,
  type WitnessLaw,
} from './witnesses.ts';
