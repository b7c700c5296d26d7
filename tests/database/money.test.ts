import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { FLY_PRICES, monthlyPrice, REGIONS, type MachineSize } from '@trademind/core';
import { asRole, createTestDatabase, type TestDatabase } from '../support/database.ts';
import { addUser, claim, deploy, refusalOf } from './fixtures.ts';

let database: TestDatabase;
let user: string;
let machine: string;
beforeAll(async () => { database = await createTestDatabase(); });
afterAll(async () => { await database.close(); });
beforeEach(async () => {
  user = await addUser(database.pool);
  machine = (await deploy(database.pool, user)).machine.id;
});

const sql = async <T extends object>(text: string, values: unknown[] = []) => (await database.pool.query<T>(text, values)).rows;
const service = async <T>(call: string, values: unknown[]) => (await asRole<{ a: T }>(database.pool, 'service_role', {}, `select ${call} as a`, values))[0]?.a as T;
interface Row { day: string; kind: string; cpus: number | null; seconds: number; usd: number; region: string | null }
interface Cost { rows: Row[]; spent_usd: number; month_rate_usd: number; forecast_usd: number; prices_read_at: string; budget: null | { percent: number; notices: { percent: number }[] } }
const cost = (month: string | null = null) => service<Cost>('public.user_cost($1, null, $2)', [user, month]);
/** A span that ran from one instant to another. */
const ran = (since: string, until: string, size: MachineSize = { cpuKind: 'shared', cpus: 1, memoryMb: 512 }, region = 'sin') =>
  sql(`insert into public.machine_spans (machine_id, user_id, kind, since, until, region, cpu_kind, cpus, memory_mb) values ($1, $2, 'compute', $3, $4, $5, $6, $7, $8)`, [machine, user, since, until, region, size.cpuKind, size.cpus, size.memoryMb]);
const SIZES: MachineSize[] = [{ cpuKind: 'shared', cpus: 1, memoryMb: 256 }, { cpuKind: 'shared', cpus: 2, memoryMb: 2_048 }, { cpuKind: 'shared', cpus: 8, memoryMb: 16_384 }, { cpuKind: 'performance', cpus: 1, memoryMb: 2_048 }, { cpuKind: 'performance', cpus: 4, memoryMb: 32_768 }];

describe('prices', () => {
  test('in the database are those of core, for every size and region', async () => {
    const [list] = await sql<Record<string, unknown>>('select *, read_at::text as read, region_factor from public.price_lists order by valid_from desc limit 1');
    expect(list).toMatchObject({ read: FLY_PRICES.readAt, region_factor: FLY_PRICES.regionFactor, shared_included_mb: FLY_PRICES.includedMbPerCpu.shared, performance_included_mb: FLY_PRICES.includedMbPerCpu.performance });
    for (const region of REGIONS) {
      for (const size of SIZES) {
        const [row] = await sql<{ usd: string }>('select private.month_usd($1, $2, $3, $4) as usd', [region, size.cpuKind, size.cpus, size.memoryMb]);
        expect(Number(row!.usd)).toBeCloseTo(monthlyPrice(size, region)!, 6);
      }
    }
  });

  test('a new list holds from its day on; what ran before keeps its price', async () => {
    await sql(`insert into public.price_lists select '2024-01-01', '2024-01-01', shared_cpu, performance_cpu, extra_gb, shared_included_mb, performance_included_mb, region_factor, volume_gb, egress_gb, egress_mb_per_hour from public.price_lists`);
    await sql(`insert into public.price_lists select '2024-06-11', '2024-06-11', shared_cpu * 2, performance_cpu, extra_gb * 2, shared_included_mb, performance_included_mb, region_factor, volume_gb, egress_gb, egress_mb_per_hour from public.price_lists order by valid_from limit 1`);
    try {
      await ran('2024-06-10T12:00:00Z', '2024-06-11T12:00:00Z');
      const { rows } = await cost('2024-06-01');
      const [before, after] = rows.filter(({ kind }) => kind === 'compute');
      expect(before).toMatchObject({ day: '2024-06-10', seconds: 43_200 });
      expect(after!.usd).toBeCloseTo(before!.usd * 2, 7);
    } finally {
      await sql(`delete from public.price_lists where valid_from < '2025-01-01'`);
    }
  });
});

