import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * A room's openapi.json as its routes make it, with sorted members, and as it is committed.
 * Told so by KASSA_UPDATE_OPENAPI=1 (tools/src/openapi.ts) it is written first.
 */
export async function openapiContract(
  room: string,
  app: { openapi(): Promise<Record<string, unknown>> },
): Promise<{ made: string; committed: string }> {
  const file = join(room, 'openapi.json');
  const made = `${JSON.stringify(sorted(await app.openapi()), null, 2)}\n`;
  if (process.env['KASSA_UPDATE_OPENAPI'] === '1') writeFileSync(file, made);
  return { made, committed: readFileSync(file, 'utf8') };
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, member]) => [name, sorted(member)]),
  );
}
