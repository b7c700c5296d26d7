import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestGemini, type TestGemini } from '../support/gemini.ts';
import { BUSY, machineEnv, removeDir, spawnMachine, startCloud, startTestExchange, tempDir, until, type Cloud, type Exchange } from './world.ts';

let cloud: Cloud;
let exchange: Exchange;
let gemini: TestGemini;
const dataDir = tempDir();
beforeAll(async () => {
  [cloud, exchange, gemini] = await Promise.all([startCloud(), startTestExchange({ speed: 60 }), startTestGemini()]);
});
afterAll(async () => {
  await Promise.all([exchange.close(), gemini.close()]);
  await cloud.close();
  removeDir(dataDir);
});

test('a machine has its signals reviewed: each has one outcome in the database, calls and what they cost are there, and the status tells', async () => {
  const machine = await cloud.addMachine();
  await machine.addTrader({ ...BUSY, expiry: '1d' });
  const running = await spawnMachine({ ...machineEnv({ cloud, machine, exchange, dataDir }), GEMINI_API_KEY: gemini.key, GEMINI_BASE_URL: gemini.url, GEMINI_MODEL: 'gemini-2.5-flash-lite' });
  const { pool } = cloud.supabase.database;
  const count = async (sql: string) => (await pool.query<{ n: number }>(`select count(*)::int as n from ${sql}`, [machine.user.id])).rows[0]!.n;
  await until('three decisions', async () => await count(`decisions where user_id = $1 and outcome <> 'none'`) >= 3, 120_000);
  expect(await running.kill('SIGTERM')).toBe(0);

  const waiting = running.logged.filter(({ code }) => code === 'disk_failing');
  expect(waiting).toEqual([]);
  expect(await count('decisions d where user_id = $1 and not exists (select from signals s where s.user_id = d.user_id and s.id = d.signal_id)')).toBe(0);
  const live = await count(`signals s where user_id = $1 and origin = 'live' and not exists (select from decisions d where d.user_id = s.user_id and d.signal_id = s.id)`);
  // What came last may wait for the next start; all else has its outcome.
  expect(live).toBeLessThanOrEqual(8);
  expect(await count(`signals s join decisions d on d.user_id = s.user_id and d.signal_id = s.id where s.user_id = $1 and s.origin = 'history' and d.reason is distinct from 'history'`)).toBe(0);
  const [{ calls, tokens, nano_usd: money }] = (await pool.query<{ calls: number; tokens: string; nano_usd: string }>('select calls, tokens_in + tokens_out as tokens, nano_usd from usage where user_id = $1', [machine.user.id])).rows as [{ calls: number; tokens: string; nano_usd: string }];
  expect(calls).toBe(await count('analyses where user_id = $1'));
  expect([Number(tokens) > 0, Number(money) > 0]).toEqual([true, true]);
  // A process that has ended cleanly told its last words: none of them holds the key.
  expect(JSON.stringify(running.logged)).not.toContain(gemini.key);
}, 240_000);

test('while the model answers nobody, screening goes on, and every signal is stored', async () => {
  const machine = await cloud.addMachine();
  await machine.addTrader({ ...BUSY, expiry: '1d' });
  await gemini.setFaults([{ fault: 'hang' }]);
  const asked = (await gemini.journal()).length;
  const folder = tempDir();
  const running = await spawnMachine({ ...machineEnv({ cloud, machine, exchange, dataDir: folder }), GEMINI_API_KEY: gemini.key, GEMINI_BASE_URL: gemini.url, GEMINI_MODEL: 'gemini-2.5-flash-lite' });
  try {
    await until('a call hangs', async () => (await gemini.journal()).length > asked, 120_000);
    const stored = async () => (await cloud.supabase.database.pool.query<{ n: number }>(`select count(*)::int as n from signals where user_id = $1 and origin = 'live'`, [machine.user.id])).rows[0]!.n;
    const before = await stored();
    await until('signals go on', async () => await stored() >= before + 5, 120_000);
    expect((await gemini.journal()).slice(asked).filter(({ outcome }) => outcome === 'answered')).toEqual([]);
  } finally {
    await running.kill('SIGKILL');
    await gemini.setFaults([]);
    removeDir(folder);
  }
}, 480_000);
