// What all machines are given changes: who takes it when. The fleet is rows; its machines become ready, or do not, as the test says.
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { asRole, createTestDatabase, type TestDatabase } from '../support/database.ts';

let database: TestDatabase;
beforeAll(async () => { database = await createTestDatabase(); });
afterAll(async () => { await database.close(); });

const query = async <T extends object>(sql: string, values: unknown[] = []) => (await database.pool.query<T>(sql, values)).rows;
const count = async (where: string) => Number((await query<{ n: string }>(`select count(*) as n from machines where phase <> 'destroyed' and ${where}`))[0]?.n);

let toldBefore = '0';
/** So many machines that work, and are ready with `one`. */
async function fleet(machines: number): Promise<void> {
  await query(`update machines set desired_state = 'destroyed', phase = 'destroyed', contract_turn = null, contract_turn_at = null where phase <> 'destroyed'`);
  [{ id: toldBefore }] = await query<{ id: string }>('select coalesce(max(id), 0) as id from fleet_events') as [{ id: string }];
  await query(`update fleet_contract set contract = '', since = now(), taken_at = null, next_at = now(), waiting = 0, under_way = 0, late = 0, ready = 0, halted = null`);
  await query(`with u as (insert into auth.users (id, email) select gen_random_uuid(), gen_random_uuid() || '@example.test' from generate_series(1, $1) returning id)
    insert into machines (user_id, environment, desired_region, desired_cpu_kind, desired_cpus, desired_memory_mb, desired_image, phase, observed_generation, good, next_look_at)
    select id, 'local', 'sin', 'shared', 1, 512, 'machine@sha256:00', 'screening', 1, '{"contract": "one"}', now() + interval '5 minutes' from u`, [machines]);
}
/** A beat of a replica that gives `contract`, whenever the last one was; how many turns it gave. */
async function beat(contract: string, share = 0.1): Promise<number> {
  await query('update fleet_contract set next_at = now()');
  return (await asRole<{ n: number }>(database.pool, 'service_role', {}, 'select public.give_contract_turns($1, $2) as n', [contract, share]))[0]?.n ?? NaN;
}
const ready = (contract: string) => query(`update machines set good = jsonb_build_object('contract', $1::text), phase = 'screening' where contract_turn = $1`, [contract]);
const minutesPass = (minutes: number) => query(`update machines set contract_turn_at = contract_turn_at - make_interval(mins => $1)`, [minutes]);
const pace = async () => (await query<{ waiting: number; under_way: number; late: number; ready: number; halted: { code: string; message: string; machines: string[] } | null }>('select waiting, under_way, late, ready, halted from fleet_contract'))[0]!;
const told = async () => (await query<{ kind: string }>('select kind from fleet_events where id > $1 order by id', [toldBefore])).map(({ kind }) => kind);

beforeEach(() => fleet(100));

test('one takes it first; when that one is ready one more, then twice as many each time, and never more than the share within ten minutes', async () => {
  expect(await beat('one')).toBe(0);
  const given: number[] = [];
  for (let look = 0; look < 6; look += 1) {
    given.push(await beat('two'));
    await ready('two');
  }
  expect(given).toEqual([1, 2, 4, 3, 0, 0]);
  expect(await count(`contract_turn = 'two'`)).toBe(10);
  await minutesPass(10);
  expect(await beat('two')).toBe(10);
  expect(await told()).toEqual(['contract.changed']);
});

test('whose turn it is is looked at now; who waits is not woken', async () => {
  await beat('one');
  await beat('two');
  expect(await count(`next_look_at <= now() and contract_turn = 'two'`)).toBe(1);
  expect(await count('next_look_at <= now()')).toBe(1);
});

test('while the one that took it is not ready nobody else does; when it has failed, or is late, that is told once, with its name', async () => {
  await beat('two');
  expect([await beat('two'), await beat('two')]).toEqual([0, 0]);
  expect(await pace()).toMatchObject({ waiting: 99, under_way: 1, late: 0, halted: null });
  await minutesPass(21);
  expect([await beat('two'), await beat('two')]).toEqual([0, 0]);
  const { id } = (await query<{ id: string }>(`select id from machines where contract_turn = 'two'`))[0]!;
  expect(await pace()).toMatchObject({ waiting: 99, under_way: 0, late: 1, halted: { code: 'contract_harms', machines: [id] } });
  // it says so at once when it does not even run
  await query(`update machines set contract_turn_at = now(), phase = 'failed' where id = $1`, [id]);
  await beat('two');
  expect(await pace()).toMatchObject({ late: 1, halted: { message: '1 of the machines that were given what all are to get now did not become ready with it, and 0 did: 99 wait until they are, or until something else is given.' } });
  expect(await told()).toEqual(['contract.halted']);
  // it is ready after all
  await ready('two');
  expect(await beat('two')).toBe(2);
  expect(await pace()).toMatchObject({ halted: null });
});

