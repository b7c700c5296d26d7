import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { intervalClose, intervalOpen, type Candle, type Interval } from '@trademind/core';
import { systemWall } from '../time.ts';
import type { KlinesOptions } from './binance-rest.ts';
import { CandleFeed } from './candle-feed.ts';
import { CandleMarks, marksInMemory, type MarkStore } from './candle-marks.ts';
import { MarketClock } from './market-clock.ts';

const MINUTE = 60_000;
const START = 1_700_000_100_000;
const at = (index: number) => START + index * MINUTE;
const candle = (openTime: number, close = 1.5): Candle => ({ openTime, open: 1, high: 2, low: 1, close, volume: 1, quoteVolume: 1.5, trades: 1, takerBuy: 1 });

/** An exchange whose candles begin at 0: those before `now`, without the ones in `never`, and the one under way. */
class Market {
  now = at(10) + 5_000;
  never = new Set<number>();
  /** Left out of the next answer only. */
  forgets = new Set<number>();
  asked: number[] = [];
  halted = false;
  fails: Error | null = null;
  answering: Promise<void> = Promise.resolve();
  klines = async (_symbol: string, interval: Interval, from: number, { until = Infinity, limit = 1_000 }: KlinesOptions = {}): Promise<Candle[]> => {
    this.asked.push((from - START) / MINUTE);
    if (this.fails) throw this.fails;
    const rows: Candle[] = [];
    for (let openTime = intervalOpen(interval, from + MINUTE - 1); openTime <= Math.min(this.now, until) && rows.length < limit; openTime = intervalClose(interval, openTime)) {
      const index = (openTime - START) / MINUTE;
      if (!this.never.has(index) && !this.forgets.has(index)) rows.push(candle(openTime));
    }
    this.forgets.clear();
    await this.answering;
    return rows;
  };
}

let market: Market;
let feed: CandleFeed;
let taken: (number | string)[];
let said: string[];
let doubted: string[];
let quiet: string[];
let held: Candle[];
let store: MarkStore;
let ending: AbortController;
let clock: MarketClock;
const setClock = () => clock.set({ serverTime: market.now, rate: 1, sentAt: performance.now(), receivedAt: performance.now() });
beforeEach(() => {
  vi.useFakeTimers();
  market = new Market();
  [taken, said, doubted, quiet, held, store] = [[], [], [], [], [], marksInMemory()];
  ending = new AbortController();
  clock = new MarketClock(() => performance.now());
  feed = new CandleFeed({
    rest: market, clock, wall: { ...systemWall, random: () => 0.5 }, signal: ending.signal, log: (_level, code) => said.push(code), marks: new CandleMarks(store),
    refreshClock: () => { setClock(); return Promise.resolve(); },
    saysHalted: () => Promise.resolve(market.halted), startOf: () => at(0), longer: () => [], before: () => Promise.resolve(), restart: () => { held = []; taken.push('anew'); }, onProgress: () => undefined,
    take: (_symbol, interval, taking) => { taken.push(interval === '1m' ? (taking.openTime - START) / MINUTE : `${interval} ${(taking.openTime - START) / MINUTE}`); held.push(taking); },
    held: (_symbol, _interval, limit) => held.slice(-limit), heldFrom: () => held[0]?.openTime, doubt: (symbol, interval) => doubted.push(`${symbol} ${interval}`),
    onQuiet: (series) => quiet.push(...series.map((one) => `${one.symbol} ${one.interval}`)),
  });
  feed.setSeries(new Map([['BTCUSDT', ['1m']]]));
});
afterEach(async () => {
  ending.abort();
  await feed.stop();
  vi.useRealTimers();
});

const series = { symbol: 'BTCUSDT', interval: '1m' } as const;
const settle = () => vi.advanceTimersByTimeAsync(400);
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index);
/** Lets market time pass, in steps that the clock believes. */
async function later(minutes: number): Promise<void> {
  for (let step = 0; step < minutes * 2; step++) {
    await vi.advanceTimersByTimeAsync(30_000);
    market.now += 30_000;
    setClock();
  }
  feed.sweep();
  await settle();
}

test('history comes first and the candle under way is left out; what the stream brings meanwhile waits and follows, once', async () => {
  expect(feed.progress()).toMatchObject({ done: 0, total: 1 });
  feed.onSubscribed([series]);
  feed.onClosed(series, candle(at(9)));
  feed.onClosed(series, candle(at(10)));
  await settle();
  expect(taken).toEqual(range(0, 11));
  expect(feed.progress()).toMatchObject({ done: 1, total: 1 });
  feed.onClosed(series, candle(at(10)));
  feed.onClosed(series, candle(at(11)));
  expect(taken).toEqual(range(0, 12));
  expect(doubted).toEqual([]);
});

