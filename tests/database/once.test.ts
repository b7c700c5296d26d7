import { randomUUID } from 'node:crypto';
import type { PoolClient } from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { addUser, deploy, refusalOf } from './fixtures.ts';

let database: TestDatabase;
let user: string;
let machine: string;
beforeAll(async () => { database = await createTestDatabase(); });
afterAll(async () => { await database.close(); });
beforeEach(async () => {
  user = await addUser(database.pool);
  machine = (await deploy(database.pool, user)).machine.id;
});

/** Calls a function as the control plane does while it executes this attempt (null: a request without a key). */
async function call<T>(attempt: string | null, text: string, values: unknown[], on?: PoolClient): Promise<T> {
  const client = on ?? await database.pool.connect();
  try {
    await client.query('begin');
    await client.query(`select set_config('role', 'service_role', true), set_config('request.jwt.claims', '{"role":"service_role"}', true), set_config('request.headers', $1, true)`, [JSON.stringify(attempt === null ? {} : { 'x-trademind-attempt': attempt })]);
    const { rows } = await client.query<{ a: T }>(`select to_jsonb(${text}) as a`, values);
    await client.query('commit');
    return rows[0]!.a;
  } catch (error) {
    await client.query('rollback');
    throw error;
  } finally {
    if (on === undefined) client.release();
  }
}
const begin = (attempt: string) => call<{ state: string; id?: string }>(null, 'public.begin_request($1, $2, $3, $4, 60)', [user, 'key', '0'.repeat(64), attempt]);
/** The answer of this attempt is not known. */
const unknown = (attempt: string) => call<boolean>(null, 'public.end_request($1, $2, $3, null, null, null)', [user, 'key', attempt]);
const again = (attempt: string | null, what = 'restart', on?: PoolClient) => call<{ generation: number; desired_restart: number; desired_secret: number }>(attempt, 'public.wish_machine_again($1, $2, $3)', [machine, user, what], on);
const token = (attempt: string | null, hash: string) => call<{ id: string }>(attempt, `public.create_access_token($1, 'script', $2, '{machines:read}', 1)`, [user, hash]);
const tokens = async () => (await database.pool.query<{ id: string; hash: string }>('select id, hash from public.access_tokens where user_id = $1', [user])).rows;

describe('a request with a key whose answer was lost', () => {
  test.each(['restart', 'secret'] as const)('%s: its repeat finds the wish, and wishes nothing more; another key, and none, are one more each', async (what) => {
    const column = `desired_${what}` as const;
    const [first, second] = [randomUUID(), randomUUID()];
    await begin(first);
    const done = await again(first, what);
    await unknown(first);
    expect(await begin(second)).toMatchObject({ state: 'new' });
    expect(await again(second, what)).toMatchObject({ [column]: done[column], generation: done.generation });
    expect(await again(null, what)).toMatchObject({ [column]: done[column] + 1 });
    const events = await database.pool.query(`select 1 from public.machine_events where machine_id = $1 and kind = 'wish'`, [machine]);
    expect(events.rows).toHaveLength(2);
  });

  test('a change on a condition: the repeat is not refused for what the first has done', async () => {
    const change = (attempt: string) => call(attempt, `public.set_machine_desired($1, $2, '{"desired_state":"stopped"}', 1)`, [machine, user]);
    const [first, second] = [randomUUID(), randomUUID()];
    await begin(first);
    await change(first);
    await unknown(first);
    await begin(second);
    expect(await change(second)).toMatchObject({ generation: 2, desired_state: 'stopped' });
  });

  test('an access token: one, with the last secret that was made for it; once it is used, none is made', async () => {
    const attempts = [randomUUID(), randomUUID(), randomUUID()] as const;
    const { id } = await begin(attempts[0]);
    await token(attempts[0], 'a'.repeat(64));
    await unknown(attempts[0]);
    await begin(attempts[1]);
    expect(await token(attempts[1], 'b'.repeat(64))).toMatchObject({ id });
    expect(await tokens()).toEqual([{ id, hash: 'b'.repeat(64) }]);
    await call(null, 'public.access_token_by_hash($1)', ['b'.repeat(64)]);
    await unknown(attempts[1]);
    await begin(attempts[2]);
    expect(await refusalOf(token(attempts[2], 'c'.repeat(64)))).toBe('409 access_token_made');
    expect(await tokens()).toHaveLength(1);
  });

  test('leave to remove orphans: not as many again', async () => {
    const resume = (attempt: string) => call(attempt, 'public.resume_sweep(5, $1)', [user]);
    const [first, second] = [randomUUID(), randomUUID()];
    await begin(first);
    await resume(first);
    await database.pool.query('update public.fleet_sweep set allowed = 2');
    await unknown(first);
    await begin(second);
    await resume(second);
    expect((await database.pool.query('select allowed from public.fleet_sweep')).rows).toEqual([{ allowed: 2 }]);
  });

  test('a rollout: the repeat answers with the one that was started', async () => {
    const { rows: [release] } = await database.pool.query<{ id: string }>(`insert into public.releases (version, image, registered_by) values ('1.0.0', 'registry.example/m@sha256:' || repeat('0', 64), $1) returning id`, [user]);
    const start = (attempt: string) => call<string>(attempt, `public.start_rollout($1, null, '{}', null, null, $2)`, [release!.id, user]);
    const [first, second] = [randomUUID(), randomUUID()];
    const { id } = await begin(first);
    expect(await start(first)).toBe(id);
    await unknown(first);
    await begin(second);
    expect(await start(second)).toBe(id);
    expect((await database.pool.query('select 1 from public.rollouts')).rows).toHaveLength(1);
  });

  test('what was refused was not done: the repeat does it', async () => {
    const [first, second] = [randomUUID(), randomUUID()];
    await begin(first);
    expect(await refusalOf(call(first, `public.set_machine_desired($1, $2, '{"desired_state":"stopped"}', 7)`, [machine, user]))).toBe('412 generation_mismatch');
    await unknown(first);
    await begin(second);
    expect(await call(second, `public.set_machine_desired($1, $2, '{"desired_state":"stopped"}', 1)`, [machine, user])).toMatchObject({ generation: 2 });
  });
});

test('an attempt that the database ends long after another has taken it over does nothing, whichever of the two comes first', async () => {
  const [late, second] = [randomUUID(), randomUUID()];
  const [blocker, slow] = [await database.pool.connect(), await database.pool.connect()];
  try {
    await blocker.query('begin');
    await blocker.query('select from public.machines where id = $1 for update', [machine]);
    await begin(late);
    const lateEnd = refusalOf(again(late, 'restart', slow));
    // whoever asked has given up waiting
    await unknown(late);
    await begin(second);
    const secondEnd = again(second);
    await blocker.query('commit');
    expect(await secondEnd).toMatchObject({ desired_restart: 1 });
    expect(await lateEnd).toBe('409 request_taken_over');
    expect(await refusalOf(token(late, 'd'.repeat(64)))).toBe('409 request_taken_over');
    expect(await tokens()).toEqual([]);
  } finally {
    blocker.release();
    slow.release();
  }
});

test('nobody but the control plane names an attempt', async () => {
  const client = await database.pool.connect();
  try {
    await client.query('begin');
    await client.query(`select set_config('request.jwt.claims', '{"role":"authenticated"}', true), set_config('request.headers', $1, true)`, [JSON.stringify({ 'x-trademind-attempt': randomUUID() })]);
    expect((await client.query<{ once: boolean }>('select private.once() as once')).rows).toEqual([{ once: true }]);
  } finally {
    await client.query('rollback');
    client.release();
  }
});
