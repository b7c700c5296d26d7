import { once } from 'node:events';
import type { Candle } from '@trademind/core';
import { Screener, type RunningTrader } from '@trademind/engine';
import { afterEach, describe, expect, test } from 'vitest';
import { systemWall, type Wall } from '../time.ts';
import { id, ids, marketOf, MINUTE, Rig, START, trader } from './testing/rig.ts';

const SYMBOLS = Array.from({ length: 12 }, (_, index) => `S${index}USDT`);
const COUNT = 600;
const TRADERS = [
  trader(1, { turn: 'crossover(ema(5), ema(13))' }), trader(2, { low: 'rsi(7) < 40', busy: 'volume > sma(volume, 20)' }), trader(3, { up: 'on("5m", rsi(2)) > 50', over: 'close > sma(3)' }),
  trader(4, { top: 'rank(roc(close, 3)) <= 2' }), trader(5, { low: 'close < bollinger(20, 2).lower' }), trader(6, { red: 'of("S0USDT", close < open)', green: 'close > open' }),
];
const data = marketOf(SYMBOLS, COUNT);
const minute = (index: number): readonly [symbol: string, candle: Candle][] => SYMBOLS.map((symbol) => [symbol, data.get(symbol)![index]!]);

/** What a screener gives that nothing happens to. */
const expected = (() => {
  const screener = new Screener({ defaultInterval: '1m', capacity: () => 1_000 });
  for (const { id: one } of TRADERS) screener.setUniverse(one, new Set(SYMBOLS));
  screener.setTraders(TRADERS);
  return Array.from({ length: COUNT }, (_, index) => minute(index).flatMap(([symbol, candle]) => screener.onCandle(symbol, '1m', candle))).flat();
})();

const open: Rig[] = [];
afterEach(async () => { for (const { screener } of open.splice(0)) await screener.stop(); });

function parallel(options: { workers?: number | 'auto'; cpus?: number; traders?: readonly RunningTrader[]; wall?: Wall } = {}) {
  const rig = new Rig(options);
  open.push(rig);
  const { traders = TRADERS } = options;
  for (const one of traders) rig.screens(one, SYMBOLS);
  rig.screener.setTraders(traders);
  const feed = (from: number, to: number): void => {
    for (let index = from; index < to; index++) for (const [symbol, candle] of minute(index)) rig.screener.push(symbol, '1m', candle);
  };
  return { rig, screener: rig.screener, logs: rig.logs, feed };
}
/** A screener whose workers have begun. */
async function onWorkers(workers: number, traders?: readonly RunningTrader[], wall: Wall = systemWall) {
  const all = parallel({ workers, wall, ...(traders && { traders }) });
  await expect.poll(() => all.screener.work.workers).toBe(workers);
  return all;
}

