import type { Answer, Idempotency, Key } from '@kassa/idempotency';
import { KassaError } from '@kassa/problem';
import type { Catalogue, ImportFile, ImportKind, OpenFile } from '../store/catalogue.ts';
import type { Events } from '../events.ts';
import type { Cut, RefusedImportRow, Records } from '../store/records.ts';

export interface ImportDeps {
  catalogue: Pick<Catalogue, 'openFile' | 'beginImport' | 'takeImport' | 'dropImport' | 'endImport' | 'isSameFile'>;
  idempotency: Idempotency;
  events: Events;
  /** The import's id: the same for the same key, so that a file that is sent again goes on with the same import. */
  importId(key: Key): string;
}

export interface ImportInput {
  kind: ImportKind;
  file: ImportFile;
  key: Key;
}

/**
 * Imports a CSV file of prices or registers, row by row, in batches; refused rows are kept with their reasons and the rest is applied.
 * A file that is not the one asked for changes nothing. Importing the same file again changes nothing. One whose import broke off is
 * sent again with the same key and read from its start.
 * Errors: validation-failed (the header), media-type-unsupported (the charset), request-in-progress, idempotency-key-reused for another file.
 */
export async function importFile(deps: ImportDeps, { kind, file, key }: ImportInput): Promise<Answer> {
  const open = await deps.catalogue.openFile(kind, file);
  return importOnce(deps, kind, open, key).finally(() => open.close());
}

async function importOnce(deps: ImportDeps, kind: ImportKind, file: OpenFile, key: Key): Promise<Answer> {
  const { catalogue, idempotency } = deps;
  const id = deps.importId(key);

  let isOurs = false;
  const ours = async (): Promise<Answer> => {
    isOurs = true;
    return { status: 202 };
  };
  const answer = await idempotency.once(
    key,
    async () => {
      await catalogue.beginImport(id, kind, key);
      return ours();
    },
    async () => {
      if (await catalogue.takeImport(id)) return ours();
      throw new KassaError('request-in-progress', { detail: 'This file is being imported.', retryAfterSeconds: 5 });
    },
  );
  if (isOurs) return { ...(await readFile(deps, id, kind, file, key)), headers: { ...answer.headers } };
  // The key's fingerprint cannot know a body that streams; the file's own digest does.
  if (answer.headers?.['idempotency-replayed'] !== undefined && !(await catalogue.isSameFile(id, await file.digest()))) {
    throw new KassaError('idempotency-key-reused', {
      detail: 'This key was used for another file. Make a new key for a new file.',
    });
  }
  return answer;
}

/** Outside of the key's care, since a file that breaks off is no answer: it is sent again with the same key. */
async function readFile(
  { catalogue, events }: ImportDeps,
  id: string,
  kind: ImportKind,
  file: OpenFile,
  key: Key,
): Promise<Answer> {
  try {
    const report = await file.importRows(id);
    const answer = { status: 200, body: { importId: id, ...report, refusals: `/v1/imports/${id}/refusals` } };
    await catalogue.endImport(id, report, await file.digest(), key, answer);
    events.fileImported(id, kind, report);
    return answer;
  } catch (error) {
    await catalogue.dropImport(id);
    throw error;
  }
}

/** Refused rows of an import in the order of the file, at most limit + 1. Error: not-found. */
export async function listRefusedRows(
  { records }: { records: Pick<Records, 'listRefusedRows'> },
  { importId, cut }: { importId: string; cut: Cut<number> },
): Promise<RefusedImportRow[]> {
  const rows = await records.listRefusedRows(importId, cut);
  if (!rows) throw new KassaError('not-found', { detail: `There is no import ${importId}.` });
  return rows;
}
