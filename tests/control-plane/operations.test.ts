import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ControlPlane } from '../../control-plane/index.ts';
import { asRole } from '../support/database.ts';
import { controlPlaneEnv, startTestControlPlane } from '../support/control-plane.ts';
import { TEST_IMAGES, eventually, startTestFly, testMachine, type TestFly } from '../support/fly.ts';
import { startTestSupabase, type TestSupabase } from '../support/supabase.ts';

let supabase: TestSupabase;
let fly: TestFly;
let controlPlane: ControlPlane;
beforeAll(async () => {
  [supabase, fly] = await Promise.all([startTestSupabase(), startTestFly()]);
  await fly.admin.fault({ kind: 'boot', image: TEST_IMAGES.broken, exitCode: 3, log: 'no such file: main.js' });
  // twice as dear as what is shipped: what is told comes from the list that bills are made with
  await supabase.database.pool.query('update public.price_lists set shared_cpu = shared_cpu * 2, extra_gb = extra_gb * 2');
  controlPlane = await startTestControlPlane(controlPlaneEnv(supabase, fly));
});
afterAll(async () => {
  await controlPlane.close();
  await fly.close();
  await supabase.close();
});

interface Row {
  id: string; user_id: string; generation: number; observed_generation: number; phase: string; fly_app: string; fly_machine_id: string; fly_volume_id: string; region: string; cpus: number;
  last_error: { code: string; message: string; nextStep?: string } | null; failure: { exitCode: number } | null; token_epoch: number; drain_until: string | null;
}
const service = async <T>(call: string, values: unknown[]) => (await asRole<{ a: T }>(supabase.database.pool, 'service_role', {}, `select ${call} as a`, values))[0]!.a;
const read = (id: string) => service<Row>('(select to_jsonb(m) from public.machines m where m.id = $1)', [id]);
const until = (id: string, is: (row: Row) => boolean) => eventually(async () => {
  const row = await read(id);
  return is(row) ? row : undefined;
}, 240_000);
const settled = (row: Row) => row.observed_generation === row.generation && row.last_error === null;
const wish = (row: Row, patch: object) => service('to_jsonb(public.set_machine_desired($1, $2, $3))', [row.id, row.user_id, JSON.stringify(patch)]);
const told = async (id: string) => (await supabase.database.pool.query<{ kind: string; message: string; data: Record<string, unknown> }>('select kind, message, data from public.machine_events where machine_id = $1 order by id', [id])).rows;
const machineOf = (row: Row) => fly.fly.machines.get(row.fly_app, row.fly_machine_id);

async function deployed(environment = 'local'): Promise<Row> {
  const user = await supabase.createUser();
  const { machine } = await service<{ machine: Row }>(`public.deploy_machine($1, $2, 'sin', 'shared', 1, 512, $3)`, [user.id, environment, TEST_IMAGES.tiny]);
  return until(machine.id, (row) => settled(row) && row.phase === 'screening');
}

/** The machine says that it lives; the answer. */
async function beat(row: Row, phase: 'screening' | 'draining', rows = 0): Promise<{ drain: boolean; drain_reason: string | null }> {
  const status = {
    phase, detail: '.', bootId: 'b', version: '1', startedAt: 0, market: { time: Date.now(), rate: 1, connected: true, symbols: 0, backfilled: { done: 0, total: 0 }, lastCloseAt: null, candles: 0, halted: [] },
    traders: [], outbox: { rows, oldestMs: 0 }, process: { rssMb: 1, cpuPercent: 0, uptimeS: 1 }, problems: [],
  };
  const claims = { sub: row.user_id, machine_id: row.id, epoch: row.token_epoch };
  return (await asRole<{ a: { drain: boolean; drain_reason: string | null } }>(supabase.database.pool, 'machine', claims, 'select public.machine_beat($1) as a', [JSON.stringify(status)]))[0]!.a;
}

