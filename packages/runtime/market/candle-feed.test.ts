import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Candle, Interval } from '@trademind/core';
import { systemWall } from '../time.ts';
import { CandleFeed } from './candle-feed.ts';
import { MarketClock } from './market-clock.ts';

const MINUTE = 60_000;
const START = 1_700_000_040_000;
const at = (index: number) => START + index * MINUTE;
const candle = (openTime: number): Candle => ({ openTime, open: 1, high: 2, low: 1, close: 1.5, volume: 1, quoteVolume: 1, trades: 1, takerBuy: 1 });

/** An exchange with one-minute candles: those before `now`, without the ones in `never`, and the one under way. */
class Market {
  now = at(10) + 500;
  never = new Set<number>();
  asked: number[] = [];
  halted = false;
  fails: Error | null = null;
  klines = (_symbol: string, _interval: Interval, startTime: number, limit = 1_000): Promise<Candle[]> => {
    this.asked.push((startTime - START) / MINUTE);
    if (this.fails) return Promise.reject(this.fails);
    const rows: Candle[] = [];
    for (let openTime = startTime; openTime <= this.now && rows.length < limit; openTime += MINUTE) if (!this.never.has((openTime - START) / MINUTE)) rows.push(candle(openTime));
    return Promise.resolve(rows);
  };
}

let market: Market;
let feed: CandleFeed;
let taken: (number | string)[];
let said: string[];
let ending: AbortController;
let clock: MarketClock;
beforeEach(() => {
  vi.useFakeTimers();
  market = new Market();
  taken = [];
  said = [];
  ending = new AbortController();
  clock = new MarketClock(() => performance.now());
  feed = new CandleFeed({
    rest: market, clock, wall: systemWall, signal: ending.signal, log: (_level, code) => said.push(code),
    refreshClock: () => { clock.set({ serverTime: market.now, rate: 1, sentAt: performance.now(), receivedAt: performance.now() }); return Promise.resolve(); },
    saysHalted: () => Promise.resolve(market.halted), startOf: () => at(0), take: (_symbol, _interval, { openTime }) => taken.push((openTime - START) / MINUTE), restart: () => taken.push('anew'), onProgress: () => undefined,
  });
  feed.setSeries(new Map([['BTCUSDT', ['1m']]]));
});
afterEach(async () => {
  ending.abort();
  await feed.stop();
  vi.useRealTimers();
});

const series = { symbol: 'BTCUSDT', interval: '1m' } as const;
const settle = () => vi.advanceTimersByTimeAsync(0);
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index);
async function later(minutes: number): Promise<void> {
  market.now += minutes * MINUTE;
  clock.set({ serverTime: market.now, rate: 1, sentAt: performance.now(), receivedAt: performance.now() });
  await vi.advanceTimersByTimeAsync(30_000);
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
});

test('pages of a thousand are read until the end', async () => {
  market.now = at(2_500) + 5;
  feed.onSubscribed([series]);
  await settle();
  expect(taken).toEqual(range(0, 2_500));
  expect(market.asked).toHaveLength(3);
});

test('a gap in the stream is fetched, in order', async () => {
  feed.onSubscribed([series]);
  await settle();
  market.now = at(14) + 500;
  feed.onClosed(series, candle(at(13)));
  expect(taken).toEqual(range(0, 10));
  await settle();
  expect(taken).toEqual(range(0, 14));
  expect(feed.gaps).toBe(1);
});

test('a candle that the stream never brought is fetched when it is late', async () => {
  feed.onSubscribed([series]);
  await settle();
  await later(2);
  expect(taken).toEqual(range(0, 12));
});

test('candles that the exchange never had are a hole: the series begins anew after it, and this is said', async () => {
  market.never = new Set([3, 4, 5]);
  feed.onSubscribed([series]);
  await settle();
  expect(taken).toEqual([0, 1, 2, 'anew', 6, 7, 8, 9]);
  expect(said).toEqual(['candles_missing']);
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
  market.now = at(202) + 500;
  feed.onClosed(series, candle(at(201)));
  await settle();
  expect(taken.slice(10)).toEqual(['anew', 200, 201]);
  expect(feed.halted()).toEqual([]);
  expect(said).toEqual(['symbol_halted', 'candles_missing', 'symbol_trades']);
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