describe('what is measured', () => {
  const observe = async (patch: object) => {
    await sql('update public.machines set next_look_at = now(), lease_expires_at = null where id = $1', [machine]);
    const mine = (await claim(database.pool)).find(({ id }) => id === machine)!;
    expect(await service('public.release_machine($1, $2, $3)', [machine, mine.fence, patch])).toBe(true);
  };
  const spans = () => sql<{ kind: string; cpus: number | null; open: boolean }>('select kind, cpus, until is null as open from public.machine_spans where machine_id = $1 order by since, kind', [machine]);
  const started = { fly_machine_id: 'm1', fly_state: 'started', region: 'sin', cpu_kind: 'shared', cpus: 1, memory_mb: 512 };

  test('a span for each size that was seen to run, however often it is seen; a stopped machine costs its volume alone', async () => {
    await observe({ fly_app: 'app', fly_volume_id: 'v1' });
    await observe({ ...started, fly_state: 'created' });
    expect(await spans()).toEqual([{ kind: 'volume', cpus: null, open: true }]);
    await observe(started);
    await observe({ ...started, phase: 'screening' });
    await observe({ ...started, cpus: 2 });
    await observe({ ...started, cpus: 2, fly_state: 'stopping' });
    await observe({ ...started, cpus: 2, fly_state: 'stopped' });
    expect((await spans()).filter(({ kind }) => kind === 'compute')).toEqual([{ kind: 'compute', cpus: 1, open: false }, { kind: 'compute', cpus: 2, open: false }]);
    await observe({ ...started, cpus: 2 });
    await observe({ fly_machine_id: null, fly_state: null, fly_volume_id: null, phase: 'destroyed' });
    expect((await spans()).filter(({ open }) => open)).toEqual([]);
  });

  test('costs by the day (UTC) and by size to the second, egress estimated, the platform\'s analyses beside them', async () => {
    await ran('2024-03-30T22:00:00Z', '2024-04-02T01:00:00Z');
    await ran('2024-04-02T01:00:00Z', '2024-04-02T02:00:00Z', { cpuKind: 'performance', cpus: 2, memoryMb: 4_096 });
    await sql(`insert into public.gemini_calls (id, user_id, machine_id, model, started_at, nano_usd) values (gen_random_uuid(), $1, $2, 'm', '2024-04-01T05:00:00Z', 1500000000)`, [user, machine]);
    const { rows, spent_usd: spent } = await cost('2024-04-15');
    expect(rows.filter(({ kind }) => kind === 'compute').map(({ day, cpus, seconds }) => `${day} ${cpus} ${seconds}`)).toEqual(['2024-04-01 1 86400', '2024-04-02 1 3600', '2024-04-02 2 3600']);
    const perSecond = (size: MachineSize) => (monthlyPrice(size, 'sin', 0)!) / (30 * 86_400);
    expect(rows[0]).toMatchObject({ kind: 'analysis', usd: 1.5, seconds: 1 });
    expect(rows.find(({ cpus, day }) => cpus === 1 && day === '2024-04-01')!.usd).toBeCloseTo(perSecond({ cpuKind: 'shared', cpus: 1, memoryMb: 512 }) * 86_400, 8);
    expect(rows.find(({ cpus }) => cpus === 2)!.usd).toBeCloseTo(perSecond({ cpuKind: 'performance', cpus: 2, memoryMb: 4_096 }) * 3_600, 8);
    expect(rows.find(({ kind }) => kind === 'egress')!.usd).toBeCloseTo(24 * 10 / 1_024 * 0.04, 8);
    expect(spent).toBeCloseTo(rows.reduce((sum, { usd }) => sum + usd, 0), 5);
    expect((await cost('2024-03-01')).rows.filter(({ kind }) => kind === 'compute').map(({ seconds }) => seconds)).toEqual([7_200, 86_400]);
  });

  test('what still runs counts until now, and the forecast goes on from there at the price of the wish', async () => {
    await sql(`insert into public.machine_spans (machine_id, user_id, kind, since, region, cpu_kind, cpus, memory_mb) values ($1, $2, 'compute', now() - interval '10 seconds', 'sin', 'shared', 1, 512)`, [machine, user]);
    const { rows, spent_usd: spent, month_rate_usd: rate, forecast_usd: forecast } = await cost();
    const seconds = rows.filter(({ kind }) => kind === 'compute').reduce((sum, row) => sum + row.seconds, 0);
    expect(seconds).toBeGreaterThanOrEqual(0);
    expect(rate).toBeCloseTo(monthlyPrice({ cpuKind: 'shared', cpus: 1, memoryMb: 512 }, 'sin')!, 5);
    expect(forecast).toBeGreaterThanOrEqual(spent);
    expect(forecast).toBeLessThanOrEqual(spent + rate * 32 / 30);
    expect(await service('public.user_cost($1, $2)', [await addUser(database.pool), machine])).toBeNull();
  });
});