test('pages of a thousand are read until the end', async () => {
  market.now = at(2_500) + 5_000;
  feed.onSubscribed([series]);
  await settle();
  expect(taken).toEqual(range(0, 2_500));
  expect(market.asked).toHaveLength(3);
});

test('a week of minutes comes whole, in one go', async () => {
  market.now = at(10_400) + 5_000;
  feed.onSubscribed([series]);
  await settle();
  expect(taken).toEqual(range(0, 10_400));
});

test('a candle that closed just now is left to the stream: the exchange may still be adding it up', async () => {
  market.now = at(10) + 500;
  feed.onSubscribed([series]);
  await settle();
  expect(taken).toEqual(range(0, 9));
  feed.onClosed(series, candle(at(9)));
  expect(taken).toEqual(range(0, 10));
});

test('an answer that is under way for long does not make a forming candle a closed one', async () => {
  const answer = Promise.withResolvers<void>();
  market.answering = answer.promise;
  market.now = at(10) - 1_000;
  feed.onSubscribed([series]);
  await settle();
  market.now = at(12);
  setClock();
  answer.resolve();
  await settle();
  expect(taken).toEqual(range(0, 9));
});

test('a gap in the stream is fetched, in order', async () => {
  feed.onSubscribed([series]);
  await settle();
  market.now = at(14) + 5_000;
  feed.onClosed(series, candle(at(13)));
  expect(taken).toEqual(range(0, 10));
  await settle();
  expect(taken).toEqual(range(0, 14));
  expect(feed.gaps).toBe(1);
});

test('a candle that the stream never brought is fetched when it is late; a stream that stays quiet is told', async () => {
  feed.onSubscribed([series]);
  await settle();
  await later(1);
  expect(taken).toEqual(range(0, 10));
  await later(1);
  expect(taken).toEqual(range(0, 12));
  expect(quiet).toEqual([]);
  await later(2);
  feed.sweep();
  expect(taken).toEqual(range(0, 14));
  expect(quiet).toEqual(['BTCUSDT 1m']);
});

test('candles that the exchange never had are a hole: asked for twice, marked, and the series begins anew after it', async () => {
  market.never = new Set([3, 4, 5]);
  feed.onSubscribed([series]);
  await settle();
  expect(taken).toEqual([0, 1, 2, 'anew', 6, 7, 8, 9]);
  expect(said).toEqual(['candles_missing']);
  expect(market.asked).toEqual([0, 3]);
  expect(store.candleMarks('BTCUSDT', '1m')).toMatchObject([{ kind: 'hole', openTime: at(3), until: at(6) }]);
});

test('candles that only one answer left out are no hole', async () => {
  market.forgets = new Set([3, 4, 5, 8]);
  feed.onSubscribed([series]);
  await settle();
  await settle();
  expect(taken).toEqual(range(0, 10));
  expect(said).toEqual([]);
});

test('a stream candle that contradicts itself is not taken: the exchange is asked for it', async () => {
  feed.onSubscribed([series]);
  await settle();
  feed.onClosed(series, { ...candle(at(10)), quoteVolume: 9 });
  expect(taken).toEqual(range(0, 10));
  await later(2);
  expect(taken).toEqual(range(0, 12));
  expect(held.at(-2)).toEqual(candle(at(10)));
  expect(feed.doubts).toBe(1);
});

test('a stream candle that came at a time that cannot be is not taken: the exchange is asked for it', async () => {
  feed.onSubscribed([series]);
  await settle();
  feed.onClosed(series, candle(at(10)), false);
  feed.onClosed(series, candle(at(5_000)), false);
  await settle();
  expect(taken).toEqual(range(0, 10));
  await later(2);
  expect(taken).toEqual(range(0, 12));
  expect(feed.doubts).toBe(2);
});

test('what the exchange answers has the last word over what a stream brought and that still waits', async () => {
  feed.onClosed(series, candle(at(8), 1.25));
  feed.onSubscribed([series]);
  await settle();
  expect(held.map(({ close }) => close)).toEqual(range(0, 10).map(() => 1.5));
});

test('a repeat that says something else changes nothing and is looked into, from the stream or from the exchange', async () => {
  feed.onSubscribed([series]);
  await settle();
  feed.onClosed(series, candle(at(9), 1.25));
  expect(doubted).toEqual(['BTCUSDT 1m']);
  held[9] = candle(at(9), 1.75);
  await later(2);
  expect(doubted).toEqual(['BTCUSDT 1m', 'BTCUSDT 1m']);
  expect(taken).toEqual(range(0, 12));
});

test('several intervals of a symbol come in one order, the longest first among those that close together', async () => {
  feed.setSeries(new Map([['BTCUSDT', ['1m', '5m']]]));
  feed.onSubscribed([series]);
  await settle();
  expect(taken).toEqual([0, 1, 2, 3, '5m 0', 4, 5, 6, 7, 8, '5m 5', 9]);
});