test('one that says it is ready, and is not heard of since, does not count as ready: it may not reach the database with what it was given', async () => {
  await query(`update machines set beat_at = now(), phase_since = now() - interval '1 day' where phase <> 'destroyed'`);
  await beat('two');
  await ready('two');
  // its last beat was before it restarted
  await query(`update machines set phase_since = now() + interval '1 second' where contract_turn = 'two'`);
  expect([await beat('two'), (await pace()).under_way]).toEqual([0, 1]);
  await query(`update machines set beat_at = now() + interval '2 seconds' where contract_turn = 'two'`);
  expect(await beat('two')).toBe(2);
  // it was, and no more
  await query(`update machines set beat_at = now() - interval '3 minutes', phase_since = now() - interval '4 minutes' where good ->> 'contract' = 'two' and phase <> 'destroyed'`);
  expect([await beat('two'), await pace()]).toMatchObject([0, { under_way: 3, ready: 0 }]);
  await minutesPass(21);
  expect([await beat('two'), (await pace()).halted?.machines.length]).toEqual([0, 3]);
});

test('of many one in twenty may fail for reasons of its own', async () => {
  await query(`update machines set good = '{"contract": "two"}', contract_turn = 'two', contract_turn_at = now() - interval '1 hour' where id in (select id from machines where phase <> 'destroyed' order by id limit 40)`);
  await query(`update fleet_contract set contract = 'two', since = now() - interval '2 hours'`);
  const fails = (n: number) => query(`update machines set phase = 'failed' where id in (select id from machines where contract_turn = 'two' order by id limit $1)`, [n]);
  await fails(1);
  expect(await beat('two')).toBe(10);
  await ready('two');
  await minutesPass(10);
  await fails(3);
  expect([await beat('two'), (await pace()).halted?.code]).toEqual([0, 'contract_harms']);
});

test('one machine\'s own trouble is left out by an operator, and the others go on', async () => {
  await beat('two');
  await query(`update machines set phase = 'failed' where contract_turn = 'two'`);
  expect([await beat('two'), (await pace()).halted?.code]).toEqual([0, 'contract_harms']);
  await query(`update machines set contract_turn = null where phase = 'failed'`);
  expect([await beat('two'), (await pace()).halted]).toEqual([1, null]);
});

test('given something else again, what went wrong before says nothing, and who still has that from before waits for nothing', async () => {
  await beat('one');
  await beat('two');
  await query(`update machines set phase = 'failed' where contract_turn = 'two'`);
  await beat('two');
  expect(await beat('one')).toBe(0);
  expect(await pace()).toMatchObject({ waiting: 0, late: 0, halted: null });
  // whose turn was of `two` has none for `three`
  await query(`update machines set phase = 'screening' where phase = 'failed'`);
  expect(await beat('three')).toBe(1);
  // it got the one before by a restart of its own: its turn of then does not count again
  expect(await beat('one')).toBe(0);
  expect([await beat('three'), await count(`contract_turn = 'three'`)]).toEqual([1, 1]);
  expect(await told()).toEqual(['contract.changed', 'contract.halted', 'contract.changed', 'contract.changed', 'contract.changed', 'contract.changed']);
});

test('machines that do not work, rest, or are about to become something else have no turn: they take it by themselves', async () => {
  await query(`update machines set phase = 'starting' where id in (select id from machines where phase <> 'destroyed' order by id limit 30)`);
  await query(`update machines set desired_state = 'stopped' where id in (select id from machines where phase = 'screening' order by id limit 30)`);
  await query(`update machines set desired_restart = 1 where id in (select id from machines where phase = 'screening' and desired_state = 'started' order by id limit 30)`);
  await beat('two');
  expect(await pace()).toMatchObject({ waiting: 9, under_way: 1 });
});

test('with a share of 0 nobody takes it by itself', async () => {
  expect([await beat('two', 0), (await pace()).waiting]).toEqual([0, 100]);
});

test('in a small fleet five may within ten minutes; the last one is told', async () => {
  await fleet(4);
  const given: number[] = [];
  for (let look = 0; look < 4; look += 1) {
    given.push(await beat('two'));
    await ready('two');
  }
  expect(given).toEqual([1, 2, 1, 0]);
  expect(await told()).toEqual(['contract.taken']);
  // one whose host was away all the time is told with it, and once
  await beat('three');
  await ready('three');
  await beat('three');
  await minutesPass(21);
  await query(`update machines set good = '{"contract": "three"}' where contract_turn is distinct from 'three' and phase <> 'destroyed'`);
  expect([await beat('three'), await beat('three'), await pace(), await told()]).toMatchObject([0, 0, { waiting: 0, under_way: 0, late: 0 }, ['contract.taken', 'contract.changed', 'contract.taken']]);
  expect((await query<{ message: string }>('select message from fleet_events order by id desc limit 1'))[0]?.message).toBe('Every machine that runs has what all are given; 1 of them did not become ready with it.');
  // what becomes of one of them later has other reasons
  await query(`update machines set phase = 'failed' where id = (select id from machines where contract_turn = 'three' and good ->> 'contract' = 'three' limit 1)`);
  expect([await beat('three'), await pace(), (await told()).length]).toMatchObject([0, { late: 0, halted: null }, 3]);
});

test('however many replicas ask at once, the budget is one', async () => {
  await beat('two', 1);
  await query(`update machines set good = '{"contract": "two"}' where id in (select id from machines where phase <> 'destroyed' order by id limit 20)`);
  await ready('two');
  await query('update fleet_contract set next_at = now()');
  const given = await Promise.all(Array.from({ length: 8 }, () => asRole<{ n: number }>(database.pool, 'service_role', {}, `select public.give_contract_turns('two', 0.1) as n`)));
  expect(given.flat().reduce((sum, { n }) => sum + n, 0)).toBe(9);
  expect(await count(`contract_turn_at > now() - interval '10 minutes'`)).toBe(10);
});
