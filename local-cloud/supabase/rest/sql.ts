import type { Embed } from './embed.ts';
import { OPERATORS, type Field, type Filter, type Order, type ParsedQuery } from './query.ts';

/** PostgREST's cap on the rows of one answer, and of each list in it. */
export const MAX_ROWS = 1_000;

/** Collects a statement's parameters. Every value of a request goes through `bind`; no text of a request is ever part of the SQL. */
export class Parameters {
  readonly values: unknown[] = [];
  /** What the statement calls the relation at hand. */
  alias = '_t';
  #relations = 0;

  /** Writes a part about another relation, which gets an alias of its own. */
  within<T>(write: (alias: string, parent: string) => T): T {
    const parent = this.alias;
    this.#relations += 1;
    this.alias = `_t${this.#relations}`;
    try {
      return write(this.alias, parent);
    } finally {
      this.alias = parent;
    }
  }

  bind(value: unknown): string {
    this.values.push(value);
    return `$${this.values.length}`;
  }
}

/** Quotes a name of the catalogue (or an output name) as an identifier. */
export const quote = (name: string) => `"${name.replaceAll('"', '""').replaceAll('\0', '')}"`;

function fieldSql(field: Field, parameters: Parameters): string {
  const steps = field.path.map(({ key, text }) => {
    const type = /^-?\d{1,9}$/.test(key) ? 'int' : 'text';
    return ` ${text ? '->>' : '->'} ${parameters.bind(key)}::${type}`;
  });
  const column = `${parameters.alias}.${quote(field.column)}`;
  return steps.length === 0 ? column : `(to_jsonb(${column})${steps.join('')})`;
}

export function filterSql(filter: Filter, parameters: Parameters): string {
  const sql = positive(filter, parameters);
  return filter.negated ? `not (${sql})` : sql;
}

function positive(filter: Filter, parameters: Parameters): string {
  switch (filter.kind) {
    case 'group': return `(${filter.of.map((one) => filterSql(one, parameters)).join(filter.any ? ' or ' : ' and ')})`;
    case 'is': return `${fieldSql(filter.field, parameters)} is ${filter.value}`;
    case 'in': return `${fieldSql(filter.field, parameters)} = any(${parameters.bind(filter.values)})`;
    case 'compare': {
      const value = parameters.bind(filter.value);
      return `${fieldSql(filter.field, parameters)} ${OPERATORS[filter.operator] as string} ${filter.quantifier === undefined ? value : `${filter.quantifier}(${value})`}`;
    }
    case 'embedded': return existsSql(filter.embed, parameters);
    case 'search': return searchSql(filter, parameters);
  }
}

/** A text is searched as its tsvector, a tsvector as it is. */
function searchSql({ field, parser, config, value }: Extract<Filter, { kind: 'search' }>, parameters: Parameters): string {
  const language = config === null ? '' : `${parameters.bind(config)}::text::regconfig, `;
  const document = field.type === 'tsvector' && field.path.length === 0 ? fieldSql(field, parameters) : `to_tsvector(${language}${fieldSql(field, parameters)})`;
  return `${document} @@ ${parser}(${language}${parameters.bind(value)}::text)`;
}

export function whereSql(filters: readonly Filter[], parameters: Parameters): string {
  return filters.length === 0 ? '' : ` where ${filters.map((filter) => filterSql(filter, parameters)).join(' and ')}`;
}

/** The columns and the embedded relations of a row. */
export function selectSql({ select, embeds }: Pick<ParsedQuery, 'select' | 'embeds'>, parameters: Parameters): string {
  const columns = select.map(({ field, name, cast }) => `${fieldSql(field, parameters)}${cast === undefined ? '' : `::${cast}`}${name === null ? '' : ` as ${quote(name)}`}`);
  return [...columns, ...embeds.filter((embed) => !embed.hidden).map((embed) => embedSql(embed, parameters))].join(', ');
}

function embedSql(embed: Embed, parameters: Parameters): string {
  const rows = parameters.within((alias, parent) => {
    const { query } = embed;
    const columns = selectSql(query, parameters);
    return `select ${columns} from ${joinSql(embed, alias, parent)}${conditionsSql(query.filters, parameters)}${orderSql(query.order, parameters)}`
      + ` limit ${parameters.bind(Math.min(query.limit ?? MAX_ROWS, MAX_ROWS))}::int offset ${parameters.bind(query.offset)}::int`;
  });
  return `${embed.many ? `coalesce((select json_agg(_e) from (${rows}) _e), '[]'::json)` : `(select row_to_json(_e) from (${rows}) _e)`} as ${quote(embed.name)}`;
}

const existsSql = (embed: Embed, parameters: Parameters): string => parameters.within((alias, parent) => `exists (select from ${joinSql(embed, alias, parent)}${conditionsSql(embed.query.filters, parameters)})`);

const joinSql = ({ target, on }: Embed, alias: string, parent: string) => `public.${quote(target)} ${alias} where ${on.map(({ parent: here, child }) => `${alias}.${quote(child)} = ${parent}.${quote(here)}`).join(' and ')}`;

const conditionsSql = (filters: readonly Filter[], parameters: Parameters) => filters.map((filter) => ` and ${filterSql(filter, parameters)}`).join('');

function orderSql(order: readonly Order[], parameters: Parameters): string {
  if (order.length === 0) return '';
  return ` order by ${order.map(({ field, descending, nulls }) => `${fieldSql(field, parameters)}${descending ? ' desc' : ''}${nulls === null ? '' : ` nulls ${nulls}`}`).join(', ')}`;
}

/** `select … from <from> _t where … order by … limit … offset …` */
export function readSql(from: string, query: ParsedQuery, limit: number, parameters: Parameters): string {
  return `select ${selectSql(query, parameters)} from ${from} _t${whereSql(query.filters, parameters)}${orderSql(query.order, parameters)}`
    + ` limit ${parameters.bind(limit)}::int offset ${parameters.bind(query.offset)}::int`;
}

/** How the rows of a common table become the body: an array, or its first element; with or without nulls. */
export function bodySql(shape: { single: boolean; stripNulls: boolean }): string {
  const rows = shape.stripNulls ? 'json_strip_nulls(json_agg(_row))' : 'json_agg(_row)';
  return shape.single ? `(${rows} -> 0)::text` : `coalesce(${rows}, '[]'::json)::text`;
}
