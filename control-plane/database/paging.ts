import { z } from 'zod';
import { DatabaseError } from './errors.ts';

export interface Paging { limit: number; cursor?: string | undefined }
export interface Page<T> { items: T[]; next: string | null }

const Cursor = z.tuple([z.string().max(40).pipe(z.iso.datetime({ offset: true })).refine((text) => Date.parse(text) >= 0), z.uuid()]);

/** The page of rows that were read one beyond its limit, in the order of an instant and id; its cursor names the last one seen. */
export function pageOf<T extends { id: string }>(rows: readonly T[], limit: number, instant: (row: T) => string): Page<T> {
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  return { items, next: rows.length > limit && last ? Buffer.from(`${instant(last)}|${last.id}`).toString('base64url') : null };
}

/** PostgREST's filter for the rows after a cursor, in rising (`gt`) or falling (`lt`) order of a column and id. Throws `cursor_invalid` when it is not one of ours. */
export function afterCursor(cursor: string, column: string, way: 'gt' | 'lt'): string {
  const parsed = Cursor.safeParse(Buffer.from(cursor, 'base64url').toString('utf8').split('|'));
  if (!parsed.success) throw new DatabaseError({ code: 'cursor_invalid', message: 'The cursor is not one that a page answered with.', status: 400, nextStep: 'Send the `next` of the page before, or none.' });
  const [instant, id] = parsed.data;
  return `${column}.${way}."${instant}",and(${column}.eq."${instant}",id.${way}.${id})`;
}
