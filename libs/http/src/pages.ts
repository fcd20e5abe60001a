import { brokenTexts, KassaError } from '@kassa/problem';
import { z } from 'zod';

/** Query members of every list: `limit` 1 to 200 (default 50) and the opaque `cursor` of the page before. */
export const pageQuery = {
  limit: z.coerce.number().int().min(1).max(200).default(50).meta({ description: 'items a page, 1 to 200', example: 50 }),
  cursor: z.string().max(500).optional().meta({ description: 'the `next` of the page before' }),
};

/** The shape of a page of `item`. */
export function pageOf<Item extends z.ZodType>(item: Item) {
  return z.object({
    items: z.array(item),
    next: z.string().optional().meta({ description: 'cursor of the next page; absent on the last' }),
  });
}

/** Where the next page begins, as an opaque text. `position` is the sort key of the last item given. */
export function encodeCursor(position: unknown): string {
  return Buffer.from(JSON.stringify(position)).toString('base64url');
}

/** The position a cursor stands for, or undefined on the first page. Error: cursor-invalid. */
export function decodeCursor<Schema extends z.ZodType>(cursor: string | undefined, schema: Schema): z.output<Schema> | undefined {
  if (cursor === undefined) return undefined;
  try {
    const position = schema.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString()));
    if (brokenTexts(position).length > 0) throw new RangeError('no position holds such text');
    return position;
  } catch (cause) {
    throw new KassaError('cursor-invalid', {
      errors: [{ pointer: '/query/cursor', detail: 'must be the `next` of an earlier page' }],
      cause,
    });
  }
}

/** Cuts rows fetched with limit + 1 into a page; `position` names the sort key of a row. */
export function toPage<Row>(rows: Row[], limit: number, position: (row: Row) => unknown): { items: Row[]; next?: string } {
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  return rows.length > limit && last !== undefined ? { items, next: encodeCursor(position(last)) } : { items };
}
