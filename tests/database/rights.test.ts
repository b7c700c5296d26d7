import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { asRole, createTestDatabase, type TestDatabase } from '../support/database.ts';
import { addTrader, addUser, deploy, machineClaims, refusalOf, signalRow } from './fixtures.ts';
import { analysisRow, decisionRow, metricRow, notificationRow } from './fixtures-facts.ts';
import { tryAll } from './try-all.ts';

let database: TestDatabase;
beforeAll(async () => { database = await createTestDatabase(); });
afterAll(async () => { await database.close(); });

const ROLES = ['anon', 'authenticated', 'machine', 'service_role'] as const;
type Role = (typeof ROLES)[number];

const READ = 'select';
/** What each role may do with each table; with names in brackets: on these columns alone. Everything else is refused. */
const TABLES: Record<string, Partial<Record<Role, string>>> = {
  access_tokens: {},
  analyses: { authenticated: READ, service_role: READ },
  audit_log: { authenticated: READ, service_role: READ },
  budget_notices: { authenticated: READ, service_role: READ },
  budgets: { authenticated: READ, service_role: READ },
  control_replicas: { service_role: READ },
  current_releases: { service_role: READ },
  decisions: { authenticated: READ, service_role: READ },
  fleet_contract: { service_role: READ },
  fleet_events: { service_role: READ },
  fleet_findings: { service_role: READ },
  fleet_sweep: { service_role: READ },
  gemini_calls: { authenticated: READ, service_role: READ },
  idempotency_keys: {},
  machine_events: { authenticated: READ, service_role: 'insert(at,data,kind,machine_id,message) select' },
  machine_heartbeats: { authenticated: READ, service_role: READ },
  machine_metrics: { authenticated: READ, service_role: READ },
  machine_secrets: { service_role: READ },
  machine_spans: { authenticated: READ, service_role: READ },
  machines: { authenticated: READ, machine: READ, service_role: READ },
  notifications: { authenticated: READ, service_role: READ },
  owner_leases: { authenticated: READ, service_role: READ },
  plans: { anon: READ, authenticated: READ, service_role: READ },
  price_lists: { authenticated: READ, service_role: READ },
  releases: { service_role: READ },
  rollout_events: { service_role: READ },
  rollout_machines: { service_role: READ },
  rollouts: { service_role: READ },
  signals: { authenticated: READ, machine: READ, service_role: READ },
  ticket_keys: { service_role: READ },
  traders: {
    authenticated: 'insert(document,enabled,id,name,user_id) select update(deleted_at,document,enabled,name)', machine: READ, service_role: 'delete insert select update',
  },
  usage: { authenticated: READ, service_role: READ },
  user_plans: { authenticated: READ, service_role: READ },
  user_secrets: {},
  user_settings: { authenticated: READ, machine: READ, service_role: READ },
};

