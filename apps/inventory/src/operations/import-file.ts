import type { Answer, Idempotency, Key } from '@kassa/idempotency';
import { KassaError } from '@kassa/problem';
import { rowOutcome, type ImportKind, type ImportReport, type ImportRows, type RowOutcome } from '../domain/import.ts';
import type { Actor } from '../store.ts';
import type { ReserveStockDeps } from './reserve-stock.ts';

export interface ImportFileDeps extends ReserveStockDeps {
  idempotency: Pick<Idempotency, 'once'>;
  newId(): string;
  importLeaseMs: number;
}

/** What is done with the rows of a file as they are read; at most 500 at once. */
export interface RowHandlers<Row> {
  apply(rows: { row: number; value: Row }[]): Promise<RowOutcome[]>;
  refuse(rows: { row: number; column: string; code: string; detail: string }[]): Promise<void>;
}

/** A file on its way in, with a header that is as it should be. */
export interface ImportFile<Kind extends ImportKind> {
  kind: Kind;
  /** The SHA-256 of all of it. */
  digest(): Promise<string>;
  /** Reads it once, row by row, and answers the counts. */
  read(handlers: RowHandlers<ImportRows[Kind]>): Promise<{ rows: number; accepted: number; unchanged: number; refused: number }>;
}

/**
 * Imports a file once per key: rows are written batch by batch as they come, by their natural key, so that a repeated file changes
 * nothing. Whatever ends the import early leaves the batches before it written, and gives the key back. A process that dies keeps the
 * key until its lease is over; then the same request takes the import over and reads the file from its beginning.
 * Errors: request-in-progress, idempotency-key-reused for another file, malformed-request for one that breaks off.
 */
export async function importFile<Kind extends ImportKind>(
  deps: ImportFileDeps,
  file: ImportFile<Kind>,
  actor: Actor,
  key: Key,
): Promise<Answer> {
  const { store, idempotency, importLeaseMs } = deps;
  const begin = async () => {
    const importId = deps.newId();
    await store.startImport(importId, file.kind, importLeaseMs, actor, key);
    return run(deps, importId, file, actor, key);
  };
  const resume = async (importId: string) => {
    if (!(await store.takeOverImport(importId, importLeaseMs)))
      throw new KassaError('request-in-progress', { retryAfterSeconds: 5 });
    return run(deps, importId, file, actor, key);
  };
  const answer = await idempotency.once(key, begin, resume);
  if (answer.headers?.['idempotency-replayed'] === undefined) return answer;
  // The key's fingerprint cannot know a body that streams; the file's own digest does.
  const { importId } = answer.body as ImportReport;
  if (await store.isSameFile(importId, await file.digest())) return answer;
  throw new KassaError('idempotency-key-reused', {
    detail: 'This key was used for another file. Make a new key for a new file.',
  });
}

async function run<Kind extends ImportKind>(
  deps: ImportFileDeps,
  importId: string,
  file: ImportFile<Kind>,
  actor: Actor,
  key: Key,
): Promise<Answer> {
  const { store, events, feed, importLeaseMs } = deps;
  try {
    const counts = await file.read({
      async apply(rows) {
        const words = await store.importRows(
          importId,
          file.kind,
          rows.map(({ value }) => value),
          importLeaseMs,
          actor,
        );
        feed.wake();
        return words.map(rowOutcome);
      },
      refuse: (rows) => store.saveRefusals(importId, rows),
    });
    const body: ImportReport = { importId, ...counts, refusals: `/v1/imports/${importId}/refusals` };
    const answer = { status: 201, headers: { location: `/v1/imports/${importId}` }, body };
    if (file.kind === 'opening-stock' && counts.accepted > 0) await store.analyseLevels();
    await store.finishImport(importId, counts, await file.digest(), key, answer);
    events.importDone(importId, file.kind, counts);
    return answer;
  } catch (error) {
    events.importFailed(importId, file.kind, error);
    // What ended the import is what is told; where this fails too, the lease runs out by itself.
    await store.failImport(importId, key).catch((failure: unknown) => events.jobFailed('fail-import', failure));
    throw error;
  }
}
