import type { ForeignKey, Relation } from './catalogue.ts';
import { RestError } from './errors.ts';
import { nearest } from './nearest.ts';
import type { ParsedQuery, Source } from './query.ts';

/** A related table inside the rows of another: an object (`many` false) or a list. */
export interface Embed {
  name: string;
  target: string;
  on: readonly { parent: string; child: string }[];
  many: boolean;
  /** `!inner`: rows without a related one fall out. */
  inner: boolean;
  /** `target()`: joined, not shown. */
  hidden: boolean;
  query: ParsedQuery;
}

const AGGREGATE = /^([^(]+:)?([^(]+\.)?(count|sum|avg|min|max)\(\)(::\w+)?$/;
/** Whether an item of `select` embeds: `[alias:]target[!hint][!inner](columns)`. */
export const isEmbed = (item: string): boolean => item.includes('(') && !AGGREGATE.test(item);

type Way = Pick<Embed, 'on' | 'many'> & { target: Relation; key: ForeignKey };

/** Throws PGRST100, PGRST200 (no such relationship), PGRST201 (several). */
export function parseEmbed(item: string, query: URLSearchParams, source: Source, parse: (inner: URLSearchParams, target: Relation) => ParsedQuery): Embed {
  const found = /^(?:("[^"]+"|[^:"(!]+):)?("[^"]+"|[^:"(!]+)((?:![\w$]+)*)\((.*)\)$/s.exec(item);
  if (found === null) throw new RestError(400, 'PGRST100', `"failed to parse select parameter (${item.slice(0, 40)})"`);
  const bare = (text: string) => text.replace(/^"(.*)"$/s, '$1').trim();
  const wanted = bare(found[2] as string);
  const words = (found[3] ?? '').split('!').filter((word) => word !== '');
  const hint = words.find((word) => word !== 'inner' && word !== 'left') ?? null;
  const way = onlyWay(source, wanted, hint);
  const name = found[1] === undefined ? wanted : bare(found[1]);
  const columns = (found[4] as string).trim();
  const inner = new URLSearchParams([...query].filter(([key]) => key.startsWith(`${name}.`)).map(([key, value]): [string, string] => [key.slice(name.length + 1), value]));
  inner.set('select', columns === '' ? '*' : columns);
  return { name, target: way.target.name, on: way.on, many: way.many, inner: words.includes('inner'), hidden: columns === '', query: parse(inner, way.target) };
}

function onlyWay(source: Source, wanted: string, hint: string | null): Way {
  const ways = waysTo(source, wanted).filter(({ key }) => hint === null || key.name === hint || (key.columns.length === 1 && key.columns[0] === hint));
  const [way] = ways;
  if (way === undefined) {
    const near = nearest(wanted, source.relations?.keys() ?? []);
    throw new RestError(400, 'PGRST200', `Could not find a relationship between '${source.name}' and '${wanted}' in the schema cache`,
      `Searched for a foreign key relationship between '${source.name}' and '${wanted}'${hint === null ? '' : ` using the hint '${hint}'`} in the schema 'public', but no matches were found.`,
      near === null || near === wanted ? null : `Perhaps you meant '${near}' instead of '${wanted}'.`);
  }
  if (ways.length > 1) {
    const choices = ways.map(({ key }) => `'${wanted}!${key.name}'`).join(', ');
    throw new RestError(300, 'PGRST201', `Could not embed because more than one relationship was found for '${source.name}' and '${wanted}'`,
      ways.map(({ many, key, target }) => ({ cardinality: many ? 'one-to-many' : 'many-to-one', embedding: `${source.name} with ${target.name}`, relationship: `${key.name} using ${source.name}(${key.columns.join(', ')})` })),
      `Try changing '${wanted}' to one of the following: ${choices}. Find the desired relationship in the 'details' key.`);
  }
  return way;
}

/** Every foreign key from here to there (one row) and from there to here (many, unless it is the other's own key). `wanted` may name the key or its column too. */
function waysTo({ relation, relations }: Source, wanted: string): Way[] {
  if (relation === undefined || relations === undefined) return [];
  const names = (key: ForeignKey) => key.target === wanted || key.name === wanted || (key.columns.length === 1 && key.columns[0] === wanted);
  const there = relation.foreignKeys.filter(names).flatMap((key): Way[] => {
    const target = relations.get(key.target);
    return target === undefined ? [] : [{ target, key, many: false, on: key.columns.map((parent, at) => ({ parent, child: key.targetColumns[at] as string })) }];
  });
  const target = relations.get(wanted);
  const back = (target?.foreignKeys ?? []).filter((key) => key.target === relation.name).map((key): Way => ({
    target: target as Relation, key, many: key.columns.toSorted().join() !== (target as Relation).key.toSorted().join(),
    on: key.columns.map((child, at) => ({ parent: key.targetColumns[at] as string, child })),
  }));
  return [...there, ...back];
}
