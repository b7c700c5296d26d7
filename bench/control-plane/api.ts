import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createHttp } from '../../control-plane/http.ts';
import { percentile, type BenchRow } from '../frame/row.ts';
import { startWorld, type World } from './world.ts';

const PER_SECOND = 300;
const SECONDS = 10;
const WARM_SECONDS = 3;
const USERS = 600;
const RUNS = 3;

interface Ready { world: World; ours: string; bare: string; ask: ((base: string, index: number) => Promise<void>); end(): Promise<void> }

/** 600 users with a machine and a trader each; our API with its reconciler, and the bare one, over one database. */
async function prepare(): Promise<Ready> {
  const world = await startWorld({ machines: USERS });
  const replica = await world.replica();
  const bare = spawn(process.execPath, [join(import.meta.dirname, 'bare-api.ts'), world.supabase.url, world.supabase.publishableKey], { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] });
  if (bare.stdout === null) throw new Error('the bare API has no stdout');
  const [line] = await once(createInterface({ input: bare.stdout }), 'line') as [string];
  const { rows } = await world.pool.query<{ user_id: string; id: string }>(`insert into public.traders (user_id, name, document) select user_id, 'Dip', '{"name":"Dip","side":"long","where":{"cheap":"rsi(14) < 30"}}' from public.machines returning user_id, id`);
  const traders = new Map(rows.map((row) => [row.user_id, row.id]));
  const users = await Promise.all(world.fleet.map(async (one) => ({ ...one, trader: traders.get(one.userId) ?? '', headers: { authorization: `Bearer ${await world.token(one.userId)}`, 'content-type': 'application/json' } })));
  const http = createHttp();
  return {
    world, ours: replica.url, bare: (JSON.parse(line) as { url: string }).url,
    async ask(base, index) {
      const user = users[index % users.length];
      if (user === undefined) throw new Error('there are no users');
      const { headers } = user;
      const [method, path, body] = index % 4 === 0 ? ['PUT', `/v1/traders/${user.trader}`, { document: { name: 'Dip', side: 'long', where: { cheap: `rsi(14) < ${20 + (index % 37)}` } } }] as const
        : index % 4 === 1 ? ['GET', '/v1/machines'] as const : index % 4 === 2 ? ['GET', `/v1/machines/${user.id}`] as const : ['GET', '/v1/traders'] as const;
      const answer = await http.fetch(`${base}${path}`, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
      const text = await answer.text();
      if (!answer.ok || text === '' || text === 'null') throw new Error(`${method} ${path} answered ${answer.status}: ${text}`);
    },
    end: async () => {
      const exit = once(bare, 'exit');
      bare.kill('SIGTERM');
      await exit;
      await http.close();
      await world.close();
    },
  };
}

/** Asks at an even pace, whether or not what came before was answered; each time counts from when its request was due. */
function load(ask: (index: number) => Promise<void>, seconds: number): Promise<number[]> {
  return new Promise((resolve, reject) => {
    const total = PER_SECOND * seconds;
    const times: number[] = [];
    const began = performance.now();
    let sent = 0;
    const timer = setInterval(() => {
      const due = Math.min(total, Math.floor(((performance.now() - began) / 1_000) * PER_SECOND));
      for (; sent < due; sent += 1) {
        const at = began + (sent / PER_SECOND) * 1_000;
        ask(sent).then(() => {
          times.push(performance.now() - at);
          if (times.length === total) resolve(times);
        }, reject);
      }
      if (sent === total) clearInterval(timer);
    }, 1);
  });
}

export function apiRow(): BenchRow {
  let ready: Ready | undefined;
  const figures: Record<'ours' | 'bare', number[]> = { ours: [], bare: [] };
  const run = async (which: 'ours' | 'bare') => {
    try {
      const { ask, ...bases } = (ready ??= await prepare());
      const warm = figures[which].length === 0;
      if (warm) await load((index) => ask(bases[which], index), WARM_SECONDS);
      const times = await load((index) => ask(bases[which], index), SECONDS);
      figures[which].push(percentile(times, 0.99));
      return times;
    } catch (error) {
      await ready?.end();
      throw error;
    }
  };
  return {
    id: 'control-plane.api', unit: 'ms', p99: 40, runs: RUNS,
    what: `the API at ${PER_SECOND} requests a second, a quarter of them writes, each from when it was due to its answer; PostgreSQL, gateway, Fly, API and who asks on the same machine; in turns with a bare fastify over supabase-js`,
    measure: () => run('ours'),
    peers: [{ name: 'bare fastify over supabase-js', measure: () => run('bare') }],
    also: async () => {
      await ready?.end();
      const [ours, bare] = [figures.ours, figures.bare].map((all) => percentile(all, 0.5)) as [number, number];
      // what else runs on the machine is heard most in the worst percent: the quietest run says how much of it is ours
      return [
        ...(['ours', 'bare'] as const).map((who) => ({ name: `99th percentile of the quietest run: ${who}`, unit: 'ms', value: Math.min(...figures[who]) })),
        { name: '99th percentile of a run, median: bare', unit: 'ms', value: bare },
        { name: '99th percentile of a run, median: ours of bare', unit: '×', value: ours / bare, must: 1.5 },
      ];
    },
  };
}
