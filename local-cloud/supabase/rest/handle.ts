import type { Pool } from 'pg';
import type { Answer, Call } from '../answer.ts';
import { CatalogueCache, type Relation } from './catalogue.ts';
import { RestError, toRestError } from './errors.ts';
import { parsePreferences, wantedShape, type Preferences, type Shape } from './preferences.ts';
import { parseQuery, type Source } from './query.ts';
import { callRoutine } from './rpc.ts';
import { notSingle, rowsAnswer, withRange, type Row } from './rows.ts';
import { bodySql, MAX_ROWS, Parameters, quote, readSql, selectSql, whereSql } from './sql.ts';
import { inTransaction } from './transaction.ts';
import { insertSql, parsePayload, updateSql } from './write.ts';

/** The REST room: the part of PostgREST that supabase-js uses, on schema public. */
export function createRest(pool: Pool, now: () => number): (call: Call) => Promise<Answer> {
  const catalogue = new CatalogueCache(pool, now);
  return async (call) => {
    try {
      const profile = call.headers['accept-profile'] ?? call.headers['content-profile'] ?? 'public';
      if (profile !== 'public') throw new RestError(406, 'PGRST106', 'Invalid schema', 'Only the following schemas are exposed: public');
      const preferences = parsePreferences(call);
      const routine = /^\/rpc\/([^/]+)$/.exec(call.path)?.[1];
      if (routine !== undefined) return applied(await callRoutine(pool, catalogue, call, routine), preferences);
      const table = /^\/([^/]+)$/.exec(call.path)?.[1];
      if (table === undefined) throw new RestError(404, 'PGRST125', 'Invalid path specified in request URL');
      return applied(await onTable(pool, await sourceOf(catalogue, table), call, preferences), preferences);
    } catch (error) {
      return toRestError(error, call.caller.role === 'anon').answer();
    }
  };
}

type Table = Source & { relation: Relation };

async function sourceOf(catalogue: CatalogueCache, name: string): Promise<Table> {
  const relation = await catalogue.relation(name);
  return { name, columns: relation.columns, relation, relations: await catalogue.relations() };
}

/** Says which preferences were honoured. */
const applied = (answer: Answer, { honoured }: Preferences): Answer => (honoured === '' ? answer : { ...answer, headers: { ...answer.headers, 'preference-applied': honoured } });

async function onTable(pool: Pool, table: Table, call: Call, preferences: Preferences): Promise<Answer> {
  const shape = wantedShape(call);
  const { relation } = table;
  const from = `public.${quote(relation.name)}`;
  switch (call.method) {
    case 'GET':
    case 'HEAD': return read(pool, table, from, call, shape, preferences);
    case 'POST': {
      const payload = parsePayload(call, relation);
      if (payload.rows === 0) return { status: 201, body: preferences.representation ? '[]' : undefined };
      return write(pool, table, call, shape, preferences, 201, (parameters) => insertSql(relation, from, payload, call, preferences, parameters));
    }
    case 'PATCH': {
      const payload = parsePayload(call, relation);
      if (payload.columns.length === 0) return { status: preferences.representation ? 200 : 204, body: preferences.representation ? '[]' : undefined };
      return write(pool, table, call, shape, preferences, 200, (parameters) => updateSql(from, payload, whereOf(call, table, 'UPDATE', parameters), parameters));
    }
    case 'DELETE': return write(pool, table, call, shape, preferences, 200, (parameters) => `delete from ${from} _t${whereOf(call, table, 'DELETE', parameters)}`);
    default: throw new RestError(405, 'PGRST117', `Unsupported HTTP method: ${call.method}`);
  }
}

/** What a change gives back does not choose what it changes. */
const withoutSelect = (query: URLSearchParams) => new URLSearchParams([...query].filter(([name]) => name !== 'select'));

/** Refuses a change of all rows, as Supabase does. */
function whereOf(call: Call, table: Table, verb: string, parameters: Parameters): string {
  const { filters, limit, offset } = parseQuery(withoutSelect(call.query), table);
  if (limit !== null || offset !== 0) throw new RestError(400, 'PGRST100', '"failed to parse limit parameter"', 'A change takes filters, not a limit.');
  if (filters.length === 0) throw new RestError(400, '21000', `${verb} requires a WHERE clause`);
  return whereSql(filters, parameters);
}

async function read(pool: Pool, table: Table, from: string, call: Call, shape: Shape, preferences: Preferences): Promise<Answer> {
  const query = withRange(parseQuery(call.query, table), call);
  const parameters = new Parameters();
  const source = readSql(from, query, Math.min(query.limit ?? MAX_ROWS, MAX_ROWS), parameters);
  const total = preferences.count ? `(select count(*) from ${from} _t${whereSql(query.filters, parameters)})::int` : 'null::int';
  const text = `with _source as (${source}) select ${bodySql(shape)} as body, count(*)::int as rows, ${total} as total from _source _row`;
  return inTransaction<Row>(pool, call, true, { text, values: parameters.values }, (result) => rowsAnswer(result.rows[0] as Row, shape, query.offset, call));
}

async function write(
  pool: Pool, table: Table, call: Call, shape: Shape, preferences: Preferences, done: number, build: (parameters: Parameters) => string,
): Promise<Answer> {
  const parameters = new Parameters();
  const statement = build(parameters);
  const returning = returned(table, call, preferences, parameters);
  if (returning === null) {
    return inTransaction(pool, call, false, { text: statement, values: parameters.values }, ({ rowCount }) => {
      preferences.check(rowCount ?? 0);
      return { status: done === 201 ? 201 : 204, headers: { 'content-range': `*/${preferences.count ? rowCount : '*'}` } };
    });
  }
  const text = `with _source as (${statement} returning ${returning}) select ${bodySql(shape)} as body, count(*)::int as rows, null::int as total from _source _row`;
  return inTransaction<Row>(pool, call, false, { text, values: parameters.values }, (result) => {
    const row = result.rows[0] as Row;
    if (shape.single && row.rows !== 1) throw notSingle(row.rows);
    preferences.check(row.rows);
    const headers = { 'content-range': `*/${preferences.count ? row.rows : '*'}` };
    return preferences.representation ? { status: done, headers, body: row.body ?? 'null' } : { status: done, headers: { ...headers, ...locationOf(table.relation, row) } };
  });
}

/** The columns that a write gives back: those asked for, the key (for `return=headers-only`), or none. */
function returned(table: Table, call: Call, preferences: Preferences, parameters: Parameters): string | null {
  if (preferences.representation) {
    const asked = new URLSearchParams(call.query.has('select') ? { select: call.query.get('select') ?? '*' } : {});
    return selectSql(parseQuery(asked, table), parameters);
  }
  return preferences.headersOnly && call.method === 'POST' && table.relation.key.length > 0 ? table.relation.key.map((column) => `_t.${quote(column)}`).join(', ') : null;
}

/** Where the one row that was made can be read. */
function locationOf(relation: Relation, row: Row): Record<string, string> {
  const made = JSON.parse(row.body ?? 'null') as Record<string, unknown>[] | Record<string, unknown> | null;
  const one = Array.isArray(made) ? made[0] : made;
  if (row.rows !== 1 || one === null || one === undefined) return {};
  return { location: `/${relation.name}?${new URLSearchParams(relation.key.map((column): [string, string] => [column, `eq.${String(one[column])}`])).toString()}` };
}
