import type { Column, Relation } from './catalogue.ts';
import { isEmbed, parseEmbed, type Embed } from './embed.ts';
import { RestError } from './errors.ts';
import { nearest } from './nearest.ts';

/** A column, or a value inside its JSON: `status->market->>time`. */
export interface Field { column: string; type: string; path: readonly { key: string; text: boolean }[] }
/** `cast`: a type of PostgreSQL, one of CASTS. */
export interface Selected { field: Field; name: string | null; cast?: string }
export type Filter =
  | { kind: 'compare'; field: Field; operator: string; quantifier?: 'any' | 'all'; value: string; negated: boolean }
  | { kind: 'search'; field: Field; parser: string; config: string | null; value: string; negated: boolean }
  | { kind: 'in'; field: Field; values: readonly string[]; negated: boolean }
  | { kind: 'is'; field: Field; value: string; negated: boolean }
  | { kind: 'embedded'; embed: Embed; negated: boolean }
  | { kind: 'group'; any: boolean; of: readonly Filter[]; negated: boolean };
export interface Order { field: Field; descending: boolean; nulls: 'first' | 'last' | null }
export interface ParsedQuery { select: readonly Selected[]; embeds: readonly Embed[]; filters: readonly Filter[]; order: readonly Order[]; limit: number | null; offset: number }

/** Operator of a request → operator in SQL. */
export const OPERATORS: Readonly<Record<string, string>> = {
  eq: '=', neq: '<>', gt: '>', gte: '>=', lt: '<', lte: '<=', like: 'like', ilike: 'ilike', match: '~', imatch: '~*', cs: '@>', cd: '<@', ov: '&&', sl: '<<', sr: '>>', nxr: '&<', nxl: '&>', adj: '-|-', isdistinct: 'is distinct from',
};
/** Full-text search → the function that reads the query. */
const SEARCH: Readonly<Record<string, string>> = { fts: 'to_tsquery', plfts: 'plainto_tsquery', phfts: 'phraseto_tsquery', wfts: 'websearch_to_tsquery' };
const QUANTIFIED = new Set(['eq', 'like', 'ilike', 'gt', 'gte', 'lt', 'lte', 'match', 'imatch']);
const CASTS = new Set(['text', 'varchar', 'int2', 'int4', 'int8', 'int', 'integer', 'bigint', 'smallint', 'numeric', 'float4', 'float8', 'real', 'bool', 'boolean', 'date', 'time', 'timestamp', 'timestamptz', 'interval', 'uuid', 'json', 'jsonb']);
const RESERVED = new Set(['select', 'order', 'limit', 'offset', 'columns', 'on_conflict', 'apikey']);
const IS = new Set(['null', 'not_null', 'true', 'false', 'unknown']);
const MAX_DEPTH = 8;

const unreadable = (what: string) => new RestError(400, 'PGRST100', `"failed to parse ${what}"`);

/** What a query is about: a relation with its columns, and the relations it may embed (none: a function's rows). */
export interface Source { name: string; columns: ReadonlyMap<string, Column>; relation?: Relation; relations?: ReadonlyMap<string, Relation> }

