import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { StateStore } from '../../packages/runtime/state/state-store.ts';
import { addTrader } from '../database/fixtures.ts';
import { removeDir, startCloud, startRelay, tempDir, type Cloud } from './world.ts';

const KILLS = 12;
/** What the last life finds beyond what those before it did. */
const REST = 250;
/** The beginning of a day (UTC) that is over. */
const FIRST_AT = (Math.floor(Date.now() / 86_400_000) - 2) * 86_400_000;

let cloud: Cloud;
const dataDir = tempDir();
beforeAll(async () => { cloud = await startCloud(); });
afterAll(async () => {
  await cloud.close();
  removeDir(dataDir);
});

test('killed at random moments and cut off from the database again and again, every fact of every kind is stored once, in order; the bad are set aside and told', async () => {
  const { supabase } = cloud;
  const { pool } = supabase.database;
  const machine = await cloud.addMachine();
  const trader = await addTrader(pool, machine.user.id);
  const relay = await startRelay(supabase.url);
  const env = {
    DATA_DIR: dataDir, SUPABASE_URL: `http://127.0.0.1:${relay.port}`, SUPABASE_PUBLISHABLE_KEY: supabase.publishableKey, TRADER_ID: trader, FIRST_AT: String(FIRST_AT),
    TOKEN: await supabase.signMachineToken({ machineId: machine.id, userId: machine.user.id, epoch: 1 }),
  };
  // The network: cut in the middle of whatever goes on, open again soon after.
  let over = false;
  const network = (async () => {
    while (!over) {
      await new Promise((resolve) => { setTimeout(resolve, 100 + Math.random() * 500); });
      relay.cut();
      await new Promise((resolve) => { setTimeout(resolve, Math.random() * 300); });
      relay.open();
    }
  })();

  const live = async (facts: number, killAfter: number | null) => {
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', join(import.meta.dirname, '../support/facts-main.ts')], { env: { ...env, FACTS: String(facts) }, stdio: ['ignore', 'pipe', 'inherit'] });
    // From its first word on, so that it is killed while it works.
    createInterface({ input: child.stdout }).once('line', () => { if (killAfter !== null) setTimeout(() => child.kill('SIGKILL'), killAfter); }).on('line', () => undefined);
    const [code] = (await once(child, 'exit')) as [number | null];
    return code;
  };
  // Whoever is killed would go on finding for ever, so that it is killed at work however late that is.
  for (let round = 0; round < KILLS; round++) expect(await live(Infinity, Math.random() * 200)).toBeNull();
  over = true;
  await network;
  const before = new StateStore({ dataDir, epoch: Date.now, outbox: true });
  const FACTS = Math.ceil(Number(before.get('next')) / 50) * 50 + REST;
  before.close();
  expect(await live(FACTS, null), 'it has found and sent the rest').toBe(0);
  await relay.close();

  const good = Array.from({ length: FACTS }, (_, n) => n).filter((n) => n % 50 !== 0);
  const all = Array.from({ length: FACTS }, (_, n) => n);
  // In the order in which they were stored: those of one transaction share their time and lie in it by number.
  const stored = async (sql: string) => (await pool.query<{ n: number }>(sql, [machine.user.id])).rows.map(({ n }) => n);
  expect(await stored('select (price - 1)::int as n from signals where user_id = $1 order by created_at, price')).toEqual(good);
  expect(await stored(`select substring(message from '\\d+')::int as n from decisions where user_id = $1 order by created_at, at`)).toEqual(good);
  expect(await stored(`select (extract(epoch from started_at) - ${FIRST_AT / 1_000})::int as n from analyses where user_id = $1 order by created_at, started_at`)).toEqual(all);
  expect(await stored(`select substring(message from '\\d+')::int as n from notifications where user_id = $1 order by created_at, at`)).toEqual(all);
  expect(await stored(`select (data ->> 'n')::int as n from machine_events where user_id = $1 and kind = 'found' order by id`)).toEqual(all);
  expect((await pool.query('select calls, tokens_in::int, nano_usd::int from usage where user_id = $1', [machine.user.id])).rows).toEqual([{ calls: FACTS, tokens_in: FACTS * 10, nano_usd: FACTS * 100 }]);

  const store = new StateStore({ dataDir, epoch: Date.now, outbox: true });
  expect(store.outbox.state().rows).toBe(0);
  expect(store.outbox.setAside().map(({ kind, code }) => `${kind} ${code}`).toSorted()).toEqual([...Array<string>(FACTS / 50).fill('decision signal_unknown'), ...Array<string>(FACTS / 50).fill('signal value_refused')]);
  store.close();
  const { rows: [told] } = await pool.query<{ rows: number }>(`select sum((data ->> 'rows')::int)::int as rows from machine_events where user_id = $1 and kind = 'facts_refused'`, [machine.user.id]);
  expect(told?.rows).toBe(2 * FACTS / 50);
}, 480_000);
