import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { eventually, startTestFly, TEST_IMAGES, type Machine, type TestFly } from '../../../tests/support/fly.ts';
import { Faults } from './faults.ts';
import { readFaultOrder } from './kinds.ts';

let cloud: TestFly;
let count = 0;
beforeAll(async () => { cloud = await startTestFly(); });
afterEach(() => cloud.admin.clearFaults());
afterAll(() => cloud.close());

const fault: TestFly['admin']['fault'] = (order) => cloud.admin.fault(order);
async function app(org = 'faults'): Promise<string> {
  const name = `faults-${(count += 1)}`;
  await cloud.fly.apps.create({ name, orgSlug: org });
  return name;
}
async function create(name: string, more: Record<string, unknown> = {}): Promise<Machine> {
  return cloud.fly.machines.create(name, { name: 'main', region: 'sin', config: { image: TEST_IMAGES.tiny, restart: { policy: 'no' }, ...more } });
}
async function started(name: string): Promise<Machine> {
  const machine = await create(name);
  await reach(name, machine.id, 'started');
  return machine;
}
const see = (name: string, id: string) => cloud.fly.machines.get(name, id);
const reach = (name: string, id: string, state: string) => eventually(async () => { const seen = await see(name, id); return seen.state === state ? seen : undefined; });
const settled = () => new Promise((resolve) => { setTimeout(resolve, 60); });
const code = (promise: Promise<unknown>) => promise.then(() => 'done', (error: { code: string }) => error.code);

describe('what is told and what is done are two things', () => {
  test.each<[string, { kind: string; [field: string]: unknown }, boolean]>([
    ['a lost request never happened', { kind: 'lost-request' }, false],
    ['a lost answer was done', { kind: 'lost-answer' }, true],
    ['a 500 that was done', { kind: 'status', status: 500, done: true }, true],
    ['a 500 that was not', { kind: 'status', status: 500 }, false],
    ['a 408 that was done', { kind: 'status', status: 408, done: true }, true],
    ['a silence after it was done', { kind: 'hang' }, true],
    ['a silence before', { kind: 'hang', done: false }, false],
    ['an answer that was cut off', { kind: 'cut' }, true],
    ['an answer that is no JSON', { kind: 'garbled' }, true],
  ])('%s', async (_what, order, done) => {
    const name = await app();
    await fault({ ...order, verb: 'machine.create', app: name });
    await expect(cloud.fly.machines.create(name, { name: 'main', region: 'sin', config: { image: TEST_IMAGES.tiny } }, { timeoutMs: order.kind === 'hang' ? 1_000 : 60_000 })).rejects.toMatchObject({ outcome: 'unknown' });
    expect((await cloud.fly.machines.list(name)).length).toBe(done ? 1 : 0);
    const [entry] = await cloud.admin.journal({ app: name });
    expect(entry).toMatchObject({ verb: 'machine.create', fault: order.kind });
    expect((entry?.status ?? 0) === 200).toBe(done);
  });

  test('a slow answer comes late, but was done in time', async () => {
    const name = await app();
    await fault({ kind: 'slow', ms: 300, app: name, only: 'writes' });
    const begin = performance.now();
    const making = cloud.fly.secrets.set(name, { A: '1' });
    await eventually(async () => ((await cloud.fly.secrets.list(name)).secrets.length === 1 ? true : undefined));
    await making;
    expect(performance.now() - begin).toBeGreaterThan(290);
  });
});