test('a symbol without any further candle has halted: said once, no longer asked for, and it goes on when the stream brings one', async () => {
  feed.onSubscribed([series]);
  await settle();
  market.never = new Set(range(10, 200));
  for (let minute = 0; minute < 10; minute++) await later(1);
  expect(feed.halted()).toEqual(['BTCUSDT']);
  expect(said).toEqual(['symbol_halted']);
  const asked = market.asked.length;
  for (let minute = 0; minute < 5; minute++) await later(1);
  expect(market.asked).toHaveLength(asked);
  await later(177);
  feed.onClosed(series, candle(at(201)));
  await settle();
  expect(taken.slice(10)).toEqual(['anew', 200, 201]);
  expect(feed.halted()).toEqual([]);
  expect(said).toEqual(['symbol_halted', 'candles_missing', 'symbol_trades']);
});

test('the last candle before a halt, which no other follows, is taken when the halt is sure', async () => {
  market.never = new Set(range(10, 200));
  feed.onSubscribed([series]);
  await settle();
  expect(taken).toEqual(range(0, 9));
  for (let minute = 0; minute < 10; minute++) await later(1);
  expect(taken).toEqual(range(0, 10));
  expect(feed.halted()).toEqual(['BTCUSDT']);
});

test('a symbol that the exchange itself says has halted is believed at the first answer without a candle', async () => {
  feed.onSubscribed([series]);
  await settle();
  market.never = new Set(range(10, 200));
  market.halted = true;
  await later(2);
  expect(feed.halted()).toEqual(['BTCUSDT']);
});

test('while the exchange fails, history is asked for again, ever more rarely; its failure is said once', async () => {
  market.fails = Object.assign(new Error('away'), { code: 'exchange_unreachable' });
  feed.onSubscribed([series]);
  for (let second = 0; second < 60; second++) {
    await vi.advanceTimersByTimeAsync(1_000);
    feed.sweep();
  }
  expect(market.asked.length).toBeLessThan(12);
  expect(said).toEqual(['exchange_unreachable']);
  expect(feed.problem?.code).toBe('exchange_unreachable');
  market.fails = null;
  for (let second = 0; second < 60; second++) {
    await vi.advanceTimersByTimeAsync(1_000);
    feed.sweep();
  }
  expect(taken.slice(0, 10)).toEqual(range(0, 10));
  expect(feed.problem).toBeNull();
});

test('what is missing live does not wait for the histories of others', async () => {
  feed.onSubscribed([series]);
  await settle();
  const answer = Promise.withResolvers<void>();
  market.answering = answer.promise;
  const others = range(0, 20).map((index) => `C${index}USDT`);
  feed.setSeries(new Map([['BTCUSDT', ['1m']], ...others.map((symbol) => [symbol, ['1m']] as [string, Interval[]])]));
  feed.onSubscribed(others.map((symbol) => ({ symbol, interval: '1m' })));
  await settle();
  market.asked = [];
  market.answering = Promise.resolve();
  market.now = at(14) + 5_000;
  feed.onClosed(series, candle(at(13)));
  await settle();
  expect(taken).toEqual(range(0, 14));
  answer.resolve();
});

test('history begins anew where it must reach further back; a symbol that left is forgotten', async () => {
  feed.onSubscribed([series]);
  await settle();
  expect(feed.covers('BTCUSDT', '1m', at(0), undefined)).toBe(true);
  expect(feed.covers('BTCUSDT', '1m', at(-5), undefined)).toBe(false);
  feed.refill('BTCUSDT');
  await settle();
  expect(taken).toEqual([...range(0, 10), 'anew', ...range(0, 10)]);
  feed.setSeries(new Map());
  feed.onClosed(series, candle(at(10)));
  expect(taken.at(-1)).toBe('anew');
  expect(feed.progress().symbols).toBe(0);
});

test('after a restart a series goes on where it stood: within the candle under way the exchange is asked for nothing, and the stream goes on', async () => {
  held = range(0, 10).map((index) => candle(at(index)));
  setClock();
  feed.onSubscribed([series]);
  await settle();
  expect([market.asked, taken, feed.progress()]).toMatchObject([[], [], { done: 1, total: 1 }]);
  feed.onClosed(series, candle(at(10)));
  expect(taken).toEqual([10]);
});

test('after a restart that missed candles those are fetched, and the two before them compared', async () => {
  held = range(0, 8).map((index) => candle(at(index)));
  setClock();
  feed.onSubscribed([series]);
  await settle();
  expect([market.asked, taken, doubted]).toEqual([[6], [8, 9], []]);
});
