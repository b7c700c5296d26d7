import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { addTrader, addUser, deploy } from './fixtures.ts';

/** Of one user among others, so that a plan which reads them all costs what it would cost. */
const USERS = 12;
const ROWS = 2_000;

let database: TestDatabase;
let user: string;
let machine: string;
let signal: string;
beforeAll(async () => {
  database = await createTestDatabase();
  const { pool } = database;
  for (let index = 0; index < USERS; index++) {
    user = await addUser(pool);
    machine = (await deploy(pool, user)).machine.id;
    await fill(user, machine, await addTrader(pool, user));
  }
  signal = (await pool.query<{ id: string }>('select id from public.signals where user_id = $1 limit 1', [user])).rows[0]!.id;
  await pool.query('analyze');
}, 120_000);
afterAll(async () => { await database.close(); });

async function fill(userId: string, machineId: string, traderId: string): Promise<void> {
  const client = await database.pool.connect();
  try {
    // Without triggers and references: only sizes matter here.
    await client.query(`begin; set local session_replication_role = replica`);
    const series = (sql: string) => client.query(sql.replaceAll('$user', `'${userId}'::uuid`).replaceAll('$machine', `'${machineId}'::uuid`).replaceAll('$trader', `'${traderId}'::uuid`));
    await series(`insert into public.signals (id, user_id, machine_id, trader_id, trader_version, trader_name, symbol, "interval", open_time, close_time, side, price, phase, origin, conditions)
      select gen_random_uuid(), $user, $machine, $trader, 1, 'T', 'BTCUSDT', '1m', now() - n * interval '1 minute', now() - (n - 1) * interval '1 minute', 'long', 1, 'closed', 'live', '[]' from generate_series(1, ${ROWS}) n`);
    await series(`insert into public.decisions (user_id, signal_id, machine_id, at, outcome, reason, message) select $user, s.id, $machine, s.close_time, 'none', 'stale', 'Old.' from public.signals s where s.user_id = $user`);
    await series(`insert into public.analyses (user_id, id, machine_id, signal_id, attempt, model, prompt_version, prompt_hash, started_at, latency_ms, tokens_in, tokens_out, nano_usd, result)
      select $user, gen_random_uuid(), $machine, s.id, 1, 'm', 'p', repeat('a', 64), s.close_time, 1, 1, 1, 1, 'answered' from public.signals s where s.user_id = $user`);
    await series(`insert into public.notifications (user_id, id, machine_id, at, channel, rule, outcome, attempts) select $user, gen_random_uuid(), $machine, now() - n * interval '1 minute', 'telegram', 'r', 'sent', 1 from generate_series(1, ${ROWS}) n`);
    await series(`insert into public.machine_metrics (machine_id, user_id, resolution, at, seconds, cpu_percent, cpu_percent_max, rss_mb, rss_mb_max)
      select $machine, $user, 'minute', date_trunc('minute', now()) - n * interval '1 minute', 60, 1, 1, 1, 1 from generate_series(1, ${ROWS}) n`);
    await series(`insert into public.machine_events (machine_id, user_id, kind, message, generation) select $machine, $user, 'k', 'm', 1 from generate_series(1, ${ROWS}) n`);
    await series(`insert into public.machine_heartbeats (machine_id, user_id, since, until, boot_id, version) select $machine, $user, now() - n * interval '1 hour', now() - n * interval '1 hour', 'b', 'v' from generate_series(1, ${ROWS / 2}) n`);
    await series(`insert into public.usage (user_id, day, model, calls, tokens_in, tokens_out, nano_usd) select $user, current_date - n, 'm', 1, 1, 1, 1 from generate_series(1, ${ROWS / 2}) n`);
    await client.query('commit');
  } finally {
    client.release();
  }
}

interface Node { 'Node Type': string; 'Relation Name'?: string; 'Index Name'?: string; 'Shared Hit Blocks': number; 'Shared Read Blocks': number; Plans?: Node[] }

/** Which index each table was read by (`all` for a scan of the whole table), and how many pages it took, as this role under row-level security. */
async function plan(role: string, claims: object, sql: string): Promise<{ reads: string[]; pages: number }> {
  const client = await database.pool.connect();
  try {
    await client.query('begin');
    await client.query(`select set_config('role', $1, true), set_config('request.jwt.claims', $2, true)`, [role, JSON.stringify({ role, ...claims })]);
    const { rows } = await client.query<{ 'QUERY PLAN': [{ Plan: Node }] }>(`explain (analyze, buffers, format json) ${sql}`);
    const root = rows[0]!['QUERY PLAN'][0].Plan;
    const reads: string[] = [];
    const walk = (node: Node, above?: string) => {
      const relation = node['Relation Name'] ?? above;
      if (node['Node Type'].endsWith('Scan') && relation !== undefined && node['Node Type'] !== 'Bitmap Heap Scan') reads.push(node['Index Name'] ?? `all ${relation}`);
      for (const below of node.Plans ?? []) walk(below, relation);
    };
    walk(root);
    return { reads: [...new Set(reads)].toSorted(), pages: root['Shared Hit Blocks'] + root['Shared Read Blocks'] };
  } finally {
    await client.query('rollback');
    client.release();
  }
}

