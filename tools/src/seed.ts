import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { writePrivate } from './data-folder.ts';
import { Failure } from './failure.ts';
import { importFile, importOrder, refusalsOf, type ImportKind, type ImportReport } from './import-client.ts';
import type { System } from './system.ts';

export interface SeedInput {
  workspace: string;
  system: System;
  /** An operator's token. */
  token: () => Promise<string>;
  say: (sentence: string) => void;
  /** Told what is sent, and how much of it. */
  progress: (file: string, bytesSent: number, bytes: number) => void;
}

/** The kinds of demo data this data folder does not have yet. */
export function missingKinds(dataFolder: string): ImportKind[] {
  const file = join(dataFolder, 'imported.json');
  const done = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as ImportKind[]) : [];
  return importOrder.filter((kind) => !done.includes(kind));
}

/**
 * Imports the demo retailer through the services' own import API: each file once in the life of a data folder, so that a restart does
 * not bring sold stock back. A file counts as imported when the service accepted every row. Throws Failure.
 */
export async function seed(kinds: ImportKind[], input: SeedInput): Promise<void> {
  const { system, workspace, say } = input;
  const dataFolder = system.dataFolder;
  for (const kind of kinds) {
    const report = await importWhole(kind, join(workspace, 'data', `${kind}.csv`), input);
    const done = importOrder.filter((other) => other === kind || !missingKinds(dataFolder).includes(other));
    writePrivate(join(dataFolder, 'imported.json'), done);
    say(`Imported ${report.rows.toLocaleString('en')} rows of ${kind}.`);
  }
}

async function importWhole(kind: ImportKind, file: string, { system, token, progress }: SeedInput): Promise<ImportReport> {
  const operator = await token();
  const bytes = statSync(file).size;
  const report = await importFile(system, operator, { kind, file }, (sent) => progress(`${kind}.csv`, sent, bytes));
  if (report.refused === 0) return report;
  throw new Failure(
    `${report.refused} rows of ${file} were refused, the first of them:`,
    await firstRefusals(system, operator, kind, report),
  );
}

async function firstRefusals(system: System, token: string, kind: ImportKind, report: ImportReport): Promise<string> {
  const lines: string[] = [];
  for await (const { row, column, detail } of refusalsOf(system, token, kind, report.importId)) {
    if (lines.push(`row ${row}${column ? `, ${column}` : ''}: ${detail}`) === 5) break;
  }
  return lines.join('\n');
}
