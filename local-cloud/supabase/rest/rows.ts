import type { Answer, Call } from '../answer.ts';
import { RestError } from './errors.ts';
import type { Shape } from './preferences.ts';

/** What a statement says of its rows: their JSON, how many there are, how many there would be without a limit (null: nobody asked). */
export interface Row { body: string | null; rows: number; total: number | null }

/** `Range: 0-9` says the same as limit and offset. */
export function withRange<T extends { limit: number | null; offset: number }>(query: T, call: Call): T {
  const range = /^(\d{1,9})-(\d{1,9})?$/.exec(call.headers['range'] ?? '');
  if (range === null || query.limit !== null) return query;
  const first = Number(range[1]);
  if (range[2] !== undefined && Number(range[2]) < first) {
    throw new RestError(416, 'PGRST103', 'Requested range not satisfiable', 'The lower boundary must be lower than or equal to the upper boundary in the Range header.');
  }
  return { ...query, offset: first, limit: range[2] === undefined ? null : Number(range[2]) - first + 1 };
}

export function rowsAnswer(row: Row, shape: Shape, offset: number, call: Call): Answer {
  if (shape.single && row.rows !== 1) throw notSingle(row.rows);
  if (row.total !== null && offset > 0 && offset >= row.total) {
    throw new RestError(416, 'PGRST103', 'Requested range not satisfiable', `An offset of ${offset} was requested, but there are only ${row.total} rows.`);
  }
  const range = `${row.rows === 0 ? '*' : `${offset}-${offset + row.rows - 1}`}/${row.total ?? '*'}`;
  const partial = row.total !== null && row.rows < row.total;
  return { status: partial ? 206 : 200, headers: { 'content-range': range }, body: call.method === 'HEAD' ? undefined : (row.body ?? 'null') };
}

export const notSingle = (rows: number) => new RestError(406, 'PGRST116', 'Cannot coerce the result to a single JSON object', `The result contains ${rows} rows`);
