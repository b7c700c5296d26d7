import type { Pool, PoolClient } from 'pg';
import type { Answer, Call } from '../answer.ts';
import { CatalogueCache, type Relation, type Routine } from './catalogue.ts';
import { RestError, toRestError } from './errors.ts';
import { parsePreferences, wantedShape, type Preferences, type Shape } from './preferences.ts';
import { parseQuery } from './query.ts';
import { bodySql, Parameters, quote, readSql, selectSql, whereSql } from './sql.ts';
import { inTransaction } from './transaction.ts';
import { insertSql, parsePayload, updateSql } from './write.ts';

/** PostgREST's cap on the rows of one answer. */
const MAX_ROWS = 1_000;

interface Row { body: string | null; rows: number; total: number | null }

/** The REST room: the part of PostgREST that supabase-js uses, on schema public. */
export function createRest(pool: Pool, now: () => number): (call: Call) => Promise<Answer> {
  const catalogue = new CatalogueCache(pool, now);
  return async (call) => {
    try {
      const profile = call.headers['accept-profile'] ?? call.headers['content-profile'] ?? 'public';
      if (profile !== 'public') throw new RestError(406, 'PGRST106', 'Invalid schema', 'Only the following schemas are exposed: public');
      const routine = /^\/rpc\/([^/]+)$/.exec(call.path)?.[1];
      if (routine !== undefined) return await callRoutine(pool, catalogue, call, routine);
      const table = /^\/([^/]+)$/.exec(call.path)?.[1];
      if (table === undefined) throw new RestError(404, 'PGRST125', 'Invalid path specified in request URL');
      return await onTable(pool, await catalogue.relation(table), call);
    } catch (error) {
      const refused = toRestError(error, call.caller.role === 'anon');
      return { status: refused.status, body: refused.body(), ...(refused.status === 503 ? { headers: { 'retry-after': '1' } } : {}) };
    }
  };
}

async function onTable(pool: Pool, relation: Relation, call: Call): Promise<Answer> {
  const shape = wantedShape(call);
  const preferences = parsePreferences(call);
  const from = `public.${quote(relation.name)}`;
  switch (call.method) {
    case 'GET':
    case 'HEAD': return read(pool, relation, from, call, shape, preferences);
    case 'POST': {
      const payload = parsePayload(call, relation);
      if (payload.rows === 0) return { status: 201, body: preferences.representation ? '[]' : undefined };
      return write(pool, relation, call, shape, preferences, 201, (parameters) => insertSql(relation, from, payload, call, preferences, parameters));
    }
    case 'PATCH': {
      const payload = parsePayload(call, relation);
      if (payload.columns.length === 0) return { status: preferences.representation ? 200 : 204, body: preferences.representation ? '[]' : undefined };
      return write(pool, relation, call, shape, preferences, 200, (parameters) => updateSql(from, payload, whereOf(call, relation, 'UPDATE', parameters), parameters));
    }
    case 'DELETE': return write(pool, relation, call, shape, preferences, 200, (parameters) => `delete from ${from} _t${whereOf(call, relation, 'DELETE', parameters)}`);
    default: throw new RestError(405, 'PGRST117', `Unsupported HTTP method: ${call.method}`);
  }
}

/** Refuses a change of all rows, as Supabase does. */
function whereOf(call: Call, relation: Relation, verb: string, parameters: Parameters): string {
  const { filters, limit, offset } = parseQuery(call.query, relation.columns, relation.name);
  if (limit !== null || offset !== 0) throw new RestError(400, 'PGRST100', '"failed to parse limit parameter"', 'A change takes filters, not a limit.');
  if (filters.length === 0) throw new RestError(400, '21000', `${verb} requires a WHERE clause`);
  return whereSql(filters, parameters);
}

async function read(pool: Pool, relation: Relation, from: string, call: Call, shape: Shape, preferences: Preferences): Promise<Answer> {
  const query = withRange(parseQuery(call.query, relation.columns, relation.name), call);
  const parameters = new Parameters();
  const source = readSql(from, query, Math.min(query.limit ?? MAX_ROWS, MAX_ROWS), parameters);
  const total = preferences.count ? `(select count(*) from ${from} _t${whereSql(query.filters, parameters)})::int` : 'null::int';
  return inTransaction(pool, call, true, async (client) => {
    const result = await client.query<Row>(`with _source as (${source}) select ${bodySql(shape)} as body, count(*)::int as rows, ${total} as total from _source _row`, parameters.values);
    return rowsAnswer(result.rows[0] as Row, shape, query.offset, call);
  });
}

/** `Range: 0-9` says the same as limit and offset. */
function withRange<T extends { limit: number | null; offset: number }>(query: T, call: Call): T {
  const range = /^(\d{1,9})-(\d{1,9})?$/.exec(call.headers['range'] ?? '');
  if (range === null || query.limit !== null) return query;
  const first = Number(range[1]);
  return { ...query, offset: first, limit: range[2] === undefined ? null : Math.max(0, Number(range[2]) - first + 1) };
}

function rowsAnswer(row: Row, shape: Shape, offset: number, call: Call): Answer {
  if (shape.single && row.rows !== 1) throw notSingle(row.rows);
  if (row.total !== null && offset > 0 && offset >= row.total) {
    throw new RestError(416, 'PGRST103', 'Requested range not satisfiable', `An offset of ${offset} was requested, but there are only ${row.total} rows.`);
  }
  const range = `${row.rows === 0 ? '*' : `${offset}-${offset + row.rows - 1}`}/${row.total ?? '*'}`;
  const partial = row.total !== null && row.rows < row.total;
  return { status: partial ? 206 : 200, headers: { 'content-range': range }, body: call.method === 'HEAD' ? undefined : (row.body ?? 'null') };
}

