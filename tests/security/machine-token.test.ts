// A machine's database token through the real gateway: what it opens, what it does not, and how it ends.
import { randomUUID } from 'node:crypto';
import type { SupabaseClient } from '@supabase/supabase-js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { signalRow } from '../database/fixtures.ts';
import { BUSY, startCloud, type Cloud, type TestMachine } from '../runtime/world.ts';

let cloud: Cloud;
let own: TestMachine;
let other: TestMachine;
let otherTrader: string;
let client: SupabaseClient;
const tokenOf = (machine: TestMachine, epoch = 1) => cloud.supabase.signMachineToken({ machineId: machine.id, userId: machine.user.id, epoch });
beforeAll(async () => {
  cloud = await startCloud();
  [own, other] = [await cloud.addMachine(), await cloud.addMachine()];
  otherTrader = await other.addTrader(BUSY);
  await own.addTrader(BUSY);
  client = cloud.supabase.machineClient(await tokenOf(own));
  const theirs = cloud.supabase.machineClient(await tokenOf(other));
  expect((await theirs.rpc('write_signals', { p_rows: [signalRow(otherTrader)] })).error).toBeNull();
});
afterAll(async () => { await cloud.close(); });

test('of another user\'s rows it sees none, in whatever table', async () => {
  const tables = await cloud.supabase.database.pool.query<{ name: string; owned: boolean }>(
    `select c.relname as name, exists (select 1 from pg_attribute a where a.attrelid = c.oid and a.attname = 'user_id' and not a.attisdropped) as owned
     from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')`);
  let seen = 0;
  for (const { name, owned } of tables.rows) {
    if (!owned) continue;
    const { data, error } = await client.from(name).select('user_id');
    // Either the table is closed to machines, or only own rows are in it.
    if (error) expect(`${name} ${error.code}`).toBe(`${name} 42501`);
    else {
      seen += 1;
      expect(`${name} ${JSON.stringify([...new Set(data.map((row: { user_id: string }) => row.user_id))].filter((id) => id !== own.user.id))}`).toBe(`${name} []`);
    }
  }
  expect(seen).toBeGreaterThanOrEqual(3);
});

test('of another user\'s rows it changes none: neither directly nor through what it may call', async () => {
  const refused = async (attempt: PromiseLike<{ error: { code: string } | null }>) => (await attempt).error?.code;
  expect(await refused(client.from('traders').update({ enabled: false }).eq('id', otherTrader))).toBe('42501');
  expect(await refused(client.from('traders').insert({ user_id: other.user.id, name: 'x', document: {} }))).toBe('42501');
  expect(await refused(client.from('signals').delete().eq('user_id', other.user.id))).toBe('42501');
  expect(await refused(client.from('signals').insert({ user_id: other.user.id }))).toBe('42501');
  expect(await refused(client.from('machines').update({ desired_state: 'destroyed' }).eq('id', other.id))).toBe('42501');
  expect(await refused(client.from('machine_secrets').select('*'))).toBe('42501');
  // A signal of another user's trader is refused, whatever it says of whose it is.
  const row = signalRow(otherTrader, { user_id: other.user.id, machine_id: other.id });
  expect((await client.rpc('write_signals', { p_rows: [row] })).data).toMatchObject({ inserted: 0, rejected: [{ code: 'trader_unknown' }] });
  const { rows } = await cloud.supabase.database.pool.query('select count(*)::int as count from signals where user_id = $1', [other.user.id]);
  expect(rows).toEqual([{ count: 1 }]);
  // A beat tells of the own machine alone.
  await client.rpc('machine_beat', { p_status: { phase: 'screening', machineId: other.id } });
  const beaten = await cloud.supabase.database.pool.query<{ id: string }>('select id from machines where beat_at is not null');
  expect(beaten.rows.map(({ id }) => id)).toEqual([own.id]);
});

test('a token that names another user\'s machine, or none, opens nothing, though it is well signed', async () => {
  for (const claims of [{ machineId: other.id, userId: own.user.id }, { machineId: own.id, userId: other.user.id }, { machineId: randomUUID(), userId: own.user.id }]) {
    const mixed = cloud.supabase.machineClient(await cloud.supabase.signMachineToken({ ...claims, epoch: 1 }));
    expect((await mixed.from('traders').select('id')).status).toBe(401);
    expect((await mixed.rpc('machine_beat', { p_status: {} })).status).toBe(401);
  }
});

test('a revoked one opens nothing from that moment on, while a new one does', async () => {
  const machine = await cloud.addMachine();
  const old = cloud.supabase.machineClient(await tokenOf(machine));
  expect((await old.rpc('machine_beat', { p_status: {} })).error).toBeNull();
  expect((await cloud.supabase.adminClient.rpc('revoke_machine_tokens', { p_machine_id: machine.id })).error).toBeNull();
  for (const attempt of [old.rpc('machine_beat', { p_status: {} }), old.rpc('write_signals', { p_rows: [] }), old.from('traders').select('id'), old.from('signals').select('id')]) {
    expect((await attempt).status).toBe(401);
  }
  const renewed = cloud.supabase.machineClient(await tokenOf(machine, 2));
  expect((await renewed.rpc('machine_beat', { p_status: {} })).error).toBeNull();
});

test('one that has expired, or is signed by nobody we know, opens nothing', async () => {
  const expired = cloud.supabase.machineClient(await cloud.supabase.signMachineToken({ machineId: own.id, userId: own.user.id, epoch: 1, seconds: -60 }));
  expect((await expired.from('traders').select('id')).status).toBe(401);
  const [header, payload] = (await tokenOf(own)).split('.');
  const forged = cloud.supabase.machineClient(`${header}.${payload}.${Buffer.alloc(64).toString('base64url')}`);
  expect((await forged.from('traders').select('id')).status).toBe(401);
});