test('a fault strikes so often, after so many, for so long, by its verb and app, and its chance can be repeated', async () => {
  const name = await app();
  const counted = await fault({ kind: 'status', status: 503, verb: 'secret.*', app: name, count: 2, skip: 1 });
  const codes = [];
  for (let index = 0; index < 5; index += 1) codes.push(await code(cloud.fly.secrets.list(name)));
  expect(codes).toEqual(['done', 'fly_unavailable', 'fly_unavailable', 'done', 'done']);
  expect(await counted.strikes()).toBe(2);
  const lasting = await fault({ kind: 'status', status: 503, app: name, forMs: 60_000 });
  expect(await code(cloud.fly.volumes.list(name))).toBe('fly_unavailable');
  await lasting.end();
  await fault({ kind: 'status', status: 503, app: name, forMs: 80 });
  await eventually(async () => (await code(cloud.fly.volumes.list(name)) === 'done' ? true : undefined));
  await fault({ kind: 'status', status: 503, only: 'writes' });
  expect([await code(cloud.fly.secrets.list(name)), await code(cloud.fly.secrets.set(name, { A: null }))]).toEqual(['done', 'fly_unknown_outcome']);

  const draws = (seed: number) => {
    const faults = new Faults(() => 0);
    faults.add(readFaultOrder({ kind: 'lost-request', chance: 0.3, seed }));
    return Array.from({ length: 200 }, () => faults.request({ verb: 'app.get', write: false, app: 'a', machine: null }).length);
  };
  expect(draws(7)).toEqual(draws(7));
  expect(draws(7)).not.toEqual(draws(8));
  const struck = draws(7).reduce((sum, one) => sum + one, 0);
  expect([struck > 30, struck < 90]).toEqual([true, true]);
});

test('an order that is not understood is refused by its field', async () => {
  await expect(fault({ kind: 'earthquake' })).rejects.toThrow(/400 .*kind.*lost-request/);
  await expect(fault({ kind: 'slow', ms: 0 })).rejects.toThrow(/ms:/);
  await expect(fault({ kind: 'slow', ms: 5, colour: 'red' })).rejects.toThrow(/colour/);
  await expect(fault({ kind: 'take-app-name', name: await app() })).rejects.toThrow(/409/);
});

describe('wedged', () => {
  const passing: [state: string, shown: string, (name: string) => Promise<string>, freed: string][] = [
    ['created', 'created', async (name) => (await create(name)).id, 'started'],
    ['starting', 'starting', async (name) => { const { id } = await started(name); await cloud.fly.machines.stop(name, id); await reach(name, id, 'stopped'); await cloud.fly.machines.start(name, id); return id; }, 'started'],
    ['stopping', 'stopping', async (name) => { const { id } = await started(name); await cloud.fly.machines.stop(name, id); return id; }, 'stopped'],
    ['suspending', 'suspending', async (name) => { const { id } = await started(name); await cloud.fly.machines.suspend(name, id); return id; }, 'suspended'],
    ['restarting', 'restarting', async (name) => { const { id } = await started(name); await cloud.fly.machines.restart(name, id); return id; }, 'started'],
    ['replacing', 'replacing', async (name) => { const { id } = await started(name); await cloud.fly.machines.update(name, id, { config: { image: TEST_IMAGES.tiny }, skipLaunch: false }); return id; }, 'started'],
    ['replacing', 'updating', async (name) => { const { id } = await started(name); await cloud.fly.machines.update(name, id, { config: { image: TEST_IMAGES.tiny }, skipLaunch: false }); return id; }, 'started'],
    ['starting', 'launch_failed', async (name) => { const { id } = await started(name); await cloud.fly.machines.stop(name, id); await reach(name, id, 'stopped'); await cloud.fly.machines.start(name, id); return id; }, 'started'],
    ['destroying', 'destroying', async (name) => { const { id } = await started(name); await cloud.fly.machines.destroy(name, id, { force: true }); return id; }, 'destroyed'],
  ];
  test.each(passing)('in %s (shown as %s) until the fault ends', async (state, shown, bring, freed) => {
    const name = await app();
    const wedge = await fault({ kind: 'wedge', state, app: name, ...(shown === state ? {} : { as: shown }) });
    const id = await bring(name);
    await reach(name, id, shown);
    await settled();
    expect((await see(name, id)).state).toBe(shown);
    await wedge.end();
    await reach(name, id, freed);
  });

  test('only so many are held, and one that is wedged while stopping can still be destroyed', async () => {
    const name = await app();
    const ids = await Promise.all(['a', 'b', 'c'].map(async (machine) => (await cloud.fly.machines.create(name, { name: machine, region: 'sin', config: { image: TEST_IMAGES.tiny } })).id));
    for (const id of ids) await reach(name, id, 'started');
    await fault({ kind: 'wedge', state: 'stopping', app: name, count: 2 });
    for (const id of ids) await cloud.fly.machines.stop(name, id);
    await reach(name, ids[2] as string, 'stopped');
    const states = async () => (await cloud.fly.machines.list(name)).map((machine) => machine.state);
    expect((await states()).sort()).toEqual(['stopped', 'stopping', 'stopping']);
    await cloud.fly.machines.destroy(name, ids[0] as string, { force: true });
    await cloud.fly.machines.wait(name, ids[0] as string, { state: 'destroyed', timeoutSeconds: 50 });
  });
});

