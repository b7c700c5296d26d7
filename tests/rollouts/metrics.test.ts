// What an operator sees of sweeps and rollouts on the private port of each replica: that each figure is there, and moves with what it counts.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { callApi, type SpawnedControlPlane } from '../support/control-plane.ts';
import { eventually, testMachine } from '../support/fly.ts';
import { IMAGES, startFleet, type Fleet } from './world.ts';

const MACHINES = 4;
let fleet: Fleet;
let replicas: SpawnedControlPlane[];

/** What replicas did: their sum. How the fleet stands: the same on each, also where another one swept. */
const SUMMED = /^trademind_(sweep_seconds|sweep_woken_total|sweep_removed_total|rollout_machines_total|rollout_halts_total)/;
async function figures(): Promise<Map<string, number>> {
  const all = new Map<string, number>();
  for (const { metrics } of replicas) {
    const text = await (await fetch(`${metrics}/metrics`)).text();
    for (const [, name = '', value] of text.matchAll(/^(trademind_[^ ]+) (\S+)$/gm)) all.set(name, SUMMED.test(name) ? (all.get(name) ?? 0) + Number(value) : Math.max(all.get(name) ?? 0, Number(value)));
  }
  return all;
}
/** Waits until all of these figures have these values; the error says what they had. */
async function shows(wanted: Record<string, number | ((value: number) => boolean)>, withinMs = 120_000): Promise<void> {
  await eventually(async () => {
    const seen = await figures();
    const wrong = Object.entries(wanted).filter(([name, value]) => { const there = seen.get(`trademind_${name}`); return !(typeof value === 'number' ? there === value : there !== undefined && value(there)); });
    if (wrong.length > 0) throw new Error(wrong.map(([name]) => `${name} is ${seen.get(`trademind_${name}`)}`).join(', '));
    return true;
  }, withinMs);
}
const call = (method: string, path: string, body?: unknown) => callApi(replicas[0]!.url, fleet.operator, method, path, body);
const allow = (orphans: number) => call('POST', '/v1/fleet/sweep', { orphans });
const rowsOf = () => fleet.query<{ id: string; fly_app: string; fly_machine_id: string }>(`select id, fly_app, fly_machine_id from machines order by id`);
const settled = () => eventually(async () => ((await fleet.query(`select 1 from machines where phase = 'screening' and observed_generation = generation`)).length === MACHINES ? true : undefined), 120_000);

beforeAll(async () => {
  fleet = await startFleet();
  const patience = { SWEEP_SECONDS: '1', ORPHAN_GRACE_SECONDS: '0' };
  replicas = await Promise.all([fleet.replica(patience), fleet.replica(patience)]);
}, 240_000);
afterAll(async () => { await fleet.close(); });

