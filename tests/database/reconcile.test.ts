import { createHash } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { asRole, createTestDatabase, type TestDatabase } from '../support/database.ts';
import { addUser, claim, deploy, machineClaims, refusalOf, type MachineRow } from './fixtures.ts';

let database: TestDatabase;
beforeAll(async () => { database = await createTestDatabase(); });
afterAll(async () => { await database.close(); });
/** Machines of earlier tests are due no more. */
beforeEach(() => database.pool.query(`update public.machines set next_look_at = 'infinity', lease_owner = null, lease_expires_at = null`));

const service = <T extends object = Record<string, unknown>>(sql: string, values: unknown[] = []) => asRole<T>(database.pool, 'service_role', {}, sql, values);
const answer = async (sql: string, values: unknown[]) => (await service<{ ok: boolean }>(`select ${sql} as ok`, values))[0]?.ok;
const observe = (id: string, fence: string, patch: object, events: object[] = []) => answer('public.record_observation($1, $2, $3, $4)', [id, fence, JSON.stringify(patch), JSON.stringify(events)]);
const release = (id: string, fence: string, patch: object = {}, seconds = 60) => answer('public.release_machine($1, $2, $3, $4, $5)', [id, fence, JSON.stringify(patch), '[]', seconds]);
const read = async (id: string) => (await service<MachineRow>('select * from public.machines where id = $1', [id]))[0] as MachineRow;
const secondsUntilLook = async (id: string) => ((await database.pool.query<{ s: number }>('select extract(epoch from next_look_at - now())::float as s from public.machines where id = $1', [id])).rows[0] as { s: number }).s;
/** What the work writes into this column lies so many seconds after it was done: between the database's clock before it and after it, however long that took. */
async function expectSecondsAfter(work: () => Promise<unknown>, id: string, column: 'next_look_at' | 'lease_expires_at', seconds: number): Promise<void> {
  const { rows: [before] } = await database.pool.query<{ at: string }>('select clock_timestamp()::text as at');
  expect(await work()).toBe(true);
  const span = `make_interval(secs => $3)`;
  const { rows } = await database.pool.query(`select ${column} - $2::timestamptz >= ${span} as late_enough, ${column} - clock_timestamp() <= ${span} as early_enough from public.machines where id = $1`, [id, before!.at, seconds]);
  expect(rows).toEqual([{ late_enough: true, early_enough: true }]);
}
const found = async (hash: string) => (await service<{ m: unknown }>('select public.machine_by_secret($1) as m', [hash]))[0]?.m;
const expire = (id: string) => database.pool.query(`update public.machines set lease_expires_at = now() - interval '1 second', next_look_at = now() - interval '1 second' where id = $1`, [id]);

async function machineOf(): Promise<{ id: string; user: string }> {
  const user = await addUser(database.pool);
  return { id: (await deploy(database.pool, user)).machine.id, user };
}

describe('claiming', () => {
  test('eight replicas that claim at once never get the same machine', async () => {
    const ids: string[] = [];
    for (let n = 0; n < 40; n += 1) ids.push((await machineOf()).id);
    const got = await Promise.all(Array.from({ length: 8 }, (_, n) => claim(database.pool, `replica-${n}`, 7)));
    const claimed = got.flat().map((row) => row.id);
    expect(new Set(claimed).size).toBe(claimed.length);
    const rest = await claim(database.pool, 'last', 100);
    expect([...claimed, ...rest.map((row) => row.id)].toSorted()).toEqual(ids.toSorted());
    expect(await claim(database.pool, 'again', 100)).toEqual([]);
  });

  test('a row that somebody else is writing is passed over, not waited for', async () => {
    const busy = await machineOf();
    const free = await machineOf();
    const writer = await database.pool.connect();
    await writer.query('begin');
    await writer.query('select from public.machines where id = $1 for update', [busy.id]);
    const rows = await claim(database.pool);
    await writer.query('rollback');
    writer.release();
    expect(rows.map((row) => row.id)).toEqual([free.id]);
  });

  test('the fence rises with every claim; a lease that ran out is taken over', async () => {
    const { id } = await machineOf();
    expect((await claim(database.pool, 'a'))[0]).toMatchObject({ id, fence: '1', lease_owner: 'a' });
    await expire(id);
    expect((await claim(database.pool, 'b'))[0]).toMatchObject({ id, fence: '2', lease_owner: 'b' });
  });
});

