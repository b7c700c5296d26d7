import type { Pool } from 'pg';
import { RestError } from './errors.ts';
import { nearest } from './nearest.ts';

export interface Column { name: string; type: string; default: string | null }
/** `columns` of the relation point at `targetColumns` of `target`. */
export interface ForeignKey { name: string; columns: readonly string[]; target: string; targetColumns: readonly string[] }
export interface Relation { name: string; columns: ReadonlyMap<string, Column>; key: readonly string[]; foreignKeys: readonly ForeignKey[] }
export interface Argument { name: string; type: string; required: boolean }
export interface Routine {
  name: string;
  args: readonly Argument[];
  set: boolean;
  returns: 'void' | 'scalar' | 'rows';
  /** Of each row, when it returns rows. */
  columns: ReadonlyMap<string, Column>;
  writes: boolean;
}
export interface Catalogue { relations: ReadonlyMap<string, Relation>; routines: ReadonlyMap<string, readonly Routine[]> }

const RELATIONS = `
  select c.relname as name,
    (select json_agg(json_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod), 'default', pg_get_expr(d.adbin, d.adrelid)) order by a.attnum)
     from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
     where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as columns,
    coalesce((select json_agg(a.attname order by k.n) from pg_index i, unnest(i.indkey) with ordinality as k(attnum, n), pg_attribute a
     where i.indrelid = c.oid and i.indisprimary and a.attrelid = c.oid and a.attnum = k.attnum), '[]') as key,
    coalesce((select json_agg(json_build_object('name', f.conname, 'target', t.relname,
        'columns', (select json_agg(a.attname order by k.n) from unnest(f.conkey) with ordinality as k(attnum, n) join pg_attribute a on a.attrelid = f.conrelid and a.attnum = k.attnum),
        'targetColumns', (select json_agg(a.attname order by k.n) from unnest(f.confkey) with ordinality as k(attnum, n) join pg_attribute a on a.attrelid = f.confrelid and a.attnum = k.attnum)) order by f.conname)
     from pg_constraint f join pg_class t on t.oid = f.confrelid
     where f.conrelid = c.oid and f.contype = 'f' and f.conparentid = 0 and t.relnamespace = 'public'::regnamespace), '[]') as foreign_keys
  from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'v', 'm', 'p', 'f')`;

const ROUTINES = `
  select p.proname as name, p.proretset as set, p.provolatile = 'v' as writes, p.pronargdefaults as defaults,
    case when p.prorettype = 'void'::regtype then 'void'
      when t.typtype = 'c' or p.prorettype = 'record'::regtype then 'rows' else 'scalar' end as returns,
    coalesce((select json_agg(json_build_object('name', coalesce(p.proargnames[n], ''), 'type', format_type(type, null), 'mode', coalesce(p.proargmodes[n], 'i')) order by n)
      from unnest(coalesce(p.proallargtypes, p.proargtypes::oid[])) with ordinality as arg(type, n)), '[]') as args,
    (select json_agg(json_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod), 'default', null) order by a.attnum)
     from pg_attribute a where a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped) as columns
  from pg_proc p join pg_type t on t.oid = p.prorettype
  where p.pronamespace = 'public'::regnamespace and p.prokind = 'f' and p.prorettype <> 'trigger'::regtype`;

interface RoutineRow {
  name: string; set: boolean; writes: boolean; defaults: number; returns: Routine['returns'];
  args: { name: string; type: string; mode: string }[]; columns: Column[] | null;
}

/** Reads what schema public offers. Names that reach SQL come from here, never from a request. */
export async function readCatalogue(pool: Pick<Pool, 'query'>): Promise<Catalogue> {
  const relations = await pool.query<{ name: string; columns: Column[]; key: string[]; foreign_keys: ForeignKey[] }>(RELATIONS);
  const routines = await pool.query<RoutineRow>(ROUTINES);
  return {
    relations: new Map(relations.rows.map((row) => [row.name, { name: row.name, columns: byName(row.columns), key: row.key, foreignKeys: row.foreign_keys }])),
    routines: Map.groupBy(routines.rows.map(toRoutine), (routine) => routine.name),
  };
}

const byName = (columns: readonly Column[]) => new Map(columns.map((column) => [column.name, column]));