describe.each([0, 1, 3])('on %i worker threads', (workers) => {
  test('the signals are those of the plain screener, and it is known that every trader has come to the last candle of every symbol', async () => {
    const { rig, screener, feed } = await onWorkers(workers);
    for (let from = 0; from < COUNT; from += 50) {
      feed(from, from + 50);
      if (from % 150 === 0) await screener.idle();
    }
    await screener.idle();
    expect(rig.ids).toEqual(ids(expected));
    for (const { id: one } of TRADERS) {
      expect(rig.marks(one)).toEqual(new Map(SYMBOLS.map((symbol) => [symbol, START + COUNT * MINUTE])));
      expect(screener.counts(one)).toMatchObject({ symbols: SYMBOLS.length, ready: SYMBOLS.length });
    }
    expect(SYMBOLS.flatMap((symbol) => screener.matching(symbol)).length).toBe(TRADERS.reduce((sum, { id: one }) => sum + screener.counts(one).matching, 0));
  });

  test.each(['nothing is under way', 'a candle has just come', 'an answer is outstanding'])('a trader that comes late, when %s, finds what it would have found', async (when) => {
    const { rig, screener, feed } = await onWorkers(workers, TRADERS.slice(0, 2));
    feed(0, 300);
    await screener.idle();
    if (when !== 'nothing is under way') feed(300, 301);
    if (when === 'an answer is outstanding') await new Promise((resolve) => { setImmediate(resolve); });
    // Half of them are known before their symbols are, half after.
    for (const one of TRADERS.slice(2, 4)) rig.screens(one, SYMBOLS);
    screener.setTraders(TRADERS);
    for (const one of TRADERS.slice(4)) rig.screens(one, SYMBOLS);
    await screener.idle();
    for (const { id: one } of TRADERS) expect(new Set(rig.marks(one).values())).toEqual(new Set([START + (when === 'nothing is under way' ? 300 : 301) * MINUTE]));
    feed(when === 'nothing is under way' ? 300 : 301, COUNT);
    await screener.idle();
    expect(rig.ids).toEqual(ids(expected));
  });

  test('what a forgotten series gave is void, and its new beginning is screened as a whole', async () => {
    const { rig, screener, feed } = await onWorkers(workers, TRADERS.slice(0, 3));
    feed(0, 200);
    await screener.idle();
    rig.screens(TRADERS[4]!, SYMBOLS);
    screener.setTraders([...TRADERS.slice(0, 3), TRADERS[4]!]);
    screener.forget('S3USDT', '1m');
    for (const candle of data.get('S3USDT')!.slice(0, 400)) screener.push('S3USDT', '1m', candle);
    await screener.idle();
    const of = <One extends { symbol: string; traderId: string }>(all: readonly One[]): One[] => all.filter(({ symbol, traderId }) => symbol === 'S3USDT' && traderId !== TRADERS[3]!.id && traderId !== TRADERS[5]!.id);
    expect(of(rig.signals).map(({ id: one }) => one).sort()).toEqual(ids(of(expected).filter(({ closeTime }) => closeTime <= START + 400 * MINUTE)));
  });

  test('a candle that comes late to a trader which ranks them is a signal all the same', async () => {
    const one = trader(7, { top: 'rank(close) <= 12' }, { repeat: 'every-candle' });
    const { rig, screener } = await onWorkers(workers, [one]);
    const missing = 'S5USDT';
    for (let index = 0; index < 5; index++) {
      for (const [symbol, candle] of minute(index)) if (index < 3 || symbol !== missing) screener.push(symbol, '1m', candle);
      await screener.idle();
    }
    expect(rig.marks(one.id).get(missing)).toBe(START + 3 * MINUTE);
    expect(rig.marks(one.id).get('S0USDT')).toBe(START + 4 * MINUTE);
    for (const candle of data.get(missing)!.slice(3, 5)) screener.push(missing, '1m', candle);
    await screener.idle();
    for (const symbol of SYMBOLS) expect(rig.signals.filter((signal) => signal.symbol === symbol).map(({ closeTime }) => (closeTime - START) / MINUTE), symbol).toEqual([2, 3, 4, 5]);
  });

  test('what takes longer than the time between two closes is shed by priority, said, and caught up: no signal is lost', async () => {
    let now = 0;
    let looks = 0;
    let cost = 1;
    const traders = TRADERS.map((one, index) => ({ ...one, document: { ...one.document, analysis: { ...one.document.analysis, priority: index } } }));
    // On this thread a candle is timed from one look at the clock to the next: so much time passes in between. Workers time themselves, and hurry only where no time passes between closes.
    const wall = { ...systemWall, now: () => (workers > 0 || looks++ % 2 === 0 ? now : (now += cost)) };
    const { rig, screener, logs } = await onWorkers(workers, traders, wall);
    const feed = async (from: number, to: number, gap: number): Promise<void> => {
      for (let index = from; index < to; index++) {
        rig.market = START + (index + 1) * MINUTE;
        for (const [symbol, candle] of minute(index)) screener.push(symbol, '1m', candle);
        now += gap;
        await screener.idle();
      }
    };
    await feed(0, 100, 100_000);
    expect(screener.shed.size).toBe(0);
    cost = 10_000;
    await feed(100, 110, 0);
    expect(logs).toContain('screening_overloaded');
    expect([...screener.shed]).toEqual(expect.arrayContaining([id(1), id(2), id(3)]));
    expect(screener.shed.has(id(6))).toBe(false);
    // Who waits is explained all the same, and keeps its symbols.
    expect(screener.explain(id(1), 'S0USDT')).toMatchObject({ conditions: [{ name: 'turn', ready: true }] });
    expect(screener.funnel(id(2))).toMatchObject({ symbols: SYMBOLS.length });
    expect(screener.counts(id(1))).toEqual({ symbols: SYMBOLS.length, ready: 0, matching: 0 });
    await feed(110, 300, 500_000);
    expect(logs).toContain('screening_restored');
    expect(screener.shed.size).toBe(0);
    await feed(300, COUNT, 500_000);
    await screener.idle();
    expect(rig.ids).toEqual(ids(expected));
  });
});

