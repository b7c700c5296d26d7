import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { SupabaseDatabase } from '../../packages/runtime/control/database.ts';
import { OwnerLease } from '../../packages/runtime/control/owner-lease.ts';
import { systemWall } from '../../packages/runtime/time.ts';
import { startRelay, until } from '../runtime/world.ts';
import { startTestSupabase, type TestSupabase } from '../support/supabase.ts';
import { asRole } from '../support/database.ts';
import { addUser, deploy, machineClaims, refusalOf } from './fixtures.ts';

let supabase: TestSupabase;
let user: string;
let first: string;
let second: string;
beforeAll(async () => { supabase = await startTestSupabase(); });
afterAll(async () => { await supabase.close(); });
beforeEach(async () => {
  user = await addUser(supabase.database.pool);
  first = (await deploy(supabase.database.pool, user, 'local')).machine.id;
  second = (await deploy(supabase.database.pool, user, 'production')).machine.id;
});

interface Answer { held: boolean; fence: number; expires_in_ms: number; free_in_ms: number; superseded: boolean; holder: { machine_id: string; environment: string; region: string } }
const sql = (text: string, values: unknown[] = []) => supabase.database.pool.query(text, values);
const hold = async (machine: string, holder: string, fence: number | null = null, seconds = 60) =>
  (await asRole<{ a: Answer }>(supabase.database.pool, 'machine', machineClaims(machine, user), 'select public.hold_owner_lease($1, $2, $3) as a', [holder, fence, seconds]))[0]!.a;
const release = async (machine: string, holder: string, fence: number) =>
  (await asRole<{ a: boolean }>(supabase.database.pool, 'machine', machineClaims(machine, user), 'select public.release_owner_lease($1, $2) as a', [holder, fence]))[0]!.a;
/** As if so much time had gone by. */
const age = (seconds: number) => sql('update public.owner_leases set expires_at = expires_at - make_interval(secs => $2) where user_id = $1', [user, seconds]);
const [diskA, diskB] = [randomUUID(), randomUUID()];

describe('the lease in the database', () => {
  test('is taken by the first, renewed by its fence, and the second is told who has it and when it is free at the latest', async () => {
    expect(await hold(first, diskA)).toEqual({ held: true, fence: 1, expires_in_ms: 60_000 });
    expect(await hold(first, diskA, 1)).toEqual({ held: true, fence: 1, expires_in_ms: 60_000 });
    const refused = await hold(second, diskB);
    expect(refused).toMatchObject({ held: false, superseded: false, holder: { machine_id: first, environment: 'local', region: 'sin' } });
    expect(refused.free_in_ms - refused.expires_in_ms).toBeGreaterThanOrEqual(59_999);
    expect(refused.expires_in_ms).toBeLessThanOrEqual(60_000);
  });

  test('a taker waits until a minute after its end; whoever had it may renew until then, and not after', async () => {
    await hold(first, diskA);
    await age(60 + 30);
    const refused = await hold(second, diskB);
    expect(refused).toMatchObject({ held: false, expires_in_ms: 0 });
    expect(refused.free_in_ms).toBeLessThanOrEqual(30_000);
    expect(await hold(first, diskA, 1)).toMatchObject({ held: true, fence: 1 });
    await age(60 + 61);
    expect(await hold(second, diskB)).toMatchObject({ held: true, fence: 2 });
    expect(await hold(first, diskA, 1)).toMatchObject({ held: false, holder: { machine_id: second, environment: 'production' } });
  });

  test('a new process on the same disk takes over at once with a higher fence, and the one before is refused from then on', async () => {
    await hold(first, diskA);
    expect(await hold(first, diskA)).toMatchObject({ held: true, fence: 2 });
    expect(await hold(first, diskA, 1)).toMatchObject({ held: false, superseded: true });
    expect(await hold(first, diskB)).toMatchObject({ held: false, superseded: false });
    expect(await hold(second, diskA)).toMatchObject({ held: false, superseded: false });
  });

  test('is free at once when it is given up, when its machine is destroyed, and when its row is gone; the fence never goes back', async () => {
    await hold(first, diskA);
    expect(await release(first, diskA, 9)).toBe(false);
    expect(await release(second, diskA, 1)).toBe(false);
    expect(await release(first, diskA, 1)).toBe(true);
    expect(await hold(second, diskB)).toMatchObject({ held: true, fence: 2 });
    await sql(`update public.machines set desired_state = 'destroyed', phase = 'destroyed' where id = $1`, [second]);
    expect(await hold(first, diskA)).toMatchObject({ held: true, fence: 3 });
    await sql(`update public.machines set desired_state = 'destroyed', phase = 'destroyed' where id = $1`, [first]);
    await sql('delete from public.machines where user_id = $1', [user]);
    first = (await deploy(supabase.database.pool, user)).machine.id;
    expect(await hold(first, diskB)).toMatchObject({ held: true, fence: 4 });
  });

  test('of a hundred that ask at once one has it, and every change of hands has a fence of its own', async () => {
    for (let round = 0; round < 3; round++) {
      const answers = await Promise.all(Array.from({ length: 100 }, (_, index) => hold(index % 2 ? first : second, randomUUID())));
      const winners = answers.filter(({ held }) => held);
      expect(winners.map(({ fence }) => fence)).toEqual([round + 1]);
      await age(3_600);
    }
  });

  test('is of one user: another user\'s machine has its own, and a revoked token none', async () => {
    await hold(first, diskA);
    const stranger = await addUser(supabase.database.pool);
    const theirs = (await deploy(supabase.database.pool, stranger)).machine.id;
    const [answer] = await asRole<{ a: Answer }>(supabase.database.pool, 'machine', machineClaims(theirs, stranger), 'select public.hold_owner_lease($1) as a', [diskA]);
    expect(answer?.a).toMatchObject({ held: true, fence: 1 });
    expect(await refusalOf(asRole(supabase.database.pool, 'machine', machineClaims(first, user, 7), 'select public.hold_owner_lease($1)', [diskA]))).toBe('401 token_revoked');
    expect(await refusalOf(asRole(supabase.database.pool, 'machine', machineClaims(first, user), 'select public.hold_owner_lease(null)'))).toBe('400 holder_missing');
  });
});