describe('a host that cannot be reached', () => {
  test('shows its machines without their config, refuses changes, only marks what is destroyed, and goes on afterwards', async () => {
    const name = await app();
    const { id } = await started(name);
    const away = await fault({ kind: 'host-unreachable', app: name });
    expect(await see(name, id)).toMatchObject({ state: 'started', host_status: 'unreachable', incomplete_config: { image: TEST_IMAGES.tiny } });
    expect((await see(name, id)).config).toBeUndefined();
    const { machines } = await cloud.fly.listOrgMachines({ org: 'faults' });
    expect(machines.find((row) => row.id === id)?.host_status).toBe('unreachable');
    expect([await code(cloud.fly.machines.stop(name, id)), await code(cloud.fly.machines.destroy(name, id))]).toEqual(['fly_unknown_outcome', 'fly_unknown_outcome']);
    await cloud.fly.machines.destroy(name, id, { force: true });
    await settled();
    expect((await see(name, id)).state).toBe('destroying');
    await away.end();
    await cloud.fly.machines.wait(name, id, { state: 'destroyed', timeoutSeconds: 50 });
  });

  test('may also be one of which nothing is known', async () => {
    const name = await app();
    const { id } = await started(name);
    await fault({ kind: 'host-unreachable', as: 'unknown', app: name });
    expect(await see(name, id)).toMatchObject({ host_status: 'unknown', incomplete_config: {} });
  });

  test('that died looks the same from here, and what ran on it comes up again when it is back', async () => {
    const name = await app();
    const { id } = await started(name);
    const away = await fault({ kind: 'host-unreachable', app: name, dead: true });
    expect((await see(name, id)).state).toBe('started');
    const running = async () => (await cloud.fly.machines.events(name, id)).filter((event) => event.status === 'started').length;
    expect(await running()).toBe(1);
    await away.end();
    await eventually(async () => (await running() === 2 ? true : undefined));
    expect((await cloud.admin.audit()).overlaps.filter((overlap) => overlap.owner === name)).toEqual([]);
  });
});