/** Reads PostgREST's query language. `ignored`: names that belong to somebody else (a function's arguments). Throws PGRST100, PGRST200, PGRST201, 42703. */
export function parseQuery(query: URLSearchParams, source: Source, ignored: ReadonlySet<string> = new Set(), depth = 0): ParsedQuery {
  const context = { columns: source.columns, relation: source.name };
  const items = splitList(query.get('select') ?? '*');
  if (depth > MAX_DEPTH) throw unreadable('select parameter (too deep)');
  const embeds = items.filter(isEmbed).map((item) => parseEmbed(item, query, source, (inner, target) => parseQuery(inner, { ...source, ...target, relation: target }, new Set(), depth + 1)));
  const filters: Filter[] = embeds.filter((embed) => embed.inner).map((embed) => ({ kind: 'embedded', embed, negated: false }));
  for (const [name, value] of query) {
    // PostgreSQL knows no such character, in names or in text.
    if (`${name}${value}`.includes('\0')) throw unreadable('a query with a NUL character');
    if (RESERVED.has(name) || ignored.has(name) || embeds.some((embed) => name.startsWith(`${embed.name}.`))) continue;
    const logic = /^(not\.)?(and|or)$/.exec(name);
    if (logic !== null) filters.push(parseGroup(value, logic[2] === 'or', logic[1] !== undefined, context, 0));
    else filters.push(parseCondition(parseField(name, context), value));
  }
  return {
    select: items.filter((item) => !isEmbed(item)).flatMap((item) => parseSelected(item, context)), embeds, filters,
    order: query.has('order') ? splitList(query.get('order') ?? '').map((item) => parseOrder(item, context)) : [],
    limit: parseCount(query.get('limit'), 'limit'),
    offset: parseCount(query.get('offset'), 'offset') ?? 0,
  };
}

interface Context { columns: ReadonlyMap<string, Column>; relation: string }

/** Throws PGRST100, and PGRST103 for a number below zero. */
export function parseCount(text: string | null, what: 'limit' | 'offset'): number | null {
  if (text === null) return null;
  if (/^-\d{1,9}$/.test(text) && what === 'limit') throw new RestError(416, 'PGRST103', 'Requested range not satisfiable', 'Limit should be greater than or equal to zero.');
  if (!/^\d{1,9}$/.test(text)) throw unreadable(`${what} parameter (${text.slice(0, 40)})`);
  return Number(text);
}

/** Splits at commas outside of quotes and parentheses. */
export function splitList(text: string): string[] {
  const items: string[] = [];
  let depth = 0;
  let quoted = false;
  let item = '';
  for (let at = 0; at < text.length; at += 1) {
    const sign = text[at] as string;
    if (quoted && sign === '\\') { item += sign + (text[at + 1] ?? ''); at += 1; continue; }
    if (sign === '"') quoted = !quoted;
    if (!quoted && sign === '(') depth += 1;
    if (!quoted && sign === ')') depth -= 1;
    if (!quoted && depth === 0 && sign === ',') { items.push(item); item = ''; } else item += sign;
  }
  if (quoted || depth !== 0) throw unreadable(`list (${text.slice(0, 40)})`);
  items.push(item);
  return items.map((one) => one.trim()).filter((one) => one !== '');
}

const unquote = (text: string) => (/^".*"$/s.test(text) ? text.slice(1, -1).replace(/\\(.)/gs, '$1') : text);

function hintOf(column: string, relation: string, columns: Context['columns']): string | null {
  const near = nearest(column, columns.keys());
  return near === null ? null : `Perhaps you meant to reference the column "${relation}.${near}".`;
}

/** Parses `column`, `"column"` or a JSON path below one, and holds the column against the catalogue. */
function parseField(text: string, { columns, relation }: Context): Field {
  const parts = text.split(/(->>?)/);
  const column = unquote((parts[0] ?? '').trim());
  const type = columns.get(column)?.type;
  if (type === undefined) throw new RestError(400, '42703', `column ${relation}.${column.slice(0, 63)} does not exist`, null, hintOf(column, relation, columns));
  const path: { key: string; text: boolean }[] = [];
  for (let at = 1; at < parts.length; at += 2) {
    const key = unquote((parts[at + 1] ?? '').trim());
    if (key === '') throw unreadable(`JSON path (${text.slice(0, 40)})`);
    path.push({ key, text: parts[at] === '->>' });
  }
  return { column, type, path };
}

