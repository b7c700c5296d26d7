import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { asRole, createTestDatabase, type TestDatabase } from '../support/database.ts';
import { addUser, claim, deploy, refusalOf, type MachineRow } from './fixtures.ts';

let database: TestDatabase;
beforeAll(async () => { database = await createTestDatabase(); });
afterAll(async () => { await database.close(); });

const service = <T extends object = Record<string, unknown>>(sql: string, values: unknown[] = []) => asRole<T>(database.pool, 'service_role', {}, sql, values);
const wish = (machineId: string, userId: string, patch: object, generation: number | null = null) =>
  service<MachineRow>('select * from public.set_machine_desired($1, $2, $3, $4)', [machineId, userId, JSON.stringify(patch), generation]);
const destroy = (machineId: string) => database.pool.query(`update public.machines set desired_state = 'destroyed', phase = 'destroyed' where id = $1`, [machineId]);

describe('deploying', () => {
  test('a hundred deploys of one user at once make one machine, and all are told of it', async () => {
    const user = await addUser(database.pool);
    const answers = await Promise.all(Array.from({ length: 100 }, () => deploy(database.pool, user)));
    expect(answers.filter((answer) => answer.created)).toHaveLength(1);
    expect(new Set(answers.map((answer) => answer.machine.id)).size).toBe(1);
    const events = await service<{ kind: string }>('select kind from public.machine_events where user_id = $1', [user]);
    expect(events).toEqual([{ kind: 'requested' }]);
  });

  test('each environment has a machine of its own', async () => {
    const user = await addUser(database.pool);
    expect((await deploy(database.pool, user, 'local')).created).toBe(true);
    expect((await deploy(database.pool, user, 'production')).created).toBe(true);
  });

  test('a machine that is being destroyed is said, and a destroyed one does not block', async () => {
    const user = await addUser(database.pool);
    const { machine } = await deploy(database.pool, user);
    await wish(machine.id, user, { desired_state: 'destroyed' });
    expect(await refusalOf(deploy(database.pool, user))).toBe('409 machine_being_destroyed');
    await destroy(machine.id);
    const again = await deploy(database.pool, user);
    expect(again.created).toBe(true);
    expect(again.machine.id).not.toBe(machine.id);
  });

  test('an unknown user and values out of range are refused', async () => {
    expect(await refusalOf(deploy(database.pool, '00000000-0000-4000-8000-000000000000'))).toBe('404 user_not_found');
    expect(await refusalOf(deploy(database.pool, await addUser(database.pool), 'Not An Environment'))).toBe('23514');
  });
});

describe('wishing', () => {
  test('a changed wish raises the generation once and makes the machine due; the same wish changes nothing', async () => {
    const user = await addUser(database.pool);
    const { machine } = await deploy(database.pool, user);
    await database.pool.query(`update public.machines set next_look_at = now() + interval '1 hour', attempts = 5 where id = $1`, [machine.id]);
    const [changed] = await wish(machine.id, user, { desired_cpus: 2, desired_memory_mb: 1024 });
    expect(changed).toMatchObject({ generation: '2', desired_cpus: 2, desired_memory_mb: 1024, attempts: 0 });
    expect((changed as MachineRow).next_look_at.getTime()).toBeLessThan(Date.now() + 60_000);
    expect((await wish(machine.id, user, { desired_cpus: 2 }))[0]).toMatchObject({ generation: '2' });
    const events = await service<{ message: string }>(`select message from public.machine_events where machine_id = $1 and kind = 'wish'`, [machine.id]);
    expect(events).toEqual([{ message: 'The wish changed: cpus is now 2, memory mb is now 1024.' }]);
  });

  test('an old generation, a foreign user, an unknown field and a wish after "destroyed" are refused by name', async () => {
    const [user, other] = [await addUser(database.pool), await addUser(database.pool)];
    const { machine } = await deploy(database.pool, user);
    expect(await refusalOf(wish(machine.id, user, { desired_state: 'stopped' }, 7))).toBe('412 generation_mismatch');
    expect(await refusalOf(wish(machine.id, other, { desired_state: 'stopped' }))).toBe('404 machine_not_found');
    expect(await refusalOf(wish(machine.id, user, { phase: 'screening' }))).toBe('400 unknown_field');
    expect(await refusalOf(wish(machine.id, user, { desired_state: 'asleep' }))).toBe('23514');
    expect((await wish(machine.id, user, { desired_state: 'destroyed' }, 1))[0]).toMatchObject({ generation: '2' });
    expect((await wish(machine.id, user, { desired_state: 'destroyed' }))[0]).toMatchObject({ generation: '2' });
    expect(await refusalOf(wish(machine.id, user, { desired_state: 'started' }))).toBe('409 machine_being_destroyed');
  });

  const WISHES: Record<string, (machine: string, user: string) => Promise<unknown>> = {
    restart: (machine, user) => service(`select public.wish_machine_again($1, $2, 'restart')`, [machine, user]),
    'rotate-secret': (machine, user) => service(`select public.wish_machine_again($1, $2, 'secret')`, [machine, user]),
    size: (machine, user) => wish(machine, user, { desired_cpus: 2 }),
    'the same size': (machine, user) => wish(machine, user, { desired_cpus: 1 }),
    region: (machine, user) => wish(machine, user, { desired_region: 'fra' }),
    start: (machine, user) => wish(machine, user, { desired_state: 'started' }),
    stop: (machine, user) => wish(machine, user, { desired_state: 'stopped' }),
    environment: (machine, user) => wish(machine, user, { desired_env: { LOG_LEVEL: 'debug' } }),
    destroy: (machine, user) => wish(machine, user, { desired_state: 'destroyed' }),
  };
  test.each(Object.entries(WISHES))('%s: refused by a machine that is being destroyed, and by one that is; to destroy it again is not', async (what, ask) => {
    const user = await addUser(database.pool);
    const { machine } = await deploy(database.pool, user);
    const generation = async () => (await database.pool.query('select generation, observed_generation from public.machines where id = $1', [machine.id])).rows;
    await wish(machine.id, user, { desired_state: 'destroyed' });
    const before = await generation();
    expect(await refusalOf(ask(machine.id, user))).toBe(what === 'destroy' ? 'none' : '409 machine_being_destroyed');
    await destroy(machine.id);
    expect(await refusalOf(ask(machine.id, user))).toBe(what === 'destroy' ? 'none' : '409 machine_destroyed');
    expect(await generation()).toEqual(before);
  });

  test('of ten changes on the same generation one wins', async () => {
    const user = await addUser(database.pool);
    const { machine } = await deploy(database.pool, user);
    const outcomes = await Promise.all(Array.from({ length: 10 }, (_, n) => refusalOf(wish(machine.id, user, { desired_memory_mb: 1024 + 256 * n }, 1))));
    expect(outcomes.filter((outcome) => outcome === 'none')).toHaveLength(1);
    expect(outcomes.filter((outcome) => outcome === '412 generation_mismatch')).toHaveLength(9);
  });
});

