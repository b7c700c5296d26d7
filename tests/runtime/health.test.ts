// Health is measured, not stated: what is taken away shows in the figures, and what comes back does too.
import type { TraderInput } from '@trademind/core';
import { afterEach, expect, test } from 'vitest';
import { DIP, removeDir, startCloud, startOrchestrator, startRelay, startTestExchange, tempDir, until } from './world.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => { for (const cleanup of cleanups.splice(0).toReversed()) await cleanup(); });

test('with the exchange and the database cut off, the machine\'s readings of both rise and its problems name them; with both back they fall', async () => {
  const [cloud, exchange] = await Promise.all([startCloud(), startTestExchange({ speed: 60 })]);
  cleanups.push(() => cloud.close(), () => exchange.close());
  const [database, streams] = await Promise.all([startRelay(cloud.supabase.url), startRelay(exchange.url)]);
  cleanups.push(() => database.close(), () => streams.close());
  const dataDir = tempDir();
  const machine = await cloud.addMachine();
  await machine.addTrader(DIP);
  const one = startOrchestrator({
    cloud, supabase: { url: `http://127.0.0.1:${database.port}`, publishableKey: cloud.supabase.publishableKey }, machine, dataDir,
    exchange: { url: `http://127.0.0.1:${streams.port}`, streams: `ws://127.0.0.1:${streams.port}` },
  });
  cleanups.push(async () => { await one.orchestrator.stop(); removeDir(dataDir); });
  const reading = (component: string, name: string) => one.orchestrator.view.status().health?.components.find((judged) => judged.component === component)?.readings[name] ?? NaN;
  const down = () => reading('exchange', 'streamDownMs');
  const silence = () => reading('database', 'databaseSilenceMs');
  const codes = () => one.orchestrator.view.status().problems.map(({ code }) => code);

  await until('the machine screens', () => one.orchestrator.view.status().phase === 'screening', 120_000);
  await until('both are well', () => down() === 0 && silence() < 20_000 && codes().length === 0, 120_000);

  for (const relay of [database, streams]) relay.cut();
  one.link().beatNow();
  const [beforeDown, beforeSilence] = [down(), silence()];
  await until('both figures rise', () => down() > beforeDown + 5_000 && silence() > beforeSilence + 5_000, 120_000);
  expect(codes()).toContain('database_unreachable');
  expect(one.orchestrator.view.status().market.connected).toBe(false);

  const worst = silence();
  for (const relay of [database, streams]) relay.open();
  one.link().beatNow();
  await until('both figures fall', () => down() === 0 && silence() < worst, 120_000);
  await until('nothing is wrong any more', () => codes().length === 0, 120_000);
}, 600_000);

/** A machine that screens one trader, and the component of its health that is asked for. */
async function screening(trader: TraderInput) {
  const [cloud, exchange] = await Promise.all([startCloud(), startTestExchange({ speed: 60 })]);
  cleanups.push(() => cloud.close(), () => exchange.close());
  const dataDir = tempDir();
  const machine = await cloud.addMachine();
  const id = await machine.addTrader(trader);
  const { orchestrator, link } = startOrchestrator({ cloud, supabase: cloud.supabase, machine, dataDir, exchange });
  cleanups.push(async () => { await orchestrator.stop(); removeDir(dataDir); });
  await until('the machine screens', () => orchestrator.view.status().phase === 'screening', 120_000);
  return {
    cloud, id, orchestrator, link,
    part: (name: string) => orchestrator.view.status().health?.components.find(({ component }) => component === name),
    nextLook: async () => { const before = orchestrator.view.status().health?.at ?? 0; await until('a look', () => (orchestrator.view.status().health?.at ?? 0) > before); },
  };
}

test('a pause by the user is no failure: candles are not expected then, and are again afterwards', async () => {
  const { orchestrator, part, nextLook } = await screening(DIP);
  await until('it is judged by its candles', () => part('candles')?.readings['candleLagMs'] !== undefined, 120_000);
  await orchestrator.commands.handlers.pause?.({ type: 'pause' });
  await nextLook();
  await until('no candles are expected', () => part('candles') === undefined);
  await orchestrator.commands.handlers.resume?.({ type: 'resume' });
  await until('candles are expected again', () => part('candles')?.readings['candleLagMs'] !== undefined, 120_000);
}, 300_000);

test('signals that nobody analyses for want of a key are told, and where no trader wants an analysis there is nothing to tell', async () => {
  const { cloud, id, part, nextLook, link, orchestrator } = await screening(DIP);
  // that there is none is known once the control plane has answered
  await until('the missing key is told', () => part('analysis')?.state === 'degraded');
  expect(part('analysis')).toMatchObject({ sentence: 'There is no key for the model: signals are not analysed.' });
  await cloud.supabase.database.pool.query(`update traders set document = document || '{"analysis": {"enabled": false}}' where id = $1`, [id]);
  link().beatNow();
  await until('the edit runs', () => orchestrator.view.status().traders[0]?.version === 2);
  await nextLook();
  await until('the part is gone', () => part('analysis') === undefined, 120_000);
}, 300_000);