test('before anything happened each figure is there, so that an alert on it means something', async () => {
  const seen = await figures();
  for (const name of [
    'sweep_seconds_count{outcome="done"}', 'sweep_seconds_count{outcome="broken_off"}', 'sweep_woken_total', 'sweep_removed_total', 'sweep_last_success_timestamp_seconds', 'sweep_halted', 'sweep_halts', 'fleet_abandoned', 'fleet_figures_up',
    ...['differs', 'double', 'missing', 'orphan', 'foreign'].map((kind) => `fleet_findings{kind="${kind}"}`), ...['running', 'paused', 'rolling_back', 'rolled_back', 'succeeded', 'aborted'].map((state) => `rollouts{state="${state}"}`),
    ...['healthy', 'failed', 'left', 'reverted', 'stuck'].map((state) => `rollout_machines_total{state="${state}"}`), 'rollout_halts_total{code="canary_failed"}', 'rollout_halts_total{code="too_many_failed"}',
  ]) expect([...seen.keys()]).toContain(`trademind_${name}`);
  // what docs/operations.md sets alerts on
  const page = readFileSync(join(import.meta.dirname, '../../docs/operations.md'), 'utf8');
  const asked = new Set([...page.matchAll(/(?<![.\w])trademind_[a-z_]+/g)].map(([name]) => name.replace(/_bucket$/, '_count')));
  expect(asked.size).toBeGreaterThan(12);
  // until a rollout runs, and something was looked at, these have nothing to tell
  const there = new Set([...[...seen.keys()].map((name) => name.replace(/\{.*/, '')), 'trademind_rollout_wave', 'trademind_rollout_machines', 'trademind_sweep_machines', 'trademind_looks_total', 'trademind_http_request_seconds_count']);
  expect([...asked].filter((name) => !there.has(name))).toEqual([]);
  // on the private port alone
  expect((await callApi(replicas[0]!.url, fleet.operator, 'GET', '/metrics')).status).toBe(404);
});

test('sweeps: how long, of how many machines, when the last one succeeded', async () => {
  await fleet.deploy(Array.from({ length: MACHINES }, () => ['local']));
  await settled();
  const before = await figures();
  const last = before.get('trademind_sweep_last_success_timestamp_seconds')!;
  const done = before.get('trademind_sweep_seconds_count{outcome="done"}')!;
  await shows({ 'sweep_seconds_count{outcome="done"}': (count) => count > done + 1, sweep_last_success_timestamp_seconds: (at) => at > last && at > 1_700_000_000, 'sweep_machines{side="listed"}': MACHINES, 'sweep_machines{side="known"}': MACHINES, fleet_figures_up: 1 });
  // what took no time at all was not measured
  expect((await figures()).get('trademind_sweep_seconds_sum{outcome="done"}')).toBeGreaterThan(0);
});

test('sweeps: one that breaks off is counted as such, and is no success', async () => {
  const away = await fleet.fly.admin.fault({ kind: 'status', status: 500, error: 'internal: no', verb: 'org.machines' });
  // a second apart: by the second one what is read of the database is newer than any success before them
  await shows({ 'sweep_seconds_count{outcome="broken_off"}': (count) => count >= 2 });
  const seen = await figures();
  const at = seen.get('trademind_sweep_last_success_timestamp_seconds');
  const brokenOff = seen.get('trademind_sweep_seconds_count{outcome="broken_off"}')!;
  await shows({ 'sweep_seconds_count{outcome="broken_off"}': (count) => count > brokenOff, sweep_last_success_timestamp_seconds: at! });
  await away.end();
  await shows({ sweep_last_success_timestamp_seconds: (later) => later > at! });
});

test('sweeps: drift that was found, and who was woken for it', async () => {
  const [row] = await rowsOf();
  await fleet.query(`update machines set next_look_at = now() + interval '1 hour'`);
  await fleet.fly.fly.machines.stop(row!.fly_app, row!.fly_machine_id);
  await shows({ 'fleet_findings{kind="differs"}': 1 });
  await fleet.query(`update fleet_findings set first_seen_at = now() - interval '5 minutes'`);
  await shows({ sweep_woken_total: (woken) => woken >= 1 });
  await shows({ 'fleet_findings{kind="differs"}': 0 });
});

test('sweeps: orphans, the breaker that opens on many of them, what was given up, what was removed', async () => {
  const { fly } = fleet.fly;
  const names = Array.from({ length: 7 }, (_, at) => `tm-orphan-${at}`);
  await fleet.query('insert into private.known_apps (app) select unnest($1::text[])', [names]);
  for (const name of names) {
    await fly.apps.create({ name, orgSlug: 'personal' });
    const volume = await fly.volumes.create(name, { name: 'data', region: 'sin', sizeGb: 1 });
    await fly.machines.create(name, { name: 'm', region: 'sin', config: testMachine(volume.id, { metadata: { trademind_machine: '11111111-2222-4333-8444-555555555555' } }, IMAGES.first) });
  }
  await shows({ 'fleet_findings{kind="orphan"}': 7, 'sweep_machines{side="listed"}': MACHINES + 7, sweep_halted: 1, sweep_halts: 1, sweep_removed_total: 0 });
  const refuses = await fleet.fly.admin.fault({ kind: 'status', status: 500, error: 'internal: no', verb: 'app.delete' });
  await allow(7);
  await shows({ sweep_halted: 0, fleet_abandoned: 7 }, 120_000);
  await refuses.end();
  await allow(7);
  await shows({ sweep_removed_total: 7, 'fleet_findings{kind="orphan"}': 0, sweep_halted: 0, sweep_halts: 1, fleet_abandoned: 0 }, 120_000);
}, 480_000);

test('rollouts: one that is paused, its wave and its machines; one that halts; what goes back; one that succeeds', async () => {
  const release = async (version: string, image: string) => String((await call('POST', '/v1/releases', { version, image })).body['id']);
  const start = async (id: string, settings: object = {}) => String((await call('POST', '/v1/rollouts', { release: id, settings: { waves: [{ machines: 1 }, { share: 1 }], pauseSeconds: 1, parallel: 2, gates: { bootSeconds: 120, bootFloorMs: 120_000 }, ...settings } })).body['id']);
  const good = await release('2.0.0', IMAGES.good);
  const calm = await start(good, { pauseSeconds: 3_600 });
  await shows({ 'rollouts{state="running"}': 1, 'rollout_wave{environment="*"}': 0, 'rollout_machines{environment="*",state="healthy"}': 1, 'rollout_machines_total{state="healthy"}': 1 });
  await call('POST', `/v1/rollouts/${calm}/pause`, { reason: 'x' });
  await shows({ 'rollouts{state="running"}': 0, 'rollouts{state="paused"}': 1 });
  await call('POST', `/v1/rollouts/${calm}/abort`, { reason: 'x' });
  await shows({ 'rollouts{state="rolled_back"}': 1, 'rollout_machines_total{state="reverted"}': 1 });
  // an operator's word is no halt
  expect((await figures()).get('trademind_rollout_halts_total{code="canary_failed"}')).toBe(0);
  // none is under way: nothing is left of its wave
  await eventually(async () => ([...(await figures()).keys()].some((name) => /^trademind_rollout_(wave|machines)\{/.test(name)) ? undefined : true));

  await start(await release('2.0.1-bad', IMAGES.bad), { gates: { bootSeconds: 4, bootFloorMs: 120_000 } });
  await shows({ 'rollout_halts_total{code="canary_failed"}': 1, 'rollout_machines_total{state="failed"}': 1, 'rollout_machines_total{state="reverted"}': 2, 'rollouts{state="rolled_back"}': 2 }, 120_000);
  // Fly keeps the machines after the canary waiting, so that their wave is there for whoever looks
  const busy = await fleet.fly.admin.fault({ kind: 'status', status: 503, error: 'unavailable', verb: 'machine.update', skip: 1 });
  await start(good);
  await shows({ 'rollout_wave{environment="*"}': 1 });
  await busy.end();
  await shows({ 'rollouts{state="succeeded"}': 1, 'rollout_machines_total{state="healthy"}': 1 + MACHINES }, 120_000);
}, 480_000);

test('while the database does not tell them the figures of the fleet stay, and say that they are old', async () => {
  const success = (await figures()).get('trademind_sweep_last_success_timestamp_seconds')!;
  await fleet.query('alter function public.fleet_figures() rename to fleet_figures_away');
  await shows({ fleet_figures_up: 0, sweep_last_success_timestamp_seconds: (at) => at >= success, 'rollouts{state="rolled_back"}': 2 });
  await fleet.query('alter function public.fleet_figures_away() rename to fleet_figures');
  await shows({ fleet_figures_up: 1 });
});
