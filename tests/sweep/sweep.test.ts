import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createSweepDatabase, type SweepDatabase, type SweepRules } from '../../control-plane/database/sweep.ts';
import { SWEEP_RULES } from '../../control-plane/sweep/loop.ts';
import { sweep, SweepLost, type SweepFly } from '../../control-plane/sweep/sweep.ts';
import type { FlyError } from '../../packages/fly/index.ts';
import { callApi, controlPlaneEnv, startTestControlPlane } from '../support/control-plane.ts';
import { eventually, startTestFly, testMachine, TEST_IMAGES, type TestFly } from '../support/fly.ts';
import { startTestSupabase, type TestSupabase } from '../support/supabase.ts';
import { addUser, deploy } from '../database/fixtures.ts';

type ControlPlane = Awaited<ReturnType<typeof startTestControlPlane>>;
const FLEET = 12;
/** As they are, without the patience. */
const RULES: SweepRules = { ...SWEEP_RULES, graceSeconds: 0, orphanGraceSeconds: 0 };

let supabase: TestSupabase;
let fly: TestFly;
let controlPlane: ControlPlane;
let database: SweepDatabase;

const query = async <T extends object>(sql: string, values: unknown[] = []) => (await supabase.database.pool.query<T>(sql, values)).rows;
interface Row { id: string; fly_app: string; fly_machine_id: string; fly_instance_id: string }
const rows = (count: number) => query<Row>(`select id, fly_app, fly_machine_id, fly_instance_id from machines where phase = 'screening' order by created_at limit $1`, [count]);
const row = async () => (await rows(1))[0] as Row;

/** Makes a sweep due and takes it in one transaction: the control plane, which asks for due ones too, cannot come in between. null: somebody sweeps just now. `free`: whoever holds it is taken for dead. */
async function claimNow(owner: string, free = false): Promise<number | null> {
  const client = await supabase.database.pool.connect();
  try {
    await client.query('begin');
    await client.query(`update fleet_sweep set next_at = now()${free ? ', lease_expires_at = now()' : ''}`);
    const { rows: [claimed] } = await client.query<{ fence: string | null }>('select public.claim_sweep($1, 60, 3600) as fence', [owner]);
    await client.query(claimed?.fence == null ? 'rollback' : 'commit');
    return claimed?.fence == null ? null : Number(claimed.fence);
  } finally {
    client.release();
  }
}

/** A sweep of our own, due now whoever swept before. */
async function sweepNow(rules: Partial<SweepRules> = {}, eyes: Partial<SweepFly> = {}, apps = false) {
  const fence = await eventually(async () => (await claimNow('test')) ?? undefined);
  return sweep(fence, { fly: { ...fly.fly, ...eyes }, database, org: 'personal', apps, rules: { ...RULES, ...rules }, now: Date.now, signal: new AbortController().signal });
}
const sweepTimes = async (times: number, rules?: Partial<SweepRules>) => {
  let last = await sweepNow(rules);
  for (let time = 1; time < times; time += 1) last = await sweepNow(rules);
  return last;
};
const quiet = { differs: 0, double: 0, missing: 0, orphan: 0, foreign: 0, woken: 0, removed: 0, halted: null };
const settled = () => eventually(async () => {
  const [found] = await query<{ n: string }>(`select count(*) as n from machines where phase <> 'destroyed' and not (phase = 'screening' and observed_generation = generation and lease_expires_at is null)`);
  return found?.n === '0' ? true : undefined;
}, 120_000);

beforeAll(async () => {
  [supabase, fly] = await Promise.all([startTestSupabase(), startTestFly()]);
  controlPlane = await startTestControlPlane(controlPlaneEnv(supabase, fly, { SWEEP_SECONDS: '3600' }));
  database = createSweepDatabase({ url: supabase.url, secretKey: supabase.secretKey, fetch });
  for (let n = 0; n < FLEET; n += 1) await deploy(supabase.database.pool, await addUser(supabase.database.pool));
  await query('update machines set desired_image = $1', [TEST_IMAGES.tiny]);
});
afterAll(async () => {
  await controlPlane.close();
  await Promise.all([fly.close(), supabase.close()]);
});
beforeEach(async () => { await settled(); });

