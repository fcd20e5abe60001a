export { flag, integer, number, text } from './fields.ts';
export {
  importCsv,
  type CsvImport,
  type ImportReport,
  type NumberedRow,
  type Outcome,
  type Refusal,
  type RefusedRow,
} from './import-csv.ts';
