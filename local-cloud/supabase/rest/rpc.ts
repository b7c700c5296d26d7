import { createHash } from 'node:crypto';
import type { Pool } from 'pg';
import type { Answer, Call } from '../answer.ts';
import type { CatalogueCache, Routine } from './catalogue.ts';
import { RestError } from './errors.ts';
import { parsePreferences, wantedShape } from './preferences.ts';
import { parseCount, parseQuery } from './query.ts';
import { rowsAnswer, withRange, type Row } from './rows.ts';
import { bodySql, MAX_ROWS, Parameters, quote, readSql, whereSql } from './sql.ts';
import { inTransaction } from './transaction.ts';

/** `/rpc/<name>`: a function by its arguments, with POST or (reading only) GET. */
export async function callRoutine(pool: Pool, catalogue: CatalogueCache, call: Call, name: string): Promise<Answer> {
  const byGet = call.method === 'GET' || call.method === 'HEAD';
  if (!byGet && call.method !== 'POST') throw new RestError(405, 'PGRST101', `Cannot use the ${call.method} method on RPC`);
  const args = byGet ? await argumentsOfQuery(catalogue, name, call) : parseArguments(call.body);
  const routine = await catalogue.routine(name, Object.keys(args));
  const parameters = new Parameters();
  const given = routine.args.filter((arg) => Object.hasOwn(args, arg.name));
  const text = byGet ? JSON.stringify(args) : call.body;
  const source = given.length === 0 ? '' : `json_to_record(${parameters.bind(text)}::json) as _a(${given.map((arg) => `${quote(arg.name)} ${arg.type}`).join(', ')})`;
  const invocation = `public.${quote(routine.name)}(${given.map((arg) => `${quote(arg.name)} => _a.${quote(arg.name)}`).join(', ')})`;
  const { text: statement, answer } = (routine.returns === 'rows' ? rowsOf : valueOf)(routine, call, source, invocation, parameters);
  // without filters a statement follows from the function and the names of the arguments
  const prepared = call.query.size === 0 ? { name: createHash('sha256').update(statement).digest('base64') } : {};
  return inTransaction<Row>(pool, call, byGet || !routine.writes, { text: statement, values: parameters.values, ...prepared }, ({ rows: [row] }) => answer(row as Row));
}

interface Asked { text: string; answer(row: Row): Answer }

function valueOf(routine: Routine, call: Call, source: string, invocation: string): Asked {
  const { limit, offset } = withRange({ limit: parseCount(call.query.get('limit'), 'limit'), offset: parseCount(call.query.get('offset'), 'offset') ?? 0 }, call);
  const part = routine.set ? ` limit ${Math.min(limit ?? MAX_ROWS, MAX_ROWS)} offset ${offset}` : '';
  const value = `select ${invocation} as value${source === '' ? '' : ` from ${source}`}${part}`;
  if (routine.returns === 'void') return { text: value, answer: () => ({ status: 204 }) };
  const body = routine.set ? `coalesce(json_agg(value), '[]'::json)::text` : `(json_agg(value) -> 0)::text`;
  return { text: `with _source as (${value}) select ${body} as body from _source`, answer: (row) => ({ status: 200, body: row.body ?? 'null' }) };
}

function rowsOf(routine: Routine, call: Call, source: string, invocation: string, parameters: Parameters): Asked {
  const wanted = wantedShape(call);
  const shape = { ...wanted, single: wanted.single || !routine.set };
  const query = withRange(parseQuery(call.query, routine, new Set(call.method === 'POST' ? [] : routine.args.map((arg) => arg.name))), call);
  const all = `_all as materialized (select _f.* from ${source === '' ? '' : `${source}, lateral `}${invocation} as _f)`;
  const part = readSql('_all', query, Math.min(query.limit ?? MAX_ROWS, MAX_ROWS), parameters);
  const total = parsePreferences(call).count ? `(select count(*) from _all _t${whereSql(query.filters, parameters)})::int` : 'null::int';
  return {
    text: `with ${all}, _source as (${part}) select ${bodySql(shape)} as body, count(*)::int as rows, ${total} as total from _source _row`,
    answer: (row) => rowsAnswer(row, { ...shape, single: wanted.single }, query.offset, call),
  };
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
