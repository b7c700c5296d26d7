import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { planRollout } from '../../control-plane/rollouts/plan.ts';
import { ClaimedRollout } from '../../control-plane/rollouts/view.ts';
import { RolloutSettings } from '../../packages/core/index.ts';
import { asRole, createTestDatabase, type TestDatabase } from '../support/database.ts';
import { addUser, deploy, machineClaims, refusalOf } from './fixtures.ts';
import { eventRow, metricRow } from './fixtures-facts.ts';

const OLD = `registry.example/machine@sha256:${'1'.repeat(64)}`;
let database: TestDatabase;
let rollout: string;
beforeAll(async () => { database = await createTestDatabase(); });
afterAll(async () => { await database.close(); });

const service = <T extends object = Record<string, unknown>>(sql: string, values: unknown[] = []) => asRole<T>(database.pool, 'service_role', {}, sql, values);
const one = async <T>(call: string, values: unknown[] = []) => (await service<{ a: T }>(`select ${call} as a`, values))[0]?.a as T;

/** A machine that screens on the version before. */
async function machineOf(user?: string, environment = 'local'): Promise<{ id: string; user: string }> {
  const owner = user ?? (await addUser(database.pool));
  const { machine } = await deploy(database.pool, owner, environment);
  await database.pool.query(`update machines set phase = 'screening', observed_generation = generation + 1, image = $2, desired_image = $2 where id = $1`, [machine.id, OLD]);
  return { id: machine.id, user: owner };
}

const status = (errorsPerMinute: unknown, state: string) => ({ phase: 'screening', bootId: randomUUID(), version: '2', health: { state, components: [{ component: 'errors', readings: { errorsPerMinute } }] } });
const as = (machine: { id: string; user: string }, call: string, value: unknown) => asRole(database.pool, 'machine', machineClaims(machine.id, machine.user), `select ${call}`, [JSON.stringify(value)]);

async function start(settings: object = {}, digit = '2', more: { environment?: string } = {}): Promise<string> {
  const { id } = await one<{ id: string }>(`to_jsonb(public.register_release($1, $2, null, $3))`, [`v${digit}`, `registry.example/machine@sha256:${digit.repeat(64)}`, randomUUID()]);
  return one<string>('public.start_rollout($1, $2, $3, $4, $5, $6)', [id, more.environment ?? null, JSON.stringify(RolloutSettings.parse(settings)), [], [], randomUUID()]);
}
async function claim(): Promise<ClaimedRollout> {
  await database.pool.query('update rollouts set next_step_at = now(), lease_expires_at = null');
  return ClaimedRollout.parse(await one(`public.claim_rollout('a', 30)`));
}
const advance = (view: ClaimedRollout, step: object) => one<boolean>('public.advance_rollout($1, $2, $3)', [view.id, view.fence, JSON.stringify(step)]);
const finish = async () => { await one('public.control_rollout($1, $2, null, $3)', [rollout, 'leave', randomUUID()]).catch(() => undefined); };

describe('what a rollout is judged by', () => {
  test('comes from beats, heartbeats, minutes and events of the machines on each version, each since it was updated', async () => {
    const [updated, other] = [await machineOf(), await machineOf()];
    await as(updated, 'public.write_facts($1)', { event: [eventRow()] }); // before the update: not counted
    await as(other, 'public.machine_beat($1)', status(0.25, 'healthy'));
    await as(other, 'public.write_facts($1)', { metric: [metricRow(new Date(), { lag_ms_max: 3_000 })] });
    rollout = await start();
    const first = await claim();
    expect(first).toMatchObject({ waiting: 2, others: { machines: 2, errorsPerMinute: 0.25, lagMs: 3_000, failing: 0 }, baseline: { errorsPerMinute: 0.25 } });
    await advance(first, { take: [updated.id] });
    await database.pool.query(`update machines set phase = 'screening', image = desired_image, observed_generation = generation where id = $1`, [updated.id]);
    await database.pool.query(`insert into machine_events (machine_id, kind, message, data, at) select $1, kind, 'm', '{"to":"screening"}', now() + after from (values ('machine.updated', interval '0 s'), ('phase', '1.5 s')) as told (kind, after)`, [updated.id]);
    const second = await claim();
    expect(second.underWay).toMatchObject([{ machineId: updated.id, counted: true, phase: 'screening' }]);
    const { marks } = planRollout(second);
    expect(marks).toMatchObject([{ machineId: updated.id, state: 'healthy' }]);
    expect(marks[0]?.bootMs).toBeCloseTo(1_500, 0);
    await advance(second, { marks });
    // two lives after the update are one end against its will more than the first
    for (let life = 0; life < 3; life += 1) await as(updated, 'public.machine_beat($1)', status(4, 'failing'));
    await as(updated, 'public.write_facts($1)', { metric: [metricRow(new Date(), { at: new Date(Math.ceil((Date.now() + 1) / 60_000) * 60_000).toISOString(), lag_ms_max: 40_000 })] });
    const third = await claim();
    expect(third.updated).toMatchObject({ machines: 1, reporting: 1, errorsPerMinute: 4, failing: 1, lagMs: 40_000, crashing: [{ machineId: updated.id, crashes: 2 }] });
    expect(third.updated.bootMs).toBeCloseTo(1_500, 0);
    expect(planRollout(third)).toMatchObject({ state: 'rolling_back' });
    await finish();
  });

  test('is not upset by a machine that says nonsense of itself', async () => {
    const machine = await machineOf();
    rollout = await start({}, '3');
    await advance(await claim(), { take: [machine.id] });
    await advance(await claim(), { marks: [{ machineId: machine.id, state: 'healthy' }] });
    for (const nonsense of [{ health: 'no' }, { health: { components: 7 } }, { health: { components: [{ component: 'errors', readings: { errorsPerMinute: 'many' } }] } }, { health: { components: [null, 'x'] } }]) {
      await as(machine, 'public.machine_beat($1)', nonsense);
      expect((await claim()).updated.errorsPerMinute ?? null).toBeNull();
    }
    await finish();
  });
});

