import { afterEach, expect, test } from 'vitest';
import { DIP, removeDir, startCloud, startOrchestrator, startTestExchange, tempDir, until } from './world.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => { for (const cleanup of cleanups.splice(0).toReversed()) await cleanup(); });

test('the database hears of what was found, not of the market: while hundreds of candles close, each with its ticks before, it sees a few transactions', async () => {
  const [cloud, exchange] = await Promise.all([startCloud(), startTestExchange({ speed: 300 })]);
  cleanups.push(() => cloud.close(), () => exchange.close());
  const dataDir = tempDir();
  const machine = await cloud.addMachine();
  await machine.addTrader(DIP);
  const one = startOrchestrator({ cloud, supabase: cloud.supabase, machine, exchange, dataDir });
  cleanups.push(async () => { await one.orchestrator.stop(); removeDir(dataDir); });
  const transactions = async () => Number((await cloud.supabase.database.pool.query<{ n: string }>('select xact_commit as n from pg_stat_database where datname = current_database()')).rows[0]!.n);
  const candles = () => one.orchestrator.view.status().market.candles;
  const live = () => one.orchestrator.view.signals(1_000).filter(({ origin }) => origin === 'live').length;

  await until('the machine screens', () => one.orchestrator.view.status().phase === 'screening', 120_000);
  const [from, found] = [candles(), live()];
  const before = await transactions();
  await until('candles close', () => candles() >= from + 400, 120_000);
  // Each connection counts its own with a delay.
  await new Promise((resolve) => { setTimeout(resolve, 2_000); });
  const said = await transactions() - before;
  expect(live()).toBeGreaterThan(found);
  expect(said).toBeGreaterThan(0);
  expect(said).toBeLessThan((candles() - from) / 2);
}, 480_000);
