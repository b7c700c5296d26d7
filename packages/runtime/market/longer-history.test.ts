import { intervalClose, intervalMs, intervalOpen, TraderDocument, type Candle, type Interval } from '@trademind/core';
import { Screener } from '@trademind/engine';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { marksInMemory } from './candle-marks.ts';
import { longerHistory } from './longer-history.ts';
import { MarketLink } from './market-link.ts';
import { HandExchange } from './testing/hand-exchange.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const START = Date.UTC(2026, 1, 27, 10, 50, 30);
const SYMBOL = 'BTCUSDT';

let exchange: HandExchange;
let screener: Screener;
let link: MarketLink;
let ending: AbortController;
let running: Promise<void>;
let ready: { openTime: number; ready: boolean }[];
/** A machine with one trader on minutes that looks at hours and at quarters of them. */
function machine(store = marksInMemory()): void {
  ending = new AbortController();
  link = new MarketLink({
    exchange: { restUrl: 'http://exchange', streamUrl: 'ws://exchange', fetch: exchange.fetch, openSocket: exchange.openSocket }, wall: exchange.wall, signal: ending.signal, log: () => undefined,
    startOf: (_symbol, interval) => intervalOpen(interval, link.clock.now()) - 30 * intervalMs(interval),
    longer: () => (['1h', '15m'] as Interval[]).map((interval) => ({ interval, from: intervalOpen(interval, link.clock.now()) - 12 * intervalMs(interval) })),
    seed: (symbol, interval, candles) => screener.seed(symbol, interval, candles),
    take: (symbol, interval, candle) => {
      screener.onCandle(symbol, interval, candle);
      ready.push({ openTime: candle.openTime, ready: screener.explain('t', symbol).verdict !== 'not ready' });
    },
    restart: (symbol, interval) => screener.forget(symbol, interval),
    held: (symbol, interval, limit) => screener.candles.read(symbol, interval, limit),
    marks: store, listings: { listedAt: () => undefined, setListedAt: () => undefined }, onPrice: () => undefined, onChange: () => undefined, onUniverse: () => undefined,
  });
}
async function begin(): Promise<void> {
  const opened = link.open();
  await exchange.pass(1_000);
  expect(await opened).toBe(true);
  running = link.run();
  link.want(new Map([[SYMBOL, ['1m']]]));
  await exchange.pass(10_000);
}
const until = (ms: number) => exchange.pass(ms - exchange.now());
/** What is stored of a longer interval, against the exchange's own. */
const longer = (interval: Interval) => screener.candles.read(SYMBOL, interval).map(rounded);
const own = (interval: Interval) => longer(interval).map(({ openTime }) => rounded(exchange.market.candle(SYMBOL, interval, openTime)));
/** Sums of many candles may differ in their last digit. */
const rounded = (candle: Candle): Candle => ({ ...candle, volume: Math.fround(candle.volume), quoteVolume: Math.fround(candle.quoteVolume), takerBuy: Math.fround(candle.takerBuy) });

beforeEach(() => {
  exchange = new HandExchange(START, [SYMBOL]);
  screener = new Screener({ defaultInterval: '1m', capacity: () => 500 });
  screener.setTraders([{ id: 't', version: 1, document: TraderDocument.parse({ name: 'Hours', side: 'long', where: { hours: 'on("1h", sma(5)) > 0', quarters: 'on("15m", sma(5)) > 0' } }) }]);
  screener.setUniverse('t', new Set([SYMBOL]));
  ready = [];
  machine();
});
afterEach(async () => {
  ending.abort();
  await exchange.pass(1_000);
  await running;
});

test.each([
  ['within an hour', Date.UTC(2026, 1, 27, 11, 20), 4], ['over the end of an hour', Date.UTC(2026, 1, 27, 11, 57), 6], ['the last of an hour', Date.UTC(2026, 1, 27, 11, 59), 1], ['the first of an hour', Date.UTC(2026, 1, 27, 12), 1],
])('after minutes that the exchange never had, %s, the longer candles are its own all the same, and what looks at them is never without', async (_where, from, count) => {
  exchange.lacks = (_symbol, interval, openTime) => interval === '1m' && openTime >= from && openTime < from + count * MINUTE;
  await begin();
  await until(Date.UTC(2026, 1, 27, 13, 5, 30));
  expect(link.marks.of(SYMBOL, '1m')).toMatchObject([{ kind: 'hole', openTime: from, until: from + count * MINUTE }]);
  expect(ready.map(({ openTime }) => openTime).slice(-125)).toEqual(exchange.closed(SYMBOL, '1m', START).slice(-125));
  for (const interval of ['1h', '15m'] as const) {
    expect(longer(interval)).toEqual(own(interval));
    expect(intervalClose(interval, longer(interval).at(-1)!.openTime)).toBe(intervalOpen(interval, exchange.now()));
  }
  expect(ready.filter((one) => !one.ready)).toEqual([]);
});

