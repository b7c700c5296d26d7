import type { Call } from '../answer.ts';
import type { Relation } from './catalogue.ts';
import { RestError } from './errors.ts';
import type { Preferences } from './preferences.ts';
import { splitList } from './query.ts';
import { quote, type Parameters } from './sql.ts';

/** Rows to write: the JSON text as it was sent (numbers keep their digits), and the columns it sets. */
export interface Payload { text: string; many: boolean; rows: number; columns: readonly string[] }

const invalid = (message: string) => new RestError(400, 'PGRST102', message);

/** Reads the body of an insert or update and holds its keys against the catalogue. Throws PGRST102, PGRST204. */
export function parsePayload(call: Call, relation: Relation): Payload {
  let value: unknown;
  try {
    value = JSON.parse(call.body);
  } catch {
    throw invalid('Empty or invalid json');
  }
  const rows = Array.isArray(value) ? (value as unknown[]) : [value];
  if (!rows.every((row): row is Record<string, unknown> => typeof row === 'object' && row !== null && !Array.isArray(row))) {
    throw invalid('Each row is a JSON object');
  }
  const named = call.query.get('columns');
  const columns = named === null ? [...new Set(rows.flatMap((row) => Object.keys(row)))] : splitList(named).map((name) => name.replace(/^"(.*)"$/, '$1'));
  const unknown = columns.find((column) => !relation.columns.has(column));
  if (unknown !== undefined) {
    throw new RestError(400, 'PGRST204', `Could not find the '${unknown.slice(0, 63)}' column of '${relation.name}' in the schema cache`);
  }
  return { text: call.body, many: Array.isArray(value), rows: rows.length, columns };
}

export function insertSql(relation: Relation, from: string, payload: Payload, call: Call, preferences: Preferences, parameters: Parameters): string {
  if (payload.columns.length === 0) return `insert into ${from} as _t default values`;
  const columns = payload.columns.map(quote).join(', ');
  const conflict = conflictSql(relation, payload, call, preferences);
  return `insert into ${from} as _t (${columns}) select ${columns} from ${rowsSql(relation, from, payload, preferences, parameters)}${conflict}`;
}

function rowsSql(relation: Relation, from: string, payload: Payload, preferences: Preferences, parameters: Parameters): string {
  const text = parameters.bind(payload.many ? payload.text : `[${payload.text}]`);
  if (!preferences.missingDefault) return `json_populate_recordset(null::${from}, ${text}::json)`;
  // Default expressions are the catalogue's own text.
  const defaults = payload.columns.map((name) => relation.columns.get(name)).filter((column) => column?.default !== null && column !== undefined)
    .map((column) => `'${(column?.name ?? '').replaceAll("'", "''")}', ${column?.default ?? 'null'}`).join(', ');
  return `jsonb_populate_recordset(null::${from}, (select jsonb_agg(jsonb_build_object(${defaults}) || _e) from jsonb_array_elements(${text}::jsonb) _e))`;
}

function conflictSql(relation: Relation, payload: Payload, call: Call, preferences: Preferences): string {
  if (preferences.resolution === null) return '';
  const target = call.query.has('on_conflict') ? splitList(call.query.get('on_conflict') ?? '') : relation.key;
  const unknown = target.find((column) => !relation.columns.has(column));
  if (unknown !== undefined) throw new RestError(400, '42703', `column "${unknown.slice(0, 63)}" does not exist`);
  const on = target.length === 0 ? '' : ` (${target.map(quote).join(', ')})`;
  if (preferences.resolution === 'ignore') return ` on conflict${on} do nothing`;
  return ` on conflict${on} do update set ${payload.columns.map((name) => `${quote(name)} = excluded.${quote(name)}`).join(', ')}`;
}

export function updateSql(from: string, payload: Payload, where: string, parameters: Parameters): string {
  if (payload.many) throw invalid('An update takes one JSON object');
  const text = parameters.bind(payload.text);
  const sets = payload.columns.map((name) => `${quote(name)} = _p.${quote(name)}`).join(', ');
  return `update ${from} _t set ${sets} from json_populate_record(null::${from}, ${text}::json) _p${where}`;
}
