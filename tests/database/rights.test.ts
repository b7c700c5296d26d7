import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { asRole, createTestDatabase, type TestDatabase } from '../support/database.ts';
import { addTrader, addUser, deploy, machineClaims, refusalOf, signalRow } from './fixtures.ts';

let database: TestDatabase;
beforeAll(async () => { database = await createTestDatabase(); });
afterAll(async () => { await database.close(); });

const ROLES = ['anon', 'authenticated', 'machine', 'service_role'] as const;
const OPERATIONS = ['select', 'insert', 'update', 'delete', 'truncate', 'references', 'trigger'] as const;

/** What each role may do with each table (on any of its columns). Everything else is refused. */
const TABLES: Record<string, Partial<Record<(typeof ROLES)[number], readonly (typeof OPERATIONS)[number][]>>> = {
  machines: { authenticated: ['select'], machine: ['select'], service_role: ['select'] },
  machine_secrets: { service_role: ['select'] },
  machine_events: { authenticated: ['select'], service_role: ['select', 'insert'] },
  traders: { authenticated: ['select', 'insert', 'update'], machine: ['select'], service_role: ['select', 'insert', 'update', 'delete'] },
  signals: { authenticated: ['select'], machine: ['select'], service_role: ['select'] },
};

/** Who may execute each function of schema public. */
const FUNCTIONS: Record<string, readonly (typeof ROLES)[number][]> = {
  deploy_machine: ['service_role'],
  set_machine_desired: ['service_role'],
  revoke_machine_tokens: ['service_role'],
  claim_machines: ['service_role'],
  renew_machine_lease: ['service_role'],
  record_observation: ['service_role'],
  release_machine: ['service_role'],
  set_machine_secret: ['service_role'],
  machine_by_secret: ['service_role'],
  machine_beat: ['machine'],
  write_signals: ['machine'],
  record_machine_event: ['machine'],
  db_pre_request: ['anon', 'authenticated', 'machine', 'service_role'],
};

describe('what the catalogue grants', () => {
  test('every table of schema public is in the table above, with row-level security enabled and forced', async () => {
    const { rows } = await database.pool.query<{ name: string; safe: boolean }>(
      `select relname as name, relrowsecurity and relforcerowsecurity as safe from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm')`);
    expect(rows.map((row) => row.name).toSorted()).toEqual(Object.keys(TABLES).toSorted());
    expect(rows.filter((row) => !row.safe)).toEqual([]);
  });

  test('each role may do with each table exactly what is stated', async () => {
    const { rows } = await database.pool.query<{ relation: string; role: string; operation: string }>(
      `select c.relname as relation, role, operation
       from pg_class c, unnest($1::text[]) role, unnest($2::text[]) operation
       where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and case
         when operation in ('select', 'insert', 'update', 'references') then has_any_column_privilege(role, c.oid, operation) else has_table_privilege(role, c.oid, operation) end`,
      [ROLES, OPERATIONS]);
    const granted = rows.map(({ relation, role, operation }) => `${relation} ${role} ${operation}`).toSorted();
    const stated = Object.entries(TABLES).flatMap(([relation, roles]) => Object.entries(roles).flatMap(([role, operations]) => operations.map((operation) => `${relation} ${role} ${operation}`)));
    expect(granted).toEqual(stated.toSorted());
  });

  test('each role may execute exactly the functions stated, and none of the private ones but three readers of claims', async () => {
    const { rows } = await database.pool.query<{ schema: string; name: string; role: string }>(
      `select nspname as schema, proname as name, role from pg_proc p join pg_namespace n on n.oid = p.pronamespace, unnest($1::text[]) role
       where nspname in ('public', 'private') and has_function_privilege(role, p.oid, 'execute')`, [ROLES]);
    const granted = (schema: string) => rows.filter((row) => row.schema === schema).map((row) => `${row.name} ${row.role}`).toSorted();
    expect(granted('public')).toEqual(Object.entries(FUNCTIONS).flatMap(([name, roles]) => roles.map((role) => `${name} ${role}`)).toSorted());
    expect(granted('private')).toEqual(['claim machine', 'token_machine_id machine', 'token_user_id machine']);
  });

  test('every function of ours has a fixed search_path, and nobody but its owner may execute it by default', async () => {
    const { rows } = await database.pool.query<{ name: string }>(
      `select proname as name from pg_proc p join pg_namespace n on n.oid = p.pronamespace
       where nspname in ('public', 'private') and (not coalesce('search_path=""' = any(proconfig), false) or has_function_privilege('public', p.oid, 'execute'))`);
    expect(rows).toEqual([]);
  });

  test('a table, a sequence or a function made later is closed to every API role until it is granted', async () => {
    await database.pool.query(`create table public.later (id bigserial primary key); create function public.later_on() returns int language sql as 'select 1'`);
    try {
      const { rows } = await database.pool.query<{ role: string; open: boolean }>(
        `select role, has_table_privilege(role, 'public.later', 'select') or has_sequence_privilege(role, 'public.later_id_seq', 'usage') or has_function_privilege(role, 'public.later_on()', 'execute') as open
         from unnest($1::text[]) role`, [ROLES]);
      expect(rows.filter((row) => row.open)).toEqual([]);
    } finally {
      await database.pool.query('drop table public.later; drop function public.later_on()');
    }
  });
});

