import { once } from 'node:events';
import { TraderDocument, type Candle, type TraderInput } from '@trademind/core';
import { Screener, signalOf, type Match, type RunningTrader } from '@trademind/engine';
import { afterEach, describe, expect, test } from 'vitest';
import { simulateCandles } from '../../engine/testing/simulate.ts';
import { systemWall, type Wall } from '../time.ts';
import { ParallelScreener } from './parallel-screener.ts';
import type { Screened } from './sharded-lanes.ts';

const START = Date.parse('2026-01-05T00:00Z');
const SYMBOLS = Array.from({ length: 12 }, (_, index) => `S${index}USDT`);
const COUNT = 600;
const id = (index: number): string => `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`;
const trader = (index: number, where: Record<string, string>, rest: Partial<TraderInput> = {}, version = 1): RunningTrader =>
  ({ id: id(index), version, document: TraderDocument.parse({ name: `trader ${index}`, side: 'long', interval: '1m', where, ...rest }) });
const TRADERS = [
  trader(1, { turn: 'crossover(ema(5), ema(13))' }), trader(2, { low: 'rsi(7) < 40', busy: 'volume > sma(volume, 20)' }), trader(3, { up: 'on("5m", rsi(2)) > 50', over: 'close > sma(3)' }),
  trader(4, { top: 'rank(roc(close, 3)) <= 2' }), trader(5, { low: 'close < bollinger(20, 2).lower' }), trader(6, { red: 'of("S0USDT", close < open)', green: 'close > open' }),
];
const data = new Map(SYMBOLS.map((symbol, index) => [symbol, simulateCandles(COUNT, { seed: index + 1, openTime: START })]));
const minute = (index: number): readonly [symbol: string, candle: Candle][] => SYMBOLS.map((symbol) => [symbol, data.get(symbol)![index]!]);
const ids = (matches: readonly Match[]): string[] => matches.map((match) => signalOf(match, 'live').id).sort();

/** What a screener gives that nothing happens to. */
const expected = (() => {
  const screener = new Screener({ defaultInterval: '1m', capacity: () => 1_000 });
  for (const { id: one } of TRADERS) screener.setUniverse(one, new Set(SYMBOLS));
  screener.setTraders(TRADERS);
  return Array.from({ length: COUNT }, (_, index) => minute(index).flatMap(([symbol, candle]) => screener.onCandle(symbol, '1m', candle))).flat();
})();

const open: ParallelScreener[] = [];
afterEach(async () => { for (const screener of open.splice(0)) await screener.stop(); });

function parallel(options: { workers?: number | 'auto'; cpus?: number; traders?: readonly RunningTrader[]; wall?: Wall } = {}) {
  const found: Match[] = [];
  const steps: Screened[] = [];
  const logs: string[] = [];
  const screener = new ParallelScreener({
    defaultInterval: '1m', capacity: () => 1_000, wall: options.wall ?? systemWall, log: (_level, code) => logs.push(code), marketNow: () => 0, workers: options.workers ?? 0, cpus: options.cpus ?? 2,
    onScreened: (step) => { steps.push(step); found.push(...step.matches); },
  });
  open.push(screener);
  for (const { id: one } of TRADERS) screener.setUniverse(one, new Set(SYMBOLS));
  screener.setTraders(options.traders ?? TRADERS);
  const feed = (from: number, to: number): void => {
    for (let index = from; index < to; index++) for (const [symbol, candle] of minute(index)) screener.push(symbol, '1m', candle);
  };
  return { screener, found, steps, logs, feed };
}
/** A screener whose workers have begun. */
async function onWorkers(workers: number, traders?: readonly RunningTrader[], wall: Wall = systemWall) {
  const all = parallel({ workers, wall, ...(traders && { traders }) });
  await expect.poll(() => all.screener.work.workers).toBe(workers);
  return all;
}

