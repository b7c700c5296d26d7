import { createHttp } from '../../control-plane/http.ts';
import { median, type BenchRow } from '../frame/row.ts';
import { deploy } from './deploys.ts';
import { covered, startFlyClock } from './fly-clock.ts';
import { startWorld } from './world.ts';

const DEPLOYS = 60;
/** The first deploys compile what they run. */
const WARM = 10;
/** How often the row is asked whether the machine is ready: it is the same database that the deploy uses. */
const POLL_MS = 20;

/** What the replica says of itself so far: seconds of all looks, and its calls of the database by function. */
async function told(metrics: string, call: typeof fetch): Promise<{ lookMs: number; calls: Record<string, number>; callMs: number }> {
  const text = await (await call(`${metrics}/metrics`)).text();
  const figure = (line: RegExp) => [...text.matchAll(line)].map((match) => [match[1] ?? '', Number(match[2])] as const);
  return {
    lookMs: (figure(/^(trademind_look_seconds_sum) (.+)$/gm)[0]?.[1] ?? 0) * 1_000,
    calls: Object.fromEntries(figure(/^trademind_database_call_seconds_count\{function="(\w+)"\} (.+)$/gm)),
    callMs: figure(/^trademind_database_call_seconds_sum\{function="(\w+)"\} (.+)$/gm).reduce((sum, [, seconds]) => sum + seconds * 1_000, 0),
  };
}

export function overheadRow(): BenchRow {
  const whole: number[] = [];
  const atFly: number[] = [];
  const answering: number[] = [];
  const looking: number[] = [];
  const asking: number[] = [];
  const requests: number[] = [];
  let cpuMs: Record<string, number> = {};
  let calls: Record<string, number> = {};
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
        let callsBefore: Record<string, number> = {};
        let saidBefore = await told(replica.metrics, http.fetch);
        for (const [index, user] of users.entries()) {
          const token = await world.token(user);
          api.taken();
          edge.taken();
          if (index === WARM) {
            before = world.cpu();
            callsBefore = saidBefore.calls;
          }
          const began = performance.now();
          await deploy(replica.url, token, http.fetch);
          const answered = performance.now();
          for (;;) {
            const { rows } = await world.pool.query<{ n: number }>(`select 1 as n from public.machines where user_id = $1 and phase = 'screening' and observed_generation = generation and lease_expires_at is null`, [user]);
            if (rows.length > 0) break;
            if (performance.now() - began > 20_000) throw new Error('a deploy did not end');
            await new Promise((resolve) => { setTimeout(resolve, POLL_MS); });
          }
          const ended = performance.now();
          // it is not looked at again while the next is measured
          await world.pool.query(`update public.machines set next_look_at = now() + interval '1 day' where user_id = $1`, [user]);
          const spans = [...api.taken(), ...edge.taken()];
          const said = await told(replica.metrics, http.fetch);
          calls = said.calls;
          const looks = said.lookMs - saidBefore.lookMs;
          const woke = Math.max(0, Math.min(...spans.map(([from]) => from)) - answered);
          const asked = said.callMs - saidBefore.callMs;
          saidBefore = said;
          if (index < WARM) continue;
          own.push(answered - began + woke + looks - covered(spans));
          whole.push(ended - began);
          atFly.push(covered(spans));
          answering.push(answered - began);
          looking.push(looks - covered(spans));
          asking.push(asked);
          requests.push(spans.length);
        }
        const after = world.cpu();
        calls = Object.fromEntries(Object.entries(calls).map(([name, count]) => [name, (count - (callsBefore[name] ?? 0)) / (DEPLOYS - WARM)]));
        cpuMs = Object.fromEntries((['replicas', 'gateway', 'postgres', 'fly'] as const).map((who) => [who, ((after[who] - before[who]) / (DEPLOYS - WARM)) * 1_000]));
        return own;
      } finally {
        await Promise.all([api.close(), edge.close(), http.close()]);
        await world.close();
      }
    },
    also: () => Promise.resolve([
      { name: 'the whole deploy, median', unit: 'ms', value: median(whole) }, { name: 'of it at Fly and at the machine, median', unit: 'ms', value: median(atFly) },
      { name: 'answering the request, median', unit: 'ms', value: median(answering) }, { name: 'in looks and not at Fly, median', unit: 'ms', value: median(looking) },
      { name: 'calls of the database, of all of it, median', unit: 'ms', value: median(asking) },
      { name: 'requests to Fly and to the machine', unit: '', value: median(requests) },
      { name: 'calls of the database', unit: '', value: Object.values(calls).reduce((sum, count) => sum + count, 0) },
      ...Object.entries(calls).filter(([, count]) => count >= 0.5).map(([name, value]) => ({ name: `  ${name}`, unit: '', value })),
      ...Object.entries(cpuMs).map(([who, value]) => ({ name: `processor time for each deploy: ${who}`, unit: 'ms', value })),
    ]),
  };
}
