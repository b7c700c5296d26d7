import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { callApi, controlPlaneEnv, spawnTestControlPlane, type SpawnedControlPlane } from '../support/control-plane.ts';
import { eventually, startTestFly, type TestFly } from '../support/fly.ts';
import { startTestSupabase, type TestSupabase, type TestUser } from '../support/supabase.ts';
import { startLossyProxy } from './lossy-proxy.ts';

let supabase: TestSupabase;
beforeAll(async () => { supabase = await startTestSupabase(); });
afterAll(async () => { await supabase.close(); });

/** Replicas behind one address: what they give to machines is the same. */
const ONE_ADDRESS = { CONTROL_PLANE_URL: 'http://127.0.0.1:9' };
const makeUsers = (count: number): Promise<TestUser[]> => Promise.all(Array.from({ length: count }, () => supabase.createUser()));

/** Everything that Fly has, by app. */
async function atFly({ fly }: TestFly): Promise<{ apps: string[]; machines: string[]; volumes: number[] }> {
  const apps = (await fly.apps.list({ orgSlug: 'personal' })).map((app) => app.name);
  const machines = (await Promise.all(apps.map((app) => fly.machines.list(app)))).flat().map((machine) => machine.name);
  const volumes = (await Promise.all(apps.map((app) => fly.volumes.list(app)))).map((list) => list.length);
  return { apps, machines, volumes };
}

async function rows(users: readonly TestUser[]): Promise<{ user_id: string; phase: string; fly_app: string; fly_machine_id: string; observed_generation: number }[]> {
  const { rows: found } = await supabase.database.pool.query<{ user_id: string; phase: string; fly_app: string; fly_machine_id: string; observed_generation: number }>(
    'select user_id, phase, fly_app, fly_machine_id, observed_generation from machines where user_id = any($1)', [users.map((user) => user.id)]);
  return found;
}

/** Until every user's machine is as wished. */
const settled = (users: readonly TestUser[], withinMs: number) => eventually(async () => {
  const found = await rows(users);
  return found.length === users.length && found.every((row) => row.phase === 'screening' && Number(row.observed_generation) === 1) ? found : undefined;
}, withinMs);

function expectOneOfEach(users: readonly TestUser[], found: Awaited<ReturnType<typeof rows>>, fly: Awaited<ReturnType<typeof atFly>>): void {
  expect(new Set(found.map((row) => row.user_id)).size).toBe(users.length);
  expect(fly.apps.toSorted()).toEqual(found.map((row) => row.fly_app).toSorted());
  expect(fly.machines.toSorted()).toEqual(found.map((row) => `${row.fly_app}-sin`).toSorted());
  expect(new Set(found.map((row) => row.fly_machine_id)).size).toBe(users.length);
}

describe('several replicas over one database', () => {
  test('fifty users deployed at once, by both replicas, give exactly fifty apps and fifty machines', async () => {
    const fly = await startTestFly();
    // long enough for any stall: no replica loses a machine between a step and telling of it
    const env = controlPlaneEnv(supabase, fly, { LEASE_SECONDS: '60', ...ONE_ADDRESS });
    const [users, ...replicas] = await Promise.all([makeUsers(50), spawnTestControlPlane(env), spawnTestControlPlane(env)]);
    try {
      const answers = await Promise.all(users.flatMap((user) => replicas.map((replica) => callApi(replica.url, user.accessToken, 'POST', '/v1/machines', {}))));
      expect(answers.filter((answer) => answer.status === 202)).toHaveLength(50);
      expect(answers.filter((answer) => answer.status === 200)).toHaveLength(50);
      expectOneOfEach(users, await settled(users, 120_000), await atFly(fly));
      // the work was shared, and each step was told once
      const { rows: steps } = await supabase.database.pool.query<{ kind: string; count: string }>(
        `select kind, count(*) from machine_events where user_id = any($1) and kind in ('app.created', 'machine.created') group by kind`, [users.map((user) => user.id)]);
      expect(Object.fromEntries(steps.map((step) => [step.kind, Number(step.count)]))).toEqual({ 'app.created': 50, 'machine.created': 50 });
    } finally {
      await Promise.all(replicas.map((replica) => replica.kill('SIGTERM')));
      await fly.close();
    }
  }, 240_000);

  test('a replica killed in the middle and a third of Fly\'s answers lost still give exactly one of each', async () => {
    const fly = await startTestFly();
    const proxy = await startLossyProxy(fly.url, 0.33, 7);
    const env = controlPlaneEnv(supabase, { ...fly, url: proxy.url }, { LEASE_SECONDS: '3', ...ONE_ADDRESS });
    const users = await makeUsers(10);
    const replicas: SpawnedControlPlane[] = await Promise.all([spawnTestControlPlane(env), spawnTestControlPlane(env)]);
    try {
      await Promise.all(users.map((user, at) => callApi(replicas[at % 2]?.url ?? '', user.accessToken, 'POST', '/v1/machines', {})));
      await eventually(async () => ((await atFly(fly)).apps.length > 2 ? true : undefined));
      await replicas[0]?.kill('SIGKILL');
      const found = await settled(users, 120_000);
      const there = await atFly(fly);
      expect(proxy.lost()).toBeGreaterThan(5);
      expectOneOfEach(users, found, there);
      expect(there.volumes.every((count) => count === 1), `volumes per app: ${there.volumes.join(' ')}`).toBe(true);
    } finally {
      await Promise.all(replicas.map((replica) => replica.kill('SIGTERM')));
      await proxy.close();
      await fly.close();
    }
  }, 240_000);
});
