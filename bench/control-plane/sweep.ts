import { inChild } from '../frame/child.ts';
import { median, type BenchRow } from '../frame/row.ts';
import type { SweepFigures } from './sweep-child.ts';
import { startWorld, type World } from './world.ts';

const MACHINES = 10_000;

/** One sweep, due now, in a process of its own. */
async function sweepOnce(world: World): Promise<SweepFigures> {
  await world.pool.query('update public.fleet_sweep set next_at = now(), lease_expires_at = null');
  const figures = await inChild<SweepFigures>('control-plane/sweep-child.ts', { args: [world.supabase.url, world.supabase.secretKey, world.fly.url] });
  const wrong = figures.differs + figures.missing + figures.orphan;
  if (figures.listed !== world.fleet.length || figures.known !== world.fleet.length || wrong > 0) throw new Error(`the fleet is not settled: ${JSON.stringify(figures)}`);
  return figures;
}

export function sweepRow(): BenchRow {
  let world: World | undefined;
  const seen: SweepFigures[] = [];
  return {
    id: 'control-plane.sweep', unit: 's', must: 4, runs: 5,
    what: `a sweep over ${MACHINES.toLocaleString('en')} settled machines: the listing read in pages, put into PostgreSQL and compared there, in a process of its own`,
    measure: async () => {
      world ??= await startWorld({ machines: MACHINES });
      seen.push(await sweepOnce(world));
      return (seen.at(-1)?.ms ?? 0) / 1_000;
    },
    also: async () => {
      await world?.close();
      return [
        { name: 'requests to Fly', unit: '', value: Math.max(...seen.map((one) => one.requests)), must: 20 },
        { name: 'calls of the database', unit: '', value: Math.max(...seen.map((one) => one.calls)) },
        { name: 'memory of the sweeping process, at most', unit: 'MB', value: Math.max(...seen.map((one) => one.rssMb)), must: 200 },
      ];
    },
  };
}

const SIZES = [100, 1_000, 10_000] as const;

/** What a fleet of one size costs. */
interface Cost { sweepMs: number; rssMb: number; requests: number; calls: number; claimMs: number; viewMs: number; summaryMs: number }

async function cost(machines: number): Promise<Cost> {
  const world = await startWorld({ machines });
  try {
    const sweeps: SweepFigures[] = [];
    for (let run = 0; run < 4; run += 1) sweeps.push(await sweepOnce(world));
    // the first reads cold pages
    const warm = sweeps.slice(1);
    const { rows: [rollout] } = await world.pool.query<{ id: string }>(`select public.start_rollout((public.register_release('2', 'registry.local/machine@sha256:' || repeat('9', 64), null, gen_random_uuid())).id, null, '{"parallel": 10}', '{}', '{}', gen_random_uuid()) as id`);
    const timed = async (sql: string) => {
      const times: number[] = [];
      for (let run = 0; run < 9; run += 1) {
        await world.pool.query('update public.rollouts set next_step_at = now(), lease_expires_at = null where id = $1', [rollout?.id]);
        const began = performance.now();
        await world.pool.query(sql);
        times.push(performance.now() - began);
      }
      return median(times);
    };
    return {
      sweepMs: median(warm.map((one) => one.ms)), rssMb: Math.max(...warm.map((one) => one.rssMb)), requests: warm[0]?.requests ?? 0, calls: warm[0]?.calls ?? 0,
      claimMs: await timed(`select * from public.claim_machines('bench', 24, 10)`), viewMs: await timed(`select public.claim_rollout('bench', 10)`), summaryMs: await timed('select public.fleet_summary()'),
    };
  } finally {
    await world.close();
  }
}

export function growthRow(): BenchRow {
  const costs = new Map<number, Cost>();
  const of = (size: number) => costs.get(size) as Cost;
  return {
    id: 'control-plane.growth', unit: '×', must: 10, runs: 1,
    what: 'what a sweep of 10,000 settled machines takes, of what one of 1,000 takes (10 = linear); and what each size costs',
    measure: async () => {
      for (const size of SIZES) costs.set(size, await cost(size));
      return of(10_000).sweepMs / of(1_000).sweepMs;
    },
    also: () => Promise.resolve(SIZES.flatMap((size) => {
      const name = (what: string) => `${size.toLocaleString('en')} machines: ${what}`;
      const { sweepMs, rssMb, requests, calls, claimMs, viewMs, summaryMs } = of(size);
      return [
        { name: name('a sweep'), unit: 'ms', value: sweepMs }, { name: name('its process\'s memory'), unit: 'MB', value: rssMb },
        { name: name('its requests to Fly'), unit: '', value: requests }, { name: name('its calls of the database'), unit: '', value: calls },
        { name: name('asking for due machines'), unit: 'ms', value: claimMs }, { name: name('a step of a rollout'), unit: 'ms', value: viewMs }, { name: name('the fleet at a glance'), unit: 'ms', value: summaryMs },
      ];
    })),
  };
}