describe.each([0, 1, 3])('on %i worker threads', (workers) => {
  test('the matches are those of the plain screener, each symbol in order, and how far it came follows them', async () => {
    const { screener, found, steps, feed } = await onWorkers(workers);
    for (let from = 0; from < COUNT; from += 50) {
      feed(from, from + 50);
      if (from % 150 === 0) await screener.idle();
    }
    await screener.idle();
    expect(ids(found)).toEqual(ids(expected));
    const reached = new Map<string, number>();
    for (const step of steps) {
      for (const match of step.matches) expect(match.closeTime).toBeGreaterThan(reached.get(`${match.traderId} ${match.symbol}`) ?? reached.get(match.symbol) ?? 0);
      for (const { symbol, closeTime, traderId } of step.screened) reached.set(traderId === undefined ? symbol : `${traderId} ${symbol}`, closeTime);
    }
    for (const symbol of SYMBOLS) expect(reached.get(symbol)).toBe(START + COUNT * 60_000);
    for (const { id: one } of TRADERS) expect(screener.counts(one)).toMatchObject({ symbols: SYMBOLS.length, ready: SYMBOLS.length });
    expect(SYMBOLS.flatMap((symbol) => screener.matching(symbol)).length).toBe(TRADERS.reduce((sum, { id: one }) => sum + screener.counts(one).matching, 0));
  });

  test('a trader that comes late finds what it would have found, and is told as having come so far on every symbol', async () => {
    const { screener, found, steps, feed } = await onWorkers(workers, TRADERS.slice(0, 2));
    feed(0, 300);
    await screener.idle();
    screener.setTraders(TRADERS);
    feed(300, 310);
    await screener.idle();
    for (const { id: one } of TRADERS.slice(2)) {
      expect(new Set(steps.flatMap(({ screened }) => screened).filter(({ traderId }) => traderId === one).map(({ symbol }) => symbol))).toEqual(new Set(SYMBOLS));
    }
    feed(310, COUNT);
    await screener.idle();
    expect(ids(found)).toEqual(ids(expected));
  });

  test('what a forgotten series gave is void, and its new beginning is screened as a whole', async () => {
    const { screener, found, feed } = await onWorkers(workers, TRADERS.slice(0, 3));
    feed(0, 200);
    await screener.idle();
    const before = found.length;
    screener.setTraders([...TRADERS.slice(0, 3), TRADERS[4]!]);
    screener.forget('S3USDT', '1m');
    for (const candle of data.get('S3USDT')!.slice(0, 400)) screener.push('S3USDT', '1m', candle);
    await screener.idle();
    const late = found.slice(before).filter(({ symbol, traderId }) => symbol === 'S3USDT' && traderId === TRADERS[4]!.id);
    expect(ids(late)).toEqual(ids(expected.filter(({ symbol, traderId, closeTime }) => symbol === 'S3USDT' && traderId === TRADERS[4]!.id && closeTime <= START + 400 * 60_000)));
  });
});

test('the number of threads changes under load: nothing is lost, nothing told twice', async () => {
  const { screener, found, feed } = parallel();
  const sizes = [2, 0, 3, 1, 2, 0];
  for (let from = 0; from < COUNT; from += 20) {
    feed(from, from + 20);
    if (from % 100 === 20) void screener.resize(sizes[from / 100 | 0]!);
    await new Promise((resolve) => { setTimeout(resolve, 2); });
  }
  await screener.resize(0);
  await screener.idle();
  expect(ids(found)).toEqual(ids(expected));
});