describe('writing back', () => {
  test('under the lease columns and events are written; with a lost fence or an expired lease nothing is', async () => {
    const { id } = await machineOf();
    const [row] = await claim(database.pool);
    const fence = row?.fence ?? '';
    expect(await observe(id, fence, { phase: 'creating', fly_app: 'tm-1', last_error: { code: 'x' } }, [{ kind: 'creating', message: 'Creating.', data: { n: 1 } }])).toBe(true);
    expect(await read(id)).toMatchObject({ phase: 'creating', fly_app: 'tm-1', last_error: { code: 'x' } });
    expect(await observe(id, fence, { last_error: null, url: 'http://x' })).toBe(true);
    expect(await read(id)).toMatchObject({ last_error: null, url: 'http://x', fly_app: 'tm-1' });
    expect(await observe(id, '99', { phase: 'failed' }, [{ kind: 'no', message: 'No.' }])).toBe(false);
    await expire(id);
    expect(await observe(id, fence, { phase: 'failed' })).toBe(false);
    expect(await release(id, fence)).toBe(false);
    expect(await answer('public.renew_machine_lease($1, $2, 30)', [id, fence])).toBe(false);
    expect(await answer('public.set_machine_secret($1, $2, $3)', [id, fence, ['a'.repeat(64)]])).toBe(false);
    expect(await read(id)).toMatchObject({ phase: 'creating' });
    expect(await service('select kind, data from public.machine_events where machine_id = $1 order by id', [id])).toMatchObject([{ kind: 'requested' }, { kind: 'creating', data: { n: 1 } }]);
  });

  test('only observed columns can be written, and only sane values', async () => {
    const { id } = await machineOf();
    const fence = (await claim(database.pool))[0]?.fence ?? '';
    for (const column of ['desired_state', 'user_id', 'fence', 'generation', 'token_epoch', 'status', 'nonsense']) {
      expect(await refusalOf(observe(id, fence, { [column]: 1 }))).toBe('400 unknown_field');
    }
    expect(await refusalOf(observe(id, fence, { phase: 'dancing' }))).toBe('23514');
    expect(await refusalOf(observe(id, fence, { cpus: 'many' }))).toBe('22P02');
  });

  test('a phase keeps the time since when it stands', async () => {
    const { id } = await machineOf();
    const fence = (await claim(database.pool))[0]?.fence ?? '';
    await observe(id, fence, { phase: 'creating' });
    const since = (await read(id))['phase_since'];
    await observe(id, fence, { phase: 'creating', phase_detail: 'volume' });
    expect((await read(id))['phase_since']).toEqual(since);
    await observe(id, fence, { phase: 'starting' });
    expect((await read(id))['phase_since']).not.toEqual(since);
  });

  test('an older view does not set back what the machine itself has said since', async () => {
    const { id, user } = await machineOf();
    const fence = (await claim(database.pool))[0]?.fence ?? '';
    await observe(id, fence, { phase: 'starting' });
    await asRole(database.pool, 'machine', machineClaims(id, user), `select public.machine_beat('{"phase":"screening","detail":"all well"}')`);
    expect(await release(id, fence, { phase: 'starting', fly_state: 'started' })).toBe(true);
    expect(await read(id)).toMatchObject({ phase: 'screening', phase_detail: 'all well', fly_state: 'started' });
  });
});