/** Who may execute each function; of schema private, only what row-level security calls in a machine's name. */
const FUNCTIONS: Record<string, readonly Role[]> = {
  'private.claim': ['machine'],
  'private.token_machine_id': ['machine'],
  'private.token_user_id': ['machine'],
  'public.access_token_by_hash': ['service_role'],
  'public.access_tokens_of': ['service_role'],
  'public.add_machine_secret': ['service_role'],
  'public.adopt_machine': ['service_role'],
  'public.advance_rollout': ['service_role'],
  'public.analyses_of_day': ['machine'],
  'public.begin_gemini_call': ['service_role'],
  'public.begin_request': ['service_role'],
  'public.check_budgets': ['service_role'],
  'public.claim_machines': ['service_role'],
  'public.claim_rollout': ['service_role'],
  'public.claim_sweep': ['service_role'],
  'public.compare_sweep': ['service_role'],
  'public.control_rollout': ['service_role'],
  'public.create_access_token': ['service_role'],
  'public.current_prices': ['service_role'],
  'public.db_pre_request': ['anon', 'authenticated', 'machine', 'service_role'],
  'public.deploy_machine': ['service_role'],
  'public.end_gemini_call': ['service_role'],
  'public.end_request': ['service_role'],
  'public.end_sweep': ['service_role'],
  'public.exclude_from_rollout': ['service_role'],
  'public.fleet_figures': ['service_role'],
  'public.fleet_summary': ['service_role'],
  'public.give_contract_turns': ['service_role'],
  'public.hold_owner_lease': ['machine'],
  'public.machine_beat': ['machine'],
  'public.machine_by_secret': ['service_role'],
  'public.machine_by_token': ['service_role'],
  'public.may_reap': ['service_role'],
  'public.note_reaped': ['service_role'],
  'public.note_scale_refusal': ['service_role'],
  'public.publish_ticket_keys': ['service_role'],
  'public.record_observation': ['service_role'],
  'public.record_step': ['service_role'],
  'public.register_release': ['service_role'],
  'public.release_and_claim': ['service_role'],
  'public.release_machine': ['service_role'],
  'public.release_owner_lease': ['machine'],
  'public.renew_machine_lease': ['service_role'],
  'public.replica_beat': ['service_role'],
  'public.replica_leave': ['service_role'],
  'public.request_drain': ['service_role'],
  'public.reseal_secret': ['service_role'],
  'public.resume_sweep': ['service_role'],
  'public.retire_machine_secrets': ['service_role'],
  'public.revoke_access_token': ['service_role'],
  'public.revoke_machine_tokens': ['service_role'],
  'public.rollout_counts': ['service_role'],
  'public.scale_facts': ['service_role'],
  'public.scale_machine': ['service_role'],
  'public.secrets_to_reseal': ['service_role'],
  'public.set_budget': ['service_role'],
  'public.set_default_plan': ['service_role'],
  'public.set_machine_desired': ['service_role'],
  'public.set_machine_secret': ['service_role'],
  'public.set_user_plan': ['service_role'],
  'public.set_user_secret': ['service_role'],
  'public.set_user_setting': ['service_role'],
  'public.set_user_settings': ['service_role'],
  'public.start_rollout': ['service_role'],
  'public.sweep_page': ['service_role'],
  'public.sweep_requests': ['service_role'],
  'public.user_cost': ['service_role'],
  'public.user_keys_changed': ['service_role'],
  'public.user_plan': ['service_role'],
  'public.user_secrets_of': ['service_role'],
  'public.wish_machine_again': ['service_role'],
  'public.withdraw_release': ['service_role'],
  'public.write_facts': ['machine'],
  'public.write_signals': ['machine'],
};

describe('what each role can do, tried', () => {
  test('with every column of every table: exactly what is stated, and row-level security is forced on each', async () => {
    const { rows } = await database.pool.query<{ name: string; safe: boolean }>(
      `select relname as name, relrowsecurity and relforcerowsecurity as safe from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm', 'f')`);
    expect(rows.filter((row) => !row.safe)).toEqual([]);
    const { tables } = await tryAll(database.pool, ROLES);
    const stated = rows.flatMap(({ name }) => ROLES.map((role) => `${name} ${role}: ${TABLES[name]?.[role] ?? ''}`));
    expect(tables).toEqual(stated.toSorted());
    expect(Object.keys(TABLES)).toEqual(rows.map(({ name }) => name).toSorted());
  });

  test('with every function of ours: exactly what is stated', async () => {
    const { functions } = await tryAll(database.pool, ROLES);
    expect(functions).toEqual(Object.entries(FUNCTIONS).flatMap(([name, roles]) => roles.map((role) => `${name} ${role}`)).toSorted());
  });

  test('every function of ours has a fixed search_path, and nobody but its owner may execute it by default', async () => {
    const { rows } = await database.pool.query<{ name: string }>(
      `select proname as name from pg_proc p join pg_namespace n on n.oid = p.pronamespace
       where nspname in ('public', 'private') and (not coalesce('search_path=""' = any(proconfig), false) or has_function_privilege('public', p.oid, 'execute'))`);
    expect(rows).toEqual([]);
  });

  test('no sequence is open to anybody', async () => {
    const { rows } = await database.pool.query<{ name: string; role: string }>(
      `select relname as name, role from pg_class c, unnest($1::text[]) role where relnamespace in ('public'::regnamespace, 'private'::regnamespace) and relkind = 'S' and has_sequence_privilege(role, c.oid, 'usage, select, update')`, [ROLES]);
    expect(rows).toEqual([]);
  });

  test('a table, a sequence or a function made later is closed to every API role until it is granted', async () => {
    await database.pool.query(`create table public.later (id bigserial primary key); create function public.later_on() returns int language sql as 'select 1'`);
    try {
      const { tables, functions } = await tryAll(database.pool, ROLES);
      expect(tables.filter((line) => line.startsWith('later '))).toEqual(ROLES.map((role) => `later ${role}: `));
      expect(functions.filter((line) => line.startsWith('public.later'))).toEqual([]);
      const { rows } = await database.pool.query<{ open: boolean }>(`select has_sequence_privilege(role, 'public.later_id_seq', 'usage') as open from unnest($1::text[]) role`, [ROLES]);
      expect(rows.some(({ open }) => open)).toBe(false);
    } finally {
      await database.pool.query('drop table public.later; drop function public.later_on()');
    }
  });
});

