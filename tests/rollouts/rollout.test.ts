import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { callApi, type SpawnedControlPlane } from '../support/control-plane.ts';
import { eventually } from '../support/fly.ts';
import { IMAGES, startFleet, type Fleet } from './world.ts';

const MACHINES = 200;
const GATES = { bootSeconds: 4, bootFloorMs: 60_000 };

let fleet: Fleet;
let replicas: SpawnedControlPlane[];

const call = (method: string, path: string, body?: unknown, token = fleet.operator) => callApi(replicas.at(-1)?.url ?? '', token, method, path, body);
const release = async (version: string, image: string) => String((await call('POST', '/v1/releases', { version, image })).body['id']);
const settled = (image: string, withinMs: number) => eventually(async () => {
  const [row] = await fleet.query<{ n: string }>(`select count(*) as n from machines where phase = 'screening' and image = $1 and observed_generation = generation`, [image]);
  return Number(row?.n) === MACHINES ? true : undefined;
}, withinMs);
const ended = (id: string, withinMs: number) => eventually(async () => {
  const { body } = await call('GET', `/v1/rollouts/${id}`);
  return body['finishedAt'] === null ? undefined : body;
}, withinMs);
/** How often each machine was given this image. */
const given = (image: string) => fleet.query<{ machine_id: string; times: number }>(
  `select machine_id, count(*)::int as times from machine_events where kind = 'release' and data ->> 'image' = $1 group by 1`, [image]);

/** Kills a replica as a power cut does, and starts another in its place. */
async function replaceOne(): Promise<void> {
  await replicas.shift()?.kill('SIGKILL');
  replicas.push(await fleet.replica());
}

beforeAll(async () => {
  fleet = await startFleet();
  replicas = await Promise.all([fleet.replica(), fleet.replica()]);
  // 150 users with one machine, 25 with two
  await fleet.deploy([...Array.from({ length: 150 }, () => ['local']), ...Array.from({ length: 25 }, () => ['local', 'staging'])]);
  await settled(IMAGES.first, 450_000);
}, 480_000);
afterAll(async () => { await fleet.close(); });

describe(`over ${MACHINES} machines`, () => {
  test('a bad image halts at the canary, goes back and says why; a replica killed in the middle changes nothing', async () => {
    const bad = await release('2.0.0-bad', IMAGES.bad);
    const begun = await call('POST', '/v1/rollouts', { release: bad, settings: { waves: [{ machines: 3 }, { share: 0.25 }, { share: 1 }], pauseSeconds: 1, parallel: 20, gates: GATES } });
    expect(begun).toMatchObject({ status: 202, body: { state: 'running', wave: 0, release: { version: '2.0.0-bad' } } });
    const id = String(begun.body['id']);
    expect(await call('POST', '/v1/rollouts', { release: bad })).toMatchObject({ status: 409, body: { code: 'rollout_under_way' } });
    await eventually(async () => ((await given(IMAGES.bad)).length > 0 ? true : undefined), 120_000);
    await replaceOne();

    const report = await ended(id, 120_000);
    expect(report).toMatchObject({ state: 'rolled_back', wave: 0, reason: { code: 'canary_failed', allowed: 0 }, counts: { reverted: 3 } });
    expect((report['reason'] as { message: string }).message).toMatch(/^\d of \d machines of version 2\.0\.0-bad failed in the canary: It did not say within 4 s that it is ready/);
    expect((report['events'] as { kind: string }[]).map((event) => event.kind)).toEqual(expect.arrayContaining(['started', 'machine.failed', 'halted', 'rolled_back']));
    // three machines saw it, once each; all run the version before, and nothing of it stays
    expect((await given(IMAGES.bad)).map((one) => one.times)).toEqual([1, 1, 1]);
    await settled(IMAGES.first, 120_000);
    expect(await fleet.query('select * from current_releases')).toEqual([]);
    expect(await call('DELETE', `/v1/releases/${bad}`, { reason: 'It never becomes ready.' })).toMatchObject({ status: 200 });
    expect(await call('POST', '/v1/rollouts', { release: bad })).toMatchObject({ status: 409, body: { code: 'release_withdrawn' } });
  }, 300_000);

  test('a good image reaches every machine once, of each user one at a time, through killed replicas; new machines get it', async () => {
    const good = await release('2.1.0', IMAGES.good);
    const begun = await call('POST', '/v1/rollouts', { release: good, settings: { waves: [{ machines: 2 }, { share: 0.3 }, { share: 1 }], pauseSeconds: 1, parallel: 60, gates: { ...GATES, bootSeconds: 60 } } });
    const id = String(begun.body['id']);
    let most = 0;
    let kills = 0;
    await eventually(async () => {
      const [row] = await fleet.query<{ most: number; done: number; finished: boolean }>(`select
        coalesce((select max(n) from (select count(*)::int as n from rollout_machines where state in ('updating', 'reverting') group by user_id) x), 0) as most,
        (select count(*)::int from rollout_machines where rollout_id = $1 and state = 'healthy') as done, (select finished_at is not null from rollouts where id = $1) as finished`, [id]);
      most = Math.max(most, row?.most ?? 0);
      if ((kills === 0 && (row?.done ?? 0) > 5) || (kills === 1 && (row?.done ?? 0) > 100)) { kills += 1; await replaceOne(); }
      return row?.finished === true ? true : undefined;
    }, 420_000);
    expect({ most, kills }).toEqual({ most: 1, kills: 2 });
    expect((await call('GET', `/v1/rollouts/${id}`)).body).toMatchObject({ state: 'succeeded', wave: 2, counts: { healthy: MACHINES } });
    expect((await given(IMAGES.good)).filter((one) => one.times !== 1)).toEqual([]);
    expect((await call('GET', '/v1/releases')).body).toMatchObject({ items: expect.arrayContaining([expect.objectContaining({ version: '2.1.0', currentIn: ['*'] })]) as unknown });
    await fleet.deploy([['local']]);
    expect(await fleet.query('select desired_image from machines order by created_at desc limit 1')).toEqual([{ desired_image: IMAGES.good }]);
    expect(await call('DELETE', `/v1/releases/${good}`, { reason: 'No.' })).toMatchObject({ status: 409, body: { code: 'release_in_use' } });
  }, 480_000);
});

