// What runs on a machine follows what is wished and what it does itself: its candles, and a trader that gives far too much.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DIP, removeDir, startCloud, startOrchestrator, startTestExchange, tempDir, until as untilWithin, type Cloud, type Exchange, type InProcess, type TestMachine } from './world.ts';

/** Patient enough for a machine under load. */
const until = (what: string, answer: () => boolean, instead?: () => unknown) => untilWithin(what, answer, 60_000, instead);

let cloud: Cloud;
let exchange: Exchange;
let machine: TestMachine;
let one: InProcess;
const dataDir = tempDir();
beforeEach(async () => {
  [cloud, exchange] = await Promise.all([startCloud(), startTestExchange({ speed: 300 })]);
  machine = await cloud.addMachine();
});
afterEach(async () => {
  await one.orchestrator.stop();
  await Promise.all([exchange.close(), cloud.close()]);
  removeDir(dataDir);
});
const start = () => {
  one = startOrchestrator({ cloud, supabase: cloud.supabase, machine, exchange, dataDir });
  return until('the machine screens', () => one.orchestrator.view.status().phase === 'screening');
};
const edit = async (id: string, document: object) => {
  await cloud.supabase.database.pool.query('update traders set document = $2 where id = $1', [id, document]);
  one.link().beatNow();
};
const statusOf = (id: string) => one.orchestrator.view.status().traders.find((trader) => trader.id === id);

test('the intervals that are streamed are those of the traders: a new one brings its own, an edited one changes it, and what nobody reads is let go', async () => {
  const trader = await machine.addTrader({ ...DIP, interval: '3m' });
  await start();
  const closes = (interval: '1m' | '3m' | '5m') => one.orchestrator.view.candles('BTCUSDT', interval, 1_000).map(({ openTime }) => openTime);
  const goesOn = (interval: '1m' | '3m' | '5m') => {
    const before = closes(interval).at(-1) ?? 0;
    return until(`candles of ${interval} come`, () => (closes(interval).at(-1) ?? 0) > before);
  };
  await goesOn('3m');
  expect([closes('1m'), closes('5m')]).toEqual([[], []]);

  await edit(trader, { ...DIP, interval: '1m' });
  await until('it runs on 1m', () => statusOf(trader)?.interval === '1m');
  await goesOn('1m');
  expect(one.orchestrator.view.status().market.backfilled.total).toBe(5);

  const slow = await machine.addTrader({ ...DIP, name: 'Slow dip', interval: '5m' });
  one.link().beatNow();
  await until('the second runs', () => statusOf(slow)?.state === 'running');
  await goesOn('5m');
  expect(one.orchestrator.view.status().market.backfilled.total).toBe(10);
  const told = () => Object.fromEntries([...Map.groupBy(one.orchestrator.view.signals(1_000), ({ interval, origin }) => `${origin} ${interval}`)].map(([kind, { length }]) => [kind, length]));
  await until('signals of both intervals', () => 'live 1m' in told() && 'live 5m' in told(), () => ({ told: told(), status: one.orchestrator.view.status() }));
}, 480_000);

test('a trader that gives far more than its limit is paused and says why, the others go on, and an edit lets it run again', async () => {
  const other = await machine.addTrader(DIP);
  const wild = await machine.addTrader({ ...DIP, name: 'Wild', where: { always: 'close > 0' }, repeat: 'every-candle', limits: { perHour: 1 } });
  await start();
  await until('it is paused', () => statusOf(wild)?.state === 'paused');
  expect(statusOf(wild)).toMatchObject({ error: expect.stringMatching(/more than 10 times its limit of 1/) as string });
  expect(one.logged.filter(({ code }) => code === 'trader_paused')).toHaveLength(1);

  const live = (id: string) => one.orchestrator.view.signals(1_000).filter(({ traderId, origin }) => traderId === id && origin === 'live');
  const given = live(wild);
  const closes = given.map(({ closeTime }) => closeTime);
  const hours = 1 + Math.floor((Math.max(...closes) - Math.min(...closes)) / 3_600_000);
  expect(given.filter(({ suppressed }) => suppressed === undefined).length).toBeLessThanOrEqual(hours);
  const before = one.orchestrator.view.status().market.lastCloseAt ?? 0;
  await until('twenty minutes go by', () => (one.orchestrator.view.status().market.lastCloseAt ?? 0) > before + 1_200_000);
  expect(live(wild)).toHaveLength(given.length);
  await until('the other goes on', () => live(other).some(({ closeTime }) => closeTime > before));

  await edit(wild, { ...DIP, name: 'Wild', where: { low: 'rsi(5) < 40' } });
  await until('it runs again', () => statusOf(wild)?.state === 'running');
  await until('it signals again', () => live(wild).length > given.length);
}, 480_000);