describe('what row-level security shows and refuses', () => {
  /** A user with a machine and a row of that user's in every table. */
  async function addWorld(): Promise<{ user: string; machine: string }> {
    const user = await addUser(database.pool);
    const { machine } = await deploy(database.pool, user);
    const signal = signalRow(await addTrader(database.pool, user));
    const asMachine = (sql: string, values: unknown[]) => asRole(database.pool, 'machine', machineClaims(machine.id, user), sql, values);
    await asMachine('select public.write_facts($1)', [JSON.stringify({
      signal: [signal], decision: [decisionRow(signal['id'])], analysis: [analysisRow()], notification: [notificationRow()], metric: [metricRow(new Date())],
    })]);
    await asMachine('select public.machine_beat($1)', ['{}']);
    await asMachine('select public.hold_owner_lease($1)', [randomUUID()]);
    await asRole(database.pool, 'service_role', {}, 'select public.set_user_settings($1, $2)', [user, '{}']);
    await asRole(database.pool, 'service_role', {}, 'select public.replica_beat($1)', ['a replica']);
    await asRole(database.pool, 'service_role', {}, 'select public.publish_ticket_keys($1)', [{ keys: [] }]);
    const service = (call: string, values: unknown[]) => asRole(database.pool, 'service_role', {}, `select public.${call}`, values);
    await service('set_user_plan($1, $2)', [user, 'tests']);
    await service('set_budget($1, 100, $2)', [user, 'notify']);
    await service('set_user_secret($1, $2, $3, $4)', [user, 'gemini', 'k', 'sealed']);
    await service('create_access_token($1, $2, $3, $4, 1)', [user, 'script', user.replaceAll('-', '').padEnd(64, '0'), ['machines:read']]);
    await service('begin_request($1, $2, $3, $4, 60)', [user, 'key', '0'.repeat(64), randomUUID()]);
    await service('begin_gemini_call($1, $2, $3, $4, 1, 1000)', [randomUUID(), machine.id, user, 'm']);
    await database.pool.query(`insert into public.budget_notices (user_id, month, percent, spent_usd, budget_usd, action) values ($1, '2026-01-01', 50, 1, 1, 'notify')`, [user]);
    await database.pool.query(`insert into public.machine_spans (machine_id, user_id, kind, since, region, gb) values ($1, $2, 'volume', now(), 'sin', 1)`, [machine.id, user]);
    await database.pool.query(`insert into public.machine_secrets (machine_id, hashes) values ($1, array[$2])`, [machine.id, user.replaceAll('-', '').padEnd(64, '0')]);
    await database.pool.query(`with r as (insert into public.releases (version, image, registered_by) values ($1::text, 'registry.example/machine@sha256:' || $2, $1::uuid) returning id),
      c as (insert into public.current_releases (environment, release_id) select 'w' || left($1, 8), id from r),
      o as (insert into public.rollouts (release_id, settings, started_by) select id, '{}', $1::uuid from r returning id),
      m as (insert into public.rollout_machines (rollout_id, machine_id, user_id, wave, state, previous_image, counted, generation) select id, $3, $1::uuid, 0, 'healthy', 'x', true, 1 from o),
      e as (insert into public.rollout_events (rollout_id, kind, message) select id, 'started', 'It began.' from o),
      f as (insert into public.fleet_findings (kind, subject, machine_id, why) values ('orphan', $1, $3, 'It belongs to nobody.'))
      insert into public.fleet_events (kind, message) values ('removed', 'It was removed.')`, [user, user.replaceAll('-', '').padEnd(64, '0'), machine.id]);
    return { user, machine: machine.id };
  }

  test('in every table: own rows to a user and to the user\'s machine, all of what runs and what it costs to an operator, nothing to anybody else', async () => {
    const [owner, other] = [await addWorld(), await addWorld()];
    const VIEWERS = {
      owner: ['authenticated', { sub: owner.user }], other: ['authenticated', { sub: other.user }],
      operator: ['authenticated', { sub: randomUUID(), app_metadata: { trademind_role: 'operator' } }],
      // Claims that look alike, where a user could have put them.
      pretender: ['authenticated', { sub: randomUUID(), trademind_role: 'operator', user_metadata: { trademind_role: 'operator' } }],
      anon: ['anon', { app_metadata: { trademind_role: 'operator' } }],
      machine: ['machine', machineClaims(owner.machine, owner.user)], otherMachine: ['machine', machineClaims(other.machine, other.user)],
      service: ['service_role', {}],
    } as const satisfies Record<string, readonly [Role, Record<string, unknown>]>;
    const { rows: tables } = await database.pool.query<{ name: string; owner: string }>(`select relname as name,
      case when relname = 'machines' then 'id' when relname = 'audit_log' then 'subject_user' when exists (select from pg_attribute where attrelid = c.oid and attname = 'user_id') then 'user_id'
        when exists (select from pg_attribute where attrelid = c.oid and attname = 'machine_id') then 'machine_id' end as owner
      from pg_class c where relnamespace = 'public'::regnamespace and relkind = 'r' order by relname`);
    const seen: Record<string, string> = {};
    for (const { name, owner: column } of tables) {
      const who: string[] = [];
      for (const [viewer, [role, claims]] of Object.entries(VIEWERS)) {
        const where = column === null ? '' : `where ${column} = '${column === 'id' || column === 'machine_id' ? owner.machine : owner.user}'`;
        const [row] = await asRole<{ n: number }>(database.pool, role, claims, `select count(*)::int as n from public.${name} ${where}`).catch(() => [{ n: 0 }]);
        if ((row?.n ?? 0) > 0) who.push(viewer);
      }
      seen[name] = who.join(' ');
    }
    expect(seen).toEqual({
      control_replicas: 'service',
      access_tokens: '', audit_log: 'operator service', budget_notices: 'owner operator service', budgets: 'owner operator service', gemini_calls: 'owner operator service', idempotency_keys: '',
      machine_spans: 'owner operator service', plans: 'owner other operator pretender anon service', price_lists: 'owner other operator pretender service', user_plans: 'owner operator service', user_secrets: '',
      analyses: 'owner service', decisions: 'owner service', machine_events: 'owner operator service', machine_heartbeats: 'owner operator service', machine_metrics: 'owner operator service',
      machine_secrets: 'service', machines: 'owner operator machine service', releases: 'service', current_releases: 'service', rollouts: 'service', rollout_machines: 'service', rollout_events: 'service',
      fleet_sweep: 'service', fleet_contract: 'service', fleet_findings: 'service', fleet_events: 'service', notifications: 'owner service', owner_leases: 'owner operator service', signals: 'owner machine service',
      ticket_keys: 'service', traders: 'owner machine service', usage: 'owner operator service', user_settings: 'owner machine service',
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