test('the number of threads changes under load: nothing is lost, nothing told twice', async () => {
  const { rig, screener, feed } = parallel();
  const sizes = [2, 0, 3, 1, 2, 0];
  for (let from = 0; from < COUNT; from += 20) {
    feed(from, from + 20);
    if (from % 100 === 20) void screener.resize(sizes[from / 100 | 0]!);
    await new Promise((resolve) => { setTimeout(resolve, 2); });
  }
  await screener.resize(0);
  await screener.idle();
  expect(rig.ids).toEqual(ids(expected));
});

test('a worker killed in the middle of its work, a hundred times under load, loses nothing and repeats nothing', async () => {
  const { rig, screener, logs, feed } = await onWorkers(2);
  for (let kill = 0; kill < 100; kill++) {
    await expect.poll(() => screener.lanes.shards.ready, { interval: 2, timeout: 60_000 }).toBe(true);
    feed(kill * 6, kill * 6 + 6);
    // Now it has not begun, now it is in the middle, now it is done.
    await new Promise((resolve) => { setTimeout(resolve, (kill * 7) % 20); });
    const thread = screener.lanes.shards.threads[kill % 2]!;
    await thread.terminate();
    await expect.poll(() => screener.lanes.shards.threads.includes(thread), { interval: 2, timeout: 60_000 }).toBe(false);
  }
  await expect.poll(async () => { await screener.idle(); return rig.signals.length; }, { timeout: 60_000 }).toBe(expected.length);
  expect(rig.ids).toEqual(ids(expected));
  expect(screener.work.replaced).toBe(100);
  expect(logs.filter((code) => code === 'worker_replaced').length).toBe(100);
}, 400_000);

test('a worker that hangs is ended, and another screens all that it owed', async () => {
  let ahead = 0;
  const { rig, screener, logs, feed } = await onWorkers(2, undefined, { ...systemWall, now: () => systemWall.now() + ahead });
  feed(0, 200);
  await screener.idle();
  const [hung] = screener.lanes.shards.threads;
  const ended = once(hung!, 'exit');
  // Four thousand million numbers of series to screen: it would be busy with them for most of a minute, and hears nothing meanwhile.
  hung!.postMessage({ type: 'advance', task: -1, keys: Object.assign([], { length: 2 ** 32 - 1 }) });
  feed(200, 400);
  // It is asked at the end of this turn; then time goes by.
  await new Promise((resolve) => { setTimeout(resolve, 20); });
  expect(screener.lanes.shards.busy).toBe(true);
  ahead = 20_000;
  await ended;
  feed(400, COUNT);
  await screener.idle();
  expect(screener.lanes.shards.threads).not.toContain(hung);
  expect(logs).toContain('worker_replaced');
  expect(rig.ids).toEqual(ids(expected));
});

test('workers read candles where they are stored: what is said to them does not grow with what there is', async () => {
  const { screener, feed } = await onWorkers(2);
  let said: string[] = [];
  for (const thread of screener.lanes.shards.threads) {
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
