import { afterAll, beforeAll, expect, test } from 'vitest';
import { machineClaims } from '../database/fixtures.ts';
import { analysisRow } from '../database/fixtures-facts.ts';
import { asRole } from '../support/database.ts';
import { startTestGemini, type TestGemini } from '../support/gemini.ts';
import { BUSY, machineEnv, removeDir, spawnMachine, startCloud, startOrchestrator, startTestExchange, tempDir, until, type Cloud, type Exchange } from './world.ts';

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
  await until('three decisions', async () => await count(`decisions where user_id = $1 and outcome <> 'none'`) >= 3, 60_000);
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
}, 90_000);

test('a machine on a new disk goes on counting where the user\'s day stands: what the caps allow is used up, nothing is asked, and the status says what applies', async () => {
  const machine = await cloud.addMachine();
  await machine.addTrader({ ...BUSY, expiry: '1d' });
  machine.entrust({ analysis: { tokensPerDay: 80_000, usdPerDay: 1 } });
  // What the disk that is gone had made of the day, and a call of the day before.
  const { pool } = cloud.supabase.database;
  const rows = Array.from({ length: 601 }, (_, n) => analysisRow({ started_at: new Date(n === 0 ? Date.now() - 86_400_000 : Date.now()).toISOString(), tokens_in: 100, tokens_out: 25, nano_usd: 1_000 }));
  await asRole(pool, 'machine', machineClaims(machine.id, machine.user.id), 'select public.write_facts($1)', [JSON.stringify({ analysis: rows })]);
  const asked = (await gemini.journal()).length;
  const folder = tempDir();
  const { orchestrator, logged } = startOrchestrator({
    cloud, supabase: cloud.supabase, machine, exchange, dataDir: folder,
    more: { gemini: { apiKey: gemini.key, baseUrl: gemini.url, model: 'gemini-2.5-flash-lite' }, controlPlane: { url: cloud.controlPlaneUrl, secret: machine.secret } },
  });
  try {
    await until('a signal for which nothing is left', () => orchestrator.view.analyses(100).some((outcome) => outcome.kind === 'none' && outcome.reason === 'cap'), 60_000, () => orchestrator.view.analyses(5));
    expect(orchestrator.view.analyses(1_000).filter(({ kind }) => kind === 'decision')).toEqual([]);
    expect(orchestrator.view.status().analysis).toMatchObject({ today: { calls: 600, tokens: 75_000, usd: 0.0006 }, caps: { tokensPerDay: 80_000, usdPerDay: 1 } });
    expect(orchestrator.view.status().problems).toContainEqual({ code: 'analysis_cap', message: expect.stringContaining('75000 of 80000 tokens') });
    expect((await gemini.journal()).length).toBe(asked);
    expect(logged.filter(({ level, code }) => level !== 'info' && code !== 'analysis_cap')).toEqual([]);
  } finally {
    await orchestrator.stop();
    removeDir(folder);
  }
}, 90_000);

test('while the model answers nobody, screening goes on, and every signal is stored', async () => {
  const machine = await cloud.addMachine();
  await machine.addTrader({ ...BUSY, expiry: '1d' });
  await gemini.setFaults([{ fault: 'hang' }]);
  const asked = (await gemini.journal()).length;
  const folder = tempDir();
  const running = await spawnMachine({ ...machineEnv({ cloud, machine, exchange, dataDir: folder }), GEMINI_API_KEY: gemini.key, GEMINI_BASE_URL: gemini.url, GEMINI_MODEL: 'gemini-2.5-flash-lite' });
  try {
    await until('a call hangs', async () => (await gemini.journal()).length > asked, 60_000);
    const stored = async () => (await cloud.supabase.database.pool.query<{ n: number }>(`select count(*)::int as n from signals where user_id = $1 and origin = 'live'`, [machine.user.id])).rows[0]!.n;
    const before = await stored();
    await until('signals go on', async () => await stored() >= before + 5, 60_000);
    expect((await gemini.journal()).slice(asked).filter(({ outcome }) => outcome === 'answered')).toEqual([]);
  } finally {
    await running.kill('SIGKILL');
    await gemini.setFaults([]);
    removeDir(folder);
  }
}, 180_000);
