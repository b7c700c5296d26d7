import { createHttp } from '../../control-plane/http.ts';
import { percentile, type BenchRow } from '../frame/row.ts';
import { startWorld } from './world.ts';

const DEPLOYS = 1_000;
const GIVE_UP_S = 100;

/** POSTs a deploy; resolves when it is accepted. */
export async function deploy(url: string, token: string, call: typeof fetch): Promise<void> {
  const answer = await call(`${url}/v1/machines`, { method: 'POST', headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' }, body: '{}' });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`POST /v1/machines answered ${answer.status}: ${text}`);
}

export function deploysRow(): BenchRow {
  let figures: { name: string; unit: string; value: number; must?: number; atLeast?: boolean }[] = [];
  return {
    id: 'control-plane.deploys', unit: 's', must: 35, runs: 1,
    what: `${DEPLOYS.toLocaleString('en')} users deploy at once, through two replicas, against a Fly stand-in that answers at once and keeps Fly's limits: from the first request until every machine says that it is ready`,
    async measure() {
      const world = await startWorld({ rateLimits: true });
      try {
        const [users, ...replicas] = await Promise.all([world.addUsers(DEPLOYS), world.replica(), world.replica()]);
        const tokens = await Promise.all(users.map((user) => world.token(user)));
        await world.fly.admin.resetRequests();
        const http = createHttp();
        const cpuBefore = world.cpu();
        const began = performance.now();
        await Promise.all(tokens.map((token, index) => deploy(replicas[index % replicas.length]?.url ?? '', token, http.fetch)));
        const accepted = performance.now() - began;
        let ready = 0;
        while (ready < DEPLOYS && performance.now() - began < GIVE_UP_S * 1_000) {
          await new Promise((resolve) => { setTimeout(resolve, 250); });
          const { rows } = await world.pool.query<{ n: string }>(`select count(*) as n from public.machines where phase = 'screening'`);
          ready = Number(rows[0]?.n);
        }
        const took = (performance.now() - began) / 1_000;
        const cpu = world.cpu();
        const { rows: waits } = await world.pool.query<{ s: number }>(`select extract(epoch from (select min(e.at) from public.machine_events e where e.machine_id = m.id and e.data ->> 'to' = 'screening') - m.created_at)::float as s from public.machines m`);
        const seconds = waits.map((row) => row.s).filter((value) => value !== null);
        const { verbs, total } = await world.fly.admin.requests();
        const audit = await world.fly.admin.audit();
        await http.close();
        figures = [
          { name: 'machines ready', unit: '', value: ready, must: DEPLOYS, atLeast: true },
          { name: 'all requests accepted after', unit: 's', value: accepted / 1_000 },
          { name: 'a user waits, median', unit: 's', value: percentile(seconds, 0.5) },
          { name: 'a user waits, 99th percentile', unit: 's', value: percentile(seconds, 0.99) },
          { name: '99th percentile of the median', unit: '×', value: percentile(seconds, 0.99) / percentile(seconds, 0.5) },
          { name: 'requests to Fly for each machine', unit: '', value: total / DEPLOYS },
          { name: 'requests above Fly\'s limits', unit: '', value: Object.values(verbs).reduce((sum, verb) => sum + verb.limited, 0), must: 0 },
          { name: 'machines at Fly', unit: '', value: verbs['machine.create']?.asked ?? 0 },
          ...(['replicas', 'gateway', 'postgres', 'fly'] as const).map((who) => ({ name: `processor time for each machine: ${who}`, unit: 'ms', value: ((cpu[who] - cpuBefore[who]) / DEPLOYS) * 1_000 })),
          { name: 'changes without a lease', unit: '', value: audit.unleased.length, must: 0 },
        ];
        return took;
      } finally {
        await world.close();
      }
    },
    also: () => Promise.resolve(figures),
  };
}