describe('releasing', () => {
  test('the next look is when it was asked for', async () => {
    const { id } = await machineOf();
    const fence = (await claim(database.pool))[0]?.fence ?? '';
    await expectSecondsAfter(() => release(id, fence, { observed_generation: 1 }, 60), id, 'next_look_at', 60);
    expect(await read(id)).toMatchObject({ lease_owner: null, lease_expires_at: null, observed_generation: '1' });
    expect(await release(id, fence)).toBe(false);
  });

  test('a wish during a reconcile is never lost, whatever is written back and whether or not the lease was renewed', async () => {
    for (const patch of [{}, { observed_generation: 1 }]) {
      for (const renewed of [false, true]) {
        const { id, user } = await machineOf();
        const fence = (await claim(database.pool)).find((row) => row.id === id)?.fence ?? '';
        await service('select public.set_machine_desired($1, $2, $3)', [id, user, JSON.stringify({ desired_cpus: 2 })]);
        if (renewed) await answer('public.renew_machine_lease($1, $2, 60)', [id, fence]);
        expect(await release(id, fence, patch, 3_600)).toBe(true);
        expect(await secondsUntilLook(id)).toBeLessThanOrEqual(0);
        await claim(database.pool);
      }
    }
  });

  test('a repeated wish (a wake) during a reconcile is not lost either, nor by renewing the lease', async () => {
    for (const renewed of [false, true]) {
      const { id, user } = await machineOf();
      const fence = (await claim(database.pool)).find((row) => row.id === id)?.fence ?? '';
      await service('select public.set_machine_desired($1, $2, $3)', [id, user, JSON.stringify({ desired_cpus: 1 })]);
      if (renewed) await answer('public.renew_machine_lease($1, $2, 60)', [id, fence]);
      await release(id, fence, { observed_generation: 1 }, 3_600);
      expect(await secondsUntilLook(id)).toBeLessThanOrEqual(0);
      await claim(database.pool);
    }
  });

  test('a generation raised without a wake is seen at release', async () => {
    const { id } = await machineOf();
    const fence = (await claim(database.pool))[0]?.fence ?? '';
    await database.pool.query('update public.machines set desired_cpus = 4 where id = $1', [id]);
    await release(id, fence, { observed_generation: 1 }, 3_600);
    expect(await secondsUntilLook(id)).toBeLessThanOrEqual(0);
  });

  test('a look that fails again and again waits as long as it says, although the wish is not yet fulfilled', async () => {
    const { id } = await machineOf();
    const fence = (await claim(database.pool))[0]?.fence ?? '';
    await expectSecondsAfter(() => release(id, fence, { observed_generation: 0, attempts: 3 }, 90), id, 'next_look_at', 90);
  });

  test('a renewed lease lasts longer and keeps the row from others', async () => {
    const { id } = await machineOf();
    const fence = (await claim(database.pool, 'a', 1, 30))[0]?.fence ?? '';
    await expectSecondsAfter(() => answer('public.renew_machine_lease($1, $2, 600)', [id, fence]), id, 'lease_expires_at', 600);
    expect(await claim(database.pool, 'b')).toEqual([]);
  });
});

describe('secrets', () => {
  test('a machine is found by the hash of its present or its next secret, and by nothing else', async () => {
    const { id, user } = await machineOf();
    const fence = (await claim(database.pool))[0]?.fence ?? '';
    const [present, next] = ['one', 'two'].map((secret) => createHash('sha256').update(secret).digest('hex')) as [string, string];
    expect(await answer('public.set_machine_secret($1, $2, $3)', [id, fence, [present, next]])).toBe(true);
    expect(await found(present)).toEqual({ machine_id: id, user_id: user, token_epoch: 1 });
    expect(await found(next)).toEqual({ machine_id: id, user_id: user, token_epoch: 1 });
    expect(await found('0'.repeat(64))).toBeNull();
    await answer('public.set_machine_secret($1, $2, $3)', [id, fence, [next]]);
    expect(await found(present)).toBeNull();
    expect(await refusalOf(answer('public.set_machine_secret($1, $2, $3)', [id, fence, ['not a hash']]))).toBe('23514');
  });
});
