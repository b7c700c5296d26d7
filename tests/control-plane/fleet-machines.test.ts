import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ControlPlane } from '../../control-plane/index.ts';
import { callApi, controlPlaneEnv, startTestControlPlane } from '../support/control-plane.ts';
import { eventually, startTestFly, testMachine, type TestFly } from '../support/fly.ts';
import { startTestSupabase, type TestSupabase, type TestUser } from '../support/supabase.ts';

let supabase: TestSupabase;
let fly: TestFly;
let controlPlane: ControlPlane;
let boss: string;
beforeAll(async () => {
  [supabase, fly] = await Promise.all([startTestSupabase(), startTestFly()]);
  // twice as dear as what is shipped: what is told comes from the list that bills are made with
  await supabase.database.pool.query('update public.price_lists set shared_cpu = shared_cpu * 2, extra_gb = extra_gb * 2');
  controlPlane = await startTestControlPlane(controlPlaneEnv(supabase, fly));
  const operator = await supabase.createUser();
  await supabase.adminClient.auth.admin.updateUserById(operator.id, { app_metadata: { trademind_role: 'operator' } });
  boss = (await operator.client.auth.signInWithPassword({ email: operator.email, password: operator.password })).data.session!.access_token;
});
afterAll(async () => {
  await controlPlane.close();
  await Promise.all([fly.close(), supabase.close()]);
});

const call = (method: string, path: string, body?: unknown, headers?: Record<string, string>, token = boss) => callApi(controlPlane.url, token, method, path, body, headers);
const sql = async <T extends object>(text: string, values: unknown[] = []) => (await supabase.database.pool.query<T>(text, values)).rows;
const settled = (id: string, user: TestUser) => eventually(async () => {
  const { body } = await call('GET', `/v1/machines/${id}`, undefined, {}, user.accessToken);
  return body['generation'] === body['observedGeneration'] && body['phase'] === 'screening' ? body : undefined;
}, 240_000);

/** A machine without a volume in an app of its own, as somebody made it. */
async function byHand(app: string): Promise<{ app: string; machine: string }> {
  await fly.fly.apps.create({ name: app, orgSlug: 'personal' });
  const { mounts: _none, ...config } = testMachine('none');
  return { app, machine: (await fly.fly.machines.create(app, { name: 'screener', region: 'fra', config })).id };
}

test('an operator takes over what was made by hand, as Fly shows it; the same again is the same; it is brought to the wish in its app', async () => {
  const user = await supabase.createUser();
  const made = await byHand('made-by-hand');
  const wish = { user: user.id, ...made };
  const taken = await call('POST', '/v1/fleet/adopt', wish);
  expect(taken).toMatchObject({ status: 202, body: { userId: user.id, app: 'made-by-hand', desired: { region: 'fra', size: { cpuKind: 'shared', cpus: 1 } } } });
  const id = String(taken.body['id']);
  expect(taken.headers.get('location')).toBe(`/v1/machines/${id}`);
  expect(await call('POST', '/v1/fleet/adopt', wish)).toMatchObject({ status: 202, body: { id } });
  await settled(id, user);
  expect(await call('POST', '/v1/fleet/adopt', wish), 'nor is it taken anew when another machine has come in its place').toMatchObject({ status: 422, body: { code: 'fly_machine_not_found' } });
  const machines = (await fly.fly.machines.list('made-by-hand')).filter(({ state }) => state !== 'destroyed');
  expect(machines).toMatchObject([{ region: 'fra', config: { mounts: [{ path: '/data' }] } }]);
  expect(await sql(`select actor_kind from public.audit_log where subject = $1 and action = 'machines.insert'`, [id])).toEqual([{ actor_kind: 'operator' }]);
});