describe('budgets', () => {
  const budget = (usd: number | null, action: string | null = 'notify') => service('public.set_budget($1, $2, $3)', [user, usd, action]);
  const check = async () => {
    await sql(`update public.budgets set checked_at = '-infinity' where user_id = $1`, [user]);
    return (await service<{ user_id: string; percent: number; action: string }[]>('public.check_budgets(1000)', [])).filter((one) => one.user_id === user).map(({ percent }) => percent);
  };
  /** So much is spent this month, by calls of a model. */
  const spend = (usd: number) => sql(`insert into public.gemini_calls (id, user_id, machine_id, model, nano_usd) values (gen_random_uuid(), $1, $2, 'm', $3)`, [user, machine, Math.round(usd * 1e9)]);
  const events = async () => (await sql<{ kind: string }>(`select kind from public.machine_events where machine_id = $1 and kind like 'budget%' order by id`, [machine])).map(({ kind }) => kind);
  const wish = async () => (await sql(`select desired_state, desired_cpu_kind, desired_cpus, desired_memory_mb from public.machines where id = $1`, [machine]))[0];

  test('warn at 50, 80 and 100 %, each once a month, and anew after a change', async () => {
    await budget(10);
    expect(await check()).toEqual([]);
    await spend(5.5);
    expect(await check()).toEqual([50]);
    expect(await check()).toEqual([]);
    await spend(4);
    expect(await check()).toEqual([80]);
    await spend(2);
    expect(await check()).toEqual([100]);
    expect(await wish()).toMatchObject({ desired_state: 'started' });
    expect((await cost()).budget).toMatchObject({ percent: 115, notices: [{ percent: 50 }, { percent: 80 }, { percent: 100 }] });
    await budget(20);
    expect(await check()).toEqual([50]);
    expect(await events()).toHaveLength(4);
  });

  test('stop the machine when they are used up, and keep it from being started', async () => {
    await budget(10, 'stop');
    await spend(11);
    expect(await check()).toEqual([50, 80, 100]);
    expect(await wish()).toMatchObject({ desired_state: 'stopped' });
    expect(await events()).toEqual(['budget.warning', 'budget.warning', 'budget.warning', 'budget.stop']);
    const start = () => refusalOf(service('public.set_machine_desired($1, $2, $3)', [machine, user, '{"desired_state":"started"}']));
    expect(await start()).toBe('403 budget_used_up');
    await budget(30, 'stop');
    expect(await start()).toBe('none');
  });

  test('make the machine small when they are used up, and keep it from growing', async () => {
    await service('public.set_machine_desired($1, $2, $3)', [machine, user, '{"desired_cpus":2,"desired_memory_mb":1024}']);
    await budget(12, 'downsize');
    await spend(12);
    await check();
    expect(await wish()).toMatchObject({ desired_state: 'started', desired_cpus: 1, desired_memory_mb: 512 });
    await check();
    expect((await events()).filter((kind) => kind === 'budget.downsize')).toHaveLength(1);
    expect(await refusalOf(service('public.set_machine_desired($1, $2, $3)', [machine, user, '{"desired_cpus":2}']))).toBe('403 budget_used_up');
  });

  test('that act are not exceeded by what is wished, however many wish at once; those that only warn are', async () => {
    await sql(`insert into public.plans (name, title, machines, vcpus, regions, traders) values ('many', 'Many', 100, 100, 5, 5) on conflict do nothing`);
    await service('public.set_user_plan($1, $2)', [user, 'many']);
    await budget(20, 'stop');
    const each = monthlyPrice({ cpuKind: 'shared', cpus: 1, memoryMb: 512 }, 'sin')!;
    const answers = await Promise.all(Array.from({ length: 30 }, (_, at) => refusalOf(deploy(database.pool, user, `e${at}`))));
    expect(answers.filter((answer) => answer === 'none')).toHaveLength(Math.floor(20 / each) - 1);
    expect(new Set(answers)).toEqual(new Set(['none', '403 budget_exceeded']));
    await budget(20, 'notify');
    expect(await refusalOf(deploy(database.pool, user, 'more'))).toBe('none');
  });

  test('one that cannot be acted upon keeps nobody else\'s from being looked at, is told once, and is tried again', async () => {
    await budget(10, 'downsize');
    await spend(11);
    const [poisoned, sick] = [machine, user];
    // nothing that the API takes: a smallest size that no machine can have
    await sql(`insert into public.user_settings (user_id, document) values ($1, '{"scaling":{"bounds":{"smallest":{"cpuKind":"shared","cpus":0,"memoryMb":0}}}}')`, [sick]);
    user = await addUser(database.pool);
    machine = (await deploy(database.pool, user)).machine.id;
    await budget(10, 'stop');
    await spend(11);
    await sql(`update public.budgets set checked_at = case user_id when $1 then '-infinity'::timestamptz else now() - interval '1 day' end where user_id = any ($2)`, [sick, [sick, user]]);
    const given = await service<{ user_id: string; percent: number }[]>('public.check_budgets(1000)', []);
    for (const one of [sick, user]) expect(given.filter((notice) => notice.user_id === one).map(({ percent }) => percent)).toEqual([50, 80, 100]);
    expect(await wish()).toMatchObject({ desired_state: 'stopped' });
    await sql(`update public.budgets set checked_at = '-infinity' where user_id = $1`, [sick]);
    await check();
    [machine, user] = [poisoned, sick];
    expect(await events()).toEqual(['budget.warning', 'budget.warning', 'budget.warning', 'budget.failed']);
    await sql('update public.user_settings set document = \'{"scaling":{"bounds":{"smallest":{"cpuKind":"shared","cpus":1,"memoryMb":256}}}}\' where user_id = $1', [sick]);
    await check();
    expect(await wish()).toMatchObject({ desired_memory_mb: 256 });
  });

  test('make a machine smaller by its price: fewer vCPUs of the other kind are not more', async () => {
    await service('public.set_machine_desired($1, $2, $3)', [machine, user, '{"desired_cpus":8,"desired_memory_mb":16384}']);
    await sql(`insert into public.user_settings (user_id, document) values ($1, '{"scaling":{"bounds":{"smallest":{"cpuKind":"performance","cpus":1,"memoryMb":2048}}}}')`, [user]);
    await budget(150, 'downsize');
    await spend(151);
    await check();
    expect(await wish()).toMatchObject({ desired_cpu_kind: 'performance', desired_cpus: 1, desired_memory_mb: 2_048 });
    // as far as the plan goes: without performance vCPUs there is a smaller one still
    await sql(`insert into public.plans (name, title, machines, vcpus, regions, traders) values ('shared-only', 'Shared', 5, 50, 5, 5) on conflict do nothing`);
    await service('public.set_machine_desired($1, $2, $3)', [machine, user, '{"desired_cpus":1,"desired_memory_mb":512,"desired_cpu_kind":"shared"}']);
    await budget(1_000, 'downsize');
    await service('public.set_machine_desired($1, $2, $3)', [machine, user, '{"desired_cpus":8,"desired_memory_mb":16384}']);
    await service('public.set_user_plan($1, $2)', [user, 'shared-only']);
    await budget(150, 'downsize');
    await check();
    expect(await wish()).toMatchObject({ desired_cpu_kind: 'shared', desired_cpus: 1, desired_memory_mb: 512 });
  });

  test('make all that the machine may become small: no dearer size or region is left to go to', async () => {
    const dear = { desired_region: 'sin', desired_regions: ['gru', 'ams'], desired_sizes: [{ cpuKind: 'performance', cpus: 4, memoryMb: 8_192 }] };
    await sql(`insert into public.plans (name, title, machines, vcpus, regions, performance, traders) values ('roomy', 'Roomy', 5, 50, 5, true, 5) on conflict do nothing`);
    await service('public.set_user_plan($1, $2)', [user, 'roomy']);
    await service('public.set_machine_desired($1, $2, $3)', [machine, user, JSON.stringify(dear)]);
    await budget(10, 'downsize');
    await spend(11);
    expect((await cost()).month_rate_usd).toBeGreaterThan(100);
    await check();
    expect((await cost()).month_rate_usd).toBeCloseTo(monthlyPrice({ cpuKind: 'shared', cpus: 1, memoryMb: 512 }, 'sin')!, 5);
    expect((await sql('select desired_regions, desired_sizes, desired_cpus, desired_memory_mb from public.machines where id = $1', [machine]))[0]).toEqual({ desired_regions: ['ams'], desired_sizes: [], desired_cpus: 1, desired_memory_mb: 512 });
    await check();
    expect((await events()).filter((kind) => kind === 'budget.downsize')).toHaveLength(1);
  });

  test('a wish that costs less than before is taken, although it is still more than the budget', async () => {
    const change = (patch: object) => refusalOf(service('public.set_machine_desired($1, $2, $3)', [machine, user, JSON.stringify(patch)]));
    await change({ desired_cpus: 8, desired_memory_mb: 16_384 });
    await budget(10, 'stop');
    expect(await change({ desired_cpu_kind: 'performance', desired_cpus: 1, desired_memory_mb: 2_048 })).toBe('none');
    expect(await change({ desired_cpu_kind: 'shared', desired_cpus: 8, desired_memory_mb: 16_384 })).toBe('403 budget_exceeded');
  });

  test('several replicas that look at once give each warning once', async () => {
    await budget(10);
    await spend(9);
    const given = await Promise.all(Array.from({ length: 8 }, check));
    expect(given.flat().toSorted((a, b) => a - b)).toEqual([50, 80]);
  });
});
