import { createHash } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { asRole, createTestDatabase, type TestDatabase } from '../support/database.ts';
import { addUser, deploy, refusalOf, type MachineRow } from './fixtures.ts';

let database: TestDatabase;
beforeAll(async () => { database = await createTestDatabase(); });
afterAll(async () => { await database.close(); });
/** Machines of earlier tests are due no more. */
beforeEach(() => database.pool.query(`update public.machines set next_look_at = 'infinity', lease_owner = null, lease_expires_at = null`));

const service = <T extends object = Record<string, unknown>>(sql: string, values: unknown[] = []) => asRole<T>(database.pool, 'service_role', {}, sql, values);
const answer = async <T>(call: string, values: unknown[]) => (await service<{ a: T }>(`select ${call} as a`, values))[0]?.a as T;
const claim = (limit: number, troubled: number | null = null) => service<MachineRow>('select * from public.claim_machines($1, $2, 30, $3)', ['a', limit, troubled]);
const read = async (id: string) => (await service<MachineRow>('select * from public.machines where id = $1', [id]))[0]!;
const sha = (text: string) => createHash('sha256').update(text).digest('hex');

/** A machine that has been due for so many seconds. */
async function due(seconds: number, change = '', user?: string, environment = 'local'): Promise<{ id: string; user: string }> {
  const owner = user ?? await addUser(database.pool);
  const { machine } = await deploy(database.pool, owner, environment);
  await database.pool.query(`update public.machines set next_look_at = now() - make_interval(secs => $2)${change === '' ? '' : `, ${change}`} where id = $1`, [machine.id, seconds]);
  return { id: machine.id, user: owner };
}
const SETTLED = 'observed_generation = generation';

describe('who comes first', () => {
  test('a user who waits, then drift, then an ordinary look; whoever has been due for long overtakes them all', async () => {
    const ordinary = await due(1, SETTLED);
    const drift = await due(1, `${SETTLED}, phase = 'failed'`);
    const waiting = await due(1);
    const forgotten = await due(300, SETTLED);
    const order: string[] = [];
    for (let n = 0; n < 4; n += 1) order.push((await claim(1))[0]!.id);
    expect(order).toEqual([forgotten, waiting, drift, ordinary].map(({ id }) => id));
  });

  test('of each user one machine, before anybody\'s second', async () => {
    const greedy = await due(60);
    for (const environment of ['b', 'c', 'd']) await due(60, '', greedy.user, environment);
    const modest = await due(1);
    const first = await claim(2);
    expect(new Set(first.map((row) => row.user_id))).toEqual(new Set([greedy.user, modest.user]));
    expect(await claim(10)).toHaveLength(3);
  });

  test('those that fail again and again take only the places that they are given', async () => {
    const troubled = [await due(500, 'attempts = 3'), await due(500, 'attempts = 7'), await due(500, 'attempts = 4')];
    const healthy = await due(1);
    const got = await claim(10, 1);
    expect(got).toHaveLength(2);
    expect(got.map((row) => row.id)).toContain(healthy.id);
    expect(await claim(10, 0)).toEqual([]);
    expect((await claim(10)).map((row) => row.id).every((id) => troubled.some((one) => one.id === id))).toBe(true);
  });
});

describe('a step', () => {
  test('answers the generation of the wish, so that a look ends when it is no longer wished; null when the lease is lost', async () => {
    const { id, user } = await due(1);
    const fence = (await claim(1))[0]!.fence;
    expect(Number(await answer('public.record_step($1, $2, $3)', [id, fence, '{"phase":"creating"}']))).toBe(1);
    await service('select public.set_machine_desired($1, $2, $3)', [id, user, '{"desired_cpus":2}']);
    expect(Number(await answer('public.record_step($1, $2, $3)', [id, fence, '{}']))).toBe(2);
    expect(await answer('public.record_step($1, $2, $3)', [id, Number(fence) - 1, '{}'])).toBeNull();
  });

  test('places tried for an older wish are not written over those of the new one', async () => {
    const { id, user } = await due(1);
    const fence = (await claim(1))[0]!.fence;
    await service('select public.set_machine_desired($1, $2, $3)', [id, user, '{"desired_region":"fra"}']);
    await answer('public.record_step($1, $2, $3)', [id, fence, JSON.stringify({ placed: { region: 'nrt', cpuKind: 'shared', cpus: 1, memoryMb: 512 }, placement: 9 })]);
    expect(await read(id)).toMatchObject({ placed: null, tried: [], placement: 9 });
  });
});