describe('a sweep', () => {
  test('of a settled fleet finds nothing, wakes nobody, and reads each page once', async () => {
    expect(await sweepTimes(2)).toMatchObject({ ...quiet, listed: FLEET, known: FLEET, requests: 1 });
    // pages may be short or empty, and in no order
    const ragged = await fly.admin.fault({ kind: 'ragged-pages', seed: 5 });
    const pages = await sweepNow({}, { listOrgMachines: (wish, call) => fly.fly.listOrgMachines({ ...wish, limit: 4 }, call) });
    await ragged.end();
    expect(pages).toMatchObject({ ...quiet, listed: FLEET });
    expect(pages.requests).toBeGreaterThan(3);
  });

  test('wakes whoever looks after a machine that somebody stopped, and only at the second look', async () => {
    const { fly_app: app, fly_machine_id: id } = await row();
    await query(`update machines set next_look_at = now() + interval '1 hour'`);
    await fly.fly.machines.stop(app, id);
    await eventually(async () => ((await fly.fly.machines.get(app, id)).state === 'stopped' ? true : undefined));
    expect(await sweepNow()).toMatchObject({ differs: 1, woken: 0 });
    expect(await sweepNow()).toMatchObject({ differs: 1, woken: 1 });
    await eventually(async () => ((await fly.fly.machines.get(app, id)).state === 'started' ? true : undefined));
    await settled();
    expect(await sweepNow()).toMatchObject(quiet);
  });

  test('has a configuration that somebody changed looked at and put right', async () => {
    const { fly_app: app, fly_machine_id: id } = await row();
    await query(`update machines set next_look_at = now() + interval '1 hour'`);
    const machine = await fly.fly.machines.get(app, id);
    await fly.fly.machines.update(app, id, { config: { ...testMachine('v'), ...machine.config, metadata: {}, env: { HACKED: 'yes' } }, skipLaunch: false });
    expect(await sweepTimes(2)).toMatchObject({ differs: 1, woken: 1 });
    await eventually(async () => ((await fly.fly.machines.get(app, id)).config?.env?.['HACKED'] === undefined ? true : undefined));
    await settled();
    expect(await sweepNow()).toMatchObject(quiet);
  });

  test('asks once about a version that is another one and right all the same, and never again', async () => {
    const { id } = await row();
    const listed = (version: string): SweepFly['listOrgMachines'] => async (wish, call) => {
      const page = await fly.fly.listOrgMachines(wish, call);
      const own = await row();
      return { ...page, machines: page.machines.map((machine) => (machine.id === own.fly_machine_id ? { ...machine, version } : machine)) };
    };
    await query(`update machines set next_look_at = now() + interval '1 hour'`);
    await sweepNow({}, { listOrgMachines: listed('other') });
    expect(await sweepNow({}, { listOrgMachines: listed('other') })).toMatchObject({ differs: 1, woken: 1 });
    await eventually(async () => ((await query<{ n: number }>(`select 1 as n from machines where id = $1 and next_look_at > now() + interval '5 seconds' and next_look_at < now() + interval '1 hour' and lease_expires_at is null`, [id])).length > 0 ? true : undefined));
    await sweepNow({}, { listOrgMachines: listed('other') });
    expect(await sweepNow({}, { listOrgMachines: listed('other') })).toMatchObject(quiet);
    // yet another one is another matter
    expect(await sweepNow({}, { listOrgMachines: listed('third') })).toMatchObject({ differs: 1, woken: 0 });
    expect(await sweepNow()).toMatchObject(quiet);
  });

  test('has a machine that vanished made again; but not one of a region that was not read', async () => {
    const { fly_app: app, fly_machine_id: id } = await row();
    await query(`update machines set next_look_at = now() + interval '1 hour'`);
    await fly.fly.machines.destroy(app, id, { force: true });
    await eventually(async () => ((await fly.fly.machines.list(app)).length === 0 ? true : undefined));
    const blind = await fly.admin.fault({ kind: 'error-region', region: 'sin' });
    for (let look = 0; look < 3; look += 1) expect(await sweepNow()).toMatchObject({ listed: 0, missing: 0, woken: 0, errorRegions: ['sin'] });
    await blind.end();
    expect(await sweepTimes(2)).toMatchObject({ missing: 1, woken: 1 });
    await eventually(async () => { const machines = await fly.fly.machines.list(app); return machines.length === 1 && machines[0]?.id !== id ? true : undefined; });
    await settled();
    expect(await sweepNow()).toMatchObject(quiet);
  });

  test('has a second machine of the same user ended', async () => {
    const { id, fly_app: app } = await row();
    await query(`update machines set next_look_at = now() + interval '1 hour'`);
    const volume = await fly.fly.volumes.create(app, { name: 'data', region: 'sin', sizeGb: 1 });
    await fly.fly.machines.create(app, { name: 'second', region: 'sin', config: testMachine(volume.id, { metadata: { trademind_machine: id } }) });
    expect(await sweepTimes(2)).toMatchObject({ double: 1, woken: 1 });
    await eventually(async () => ((await fly.fly.machines.list(app)).length === 1 ? true : undefined), 120_000);
    await settled();
    expect(await sweepNow()).toMatchObject(quiet);
  });

  test('that breaks off in the middle concludes nothing', async () => {
    const half = await fly.admin.fault({ kind: 'status', status: 503, verb: 'org.machines', skip: 1 });
    await expect(sweepNow({}, { listOrgMachines: (wish, call) => fly.fly.listOrgMachines({ ...wish, limit: 2 }, call) })).rejects.toMatchObject({ code: 'fly_unavailable' });
    await half.end();
    expect(await query('select * from fleet_findings')).toEqual([]);
    await query('update fleet_sweep set lease_expires_at = now()');
  });

  test('of an empty listing wakes nobody: many missing at once is rather the listing', async () => {
    const empty: SweepFly['listOrgMachines'] = () => Promise.resolve({ machines: [], nextCursor: undefined, lastMachineId: undefined, lastUpdatedAt: undefined, errorRegions: [] });
    for (let look = 0; look < 3; look += 1) expect(await sweepNow({}, { listOrgMachines: empty })).toMatchObject({ missing: FLEET, woken: 0 });
    expect(await sweepNow()).toMatchObject(quiet);
  });

  test('is one replica\'s at a time; one that died is forgotten, and what it still sends is refused', async () => {
    const first = (await eventually(async () => (await claimNow('a')) ?? undefined));
    await query('update fleet_sweep set next_at = now()');
    expect(await database.claim('b', 3_600)).toBeNull();
    const second = (await claimNow('b', true)) ?? 0;
    expect(second).toBe(first + 1);
    expect(await database.page(first, [])).toBe(false);
    expect(await database.compare(first, { errorRegions: [], apps: false }, RULES)).toBeNull();
    expect(await database.mayReap(first, { subject: 'x', app: 'x', owner: null })).toBe(false);
    await expect(sweep(first, { fly: fly.fly, database, org: 'personal', apps: false, rules: RULES, now: Date.now, signal: new AbortController().signal })).rejects.toBeInstanceOf(SweepLost);
    expect(await database.end(first, {})).toBe(false);
    expect(await database.end(second, {})).toBe(true);
  });
});

