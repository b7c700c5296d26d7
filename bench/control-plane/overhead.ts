import { createHttp } from '../../control-plane/http.ts';
import { median, type BenchRow } from '../frame/row.ts';
import { deploy } from './deploys.ts';
import { covered, startFlyClock } from './fly-clock.ts';
import { startWorld } from './world.ts';

const DEPLOYS = 60;
/** The first deploys compile what they run. */
const WARM = 10;

/** Seconds that all looks of the replica have taken. */
async function lookSeconds(metrics: string, call: typeof fetch): Promise<number> {
  const text = await (await call(`${metrics}/metrics`)).text();
  return Number(/^trademind_look_seconds_sum (.+)$/m.exec(text)?.[1] ?? Number.NaN);
}

export function overheadRow(): BenchRow {
  const whole: number[] = [];
  const atFly: number[] = [];
  let cpuMs: Record<string, number> = {};
  return {
    id: 'control-plane.overhead', unit: 'ms', must: 60, p99: 150, runs: 1,
    what: `our own share of one deploy, ${DEPLOYS - WARM} one after the other: answering the request, waking up, and all looks until the machine is ready, without the time in which a request was at Fly or at the machine; waiting between two looks is told apart`,
    async measure() {
      const world = await startWorld({ rateLimits: true });
      const http = createHttp();
      const [api, edge] = await Promise.all([startFlyClock(new URL(world.fly.url).origin), startFlyClock(world.fly.edgeUrl)]);
      try {
        const [users, replica] = await Promise.all([world.addUsers(DEPLOYS), world.replica({}, { url: `${api.url}/v1`, edgeUrl: edge.url })]);
        const own: number[] = [];
        let before: ReturnType<typeof world.cpu> = world.cpu();
        for (const [index, user] of users.entries()) {
          const token = await world.token(user);
          api.taken();
          edge.taken();
          if (index === WARM) before = world.cpu();
          const looksBefore = await lookSeconds(replica.metrics, http.fetch);
          const began = performance.now();
          await deploy(replica.url, token, http.fetch);
          const answered = performance.now();
          for (;;) {
            const { rows } = await world.pool.query<{ n: number }>(`select 1 as n from public.machines where user_id = $1 and phase = 'screening' and observed_generation = generation and lease_expires_at is null`, [user]);
            if (rows.length > 0) break;
            if (performance.now() - began > 20_000) throw new Error('a deploy did not end');
            await new Promise((resolve) => { setTimeout(resolve, 5); });
          }
          const ended = performance.now();
          // it is not looked at again while the next is measured
          await world.pool.query(`update public.machines set next_look_at = now() + interval '1 day' where user_id = $1`, [user]);
          const spans = [...api.taken(), ...edge.taken()];
          const looks = (await lookSeconds(replica.metrics, http.fetch) - looksBefore) * 1_000;
          const woke = Math.max(0, Math.min(...spans.map(([from]) => from)) - answered);
          if (index < WARM) continue;
          own.push(answered - began + woke + looks - covered(spans));
          whole.push(ended - began);
          atFly.push(covered(spans));
        }
        const after = world.cpu();
        cpuMs = Object.fromEntries((['replicas', 'gateway', 'postgres'] as const).map((who) => [who, ((after[who] - before[who]) / (DEPLOYS - WARM)) * 1_000]));
        return own;
      } finally {
        await Promise.all([api.close(), edge.close(), http.close()]);
        await world.close();
      }
    },
    also: () => Promise.resolve([
      { name: 'the whole deploy, median', unit: 'ms', value: median(whole) }, { name: 'of it at Fly and at the machine, median', unit: 'ms', value: median(atFly) },
      ...Object.entries(cpuMs).map(([who, value]) => ({ name: `processor time for each deploy: ${who}`, unit: 'ms', value })),
    ]),
  };
}