describe('a boot that fails', () => {
  test('keeps its exit code, whether it was out of memory, and its last lines', async () => {
    const name = await app();
    await fault({ kind: 'boot', image: TEST_IMAGES.tiny, app: name, exitCode: 137, signal: 9, oomKilled: true, log: 'heap out of memory' });
    const { id } = await create(name);
    await reach(name, id, 'stopped');
    const exit = (await cloud.fly.machines.events(name, id)).find((event) => event.type === 'exit')?.request?.exit_event;
    expect(exit).toMatchObject({ exit_code: 137, signal: 9, oom_killed: true, requested_stop: false, restarting: false });
    const logs = await fetch(`${new URL(cloud.url).origin}/api/v1/apps/${name}/logs?instance=${id}`, { headers: { authorization: 'test-token-of-the-stand-in' } });
    expect(await logs.json()).toMatchObject({ data: [{ attributes: { message: 'heap out of memory', instance: id, region: 'sin' } }] });
  });

  test('is tried again as often as the restart policy says, and no more', async () => {
    const name = await app();
    await fault({ kind: 'boot', app: name, exitCode: 3 });
    const { id } = await create(name, { restart: { policy: 'on-failure', max_retries: 2 } });
    await reach(name, id, 'stopped');
    const exits = (await cloud.fly.machines.events(name, id)).filter((event) => event.type === 'exit').map((event) => event.request?.exit_event?.restarting);
    expect(exits).toEqual([false, true, true]);
  });

  test('hits one image alone, so that a rollout can be bad', async () => {
    const [bad, good] = [await app(), await app()];
    await fault({ kind: 'boot', image: TEST_IMAGES.broken, exitCode: 1 });
    const [broken, fine] = await Promise.all([create(bad, { image: TEST_IMAGES.broken }), create(good)]);
    await reach(bad, broken.id, 'stopped');
    expect((await reach(good, fine.id, 'started')).state).toBe('started');
  });

  test('that never launches is told, tried again, and given up as failed', async () => {
    const name = await app();
    const bad = await fault({ kind: 'launch', app: name, error: 'failed to pull image: unauthorized' });
    const { id } = await create(name);
    await reach(name, id, 'failed');
    const told = (await cloud.fly.machines.events(name, id)).filter((event) => event.status === 'launch_failed');
    expect([told.length, told[0]?.request]).toMatchObject([5, { error: 'failed to pull image: unauthorized' }]);
    await bad.end();
    await cloud.fly.machines.start(name, id);
    await reach(name, id, 'started');
  });

  test('that Fly calls started but that is not ready says so at its own address', async () => {
    const name = await app();
    const service = { services: [{ protocol: 'tcp', internal_port: 8080 }] };
    const { id } = await create(name, service);
    await reach(name, id, 'started');
    const ready = async (path: string) => (await fetch(`${cloud.edgeUrl}/${name}${path}`)).status;
    const bad = await fault({ kind: 'not-ready', image: TEST_IMAGES.tiny, app: name, path: '/ready' });
    expect([await ready('/ready'), await ready('/health'), (await see(name, id)).state]).toEqual([503, 200, 'started']);
    await bad.end();
    expect(await ready('/ready')).toBe(200);
  });

  test('a running machine ends when it is told to, by whatever exit code', async () => {
    const name = await app();
    const { id } = await started(name);
    await fault({ kind: 'exit', app: name, exitCode: 42 });
    await reach(name, id, 'stopped');
    expect((await cloud.fly.machines.events(name, id)).find((event) => event.type === 'exit')?.request?.exit_event?.exit_code).toBe(42);
  });
});

describe('lists', () => {
  test('that are behind the truth: what was made is missing, what is gone is there, what changed has not; the named read knows', async () => {
    const org = 'eventual';
    const [name, fresh] = [await app(org), await app(org)];
    const { id } = await started(name);
    const gone = await cloud.fly.machines.create(name, { name: 'gone', region: 'sin', config: { image: TEST_IMAGES.tiny } });
    await reach(name, gone.id, 'started');
    const late = await fault({ kind: 'eventual-list', ms: 60_000 });
    const made = await started(fresh);
    await cloud.fly.machines.stop(name, id);
    await reach(name, id, 'stopped');
    await cloud.fly.machines.destroy(name, gone.id, { force: true });
    await cloud.fly.machines.wait(name, gone.id, { state: 'destroyed', timeoutSeconds: 50 });
    const listed = async () => Object.fromEntries((await cloud.fly.listOrgMachines({ org })).machines.map((row) => [row.id, row.state]));
    expect(await listed()).toEqual({ [id]: 'started', [gone.id]: 'started' });
    expect((await cloud.fly.machines.list(name)).map((row) => row.state)).toEqual(['started', 'started']);
    expect(await cloud.fly.machines.list(fresh)).toEqual([]);
    expect((await see(name, id)).state).toBe('stopped');
    await late.end();
    expect(await listed()).toEqual({ [id]: 'stopped', [made.id]: 'started' });
  });

  test('name the regions that were not read', async () => {
    const org = 'regions';
    const name = await app(org);
    await create(name);
    await cloud.fly.machines.create(name, { name: 'far', region: 'fra', config: { image: TEST_IMAGES.tiny } });
    await fault({ kind: 'error-region', region: 'fra' });
    const page = await cloud.fly.listOrgMachines({ org });
    expect([page.errorRegions, page.machines.map((row) => row.region)]).toEqual([['fra'], ['sin']]);
  });

  test('whose pages are short and in no order still show everything to who follows the cursor', async () => {
    const org = 'ragged';
    const name = await app(org);
    for (let index = 0; index < 12; index += 1) await cloud.fly.machines.create(name, { name: `m${index}`, region: 'sin', config: { image: TEST_IMAGES.tiny }, skipLaunch: true });
    await fault({ kind: 'ragged-pages', seed: 3 });
    const seen: string[] = [];
    const sizes: number[] = [];
    let cursor: string | undefined;
    do {
      const page = await cloud.fly.listOrgMachines({ org, cursor, limit: 8 });
      seen.push(...page.machines.map((row) => row.name));
      sizes.push(page.machines.length);
      cursor = page.nextCursor;
    } while (cursor !== undefined);
    expect(new Set(seen).size).toBe(12);
    expect(seen).not.toEqual(Array.from({ length: 12 }, (_, index) => `m${index}`));
    expect(sizes.some((size) => size < 8)).toBe(true);
  });
});