describe('releases', () => {
  test('are pinned by digest, must be in a registry that is trusted, and are the operators\' business', async () => {
    expect(await call('POST', '/v1/releases', { version: '3', image: 'registry.local/trademind-machine:latest' })).toMatchObject({ status: 400, body: { code: 'request_invalid', field: 'image' } });
    for (const notes of ['a\0b', 'a\ud800b']) expect(await call('POST', '/v1/releases', { version: '3', image: IMAGES.better, notes })).toMatchObject({ status: 400, body: { code: 'request_invalid', field: 'notes' } });
    expect(await call('POST', '/v1/releases', { version: '3', image: IMAGES.unknown })).toMatchObject({ status: 422, body: { code: 'image_not_found' } });
    expect(await call('POST', '/v1/releases', { version: '3', image: IMAGES.good.replace('registry.local', '169.254.169.254') })).toMatchObject({ status: 422, body: { code: 'registry_refused' } });
    expect(await call('POST', '/v1/releases', { version: '2.1.0', image: IMAGES.better })).toMatchObject({ status: 409, body: { code: 'release_version_taken' } });
    expect(await call('POST', '/v1/releases', { version: '9', image: IMAGES.good })).toMatchObject({ status: 409, body: { code: 'release_image_taken' } });
    expect((await call('POST', '/v1/releases', { version: '2.1.0', image: IMAGES.good })).status).toBe(201);
    const id = '00000000-0000-4000-8000-000000000000';
    for (const [method, path, body] of [
      ['GET', '/v1/releases'], ['POST', '/v1/releases', { version: '3', image: IMAGES.better }], ['DELETE', `/v1/releases/${id}`, { reason: 'x' }], ['GET', '/v1/rollouts'], ['POST', '/v1/rollouts', { release: id }],
      ['GET', `/v1/rollouts/${id}`], ['POST', `/v1/rollouts/${id}/pause`, {}], ['POST', `/v1/rollouts/${id}/resume`, {}], ['POST', `/v1/rollouts/${id}/abort`, {}], ['POST', `/v1/rollouts/${id}/exclude`, {}],
      ['GET', '/v1/fleet'], ['POST', '/v1/fleet/sweep', {}],
    ] as const) expect(await call(method, path, body, fleet.user), `${method} ${path}`).toMatchObject({ status: 403, body: { code: 'operator_only' } });
  });
});