const notSingle = (rows: number) => new RestError(406, 'PGRST116', 'Cannot coerce the result to a single JSON object', `The result contains ${rows} rows`);

async function write(
  pool: Pool, relation: Relation, call: Call, shape: Shape, preferences: Preferences, done: number, build: (parameters: Parameters) => string,
): Promise<Answer> {
  const parameters = new Parameters();
  const statement = build(parameters);
  const returning = preferences.representation ? selectSql(parseQuery(new URLSearchParams(call.query.has('select') ? { select: call.query.get('select') ?? '*' } : {}), relation.columns, relation.name).select, parameters) : null;
  return inTransaction(pool, call, false, async (client) => {
    if (returning === null) {
      const { rowCount } = await client.query(statement, parameters.values);
      preferences.check(rowCount ?? 0);
      return { status: done === 201 ? 201 : 204, headers: { 'content-range': `*/${preferences.count ? rowCount : '*'}` } };
    }
    const result = await client.query<Row>(
      `with _source as (${statement} returning ${returning}) select ${bodySql(shape)} as body, count(*)::int as rows, null::int as total from _source _row`, parameters.values);
    const row = result.rows[0] as Row;
    if (shape.single && row.rows !== 1) throw notSingle(row.rows);
    preferences.check(row.rows);
    return { status: done, headers: { 'content-range': `*/${preferences.count ? row.rows : '*'}` }, body: row.body ?? 'null' };
  });
}

async function callRoutine(pool: Pool, catalogue: CatalogueCache, call: Call, name: string): Promise<Answer> {
  const byGet = call.method === 'GET' || call.method === 'HEAD';
  if (!byGet && call.method !== 'POST') throw new RestError(405, 'PGRST101', `Cannot use the ${call.method} method on RPC`);
  const args = byGet ? await argumentsOfQuery(catalogue, name, call) : parseArguments(call.body);
  const routine = await catalogue.routine(name, Object.keys(args));
  const parameters = new Parameters();
  const given = routine.args.filter((arg) => Object.hasOwn(args, arg.name));
  const text = byGet ? JSON.stringify(args) : call.body;
  const source = given.length === 0 ? '' : `json_to_record(${parameters.bind(text)}::json) as _a(${given.map((arg) => `${quote(arg.name)} ${arg.type}`).join(', ')})`;
  const invocation = `public.${quote(routine.name)}(${given.map((arg) => `${quote(arg.name)} => _a.${quote(arg.name)}`).join(', ')})`;
  return inTransaction(pool, call, byGet || !routine.writes, (client) => (routine.returns === 'rows'
    ? rowsOf(client, routine, call, source, invocation, parameters)
    : valueOf(client, routine, source, invocation, parameters)));
}

async function valueOf(client: PoolClient, routine: Routine, source: string, invocation: string, parameters: Parameters): Promise<Answer> {
  const value = `select ${invocation} as value${source === '' ? '' : ` from ${source}`}`;
  if (routine.returns === 'void') {
    await client.query(value, parameters.values);
    return { status: 204 };
  }
  const body = routine.set ? `coalesce(json_agg(value), '[]'::json)::text` : `(json_agg(value) -> 0)::text`;
  const result = await client.query<{ body: string | null }>(`with _source as (${value}) select ${body} as body from _source`, parameters.values);
  return { status: 200, body: result.rows[0]?.body ?? 'null' };
}

async function rowsOf(client: PoolClient, routine: Routine, call: Call, source: string, invocation: string, parameters: Parameters): Promise<Answer> {
  const wanted = wantedShape(call);
  const shape = { ...wanted, single: wanted.single || !routine.set };
  const query = withRange(parseQuery(call.query, routine.columns, routine.name, new Set(call.method === 'POST' ? [] : routine.args.map((arg) => arg.name))), call);
  const all = `_all as materialized (select _f.* from ${source === '' ? '' : `${source}, lateral `}${invocation} as _f)`;
  const part = readSql('_all', query, Math.min(query.limit ?? MAX_ROWS, MAX_ROWS), parameters);
  const total = parsePreferences(call).count ? `(select count(*) from _all _t${whereSql(query.filters, parameters)})::int` : 'null::int';
  const result = await client.query<Row>(`with ${all}, _source as (${part}) select ${bodySql(shape)} as body, count(*)::int as rows, ${total} as total from _source _row`, parameters.values);
  return rowsAnswer(result.rows[0] as Row, { ...shape, single: wanted.single }, query.offset, call);
}

function parseArguments(body: string): Record<string, unknown> {
  if (body.trim() === '') return {};
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    throw new RestError(400, 'PGRST102', 'Empty or invalid json');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new RestError(400, 'PGRST102', 'The arguments of a function are a JSON object');
  return value as Record<string, unknown>;
}

/** With GET the arguments stand in the address, among filters on the result: the function's own names tell them apart. */
async function argumentsOfQuery(catalogue: CatalogueCache, name: string, call: Call): Promise<Record<string, string>> {
  const all = Object.fromEntries(call.query);
  const known = await catalogue.argumentNames(name);
  return Object.fromEntries(Object.entries(all).filter(([key]) => known.has(key)));
}