test('what is asked most is read by its index, a few pages of one user\'s rows, whoever asks', async () => {
  const [owner, operator] = [{ sub: user }, { sub: randomUUID(), app_metadata: { trademind_role: 'operator' } }];
  const asked: [string, string, object, string][] = [
    ['newest signals', 'authenticated', owner, 'select * from public.signals order by close_time desc, id limit 50'],
    ['newest decisions', 'authenticated', owner, 'select * from public.decisions order by at desc, signal_id limit 50'],
    ['a signal\'s decision', 'authenticated', owner, `select * from public.decisions where signal_id = '${signal}'`],
    ['newest analyses', 'authenticated', owner, 'select * from public.analyses order by started_at desc, id limit 50'],
    ['a signal\'s analyses', 'authenticated', owner, `select * from public.analyses where signal_id = '${signal}'`],
    ['newest notifications', 'authenticated', owner, 'select * from public.notifications order by at desc, id limit 50'],
    ['an hour of minutes', 'authenticated', owner, `select * from public.machine_metrics where machine_id = '${machine}' and resolution = 'minute' and at > now() - interval '1 hour' order by at`],
    ['events after one', 'authenticated', owner, `select * from public.machine_events where machine_id = '${machine}' and id > 10 order by id limit 100`],
    ['a month of heartbeats', 'authenticated', owner, `select sum(until - since) from public.machine_heartbeats where machine_id = '${machine}' and since > now() - interval '30 days'`],
    ['a month of usage', 'authenticated', owner, `select sum(nano_usd) from public.usage where user_id = '${user}' and day > current_date - 30`],
    ['a day\'s analyses', 'postgres', {}, `select id from public.analyses where user_id = '${user}' and started_at >= current_date and started_at < current_date + 1 order by started_at desc, id limit 500`],
    ['everybody\'s usage of a day', 'authenticated', operator, `select sum(nano_usd) from public.usage where day = current_date - 3`],
    ['an operator\'s look at a machine', 'authenticated', operator, `select * from public.machine_metrics where machine_id = '${machine}' and resolution = 'minute' and at > now() - interval '1 hour' order by at`],
    ['old signals', 'postgres', {}, `select id from public.signals where user_id = '${user}' and close_time < now() - interval '400 days' and created_at < now() - interval '400 days' order by close_time limit 1000`],
    ['old analyses', 'postgres', {}, `select id from public.analyses where user_id = '${user}' and started_at < now() - interval '400 days' order by started_at limit 1000`],
    ['old notifications', 'postgres', {}, `select id from public.notifications where user_id = '${user}' and at < now() - interval '90 days' order by at limit 1000`],
    ['the present heartbeat', 'postgres', {}, `select * from public.machine_heartbeats h where h.machine_id = '${machine}' and h.since = (select max(l.since) from public.machine_heartbeats l where l.machine_id = '${machine}')`],
  ];
  const seen: Record<string, string> = {};
  for (const [name, role, claims, sql] of asked) {
    const { reads, pages } = await plan(role, claims, sql);
    seen[name] = `${reads.join(' ')}${pages <= 120 ? '' : `, ${pages} pages`}`;
  }
  expect(seen).toEqual({
    'newest signals': 'signals_user_newest', 'newest decisions': 'decisions_user_newest', "a signal's decision": 'decisions_pkey', 'newest analyses': 'analyses_user_newest',
    "a signal's analyses": 'analyses_signal', 'newest notifications': 'notifications_user_newest', 'an hour of minutes': 'machine_metrics_pkey', 'events after one': 'machine_events_machine',
    'a month of heartbeats': 'machine_heartbeats_pkey', 'a month of usage': 'usage_pkey', "a day's analyses": 'analyses_user_newest', "everybody's usage of a day": 'usage_day',
    "an operator's look at a machine": 'machine_metrics_pkey', 'old signals': 'signals_user_newest', 'old analyses': 'analyses_user_newest', 'old notifications': 'notifications_user_newest',
    'the present heartbeat': 'machine_heartbeats_pkey',
  });
});
