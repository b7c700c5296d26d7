import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { MACHINE_LIFECYCLE, MACHINE_PHASES, type MachineSighting } from '@trademind/core';
import { asRole, createTestDatabase, type TestDatabase } from '../support/database.ts';
import { addTrader, addUser, deploy, machineClaims, refusalOf, signalRow } from './fixtures.ts';

let database: TestDatabase;
let user: string;
let machine: string;
let trader: string;
beforeAll(async () => { database = await createTestDatabase(); });
afterAll(async () => { await database.close(); });
beforeEach(async () => {
  user = await addUser(database.pool);
  machine = (await deploy(database.pool, user)).machine.id;
  trader = await addTrader(database.pool, user);
});

const call = async <T>(sql: string, value: unknown, claims = machineClaims(machine, user)) =>
  (await asRole<{ a: T }>(database.pool, 'machine', claims, `select ${sql} as a`, [JSON.stringify(value)]))[0]?.a as T;
interface Written { inserted: number; duplicates: number; rejected: { id: string | null; code: string; message: string }[] }
const write = (rows: unknown, claims?: ReturnType<typeof machineClaims>) => call<Written>('public.write_signals($1)', rows, claims);
const beat = (status: unknown, claims?: ReturnType<typeof machineClaims>) => call<Record<string, unknown>>('public.machine_beat($1)', status, claims);
const phaseOf = async () => (await database.pool.query<{ phase: string }>('select phase from public.machines where id = $1', [machine])).rows[0]?.phase;

describe('the beat', () => {
  test('stores the status, answers what is wished, and tells each change of phase once', async () => {
    expect(await beat({ phase: 'backfilling', detail: '1 of 3' })).toMatchObject({ generation: 1, desired_state: 'started', drain: false });
    await beat({ phase: 'backfilling', detail: '2 of 3' });
    await beat({ phase: 'screening' });
    expect(await phaseOf()).toBe('screening');
    const { rows } = await database.pool.query<{ data: unknown }>(`select data from public.machine_events where machine_id = $1 and kind = 'phase' order by id`, [machine]);
    expect(rows.map((row) => row.data)).toEqual([{ from: 'requested', to: 'backfilling' }, { from: 'backfilling', to: 'screening' }]);
    const stored = await database.pool.query<{ status: unknown; fresh: boolean }>(`select status, beat_at > now() - interval '1 minute' as fresh from public.machines where id = $1`, [machine]);
    expect(stored.rows).toEqual([{ status: { phase: 'screening' }, fresh: true }]);
  });

  test('moves the phase exactly as the lifecycle of core says', async () => {
    const sightings = { booting: 'booting', backfilling: 'backfilling', screening: 'screening' } satisfies Record<string, MachineSighting>;
    for (const phase of MACHINE_PHASES.filter((one) => one !== 'destroyed')) {
      for (const [said, sighting] of Object.entries(sightings)) {
        // Only words from inside that the beat follows: it never moves a machine that is meant to stop.
        const expected = phase === 'stopping' || phase === 'stopped' ? phase : MACHINE_LIFECYCLE[phase][sighting];
        await database.pool.query('update public.machines set phase = $2 where id = $1', [machine, phase]);
        await beat({ phase: said });
        expect(`${phase} ${said} ${await phaseOf()}`).toBe(`${phase} ${said} ${expected}`);
      }
    }
  });

  test('asks for a drain when the wish is to stop, and leaves the phase to the control plane', async () => {
    await beat({ phase: 'screening' });
    await database.pool.query(`update public.machines set desired_state = 'stopped', phase = 'screening' where id = $1`, [machine]);
    expect(await beat({ phase: 'backfilling' })).toMatchObject({ drain: true, desired_state: 'stopped', generation: 2 });
    expect(await phaseOf()).toBe('screening');
  });

  test('brings a new etag when a trader changes', async () => {
    const before = (await beat({}))['traders_etag'];
    await database.pool.query('update public.traders set enabled = false where id = $1', [trader]);
    expect((await beat({}))['traders_etag']).not.toBe(before);
  });

  test('refuses a status that is no object or too large', async () => {
    expect(await refusalOf(beat([1]))).toBe('400 status_invalid');
    expect(await refusalOf(beat({ text: 'x'.repeat(70_000) }))).toBe('400 status_invalid');
  });
});