/** A machine's part, over the real gateway; `port` may lead through a relay. */
async function machineOf(machineId: string, kept: Map<string, string>, url = supabase.url) {
  const ending = new AbortController();
  const token = await supabase.signMachineToken({ machineId, userId: user, epoch: 1 });
  const database = new SupabaseDatabase({ url, publishableKey: supabase.publishableKey, signal: ending.signal, token: { get: () => Promise.resolve(token), revoked: () => undefined } });
  const told: string[] = [];
  const lease = new OwnerLease({
    database, wall: systemWall, signal: ending.signal, newId: randomUUID, log: () => undefined, onChange: ({ state }) => told.push(state),
    store: { get: (key) => kept.get(key), set: (key, value) => { kept.set(key, value); } },
  });
  const running = lease.run();
  return { lease, told, mayEnter: () => lease.state.state === 'held', kill: async () => { ending.abort(); await running; } };
}

describe('two machines of one user', () => {
  test('never both act: the second waits, says for whom, and takes over as soon as the first gives up', async () => {
    const one = await machineOf(first, new Map());
    await until('the first acts', one.mayEnter);
    const two = await machineOf(second, new Map());
    await until('the second waits', () => two.lease.state.state === 'waiting');
    expect(two.lease.problem).toMatchObject({ code: 'owner_elsewhere', message: expect.stringContaining(first) as string });
    expect([one.mayEnter(), two.mayEnter()]).toEqual([true, false]);
    await one.lease.release();
    expect([one.lease.mayAct, one.mayEnter()]).toEqual([false, false]);
    await until('the second has it', two.mayEnter);
    expect(two.lease.entryFence()).toBe(2);
    await Promise.all([one.kill(), two.kill()]);
  });

  test('one that was killed has its own lease back at once on the same disk, and not on another', async () => {
    const disk = new Map<string, string>();
    const killed = await machineOf(first, disk);
    await until('it acts', killed.mayEnter);
    await killed.kill();
    const elsewhere = await machineOf(first, new Map());
    await until('another disk waits', () => elsewhere.lease.state.state === 'waiting');
    const again = await machineOf(first, disk);
    await until('it acts again', again.mayEnter);
    expect(again.lease.entryFence()).toBe(2);
    await Promise.all([elsewhere.kill(), again.kill()]);
  });

  test('taken while the first is cut off: it hears of it when it is back, and stops', async () => {
    const relay = await startRelay(supabase.url);
    try {
      const disk = new Map<string, string>();
      const one = await machineOf(first, disk, `http://127.0.0.1:${relay.port}`);
      await until('the first acts', one.mayEnter);
      relay.cut();
      await age(3_600);
      const two = await machineOf(second, new Map());
      await until('the second acts', two.mayEnter);
      await one.kill();
      relay.open();
      // A process that comes back on the first disk: its lease is gone, whatever it remembers.
      const back = await machineOf(first, disk, `http://127.0.0.1:${relay.port}`);
      await until('it waits', () => back.lease.state.state === 'waiting');
      expect([back.lease.mayAct, two.mayEnter()]).toEqual([false, true]);
      await Promise.all([two.kill(), back.kill()]);
    } finally {
      await relay.close();
    }
  });
});