describe('what nobody owns', () => {
  /** Machines made from here whose row says that they are gone. */
  async function orphans(count: number): Promise<Row[]> {
    const users = await Promise.all(Array.from({ length: count }, () => addUser(supabase.database.pool)));
    for (const user of users) await deploy(supabase.database.pool, user);
    await query('update machines set desired_image = $1 where user_id = any($2)', [TEST_IMAGES.tiny, users]);
    await settled();
    return query<Row>(`update machines set phase = 'destroyed', desired_state = 'destroyed' where user_id = any($1) returning id, fly_app, fly_machine_id`, [users]);
  }
  const gone = (app: string) => fly.fly.apps.get(app).then(() => false, (error: unknown) => (error as FlyError).code === 'fly_not_found');

  test('is removed with its app at the third look; what was never made from here is only told, and what is not like ours ignored', async () => {
    const [orphan] = await orphans(1);
    const app = orphan?.fly_app ?? '';
    for (const name of ['tm-somebody-elses', 'other-app']) {
      await fly.fly.apps.create({ name, orgSlug: 'personal' });
      const volume = await fly.fly.volumes.create(name, { name: 'data', region: 'sin', sizeGb: 1 });
      await fly.fly.machines.create(name, { name: 'm', region: 'sin', config: testMachine(volume.id, { metadata: { trademind_machine: '11111111-2222-4333-8444-555555555555' } }) });
    }
    expect(await sweepTimes(2)).toMatchObject({ orphan: 1, foreign: 1, removed: 0 });
    expect(await gone(app)).toBe(false);
    expect(await sweepNow({ orphanGraceSeconds: 3_600 })).toMatchObject({ removed: 0 });
    expect(await sweepNow()).toMatchObject({ removed: 1, requests: 3 });
    expect(await gone(app)).toBe(true);
    expect(await sweepTimes(4)).toMatchObject({ orphan: 0, foreign: 1, removed: 0 });
    expect([await gone('tm-somebody-elses'), await gone('other-app')]).toEqual([false, false]);
    expect((await database.fleet()).findings).toMatchObject([{ kind: 'foreign', app: 'tm-somebody-elses', why: expect.stringContaining('never made from this database') as string }]);
    await Promise.all(['tm-somebody-elses', 'other-app'].map((name) => fly.fly.apps.delete(name, { force: true })));
  });

  test('is found too where only an app is left, when apps are listed; those with a machine are judged by it', async () => {
    const [orphan] = await orphans(1);
    const app = orphan?.fly_app ?? '';
    await fly.fly.machines.destroy(app, orphan?.fly_machine_id ?? '', { force: true });
    await eventually(async () => ((await fly.fly.machines.list(app)).length === 0 ? true : undefined));
    expect(await sweepNow()).toMatchObject(quiet);
    const withApps = () => sweepNow({}, {}, true);
    expect(await withApps()).toMatchObject({ ...quiet, listed: FLEET, orphan: 1, requests: 2 });
    // a sweep without apps neither counts nor forgets it
    expect(await sweepNow()).toMatchObject(quiet);
    expect(await withApps()).toMatchObject({ orphan: 1, removed: 0 });
    expect((await database.fleet()).findings).toMatchObject([{ subject: `app:${app}`, looks: 2 }]);
    expect(await withApps()).toMatchObject({ orphan: 1, removed: 1 });
    expect(await gone(app)).toBe(true);
    expect(await withApps()).toMatchObject(quiet);
  });

  test('is left alone when a new row owns its app by then', async () => {
    const [orphan] = await orphans(1);
    await sweepTimes(2);
    // between the comparison and the removal
    const late: SweepFly['machines'] = { list: fly.fly.machines.list, get: async (...args) => {
      await query(`update machines set fly_app = $2 where id = $1`, [(await row()).id, orphan?.fly_app]);
      return fly.fly.machines.get(...args);
    } };
    const [kept] = await rows(1);
    expect(await sweepNow({}, { machines: late })).toMatchObject({ orphan: 1, removed: 0 });
    await query('update machines set fly_app = $2 where id = $1', [kept?.id, kept?.fly_app]);
    expect(await sweepNow()).toMatchObject({ removed: 1 });
  });

  test('is never removed in masses: the breaker opens, says so once, and waits for an operator', async () => {
    const many = await orphans(7);
    for (let look = 0; look < 4; look += 1) expect(await sweepNow()).toMatchObject({ orphan: 7, removed: 0, halted: { code: 'orphans_unusual', orphans: 7 } });
    expect(await query(`select message from fleet_events where kind = 'halted'`)).toHaveLength(1);
    expect((await Promise.all(many.map((one) => gone(one.fly_app)))).some(Boolean)).toBe(false);
    expect((await database.fleet()).sweep.halted).toMatchObject({ code: 'orphans_unusual' });

    const operator = await operatorToken();
    expect(await callApi(controlPlane.url, operator, 'POST', '/v1/fleet/sweep', { orphans: 6 })).toMatchObject({ status: 202, body: { sweep: { halted: { orphans: 7 } } } });
    expect(await sweepNow()).toMatchObject({ removed: 0 });
    expect(await callApi(controlPlane.url, operator, 'POST', '/v1/fleet/sweep', { orphans: 7 })).toMatchObject({ status: 202, body: { sweep: { halted: null, allowed: 7 } } });
    // the control plane's own sweep may be the one that removes them
    await eventually(async () => { await sweepNow(); return (await Promise.all(many.map((one) => gone(one.fly_app)))).every(Boolean) ? true : undefined; });
    expect(await sweepNow()).toMatchObject(quiet);
    const { body } = await callApi(controlPlane.url, operator, 'GET', '/v1/fleet');
    expect(body).toMatchObject({ machines: FLEET, phases: { screening: FLEET }, silent: 0, sweep: { halted: null, allowed: 0 }, findings: [] });
  });

  test('and cannot be removed is abandoned after five attempts, and the fleet says why', async () => {
    const [orphan] = await orphans(1);
    const refuses = await fly.admin.fault({ kind: 'status', status: 500, error: 'internal: no', verb: 'app.delete' });
    for (let look = 0; look < 8; look += 1) expect(await sweepNow()).toMatchObject({ orphan: 1, removed: 0 });
    expect(await refuses.strikes()).toBe(5);
    await refuses.end();
    const fleet = await database.fleet();
    expect(fleet.findings).toMatchObject([{ kind: 'orphan', subject: orphan?.fly_machine_id, attempts: 5, lastError: expect.stringContaining('internal: no') as string, abandonedAt: expect.any(String) as string }]);
    expect(fleet.events[0]).toMatchObject({ kind: 'abandoned', message: expect.stringContaining('could not be removed in 5 attempts and is left to you: ') as string });
    expect(await sweepNow()).toMatchObject({ removed: 0 });
    await database.resume(0, '00000000-0000-4000-8000-000000000000');
    expect(await sweepNow()).toMatchObject({ removed: 1 });
  });
});

async function operatorToken(): Promise<string> {
  const made = await supabase.createUser();
  await supabase.adminClient.auth.admin.updateUserById(made.id, { app_metadata: { trademind_role: 'operator' } });
  const { data, error } = await made.client.auth.signInWithPassword({ email: made.email, password: made.password });
  if (error) throw error;
  return data.session.access_token;
}
