import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Pool } from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { applyMigrations, MIGRATIONS_FOLDER, prepareDatabase } from '../../local-cloud/postgres/migrate.ts';
import { asRole, createTestDatabase, type TestDatabase } from '../support/database.ts';
import { addTrader, addUser, deploy, machineClaims, signalRow } from './fixtures.ts';
import { decisionRow, eventRow } from './fixtures-facts.ts';

/** The last migration of each release; the newest release is what stands in the folder beyond them. */
const RELEASES = ['20261122000007', '20261126000001'];

let database: TestDatabase;
let folder: string;
beforeEach(async () => {
  database = await createTestDatabase({ empty: true });
  folder = mkdtempSync(join(tmpdir(), 'trademind-upgrade-'));
});
afterEach(async () => {
  await database.close();
  rmSync(folder, { recursive: true, force: true });
});

/** All that makes up schemas public and private, line by line. */
async function shape(pool: Pool): Promise<string[]> {
  const { rows } = await pool.query<{ line: string }>(`
    select concat_ws(' ', 'column', table_schema, table_name, column_name, data_type, is_nullable, column_default) as line from information_schema.columns where table_schema in ('public', 'private')
    union all select concat_ws(' ', 'function', p.oid::regprocedure::text, md5(prosrc), prosecdef, proconfig::text, proacl::text) from pg_proc p where pronamespace::regnamespace::text in ('public', 'private')
    union all select concat_ws(' ', 'policy', tablename, policyname, roles::text, cmd, qual, with_check) from pg_policies
    union all select concat_ws(' ', 'trigger', pg_get_triggerdef(oid)) from pg_trigger where not tgisinternal
    union all select concat_ws(' ', 'index', indexdef) from pg_indexes where schemaname in ('public', 'private')
    union all select concat_ws(' ', 'constraint', conrelid::regclass::text, pg_get_constraintdef(oid)) from pg_constraint where connamespace in ('public'::regnamespace, 'private'::regnamespace)
    union all select concat_ws(' ', 'table', relname, relrowsecurity, relforcerowsecurity, relacl::text, reloptions::text) from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'
    order by 1`);
  return rows.map(({ line }) => line);
}

function layDown(until: string): void {
  for (const file of readdirSync(MIGRATIONS_FOLDER)) if (file.slice(0, until.length) <= until) cpSync(join(MIGRATIONS_FOLDER, file), join(folder, file));
}

describe.each(RELEASES)('a database of release %s, with a user\'s data in it', (release) => {
  test('comes to the same shape as a new one, keeps every row as it was, and serves machines of that release and of this', async () => {
    layDown(release);
    await prepareDatabase(database.url, folder);
    const { pool } = database;
    const user = await addUser(pool);
    const machine = (await deploy(pool, user)).machine.id;
    const trader = await addTrader(pool, user);
    const asMachine = async <T>(call: string, value: unknown) => (await asRole<{ a: T }>(pool, 'machine', machineClaims(machine, user), `select ${call} as a`, [JSON.stringify(value)]))[0]?.a as T;
    const signals = Array.from({ length: 200 }, () => signalRow(trader));
    await asMachine('public.write_signals($1)', signals);
    await asMachine('public.machine_beat($1)', { phase: 'screening' });
    await asMachine(`public.record_machine_event('crash', 'It crashed.', $1)`, { code: 'oom' });
    const rowsOf = async () => {
      const kept: Record<string, unknown> = {};
      for (const table of ['machines', 'machine_events', 'traders', 'signals']) {
        // Columns that came later say nothing of what was there.
        kept[table] = (await pool.query<{ row: object }>(`select to_jsonb(t) - array['suppressed', 'missing', 'fact_id', 'drain_until', 'drain_reason', 'scaled_at',
          'desired_env', 'desired_regions', 'desired_sizes', 'desired_restart', 'desired_secret', 'wished_at', 'placed', 'tried', 'placement', 'good', 'failed_generation', 'failure',
          'config_sent_at', 'secret_version', 'secret_oldest', 'doubt', 'unreachable_since', 'waiting', 'contract_turn', 'contract_turn_at'] as row from public.${table} t order by to_jsonb(t)::text`)).rows;
      }
      return kept;
    };
    const before = await rowsOf();

    expect((await applyMigrations(database.url)).length).toBeGreaterThan(0);
    expect(await rowsOf()).toEqual(before);
    const fresh = await createTestDatabase();
    try {
      expect(await shape(pool)).toEqual(await shape(fresh.pool));
    } finally {
      await fresh.close();
    }

    expect(await asMachine('public.write_signals($1)', [...signals.slice(0, 10), signalRow(trader), signalRow(trader, { price: -1 })]))
      .toMatchObject({ inserted: 1, duplicates: 10, rejected: [{ code: 'value_refused' }] });
    expect(await asMachine('public.write_facts($1)', { signal: signals, decision: [decisionRow(signals[0]!['id'])], event: [eventRow()] })).toEqual({ written: 2, duplicates: 200, rejected: [] });
    expect(await asMachine<{ drain: boolean }>('public.machine_beat($1)', { phase: 'screening' })).toMatchObject({ drain: false, settings_version: 0 });
  });
});