describe('wishes', () => {
  test('a restart and a new secret are one more each time, told in words, and a wish that can be misspelt is refused', async () => {
    const { id, user } = await due(1);
    await answer('public.wish_machine_again($1, $2, $3)', [id, user, 'restart']);
    await answer('public.wish_machine_again($1, $2, $3)', [id, user, 'secret']);
    await answer('public.wish_machine_again($1, $2, $3)', [id, user, 'secret']);
    expect(await read(id)).toMatchObject({ desired_restart: 1, desired_secret: 3, generation: '4' });
    expect((await service<{ message: string }>(`select message from public.machine_events where machine_id = $1 and kind = 'wish' order by id`, [id])).map(({ message }) => message)).toEqual([
      'The wish changed: a restart.', 'The wish changed: a new secret.', 'The wish changed: a new secret.']);
    expect(await refusalOf(answer('public.wish_machine_again($1, $2, $3)', [id, user, 'explode']))).toBe('400 unknown_wish');
    expect(await refusalOf(answer('public.wish_machine_again($1, $2, $3)', [id, await addUser(database.pool), 'restart']))).toBe('404 machine_not_found');
  });

  test('the environment is changed without its values in any event', async () => {
    const { id, user } = await due(1);
    await service('select public.set_machine_desired($1, $2, $3)', [id, user, '{"desired_env":{"TOKEN":"hunter2"}}']);
    expect(await read(id)).toMatchObject({ generation: '2', desired_env: { TOKEN: 'hunter2' } });
    expect(JSON.stringify(await service('select message, data from public.machine_events where machine_id = $1', [id]))).not.toContain('hunter2');
  });

  test('another region is another placement, and forgets where there was no room', async () => {
    const { id, user } = await due(1);
    await database.pool.query(`update public.machines set placed = '{"region":"nrt"}', tried = '[{}]' where id = $1`, [id]);
    await service('select public.set_machine_desired($1, $2, $3)', [id, user, '{"desired_restart":1}']);
    expect(await read(id)).toMatchObject({ placed: { region: 'nrt' }, placement: 1 });
    await service('select public.set_machine_desired($1, $2, $3)', [id, user, '{"desired_region":"fra"}']);
    expect(await read(id)).toMatchObject({ placed: null, tried: [], placement: 3 });
  });

  test('an app without a row is taken over for a user who has none there', async () => {
    const user = await addUser(database.pool);
    const adopt = (app: string, environment = 'local') => answer<{ id: string }>(`to_jsonb(public.adopt_machine($1, $2, $3, 'm1', 'sin', 'shared', 1, 512, 'i'))`, [user, environment, app]);
    const { id } = await adopt('by-hand');
    expect(await read(id)).toMatchObject({ fly_app: 'by-hand', fly_machine_id: 'm1', phase: 'requested' });
    expect(await refusalOf(adopt('other'))).toBe('409 machine_exists');
    expect(await refusalOf(adopt('by-hand', 'other'))).toBe('409 app_taken');
  });
});

describe('replicas', () => {
  const beat = (id: string, contract = 'one') => answer<{ live: number; superseded: boolean }>('public.replica_beat($1, 15, $2)', [id, contract]);
  beforeEach(() => database.pool.query('delete from public.control_replicas'));

  test('those that said so a moment ago live; one that leaves is gone at once, one that is silent after a while', async () => {
    expect([await beat('r1'), await beat('r2'), await beat('r1')].map(({ live }) => live)).toEqual([1, 2, 2]);
    await database.pool.query(`update public.control_replicas set beat_at = now() - interval '16 seconds' where id = 'r2'`);
    expect((await beat('r1')).live).toBe(1);
    await beat('r3');
    await service(`select public.replica_leave('r3')`);
    expect((await beat('r1')).live).toBe(1);
  });

  test('of two versions that give machines different things the younger alone looks after them, until it is gone', async () => {
    expect(await beat('old')).toMatchObject({ superseded: false });
    expect(await beat('twin')).toMatchObject({ superseded: false });
    expect(await beat('new', 'two')).toMatchObject({ superseded: false });
    expect([await beat('old'), await beat('twin')].map(({ superseded }) => superseded)).toEqual([true, true]);
    // the same replica, given something else: it is the youngest now
    expect(await beat('old', 'three')).toMatchObject({ superseded: false });
    expect(await beat('new', 'two')).toMatchObject({ superseded: true });
    await service(`select public.replica_leave('old')`);
    expect(await beat('new', 'two')).toMatchObject({ superseded: false });
  });
});

describe('secrets by version', () => {
  test('old and new are valid until the machine has started with the new one; a set that is repeated adds another', async () => {
    const { id } = await due(1);
    const fence = (await claim(1))[0]!.fence;
    const add = (text: string, version: number) => answer<boolean>('public.add_machine_secret($1, $2, $3, $4)', [id, fence, sha(text), version]);
    const valid = async (text: string) => (await answer<unknown>('public.machine_by_secret($1)', [sha(text)])) !== null;
    expect([await add('one', 1), await add('two', 2), await add('two again', 2)]).toEqual([true, true, true]);
    expect([await valid('one'), await valid('two'), await valid('two again')]).toEqual([true, true, true]);
    expect(await answer('public.retire_machine_secrets($1, $2, 2)', [id, fence])).toBe(true);
    expect([await valid('one'), await valid('two'), await valid('two again')]).toEqual([false, true, true]);
    expect(await answer('public.retire_machine_secrets($1, $2, 9)', [id, fence])).toBe(true);
    expect(await valid('two')).toBe(true);
    expect(await answer('public.add_machine_secret($1, $2, $3, 3)', [id, Number(fence) - 1, sha('three')])).toBe(false);
  });

  test('of many attempts the machine\'s own secret stays', async () => {
    const { id } = await due(1);
    const fence = (await claim(1))[0]!.fence;
    for (let n = 0; n < 12; n += 1) await answer('public.add_machine_secret($1, $2, $3, $4)', [id, fence, sha(`${id} ${n}`), n === 0 ? 1 : 2]);
    const { hashes } = (await service<{ hashes: string[] }>('select hashes from public.machine_secrets where machine_id = $1', [id]))[0]!;
    expect(hashes).toHaveLength(8);
    expect([hashes[0], hashes.at(-1)]).toEqual([sha(`${id} 0`), sha(`${id} 11`)]);
  });
});