describe('an operator', () => {
  test('pauses, leaves a user out, resumes and aborts; what was updated goes back', async () => {
    const better = await release('2.2.0', IMAGES.better);
    const [spared] = await fleet.query<{ user_id: string }>(`select user_id from machines where environment = 'staging' limit 1`);
    expect(await call('POST', '/v1/rollouts', { release: better, settings: { waves: [{ machines: 5 }] } })).toMatchObject({ status: 422, body: { code: 'waves_incomplete' } });
    const begun = await call('POST', '/v1/rollouts', {
      release: better, environment: 'staging', exclude: { users: [spared?.user_id] }, settings: { waves: [{ machines: 1 }, { share: 1 }], pauseSeconds: 3600, gates: { ...GATES, bootSeconds: 60 } },
    });
    const path = `/v1/rollouts/${String(begun.body['id'])}`;
    await eventually(async () => ((await call('GET', path)).body['counts'] as { healthy?: number }).healthy === 1 ? true : undefined, 120_000);
    expect(await call('POST', `${path}/pause`, { reason: 'Lunch.' })).toMatchObject({ status: 202, body: { state: 'paused', reason: { code: 'paused', message: 'Lunch.' }, excluded: { users: 1 } } });
    expect(await call('POST', `${path}/resume`, {})).toMatchObject({ status: 202, body: { state: 'running', reason: null } });
    expect(await call('POST', `${path}/abort`, { reason: 'Enough.' })).toMatchObject({ status: 202, body: { state: 'rolling_back' } });
    expect(await ended(String(begun.body['id']), 120_000)).toMatchObject({ state: 'rolled_back', reason: { code: 'aborted', message: 'Enough.' }, counts: { reverted: 1 } });
    expect(await call('POST', `${path}/resume`, {})).toMatchObject({ status: 409, body: { code: 'rollout_state' } });
    expect(await fleet.query(`select 1 from machine_events where user_id = $1 and data ->> 'image' = $2`, [spared?.user_id, IMAGES.better])).toEqual([]);
  }, 240_000);

  test('who notices late rolls out the release before, quickly, and withdraws the bad one when no machine is on it any more', async () => {
    const [before, bad] = [await release('2.1.0', IMAGES.good), await release('2.2.0', IMAGES.better)];
    const roll = (id: string, waves: object[]) => call('POST', '/v1/rollouts', { release: id, environment: 'staging', settings: { waves, pauseSeconds: 0, parallel: 50, gates: { ...GATES, bootSeconds: 60 } } });
    const withdraw = () => call('DELETE', `/v1/releases/${bad}`, { reason: 'It forgets.' });
    // left where it stands: one machine has it
    const left = `/v1/rollouts/${String((await roll(bad, [{ machines: 1 }, { share: 1 }])).body['id'])}`;
    await eventually(async () => (((await call('GET', left)).body['counts'] as { healthy?: number }).healthy ?? 0) > 0 ? true : undefined, 120_000);
    await call('POST', `${left}/abort`, { rollBack: false });
    expect(await withdraw()).toMatchObject({ status: 409, body: { code: 'release_in_use' } });
    const begun = await roll(bad, [{ share: 1 }]);
    expect(await ended(String(begun.body['id']), 120_000)).toMatchObject({ state: 'succeeded' });
    expect(await call('POST', `/v1/rollouts/${String(begun.body['id'])}/abort`, {})).toMatchObject({ status: 409, body: { code: 'rollout_state' } });
    expect(await withdraw()).toMatchObject({ status: 409, body: { code: 'release_in_use' } });
    const back = await roll(before, [{ machines: 1 }, { share: 1 }]);
    expect(await ended(String(back.body['id']), 120_000)).toMatchObject({ state: 'succeeded' });
    expect(await fleet.query(`select distinct desired_image from machines where environment = 'staging'`)).toEqual([{ desired_image: IMAGES.good }]);
    expect(await withdraw()).toMatchObject({ status: 200, body: { items: [{ version: '2.2.0', currentIn: [], withdrawnReason: 'It forgets.' }] } });
  }, 480_000);
});