describe('a step', () => {
  test('is written whole under its fence, or not at all: a replica that was thought dead does nothing', async () => {
    const machine = await machineOf();
    rollout = await start({}, '4');
    const late = await claim();
    const view = await claim();
    expect(await advance(late, { take: [machine.id], state: 'succeeded' })).toBe(false);
    await one('public.control_rollout($1, $2, null, $3)', [rollout, 'pause', randomUUID()]);
    expect(await advance(view, { take: [machine.id] }), 'an operator said something meanwhile').toBe(false);
    expect(await service('select 1 from rollout_machines where rollout_id = $1', [rollout])).toEqual([]);
    // a step with a fault in it leaves nothing behind either
    const again = await claim();
    expect(await refusalOf(advance(again, { take: [machine.id], events: [{ kind: 'NOT A KIND', message: 'x' }] }))).toBe('23514');
    expect(await service('select 1 from rollout_machines where rollout_id = $1', [rollout])).toEqual([]);
    expect(await refusalOf(advance(again, { tkae: [] }))).toBe('400 unknown_field');
    await finish();
  });

  test('takes one machine of a user, whatever it names, and none that was stopped or left out meanwhile', async () => {
    const user = await addUser(database.pool);
    const both = [await machineOf(user), await machineOf(user, 'staging')];
    const [stopped, out] = [await machineOf(), await machineOf()];
    rollout = await start({}, '5');
    const view = await claim();
    expect(view.candidates.filter((candidate) => candidate.userId === user)).toHaveLength(1);
    await database.pool.query(`update machines set desired_state = 'stopped' where id = $1`, [stopped.id]);
    await one('public.exclude_from_rollout($1, $2, $3, $4)', [rollout, [], [out.id], randomUUID()]);
    expect(await advance(view, { take: [...both, stopped, out].map(({ id }) => id) })).toBe(true);
    expect(await service('select user_id from rollout_machines where rollout_id = $1', [rollout])).toEqual([{ user_id: user }]);
    // the user's other machine is not even a candidate until the first is judged
    expect((await claim()).candidates.filter((candidate) => candidate.userId === user)).toEqual([]);
    await finish();
  });

  test('of two replicas that ask at once one gets the rollout', async () => {
    rollout = await start({}, '6');
    const claims = await Promise.all(Array.from({ length: 8 }, (_, n) => one(`public.claim_rollout($1, 30)`, [`r${n}`])));
    expect(claims.filter((claimed) => claimed !== null)).toHaveLength(1);
    await finish();
  });

  test('that ends the rollout makes it the release of new machines, and of the stopped ones when they start', async () => {
    const stopped = await machineOf();
    await database.pool.query(`update machines set desired_state = 'stopped' where id = $1`, [stopped.id]);
    rollout = await start({}, '7');
    expect(await advance(await claim(), { state: 'succeeded' })).toBe(true);
    const image = `registry.example/machine@sha256:${'7'.repeat(64)}`;
    expect(await service('select desired_image from machines where id = $1', [stopped.id])).toEqual([{ desired_image: image }]);
    const { machine } = await deploy(database.pool, await addUser(database.pool));
    expect(await service('select desired_image from machines where id = $1', [machine.id])).toEqual([{ desired_image: image }]);
  });
});