function parseSelected(item: string, context: Context): Selected[] {
  if (item === '*') return [...context.columns.values()].map(({ name, type }) => ({ field: { column: name, type, path: [] }, name: null }));
  if (item.includes('(')) throw new RestError(400, 'PGRST123', 'Use of aggregate functions is not allowed');
  const casted = /^(.+?)::([a-z0-9]+)$/s.exec(item);
  if (item.includes('::') && !CASTS.has(casted?.[2] ?? '')) throw new RestError(400, '42704', `type "${item.split('::').at(-1)?.slice(0, 63) ?? ''}" does not exist`);
  const plain = casted?.[1] ?? item;
  const named = /^("[^"]+"|[^:"]+):(.+)$/s.exec(plain);
  const field = parseField(named?.[2] ?? plain, context);
  const name = named?.[1] === undefined ? (field.path.at(-1)?.key ?? (casted === null ? null : field.column)) : unquote(named[1]);
  return [{ field, name, ...(casted?.[2] === undefined ? {} : { cast: casted[2] }) }];
}

function parseOrder(item: string, context: Context): Order {
  const found = /^(.+?)((?:\.(?:asc|desc|nullsfirst|nullslast))*)$/s.exec(item);
  const words = new Set((found?.[2] ?? '').split('.'));
  return {
    field: parseField(found?.[1] ?? item, context),
    descending: words.has('desc'),
    nulls: words.has('nullsfirst') ? 'first' : words.has('nullslast') ? 'last' : null,
  };
}

/** `[not.]operator.value` of a filter on one column. Inside a logic tree values may be quoted: `read` takes the quotes off. */
function parseCondition(field: Field, text: string, read = (value: string) => value): Filter {
  const found = /^(not\.)?([a-z]+)(?:\((\w+)\))?\.(.*)$/s.exec(text);
  if (found === null) throw unreadable(`filter (${text.slice(0, 40)})`);
  const negated = found[1] !== undefined;
  const [operator, modifier, value] = [found[2] as string, found[3] ?? null, found[4] as string];
  const parser = Object.hasOwn(SEARCH, operator) ? SEARCH[operator] : undefined;
  if (parser !== undefined) return { kind: 'search', field, parser, config: modifier, value: read(value), negated };
  if (modifier !== null && !((modifier === 'any' || modifier === 'all') && QUANTIFIED.has(operator))) throw unreadable(`filter (${text.slice(0, 40)})`);
  if (operator === 'in') {
    if (!/^\(.*\)$/s.test(value)) throw unreadable(`filter (in.${value.slice(0, 40)})`);
    return { kind: 'in', field, values: splitList(value.slice(1, -1)).map(unquote), negated };
  }
  if (operator === 'is') {
    const word = value.toLowerCase();
    if (!IS.has(word)) throw unreadable(`filter (is.${value.slice(0, 40)})`);
    return { kind: 'is', field, value: word === 'not_null' ? 'not null' : word, negated };
  }
  if (!Object.hasOwn(OPERATORS, operator)) throw unreadable(`filter (${text.slice(0, 40)})`);
  const plain = read(value);
  const quantifier = modifier === null ? {} : { quantifier: modifier as 'any' | 'all' };
  return { kind: 'compare', field, operator, ...quantifier, value: operator.endsWith('like') ? plain.replaceAll('*', '%') : plain, negated };
}

/** `(a.eq.1,b.in.(2,3),and(c.is.null,d.gt.4))` */
function parseGroup(text: string, any: boolean, negated: boolean, context: Context, depth: number): Filter {
  if (!/^\(.*\)$/s.test(text) || depth > MAX_DEPTH) throw unreadable(`logic tree (${text.slice(0, 40)})`);
  const of = splitList(text.slice(1, -1)).map((item): Filter => {
    const group = /^(not\.)?(and|or)(\(.*\))$/s.exec(item);
    if (group !== null) return parseGroup(group[3] as string, group[2] === 'or', group[1] !== undefined, context, depth + 1);
    const found = /^("(?:[^"\\]|\\.)+"|[^".]+)\.(.*)$/s.exec(item);
    if (found === null) throw unreadable(`logic tree (${item.slice(0, 40)})`);
    return parseCondition(parseField(found[1] as string, context), found[2] as string, unquote);
  });
  if (of.length === 0) throw unreadable(`logic tree (${text.slice(0, 40)})`);
  return { kind: 'group', any, of, negated };
}
