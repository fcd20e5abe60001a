export { flag, integer, number, text } from './fields.ts';
export {
  openCsv,
  type CsvFile,
  type CsvForm,
  type CsvImport,
  type ImportReport,
  type NumberedRow,
  type Outcome,
  type Refusal,
  type RefusedRow,
} from './import-csv.ts';
