import type { Database, Statement } from '@kassa/database';
import { claimValues, finishCte, finishValues, keyCte, keyExpected, type Answer, type Key } from '@kassa/idempotency';
import type { ImportKind, ImportRows } from '../domain/import.ts';
import type { PrismaClient } from '../gen/prisma/client.ts';
import type { Actor } from '../store.ts';

/** Files that come in: which there were, their rows, and what was refused. */
export function createImports(db: Database, prisma: PrismaClient) {
  return {
    /** Claims the key and puts the import on record. Throws ExpectationFailed key-seen where the key was used. */
    async startImport(importId: string, kind: ImportKind, leaseMs: number, actor: Actor, key: Key): Promise<void> {
      await db.query(startImport, [...claimValues(key, importId), importId, kind, actor.subject, leaseMs, actor.role]);
    },
    /** Takes over an import whose process is gone, and forgets what that refused. False while it is still alive. */
    async takeOverImport(importId: string, leaseMs: number): Promise<boolean> {
      return (await db.query(takeOverImport, [importId, leaseMs])).rows.length > 0;
    },
    /** Writes rows by their natural key; answers a word for each, in their order (see rowOutcome). */
    async importRows<Kind extends ImportKind>(
      importId: string,
      kind: Kind,
      rows: ImportRows[Kind][],
      leaseMs: number,
      actor: Actor,
    ): Promise<string[]> {
      const numbered = JSON.stringify(rows.map((row, index) => ({ at: index + 1, ...row })));
      const values = kind === 'opening-stock' ? [importId, leaseMs, numbered, actor.subject] : [importId, leaseMs, numbered];
      return (await db.query<{ words: string[] }>(importRows[kind], values)).rows[0]?.words ?? [];
    },
    async saveRefusals(
      importId: string,
      refusals: { row: number; column: string; code: string; detail: string }[],
    ): Promise<void> {
      await db.query(saveRefusals, [importId, JSON.stringify(refusals)]);
    },
    async finishImport(
      importId: string,
      { rows, accepted, unchanged, refused }: { rows: number; accepted: number; unchanged: number; refused: number },
      digest: string,
      key: Key,
      answer: Answer,
    ): Promise<void> {
      const values = [importId, rows, accepted, unchanged, refused, digest];
      await db.query(finishImport, [...finishValues(key.scope, answer), ...values]);
    },
    /** True where the file with this digest is the one that was imported under this id. */
    async isSameFile(importId: string, digest: string): Promise<boolean> {
      return (await prisma.import.count({ where: { id: importId, digest } })) === 1;
    },
    /** Puts the failure on record and gives the key back, so that the same request begins anew. */
    async failImport(importId: string, key: Key): Promise<void> {
      await db.query(failImport, [importId, key.scope]);
    },
    /** Tells the planner at once what autovacuum would tell it in a minute: a level is found by its key, not by reading them all. */
    async analyseLevels(): Promise<void> {
      await db.query(analyseLevels, []);
    },
    async findImport(importId: string) {
      const found = await prisma.import.findUnique({ where: { id: importId } });
      if (found === null) return undefined;
      const { id, leasedUntil: _leasedUntil, subject: _subject, digest: _digest, startedAt, endedAt, ...counts } = found;
      return {
        importId: id,
        ...counts,
        startedAt: startedAt.toISOString(),
        ...(endedAt === null ? {} : { endedAt: endedAt.toISOString() }),
      };
    },
    async refusalsAfter(importId: string, row: number | undefined, limit: number) {
      const where = { importId, ...(row === undefined ? {} : { row: { gt: row } }) };
      return prisma.importRefusal.findMany({ where, orderBy: { row: 'asc' }, take: limit, omit: { importId: true } });
    },
  };
}

const leased = (milliseconds: string) => `now() + ${milliseconds} * interval '1 millisecond'`;
const startImport = {
  name: 'start_import',
  text: `WITH ${keyCte(1)}, started AS (
      INSERT INTO imports (id, kind, state, subject, leased_until) VALUES ($7, $8, 'RUNNING', $9, ${leased('$10::bigint')})),
    audited AS (INSERT INTO privileged_acts (act, target, detail, subject, role) VALUES ('import', 'import:' || $7, json_build_object('kind', $8::text), $9, $11))
    SELECT ${keyExpected}`,
};
const takeOverImport = {
  name: 'take_over_import',
  text: `WITH taken AS (UPDATE imports SET state = 'RUNNING', leased_until = ${leased('$2::bigint')} WHERE id = $1 AND leased_until < now() AND state <> 'DONE' RETURNING id),
    forgotten AS (DELETE FROM import_refusals USING taken WHERE import_id = taken.id)
    SELECT id FROM taken`,
};
const importing = (call: string) =>
  `WITH alive AS (UPDATE imports SET leased_until = ${leased('$2::bigint')} WHERE id = $1) SELECT ${call} AS words`;
const importRows: Record<ImportKind, Statement> = {
  products: { name: 'import_products', text: importing('import_products_v3($3)') },
  shops: { name: 'import_shops', text: importing('import_shops_v2($3)') },
  'opening-stock': { name: 'import_opening_stock', text: importing('import_opening_stock_v1($3, $4)') },
};
const saveRefusals = {
  name: 'save_refusals',
  text: `INSERT INTO import_refusals (import_id, "row", "column", code, detail)
    SELECT $1, "row", "column", code, detail FROM jsonb_to_recordset($2) AS r ("row" integer, "column" text, code text, detail text)
    ON CONFLICT (import_id, "row") DO NOTHING`,
};
const finishImport = {
  name: 'finish_import',
  text: `WITH ${finishCte(1)} UPDATE imports SET state = 'DONE', ended_at = now(), rows = $5, accepted = $6, unchanged = $7, refused = $8, digest = $9 WHERE id = $4`,
};
const failImport = {
  name: 'fail_import',
  text: `WITH given_back AS (DELETE FROM idempotency_keys WHERE scope = $2 AND status IS NULL)
    UPDATE imports SET state = 'FAILED', ended_at = now(), leased_until = now() WHERE id = $1`,
};
const analyseLevels = { name: 'analyse_levels', text: 'ANALYZE stock_levels, stock_movements' };
