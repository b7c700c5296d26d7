import { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../tests/support/database.ts';
import { applyMigrations, MIGRATIONS_FOLDER, prepareDatabase, readMigrations } from './migrate.ts';

let database: TestDatabase;
let folder: string;
beforeEach(async () => {
  database = await createTestDatabase({ empty: true });
  folder = mkdtempSync(join(tmpdir(), 'trademind-migrations-'));
});
afterEach(async () => {
  await database.close();
  rmSync(folder, { recursive: true, force: true });
});

const versions = readMigrations(MIGRATIONS_FOLDER).map((migration) => migration.version);
/** What the database looks like: relations, columns, functions, policies, triggers. */
const shape = async () => (await database.pool.query<{ line: string }>(`
  select 'column ' || table_schema || '.' || table_name || '.' || column_name || ' ' || data_type as line from information_schema.columns where table_schema in ('public', 'private')
  union all select 'function ' || p.oid::regprocedure::text || md5(prosrc) from pg_proc p where pronamespace::regnamespace::text in ('public', 'private')
  union all select 'policy ' || tablename || ' ' || policyname || coalesce(qual, '') from pg_policies
  union all select 'trigger ' || tgname || ' ' || tgrelid::regclass::text from pg_trigger where not tgisinternal
  order by 1`)).rows.map((row) => row.line);

test('all migrations apply to an empty database, and a second time there is nothing to do', async () => {
  expect(await prepareDatabase(database.url)).toEqual(versions);
  const first = await shape();
  expect(await prepareDatabase(database.url)).toEqual([]);
  expect(await shape()).toEqual(first);
  const { rows } = await database.pool.query<{ version: string }>('select version from supabase_migrations.schema_migrations order by version');
  expect(rows.map((row) => row.version)).toEqual(versions);
});

test('a database at any earlier version arrives at the same shape', async () => {
  const files = readdirSync(MIGRATIONS_FOLDER).toSorted();
  for (const file of files) {
    cpSync(join(MIGRATIONS_FOLDER, file), join(folder, file));
    await prepareDatabase(database.url, folder);
  }
  const stepwise = await shape();
  const other = await createTestDatabase();
  try {
    const { rows } = await other.pool.query<{ n: number }>(`select count(*)::int as n from information_schema.columns where table_schema in ('public', 'private')`);
    expect(stepwise.filter((line) => line.startsWith('column')).length).toBe(rows[0]?.n);
  } finally {
    await other.close();
  }
});

test('two that migrate at once apply each migration once', async () => {
  await prepareDatabase(database.url, folder);
  writeFileSync(join(folder, '1_one.sql'), 'create table public.one (id int); select pg_sleep(0.1);');
  const applied = await Promise.all([applyMigrations(database.url, folder), applyMigrations(database.url, folder)]);
  expect(applied.toSorted((a, b) => a.length - b.length)).toEqual([[], ['1']]);
});

test('a migration that fails keeps nothing of itself and says which line', async () => {
  writeFileSync(join(folder, '1_one.sql'), 'create table public.one (id int);');
  writeFileSync(join(folder, '2_two.sql'), 'create table public.two (id int);\ncreate table public.three (id nonsense);');
  await expect(applyMigrations(database.url, folder)).rejects.toMatchObject({ code: 'migration_failed', message: expect.stringMatching(/^Migration 2_two \(line 2\): type "nonsense" does not exist/) });
  const { rows } = await database.pool.query(`select to_regclass('public.one')::text as one, to_regclass('public.two')::text as two`);
  expect(rows).toEqual([{ one: 'one', two: null }]);
});

test('a migration that was edited after it was applied is refused', async () => {
  writeFileSync(join(folder, '1_one.sql'), 'select 1;');
  await applyMigrations(database.url, folder);
  writeFileSync(join(folder, '1_one.sql'), 'select 2;');
  await expect(applyMigrations(database.url, folder)).rejects.toMatchObject({ code: 'migration_changed' });
});

test('a version used twice and a name that does not fit are refused', () => {
  writeFileSync(join(folder, '1_one.sql'), '');
  writeFileSync(join(folder, '1_two.sql'), '');
  expect(() => readMigrations(folder)).toThrow(/Two migrations have the version 1/);
  rmSync(join(folder, '1_two.sql'));
  writeFileSync(join(folder, 'three.sql'), '');
  expect(() => readMigrations(folder)).toThrow(/three.sql is not named/);
});