describe('what row-level security shows and refuses', () => {
  test('a user sees own rows only, in every table; another user, a machine of another user and anon see none of them', async () => {
    const [owner, other] = [await addUser(database.pool), await addUser(database.pool)];
    const { machine } = await deploy(database.pool, owner);
    const { machine: foreign } = await deploy(database.pool, other);
    const trader = await addTrader(database.pool, owner);
    await asRole(database.pool, 'machine', machineClaims(machine.id, owner), 'select public.write_signals($1)', [JSON.stringify([signalRow(trader)])]);
    const count = async (role: string, claims: Record<string, unknown>, relation: string) =>
      asRole<{ n: number }>(database.pool, role, claims, `select count(*)::int as n from public.${relation} where ${relation === 'machines' ? 'id' : 'user_id'} = $1`, [relation === 'machines' ? machine.id : owner])
        .then((rows) => rows[0]?.n, (error: { code: string }) => error.code);
    const seen: Record<string, unknown> = {};
    for (const relation of ['machines', 'machine_events', 'traders', 'signals']) {
      seen[relation] = [
        await count('authenticated', { sub: owner }, relation), await count('authenticated', { sub: other }, relation), await count('anon', {}, relation),
        await count('machine', machineClaims(machine.id, owner), relation), await count('machine', machineClaims(foreign.id, other), relation),
      ];
    }
    expect(seen).toEqual({
      machines: [1, 0, '42501', 1, 0], machine_events: [1, 0, '42501', '42501', '42501'], traders: [1, 0, '42501', 1, 0], signals: [1, 0, '42501', 1, 0],
    });
  });

  test('a user cannot write signals, machines or events, nor make rows for somebody else', async () => {
    const [owner, other] = [await addUser(database.pool), await addUser(database.pool)];
    const { machine } = await deploy(database.pool, owner);
    const trader = await addTrader(database.pool, other);
    const as = (sql: string, values: unknown[] = []) => refusalOf(asRole(database.pool, 'authenticated', { sub: owner }, sql, values));
    expect(await as(`update public.machines set desired_cpus = 8 where id = $1`, [machine.id])).toBe('42501');
    expect(await as(`update public.machines set token_epoch = 9`)).toBe('42501');
    expect(await as(`delete from public.machines`)).toBe('42501');
    expect(await as(`insert into public.machine_events (machine_id, kind, message) values ($1, 'x', 'x')`, [machine.id])).toBe('42501');
    expect(await as(`insert into public.signals (id, user_id) values (gen_random_uuid(), $1)`, [owner])).toBe('42501');
    expect(await as(`select * from public.machine_secrets`)).toBe('42501');
    expect(await as(`insert into public.traders (user_id, name, document) values ($1, 'Mine', '{}')`, [other])).toBe('42501');
    expect(await as(`insert into public.traders (name, document, version) values ('Mine', '{}', 7)`)).toBe('42501');
    expect(await as(`update public.traders set user_id = $1`, [owner])).toBe('42501');
    expect(await as(`delete from public.traders`)).toBe('42501');
    expect(await asRole(database.pool, 'authenticated', { sub: owner }, `update public.traders set enabled = false where id = $1 returning id`, [trader])).toEqual([]);
  });

  test('nobody makes himself more than he is', async () => {
    const user = await addUser(database.pool);
    const as = (sql: string) => refusalOf(asRole(database.pool, 'authenticated', { sub: user }, sql));
    expect(await as(`update auth.users set raw_app_meta_data = '{"trademind_role":"operator"}'`)).toBe('42501');
    expect(await as(`select * from auth.users`)).toBe('42501');
    expect(await as(`create table public.mine (id int)`)).toBe('42501');
    expect(await as(`select private.refuse(400, 'x', 'y')`)).toBe('42501');
    expect(await as(`select public.deploy_machine('${user}', 'local', 'sin', 'shared', 1, 512, 'x')`)).toBe('42501');
    expect(await as(`select public.machine_beat('{}')`)).toBe('42501');
  });

  test('a user makes, edits and takes away traders: only an edit of the document makes a new version', async () => {
    const user = await addUser(database.pool);
    const as = (sql: string, values: unknown[] = []) => asRole<{ id: string; version: number }>(database.pool, 'authenticated', { sub: user }, sql, values);
    const [made] = await as(`insert into public.traders (name, document) values ('Dip', '{"where":{"a":"close > 1"}}') returning id, version`);
    const etags = new Set<string>();
    const etag = async () => etags.add(((await database.pool.query<{ e: string }>('select private.traders_etag($1) as e', [user])).rows[0] as { e: string }).e);
    await etag();
    expect(await as(`update public.traders set enabled = false, name = 'Dips' where id = $1 returning version`, [made?.id])).toEqual([{ version: 1 }]);
    await etag();
    expect(await as(`update public.traders set document = '{"where":{"a":"close > 2"}}' where id = $1 returning version`, [made?.id])).toEqual([{ version: 2 }]);
    await etag();
    expect(await refusalOf(as(`insert into public.traders (name, document) values ('Dips', '{}')`))).toBe('23505');
    expect(await as(`update public.traders set deleted_at = now() where id = $1 returning version`, [made?.id])).toEqual([{ version: 2 }]);
    await etag();
    expect(await as(`insert into public.traders (name, document) values ('Dips', '{}') returning version`)).toEqual([{ version: 1 }]);
    await etag();
    expect(etags.size).toBe(5);
  });
});