describe('an operation', { timeout: 240_000 }, () => {
  test('resize: the machine is asked to drain, answers through its beat, and only then restarts; the price before and after is told', async () => {
    const row = await deployed();
    const before = await machineOf(row);
    expect(await beat(row, 'screening')).toMatchObject({ drain: false });
    await wish(row, { desired_cpus: 2, desired_memory_mb: 1_024 });
    await eventually(async () => ((await beat(row, 'screening', 5)).drain ? true : undefined));
    expect(await beat(row, 'draining', 5)).toMatchObject({ drain: true, drain_reason: 'Another size is wished.' });
    expect((await machineOf(row)).instance_id, 'not before it has drained').toBe(before.instance_id);
    await beat(row, 'draining', 0);
    const after = await until(row.id, (now) => settled(now) && now.cpus === 2);
    expect(await machineOf(after)).toMatchObject({ id: before.id, config: { guest: { cpus: 2, memory_mb: 1_024 } } });
    expect(after.drain_until).toBeNull();
    expect(await beat(row, 'screening')).toMatchObject({ drain: false });
    const updated = (await told(row.id)).find((event) => event.kind === 'machine.updated')!;
    const month = async (cpus: number, memoryMb: number) => Number((await supabase.database.pool.query<{ usd: string }>(`select private.month_usd('sin', 'shared', $1, $2) as usd`, [cpus, memoryMb])).rows[0]!.usd).toFixed(2);
    expect(updated.message).toMatch(/^Another size is wished: /);
    expect(updated.message).toContain(` It cost $${await month(1, 512)} in 30 days and costs $${await month(2, 1_024)} now.`);
    expect(updated.data).toMatchObject({ ms: expect.any(Number) as number, price: { pricesReadAt: expect.any(String) as string } });
  });

  test('a resize that is taken back in time lets the machine go on as it was', async () => {
    const row = await deployed();
    const { instance_id: before } = await machineOf(row);
    await beat(row, 'screening');
    await wish(row, { desired_cpus: 2, desired_memory_mb: 1_024 });
    await eventually(async () => ((await beat(row, 'screening', 5)).drain ? true : undefined));
    await wish(row, { desired_cpus: 1, desired_memory_mb: 512 });
    const after = await until(row.id, (now) => settled(now) && now.drain_until === null);
    expect((await machineOf(after)).instance_id).toBe(before);
    expect((await told(row.id)).map(({ kind }) => kind)).toEqual(expect.arrayContaining(['machine.draining', 'machine.resumed']));
  });

  test('move: the old machine stops, a new one is made and verified, the old one and its volume go', async () => {
    const row = await deployed();
    await wish(row, { desired_region: 'fra' });
    const after = await until(row.id, (now) => settled(now) && now.region === 'fra');
    const machines = (await fly.fly.machines.list(after.fly_app)).filter((machine) => machine.state !== 'destroyed');
    expect(machines.map(({ id, region, name }) => ({ id, region, name }))).toEqual([{ id: after.fly_machine_id, region: 'fra', name: `${after.fly_app}-fra-2` }]);
    await eventually(async () => ((await fly.fly.volumes.list(after.fly_app)).length === 1 ? true : undefined));
    expect((await fly.admin.audit()).overlaps).toEqual([]);
    expect((await told(row.id)).map(({ kind }) => kind).filter((kind) => kind.startsWith('machine.') || kind === 'settled')).toEqual(['machine.created', 'settled', 'machine.stopped', 'machine.created', 'machine.destroyed', 'settled']);
  });

  test('a move without room anywhere starts the old machine again, and says so', async () => {
    const row = await deployed();
    const fault = await fly.admin.fault({ kind: 'capacity', region: 'nrt' });
    await wish(row, { desired_region: 'nrt' });
    const after = await until(row.id, (now) => now.phase === 'screening' && now.last_error?.code === 'fly_capacity');
    await fault.end();
    expect(after).toMatchObject({ region: 'sin', fly_machine_id: row.fly_machine_id, last_error: { message: expect.stringMatching(/no room.*Tried: shared-1x 512 MB in nrt\. The machine stays as it was\./) as string, nextStep: expect.any(String) as string } });
    expect((await machineOf(after)).state).toBe('started');
  });

  test('restart: the same machine and volume, another run', async () => {
    const row = await deployed();
    const before = await machineOf(row);
    await service(`to_jsonb(public.wish_machine_again($1, $2, 'restart'))`, [row.id, row.user_id]);
    const after = await until(row.id, settled);
    const machine = await machineOf(after);
    expect(machine.id).toBe(before.id);
    expect(machine.instance_id).not.toBe(before.instance_id);
  });

  test('a new secret: both are valid until the machine has restarted, then the old one is not', async () => {
    const row = await deployed();
    const hashes = () => service<string[]>('(select to_jsonb(hashes) from public.machine_secrets where machine_id = $1)', [row.id]);
    const [old] = await hashes();
    await service(`to_jsonb(public.wish_machine_again($1, $2, 'secret'))`, [row.id, row.user_id]);
    await until(row.id, settled);
    const now = await hashes();
    expect(now).toHaveLength(1);
    expect(now[0]).not.toBe(old);
    const { digest } = (await fly.fly.secrets.list(row.fly_app)).secrets.find((secret) => secret.name === 'MACHINE_SECRET')!;
    expect(now[0]!.startsWith(digest!)).toBe(true);
    expect(JSON.stringify(await told(row.id))).not.toMatch(/(?<![\w-])[\w-]{43}(?![\w-])/);
  });

  test('a version that does not boot is given up with its exit, and the machine goes back to the one that worked', async () => {
    const row = await deployed();
    await wish(row, { desired_image: TEST_IMAGES.broken });
    const after = await until(row.id, (now) => now.phase === 'screening' && now.last_error?.code === 'machine_crashed');
    expect(after).toMatchObject({ failure: { exitCode: 3 }, last_error: { message: expect.stringMatching(/exit code 3.*goes back to the version that worked/) as string } });
    expect(await machineOf(after)).toMatchObject({ state: 'started', config: { image: TEST_IMAGES.tiny } });
    expect((await told(row.id)).find(({ kind }) => kind === 'version.rolled-back')).toMatchObject({ data: { exit_code: 3, oom_killed: false } });
    // wishing something else is a new chance
    await wish(row, { desired_image: TEST_IMAGES.tiny });
    await until(row.id, (now) => settled(now) && now.phase === 'screening');
  });

  test('a first version that does not boot is stopped, so that it costs nothing, and its user is told what to do', async () => {
    const user = await supabase.createUser();
    const { machine } = await service<{ machine: Row }>(`public.deploy_machine($1, 'local', 'sin', 'shared', 1, 512, $2)`, [user.id, TEST_IMAGES.broken]);
    const row = await until(machine.id, (now) => now.phase === 'failed' && now.last_error !== null && now.failure !== null);
    await eventually(async () => ((await machineOf(row)).state === 'stopped' ? true : undefined));
    expect(row.last_error).toMatchObject({ code: 'machine_crashed', nextStep: expect.any(String) as string });
  });

  test('no room in the first region: the next that the user allows is taken, and each that was tried is told', async () => {
    const fault = await fly.admin.fault({ kind: 'capacity', region: 'sin' });
    const user = await supabase.createUser();
    const { machine } = await service<{ machine: Row }>(`public.deploy_machine($1, 'local', 'sin', 'shared', 1, 512, $2)`, [user.id, TEST_IMAGES.tiny]);
    await wish({ ...machine, user_id: user.id }, { desired_regions: ['iad', 'fra'] });
    const row = await until(machine.id, (now) => settled(now) && now.phase === 'screening');
    await fault.end();
    expect(row.region).toBe('fra');
    expect((await told(row.id)).findLast(({ kind }) => kind === 'capacity')?.message).toBe(
      'Fly has no room for shared-1x 512 MB in sin; next is shared-1x 512 MB in fra. Tried: shared-1x 512 MB in sin. Passed over: iad (Binance answers HTTP 451 to addresses in the United States).');
    await eventually(async () => ((await fly.fly.volumes.list(row.fly_app)).length === 1 ? true : undefined));
  });

  test('adopt: a machine that was made by hand, without a volume, is brought to the wish; its app keeps its name', async () => {
    const user = await supabase.createUser();
    await fly.fly.apps.create({ name: 'made-by-hand', orgSlug: 'personal' });
    const { mounts: _none, ...config } = testMachine('none');
    const old = await fly.fly.machines.create('made-by-hand', { name: 'screener', region: 'sin', config });
    const { id } = await service<{ id: string }>(`to_jsonb(public.adopt_machine($1, 'local', 'made-by-hand', $2, 'sin', 'shared', 1, 512, $3))`, [user.id, old.id, TEST_IMAGES.tiny]);
    const row = await until(id, (now) => settled(now) && now.phase === 'screening');
    expect(row).toMatchObject({ fly_app: 'made-by-hand' });
    const machines = (await fly.fly.machines.list('made-by-hand')).filter((machine) => machine.state !== 'destroyed');
    expect(machines.map((machine) => machine.id)).toEqual([row.fly_machine_id]);
    expect(machines[0]?.config?.mounts).toMatchObject([{ path: '/data' }]);
    expect((await fly.admin.audit()).overlaps).toEqual([]);
  });

  test('a host migration is noticed: the volume\'s new id is written down and told, and nothing is done', async () => {
    const row = await deployed();
    await fly.admin.fault({ kind: 'migrate', app: row.fly_app });
    await supabase.database.pool.query('update public.machines set next_look_at = now() where id = $1', [row.id]);
    const after = await until(row.id, (now) => now.fly_volume_id !== row.fly_volume_id);
    expect((await told(row.id)).map(({ kind }) => kind)).toContain('machine.migrated');
    expect(after.fly_machine_id).toBe(row.fly_machine_id);
    await until(row.id, (now) => now.phase === 'screening');
    expect(await fly.fly.volumes.list(row.fly_app)).toHaveLength(1);
  });
});