describe('events and deletion', () => {
  test('events are appended by nobody but the functions and service_role, and changed by nobody', async () => {
    const user = await addUser(database.pool);
    const { machine } = await deploy(database.pool, user);
    const [row] = await service<{ user_id: string; generation: string }>(
      `insert into public.machine_events (machine_id, kind, message) values ($1, 'note', 'Said.') returning user_id, generation`, [machine.id]);
    expect(row).toEqual({ user_id: user, generation: '1' });
    expect(await refusalOf(service('update public.machine_events set message = $1', ['x']))).toBe('42501');
    expect(await refusalOf(database.pool.query(`update public.machine_events set message = 'x' where machine_id = $1`, [machine.id]))).toBe('403 append_only');
    expect(await refusalOf(database.pool.query('delete from public.machine_events where machine_id = $1', [machine.id]))).toBe('403 append_only');
    expect(await refusalOf(database.pool.query('truncate public.machine_events'))).toBe('403 append_only');
    expect(await refusalOf(service(`insert into public.machine_events (machine_id, kind, message) values (gen_random_uuid(), 'note', 'x')`))).toBe('404 machine_not_found');
  });

  test('the events of one machine become visible in the order of their ids', async () => {
    const user = await addUser(database.pool);
    const { machine } = await deploy(database.pool, user);
    const slow = await database.pool.connect();
    const insert = `insert into public.machine_events (machine_id, kind, message) values ($1, 'note', $2) returning id`;
    await slow.query('begin');
    const first = await slow.query<{ id: string }>(insert, [machine.id, 'begun first']);
    const second = database.pool.query<{ id: string }>(insert, [machine.id, 'committed second']);
    const early = await Promise.race([second.then(() => 'visible'), new Promise((resolve) => { setTimeout(resolve, 100, 'waiting'); })]);
    await slow.query('commit');
    slow.release();
    expect(early).toBe('waiting');
    expect(Number((await second).rows[0]?.id)).toBeGreaterThan(Number(first.rows[0]?.id));
  });

  test('a user is not deleted while a machine may still cost money, and goes with everything afterwards', async () => {
    const user = await addUser(database.pool);
    const { machine } = await deploy(database.pool, user);
    expect(await refusalOf(database.pool.query('delete from auth.users where id = $1', [user]))).toBe('409 machine_not_destroyed');
    await destroy(machine.id);
    await database.pool.query('delete from auth.users where id = $1', [user]);
    const left = await service<{ n: number }>('select (select count(*) from public.machines where user_id = $1)::int + (select count(*) from public.machine_events where user_id = $1)::int as n', [user]);
    expect(left).toEqual([{ n: 0 }]);
  });

  test('a destroyed machine stays destroyed and is never claimed', async () => {
    const user = await addUser(database.pool);
    const { machine } = await deploy(database.pool, user);
    await destroy(machine.id);
    expect(await refusalOf(database.pool.query(`update public.machines set phase = 'starting' where id = $1`, [machine.id]))).toBe('409 machine_destroyed');
    expect((await claim(database.pool)).map((row) => row.id)).not.toContain(machine.id);
  });
});