test('a clock that is wrong is wrong in every time that is told, and leases end all the same by the true one', async () => {
  const name = await app();
  const { id } = await started(name);
  await fault({ kind: 'clock-skew', ms: -7_200_000 });
  const lease = await cloud.fly.leases.acquire(name, id, { ttlSeconds: 30 });
  const machine = await see(name, id);
  const hour = Date.now() - 3_600_000;
  expect([lease.expiresAtMs ?? 0, Date.parse(machine.updated_at ?? ''), machine.events?.[0]?.timestamp ?? 0].map((time) => time < hour)).toEqual([true, true, true]);
  const { headers } = await fetch(`${cloud.url}/platform/regions`, { headers: { authorization: 'Bearer test-token-of-the-stand-in' } });
  expect(Date.parse(headers.get('date') ?? '')).toBeLessThan(hour);
  expect(await code(cloud.fly.machines.stop(name, id))).toBe('fly_conflict_lease');
});

test('a migrated machine keeps its id; its volume and address have others, and it boots anew', async () => {
  const name = await app();
  const volume = await cloud.fly.volumes.create(name, { name: 'data', region: 'sin', sizeGb: 1 });
  const { id, private_ip: before, instance_id: version } = await create(name, { mounts: [{ volume: volume.id, path: '/data' }] });
  await reach(name, id, 'started');
  await fault({ kind: 'migrate', app: name });
  const after = await eventually(async () => { const seen = await see(name, id); return seen.state === 'started' && seen.instance_id !== version ? seen : undefined; });
  const [moved] = await cloud.fly.volumes.list(name);
  expect(moved).toMatchObject({ attached_machine_id: id });
  expect([moved?.id === volume.id, after.private_ip === before, after.config?.mounts?.[0]?.volume]).toEqual([false, false, moved?.id]);
});

test('a region has as much room as it was given, for as long as machines in it want to run', async () => {
  const name = await app();
  await cloud.admin.room({ gru: 512 });
  const make = (machine: string) => cloud.fly.machines.create(name, { name: machine, region: 'gru', config: { image: TEST_IMAGES.tiny, guest: { cpu_kind: 'shared', cpus: 1, memory_mb: 256 } } });
  const [first] = [await make('a'), await make('b')];
  await reach(name, first.id, 'started');
  expect(await code(make('c'))).toBe('fly_capacity');
  await cloud.fly.machines.stop(name, first.id);
  await reach(name, first.id, 'stopped');
  await make('c');
  expect(await code(cloud.fly.machines.start(name, first.id))).toBe('fly_capacity');
  await expect(cloud.admin.room({ moon: 1 })).rejects.toThrow(/moon is no region/);
  await cloud.admin.room({});
  await cloud.fly.machines.start(name, first.id);
});