test('what takes longer than the time between two closes is shed by priority, said, and caught up: nothing is lost', async () => {
  let now = 0;
  let looks = 0;
  let cost = 1;
  let market = 0;
  const traders = TRADERS.map((one, index) => ({ ...one, document: { ...one.document, analysis: { ...one.document.analysis, priority: index } } }));
  const found: Match[] = [];
  const logs: string[] = [];
  const screener = new ParallelScreener({
    defaultInterval: '1m', capacity: () => 1_000, log: (_level, code) => logs.push(code), marketNow: () => market, workers: 0,
    // A candle is timed from one look at the clock to the next: so much time passes in between.
    wall: { ...systemWall, now: () => (looks++ % 2 === 0 ? now : (now += cost)) }, onScreened: ({ matches }) => found.push(...matches),
  });
  open.push(screener);
  for (const { id: one } of traders) screener.setUniverse(one, new Set(SYMBOLS));
  screener.setTraders(traders);
  const feed = async (from: number, to: number, gap: number): Promise<void> => {
    for (let index = from; index < to; index++) {
      market = START + (index + 1) * 60_000;
      for (const [symbol, candle] of minute(index)) screener.push(symbol, '1m', candle);
      now += gap;
      await new Promise((resolve) => { setImmediate(resolve); });
    }
  };
  await feed(0, 100, 100);
  expect(screener.shed.size).toBe(0);
  cost = 100;
  await feed(100, 110, 0);
  expect(logs).toContain('screening_overloaded');
  expect([...screener.shed]).toEqual(expect.arrayContaining([id(1), id(2), id(3)]));
  expect(screener.shed.has(id(6))).toBe(false);
  await feed(110, 300, 500_000);
  expect(logs).toContain('screening_restored');
  expect(screener.shed.size).toBe(0);
  await feed(300, COUNT, 500_000);
  await screener.idle();
  expect(new Set(ids(found))).toEqual(new Set(ids(expected)));
});

test('a worker killed in the middle of its work, a hundred times under load, loses nothing and repeats nothing', async () => {
  const { screener, found, logs, feed } = await onWorkers(2);
  for (let kill = 0; kill < 100; kill++) {
    await expect.poll(() => screener.lanes.ready, { interval: 2, timeout: 10_000 }).toBe(true);
    feed(kill * 6, kill * 6 + 6);
    // Now it has not begun, now it is in the middle, now it is done.
    await new Promise((resolve) => { setTimeout(resolve, (kill * 7) % 20); });
    const thread = screener.lanes.threads[kill % 2]!;
    await thread.terminate();
    await expect.poll(() => screener.lanes.threads.includes(thread), { interval: 2, timeout: 10_000 }).toBe(false);
  }
  await expect.poll(async () => { await screener.idle(); return found.length; }, { timeout: 20_000 }).toBe(expected.length);
  expect(ids(found)).toEqual(ids(expected));
  expect(screener.work.replaced).toBe(100);
  expect(logs.filter((code) => code === 'worker_replaced').length).toBe(100);
}, 120_000);

test('a worker that hangs is ended, and another screens all that it owed', async () => {
  let ahead = 0;
  const { screener, found, logs, feed } = await onWorkers(2, undefined, { ...systemWall, now: () => systemWall.now() + ahead });
  feed(0, 200);
  await screener.idle();
  const [hung] = screener.lanes.threads;
  const ended = once(hung!, 'exit');
  // Four thousand million numbers of series to screen: it would be busy with them for most of a minute, and hears nothing meanwhile.
  hung!.postMessage({ type: 'advance', task: -1, keys: Object.assign([], { length: 2 ** 32 - 1 }) });
  feed(200, 400);
  // It is asked at the end of this turn; then time goes by.
  await new Promise((resolve) => { setTimeout(resolve, 20); });
  expect(screener.lanes.busy).toBe(true);
  ahead = 20_000;
  await ended;
  feed(400, COUNT);
  await screener.idle();
  expect(screener.lanes.threads).not.toContain(hung);
  expect(logs).toContain('worker_replaced');
  expect(ids(found)).toEqual(ids(expected));
});

test('workers read candles where they are stored: what is said to them does not grow with what there is', async () => {
  const { screener, feed } = await onWorkers(2);
  let said: string[] = [];
  for (const thread of screener.lanes.threads) {
    const say = thread.postMessage.bind(thread);
    thread.postMessage = (message: object) => { said.push(JSON.stringify(message)); say(message); };
  }
  const tenMinutes = async (from: number): Promise<number> => {
    said = [];
    feed(from, from + 10);
    await screener.idle();
    return said.join('').length;
  };
  feed(0, 20);
  await screener.idle();
  const early = await tenMinutes(20);
  feed(30, 500);
  await screener.idle();
  expect(await tenMinutes(500)).toBeLessThan(2 * early);
  expect(said.join('')).not.toContain('"close"');
});