test('of twenty who want the same app at once one gets it; whoever has a machine gets no other; what is not at Fly is taken by nobody', async () => {
  const made = await byHand('wanted');
  const users = await Promise.all(Array.from({ length: 20 }, () => supabase.createUser()));
  const answers = await Promise.all(users.map((user) => call('POST', '/v1/fleet/adopt', { user: user.id, ...made })));
  expect(answers.filter(({ status }) => status === 202)).toHaveLength(1);
  expect(new Set(answers.filter(({ status }) => status !== 202).map(({ status, body }) => `${status} ${String(body['code'])}`))).toEqual(new Set(['409 app_taken']));
  expect(await sql(`select 1 from public.machines where fly_app = 'wanted'`)).toHaveLength(1);
  const other = await byHand('other');
  const winner = users[answers.findIndex(({ status }) => status === 202)]!;
  expect(await call('POST', '/v1/fleet/adopt', { user: winner.id, ...other })).toMatchObject({ status: 409, body: { code: 'machine_exists' } });
  const loser = users.find((user) => user !== winner)!;
  expect(await call('POST', '/v1/fleet/adopt', { user: loser.id, app: 'nowhere', machine: other.machine })).toMatchObject({ status: 422, body: { code: 'fly_machine_not_found', field: 'machine' } });
  expect(await call('POST', '/v1/fleet/adopt', { user: loser.id, ...other, region: 'iad' })).toMatchObject({ status: 422, body: { code: 'region_refused' } });
  expect(await call('POST', '/v1/fleet/adopt', { user: '00000000-0000-4000-8000-000000000000', ...other })).toMatchObject({ status: 404, body: { code: 'user_not_found' } });
});

test('an operator gives one machine an environment of its own: it restarts with it, and nothing of the contract is taken away', async () => {
  const user = await supabase.createUser();
  const deployed = await call('POST', '/v1/machines', {}, {}, user.accessToken);
  const id = String(deployed.body['id']);
  const { app, flyMachineId } = await settled(id, user) as { app: string; flyMachineId: string };
  const path = `/v1/fleet/machines/${id}/env`;
  const before = await fly.fly.machines.get(app, flyMachineId);
  const read = await call('GET', path);
  expect(read).toMatchObject({ status: 200, body: { machineId: id, generation: 1, env: {} } });
  expect(read.headers.get('etag')).toBe('"1"');
  expect(await call('PUT', path, { env: { KLINE_INTERVAL: '15m' } }, { 'if-match': '"7"' })).toMatchObject({ status: 412, body: { code: 'generation_mismatch' } });
  expect(await call('PUT', path, { env: { USER_ID: 'somebody' } })).toMatchObject({ status: 422, body: { code: 'env_reserved', field: 'env.USER_ID' } });
  expect(await call('PUT', path, { env: { 'not a name': 'x' } })).toMatchObject({ status: 400, body: { code: 'request_invalid' } });
  expect(await call('PUT', path, { env: Object.fromEntries(Array.from({ length: 20 }, (_, at) => [`A${at}`, 'x'.repeat(1_000)])) })).toMatchObject({ status: 400 });
  expect(await call('PUT', path, { env: { KLINE_INTERVAL: '15m' } }, { 'if-match': '"1"' })).toMatchObject({ status: 202, body: { generation: 2, env: { KLINE_INTERVAL: '15m' } } });
  await settled(id, user);
  const after = await fly.fly.machines.get(app, flyMachineId);
  expect(after.config?.env).toEqual({ ...before.config?.env, KLINE_INTERVAL: '15m' });
  expect(after.instance_id).not.toBe(before.instance_id);
  expect(await call('PUT', path, { env: {} })).toMatchObject({ status: 202, body: { generation: 3, env: {} } });
  await settled(id, user);
  expect((await fly.fly.machines.get(app, flyMachineId)).config?.env).toEqual(before.config?.env);
});

test('what a machine costs in a month is told from the list of prices that bills are made with', async () => {
  const user = await supabase.createUser();
  const { body } = await call('POST', '/v1/machines', { size: { cpuKind: 'shared', cpus: 2, memoryMb: 1_024 }, region: 'fra' }, {}, user.accessToken);
  const [bill] = await sql<{ usd: string }>(`select private.month_usd('fra', 'shared', 2, 1024) as usd`);
  expect(body['monthlyPriceUsd']).toBeCloseTo(Number(bill!.usd), 6);
  expect((await call('GET', '/v1/machines', undefined, {}, user.accessToken)).body['items']).toMatchObject([{ monthlyPriceUsd: body['monthlyPriceUsd'] }]);
});
