import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { BeatAnswer } from '@trademind/core';
import { asRole, createTestDatabase, type TestDatabase } from '../support/database.ts';
import { addUser, claim, deploy, machineClaims, refusalOf } from './fixtures.ts';

let database: TestDatabase;
let user: string;
let machine: string;
beforeAll(async () => { database = await createTestDatabase(); });
afterAll(async () => { await database.close(); });
beforeEach(async () => {
  user = await addUser(database.pool);
  machine = (await deploy(database.pool, user)).machine.id;
});

const beat = async (status: object = { bootId: 'boot-1', version: '0.1.0' }) =>
  BeatAnswer.parse((await asRole<{ a: unknown }>(database.pool, 'machine', machineClaims(machine, user), 'select public.machine_beat($1) as a', [JSON.stringify(status)]))[0]?.a);
const service = async <T>(call: string, values: unknown[]) => (await asRole<{ a: T }>(database.pool, 'service_role', {}, `select ${call} as a`, values))[0]?.a as T;
const sql = async <T extends object>(text: string, values: unknown[] = [machine]) => (await database.pool.query<T>(text, values)).rows;

describe('heartbeats', () => {
  const spans = () => sql<{ boot_id: string; beats: number; cpus: number | null; s: number }>(
    'select boot_id, beats, cpus, round(extract(epoch from until - since))::int as s from public.machine_heartbeats where machine_id = $1 order by since');
  const earlier = (seconds: number) => sql(`update public.machine_heartbeats set since = since - make_interval(secs => $2), until = until - make_interval(secs => $2) where machine_id = $1`, [machine, seconds]);

  test('a thousand beats make one row that says how long the machine lived', async () => {
    await beat();
    for (let round = 0; round < 5; round++) {
      await earlier(30);
      await beat();
    }
    expect(await spans()).toEqual([{ boot_id: 'boot-1', beats: 6, cpus: null, s: expect.any(Number) }]);
    expect((await spans())[0]?.s).toBeGreaterThanOrEqual(150);
  });

  test('a restart, a pause of a minute, and another size each begin a span, so that uptime by size can be added up', async () => {
    await beat();
    await earlier(10);
    await beat({ bootId: 'boot-2', version: '0.1.0' });
    await earlier(61);
    await beat({ bootId: 'boot-2', version: '0.1.0' });
    await earlier(10);
    await sql(`update public.machines set region = 'sin', cpu_kind = 'shared', cpus = 2, memory_mb = 512 where id = $1`);
    await beat({ bootId: 'boot-2', version: '0.1.0' });
    expect((await spans()).map(({ boot_id: boot, cpus }) => `${boot} ${cpus}`)).toEqual(['boot-1 null', 'boot-2 null', 'boot-2 null', 'boot-2 2']);
  });

  test('a status without ids is no reason to refuse a beat', async () => {
    await beat({});
    await beat({ bootId: 'x'.repeat(500), version: 'y'.repeat(500) });
    expect(await spans()).toHaveLength(2);
  });
});

describe('what the beat brings', () => {
  test('versions of settings and keys of the machine\'s own user, and the keys of tickets', async () => {
    expect(await beat()).toMatchObject({ settings_version: 0, keys_version: 0, jwks_version: 0, jwks: null, drain: false, drain_reason: null });
    const other = await addUser(database.pool);
    await service('public.set_user_settings($1, $2)', [other, '{}']);
    expect(await service('public.set_user_settings($1, $2)', [user, '{"telegram":true}'])).toBe(1);
    expect(await service('public.user_keys_changed($1)', [user])).toBe(1);
    const jwks = { keys: [{ kty: 'OKP', kid: 'a' }] };
    expect([await service('public.publish_ticket_keys($1)', [jwks]), await service('public.publish_ticket_keys($1)', [jwks])]).toEqual([1, 1]);
    expect(await beat()).toMatchObject({ settings_version: 1, keys_version: 1, jwks_version: 1, jwks });
    expect(await service('public.publish_ticket_keys($1)', [{ keys: [] }])).toBe(2);
    expect(await service('public.user_keys_changed($1)', [user])).toBe(2);
    expect(await beat()).toMatchObject({ settings_version: 1, keys_version: 2, jwks_version: 2, jwks: { keys: [] } });
  });

  test('settings are changed against the version that was read, and for users that there are', async () => {
    expect(await service('public.set_user_settings($1, $2, 0)', [user, '{"a":1}'])).toBe(1);
    expect(await refusalOf(service('public.set_user_settings($1, $2, 0)', [user, '{"a":2}']))).toBe('412 settings_changed');
    expect(await service('public.set_user_settings($1, $2, 1)', [user, '{"a":3}'])).toBe(2);
    const nobody = '00000000-0000-4000-8000-000000000000';
    expect(await refusalOf(service('public.set_user_settings($1, $2)', [nobody, '{}']))).toBe('404 user_not_found');
    expect(await refusalOf(service('public.user_keys_changed($1)', [nobody]))).toBe('404 user_not_found');
    expect(await refusalOf(service('public.set_user_settings($1, $2)', [user, '[]']))).toBe('23514');
  });

  test('a drain that is asked for under the control plane\'s lease, with its reason, and that ends by itself', async () => {
    const fence = (await claim(database.pool)).find(({ id }) => id === machine)!.fence;
    expect(await service('public.request_drain($1, $2, 300, $3)', [machine, fence, 'It is resized.'])).toBe(true);
    expect(await beat()).toMatchObject({ drain: true, drain_reason: 'It is resized.', desired_state: 'started', generation: 1 });
    await sql(`update public.machines set drain_until = clock_timestamp() - interval '1 second' where id = $1`);
    expect(await beat()).toMatchObject({ drain: false, drain_reason: null });
    await service('public.request_drain($1, $2, 300, $3)', [machine, fence, 'Again.']);
    expect(await service('public.request_drain($1, $2, 0)', [machine, fence])).toBe(true);
    expect(await beat()).toMatchObject({ drain: false });
    expect(await service('public.request_drain($1, $2, 300)', [machine, Number(fence) - 1])).toBe(false);
    await sql(`update public.machines set desired_state = 'stopped' where id = $1`);
    expect(await beat()).toMatchObject({ drain: true, drain_reason: 'stopped' });
  });
});
