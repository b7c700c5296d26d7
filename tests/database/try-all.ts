import type { Pool, PoolClient } from 'pg';

const OPERATIONS = ['delete', 'insert', 'select', 'truncate', 'update'] as const;
type Operation = (typeof OPERATIONS)[number];

/**
 * Tries, as each role, every operation on every column of every table of schema public, and every function of schemas public and private, and undoes it.
 * Only "permission denied" counts as refused: whatever else goes wrong, the way was open.
 * @returns tables: `<table> <role>: <operations>`, with the columns in brackets where it is not all; functions: `<schema>.<name> <role>` for each that is open. Sorted.
 */
export async function tryAll(pool: Pool, roles: readonly string[]): Promise<{ tables: string[]; functions: string[] }> {
  const { rows: relations } = await pool.query<{ name: string; columns: string[] }>(
    `select relname as name, (select array_agg(attname::text order by attname) from pg_attribute where attrelid = c.oid and attnum > 0 and not attisdropped) as columns
     from pg_class c where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm', 'f')`);
  const { rows: routines } = await pool.query<{ name: string; args: string }>(
    `select n.nspname || '.' || p.proname as name, coalesce((select string_agg('null::' || format_type(type, null), ', ' order by i) from unnest(p.proargtypes::oid[]) with ordinality as a(type, i)), '') as args
     from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname in ('public', 'private')`);
  const tables: string[] = [];
  const functions: string[] = [];
  const client = await pool.connect();
  try {
    for (const role of roles) {
      await client.query('begin');
      await client.query(`select set_config('role', $1, true), set_config('request.jwt.claims', $2, true)`, [role, JSON.stringify({ role, sub: '00000000-0000-4000-8000-000000000000' })]);
      for (const { name, columns } of relations) {
        const open: string[] = [];
        for (const operation of OPERATIONS) open.push(...(await openOn(client, name, columns, operation)));
        tables.push(`${name} ${role}: ${open.join(' ')}`);
      }
      for (const { name, args } of routines) if (await isOpen(client, `select ${name}(${args})`)) functions.push(`${name} ${role}`);
      await client.query('rollback');
    }
  } finally {
    client.release();
  }
  return { tables: tables.toSorted(), functions: functions.toSorted() };
}

async function openOn(client: PoolClient, table: string, columns: readonly string[], operation: Operation): Promise<string[]> {
  if (operation === 'delete') return (await isOpen(client, `delete from public.${table} where false`)) ? ['delete'] : [];
  if (operation === 'truncate') return (await isOpen(client, `truncate public.${table}`)) ? ['truncate'] : [];
  const open: string[] = [];
  for (const column of columns) {
    const sql = {
      select: `select "${column}" from public.${table} where false`, insert: `insert into public.${table} ("${column}") values (default)`, update: `update public.${table} set "${column}" = default where false`,
    }[operation];
    if (await isOpen(client, sql)) open.push(column);
  }
  return open.length === 0 ? [] : open.length === columns.length ? [operation] : [`${operation}(${open.join(',')})`];
}

async function isOpen(client: PoolClient, sql: string): Promise<boolean> {
  await client.query('savepoint attempt');
  try {
    await client.query(sql);
    return true;
  } catch (error) {
    const { code, message } = error as { code: string; message: string };
    return !(code === '42501' && message.startsWith('permission denied'));
  } finally {
    await client.query('rollback to savepoint attempt');
  }
}