test('a longer candle that was under way when the minutes began is that of the exchange when it closes', async () => {
  await begin();
  expect(screener.candles.read(SYMBOL, '1m')[0]!.openTime).toBe(Date.UTC(2026, 1, 27, 10, 20));
  await until(Date.UTC(2026, 1, 27, 12, 1, 30));
  expect(longer('1h').slice(-2).map(({ openTime }) => openTime)).toEqual([Date.UTC(2026, 1, 27, 10), Date.UTC(2026, 1, 27, 11)]);
  expect(longer('1h')).toEqual(own('1h'));
  expect(ready.filter((one) => !one.ready)).toEqual([]);
});

test('a restart between the hole and the end of its hour loses nothing of it', async () => {
  const [from, count] = [Date.UTC(2026, 1, 27, 11, 20), 4];
  exchange.lacks = (_symbol, interval, openTime) => interval === '1m' && openTime >= from && openTime < from + count * MINUTE;
  const store = marksInMemory();
  machine(store);
  await begin();
  await until(Date.UTC(2026, 1, 27, 11, 40, 30));
  ending.abort();
  await exchange.pass(1_000);
  await running;
  const saved = screener.snapshot();
  screener = new Screener({ defaultInterval: '1m', capacity: () => 500 });
  screener.restore(Buffer.concat(saved));
  machine(store);
  await begin();
  await until(Date.UTC(2026, 1, 27, 12, 5, 30));
  expect(longer('1h').at(-1)!.openTime).toBe(Date.UTC(2026, 1, 27, 11));
  expect(longer('1h')).toEqual(own('1h'));
  expect(ready.filter((one) => !one.ready)).toEqual([]);
});

test('while the exchange does not give the broken hour, what would look at it waits, and goes on when it does', async () => {
  const from = Date.UTC(2026, 1, 27, 11, 20);
  exchange.lacks = (_symbol, interval, openTime) => interval === '1m' && openTime === from;
  await begin();
  await until(Date.UTC(2026, 1, 27, 11, 59));
  exchange.refuses = (path) => (path.includes('interval=1h') ? 503 : undefined);
  await until(Date.UTC(2026, 1, 27, 12, 3, 30));
  const last = () => (ready.at(-1)!.openTime - from) / MINUTE;
  expect(last()).toBe(38);
  exchange.refuses = () => undefined;
  await until(Date.UTC(2026, 1, 27, 12, 6, 30));
  expect(last()).toBe(45);
  expect(longer('1h').at(-1)!.openTime).toBe(START - (START % HOUR) + HOUR);
  expect(longer('1h')).toEqual(own('1h'));
  expect(ready.filter((one) => !one.ready)).toEqual([]);
});

test('an hour that closed a moment ago is no hole before the one under way: all before it are there, and it is left for later', async () => {
  const midnight = Date.UTC(2026, 1, 27);
  const hour = (at: number): Candle => ({ ...exchange.market.candle(SYMBOL, '1h', midnight + at * HOUR) });
  const asked = (hours: readonly number[], now: number) => longerHistory({
    rest: { klines: () => Promise.resolve(hours.map(hour)) }, clock: { now: () => 0, seen: () => now, isAhead: () => false }, wall: exchange.wall, signal: ending.signal, symbol: SYMBOL, interval: '1h',
  }, midnight);
  const opens = (candles: readonly Candle[]) => candles.map(({ openTime }) => (openTime - midnight) / HOUR);
  const tenOClock = midnight + 10 * HOUR;
  for (const [seen, expected] of [[tenOClock - 1, [6, 7, 8]], [tenOClock + 1_000, [6, 7, 8]], [tenOClock + 2_000, [6, 7, 8, 9]]] as const) expect(opens(await asked([6, 7, 8, 9, 10], seen)), String(seen)).toEqual(expected);
  // Beyond a real hole nothing before it counts.
  expect(opens(await asked([4, 5, 7, 8, 9, 10], tenOClock + 2_000))).toEqual([7, 8, 9]);
});