function toRoutine(row: RoutineRow): Routine {
  const inputs = row.args.filter(({ mode }) => mode === 'i' || mode === 'b');
  const outputs = row.args.filter(({ mode }) => mode === 't' || mode === 'o' || mode === 'b');
  return {
    name: row.name, set: row.set, writes: row.writes, returns: row.returns,
    args: inputs.map(({ name, type }, index) => ({ name, type, required: index < inputs.length - row.defaults })),
    columns: byName(row.columns ?? outputs.map(({ name, type }) => ({ name, type, default: null }))),
  };
}

/** The catalogue, read at first use and read again (at most once a second) when a name is not in it. */
export class CatalogueCache {
  readonly #pool: Pick<Pool, 'query'>;
  readonly #now: () => number;
  #present: Promise<Catalogue> | null = null;
  #readAt = 0;

  constructor(pool: Pick<Pool, 'query'>, now: () => number) {
    this.#pool = pool;
    this.#now = now;
  }

  /** Throws PGRST205. */
  async relation(name: string): Promise<Relation> {
    const found = await this.#find((catalogue) => catalogue.relations.get(name));
    if (found !== undefined) return found;
    const near = nearest(name, (await this.#load()).relations.keys());
    throw new RestError(404, 'PGRST205', `Could not find the table 'public.${name}' in the schema cache`, null, near === null ? null : `Perhaps you meant the table 'public.${near}'`);
  }

  /** Every relation, as it was read last: where embedded ones are looked up. */
  async relations(): Promise<Catalogue['relations']> {
    return (await this.#load()).relations;
  }

  /** The function of this name that takes exactly such arguments. Throws PGRST202, PGRST203. */
  async routine(name: string, given: readonly string[]): Promise<Routine> {
    const fits = (routine: Routine) => given.every((key) => routine.args.some((arg) => arg.name === key))
      && routine.args.every((arg) => !arg.required || given.includes(arg.name));
    const found = await this.#find((catalogue) => {
      const fitting = (catalogue.routines.get(name) ?? []).filter(fits);
      return fitting.length === 0 ? undefined : fitting;
    });
    if (found === undefined) throw missing(name, given, (await this.#load()).routines);
    if (found.length > 1) {
      throw new RestError(300, 'PGRST203', `Could not choose the best candidate function between: ${found.map(signature).join(', ')}`, null,
        'Try renaming the parameters or the function itself in the database so function overloading can be resolved');
    }
    return found[0] as Routine;
  }

  /** Every argument name that a function of this name knows. */
  async argumentNames(name: string): Promise<ReadonlySet<string>> {
    const found = await this.#find((catalogue) => catalogue.routines.get(name));
    return new Set((found ?? []).flatMap((routine) => routine.args.map((arg) => arg.name)));
  }

  async #find<T>(pick: (catalogue: Catalogue) => T | undefined): Promise<T | undefined> {
    const found = pick(await this.#load());
    if (found !== undefined || this.#now() - this.#readAt < 1_000) return found;
    this.#present = null;
    return pick(await this.#load());
  }

  #load(): Promise<Catalogue> {
    if (this.#present === null) {
      this.#readAt = this.#now();
      const reading = readCatalogue(this.#pool);
      reading.catch(() => { if (this.#present === reading) this.#present = null; });
      this.#present = reading;
    }
    return this.#present;
  }
}

const signature = (routine: Routine) => `public.${routine.name}(${routine.args.map((arg) => `${arg.name} => ${arg.type}`).join(', ')})`;

/** PGRST202: what was looked for, and the function that was perhaps meant. */
function missing(name: string, given: readonly string[], routines: Catalogue['routines']): RestError {
  const list = given.length === 0 ? ' without parameters' : `(${[...given].sort().join(', ')})`;
  const namesakes = (routines.get(name) ?? []).map((routine) => `public.${name}(${routine.args.map((arg) => arg.name).toSorted().join(', ')})`);
  const near = namesakes[0] ?? nearest(name, routines.keys());
  return new RestError(404, 'PGRST202', `Could not find the function public.${name}${list} in the schema cache`,
    `Searched for the function public.${name} ${given.length === 0 ? 'without parameters' : `with parameter${given.length === 1 ? '' : 's'} ${[...given].sort().join(', ')}`} or with a single unnamed json/jsonb parameter, but no matches were found in the schema cache.`,
    near === null || near === undefined ? null : `Perhaps you meant to call the function ${namesakes.length > 0 ? near : `public.${near}`}`);
}