describe('writing signals', () => {
  test('a thousand are written, a repeat changes nothing', async () => {
    const rows = Array.from({ length: 1_000 }, () => signalRow(trader));
    expect(await write(rows)).toEqual({ inserted: 1_000, duplicates: 0, rejected: [] });
    expect(await write(rows)).toEqual({ inserted: 0, duplicates: 1_000, rejected: [] });
    expect(await refusalOf(write([...rows, signalRow(trader)]))).toBe('413 too_many_rows');
    expect(await refusalOf(write({}))).toBe('400 not_an_array');
  });

  test('a bad row is named and never blocks the others', async () => {
    const [foreignUser, good] = [await addUser(database.pool), signalRow(trader)];
    const foreign = await addTrader(database.pool, foreignUser);
    const bad = [
      signalRow(trader, { price: 'cheap' }), signalRow(trader, { symbol: null }), signalRow(trader, { side: 'sideways' }), signalRow(foreign), signalRow(trader, { price: -1 }),
      signalRow(trader, { close_time: '2026-11-22T09:00:00Z' }), signalRow(trader, { id: 'no uuid' }), 'not a row', null,
    ];
    const written = await write([good, ...bad, signalRow(trader), good]);
    expect(written).toMatchObject({ inserted: 2, duplicates: 1 });
    expect(written.rejected.map((row) => row.code)).toEqual([
      'value_malformed', 'value_missing', 'value_refused', 'trader_unknown', 'value_refused', 'value_refused', 'value_malformed', 'value_malformed', 'value_malformed']);
    expect(written.rejected[0]?.id).toBe(bad[0] === null || typeof bad[0] !== 'object' ? '' : bad[0]?.['id']);
    expect(written.rejected.every((row) => row.message.length > 0)).toBe(true);
  });

  test('whose signal it is comes from the token, never from the row', async () => {
    const other = await addUser(database.pool);
    const row = signalRow(trader, { user_id: other, machine_id: '00000000-0000-4000-8000-000000000000' });
    await write([row]);
    const { rows } = await database.pool.query('select user_id, machine_id from public.signals where id = $1', [row['id']]);
    expect(rows).toEqual([{ user_id: user, machine_id: machine }]);
  });

  test('nobody can occupy the id of another user\'s signal', async () => {
    const thief = await addUser(database.pool);
    const thiefMachine = (await deploy(database.pool, thief)).machine.id;
    const thiefTrader = await addTrader(database.pool, thief);
    const row = signalRow(trader);
    await write([{ ...signalRow(thiefTrader), id: row['id'] }], machineClaims(thiefMachine, thief));
    expect(await write([row])).toEqual({ inserted: 1, duplicates: 0, rejected: [] });
  });
});

describe('revoking', () => {
  test('a token of an older epoch, of another machine or of nobody is refused before and in every function', async () => {
    const preRequest = (claims: Record<string, unknown>) => refusalOf(asRole(database.pool, 'machine', claims, 'select public.db_pre_request()'));
    expect(await preRequest(machineClaims(machine, user))).toBe('none');
    const other = await addUser(database.pool);
    for (const claims of [machineClaims(machine, user, 2), machineClaims(machine, other), machineClaims(other, user), { sub: user }, {}]) {
      expect(await preRequest(claims)).toBe('401 token_revoked');
    }
    await asRole(database.pool, 'service_role', {}, 'select public.revoke_machine_tokens($1)', [machine]);
    expect(await preRequest(machineClaims(machine, user))).toBe('401 token_revoked');
    expect(await preRequest(machineClaims(machine, user, 2))).toBe('none');
    expect(await refusalOf(beat({}))).toBe('401 token_revoked');
    expect(await refusalOf(write([]))).toBe('401 token_revoked');
  });

  test('the other roles pass the pre-request', async () => {
    for (const role of ['anon', 'authenticated', 'service_role']) {
      expect(await refusalOf(asRole(database.pool, role, {}, 'select public.db_pre_request()'))).toBe('none');
    }
  });
});
